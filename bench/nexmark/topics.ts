/** Nexmark's three topics: an online auction's people, auctions and bids. */
export interface TopicColumn {
  readonly name: string
  readonly kind: 'bigint' | 'timestamp' | 'text'
}

export interface Topic {
  readonly name: TopicName
  readonly columns: readonly TopicColumn[]
}

export type TopicName = 'person' | 'auction' | 'bid'

const bigint = (name: string): TopicColumn => ({ name, kind: 'bigint' })
const text = (name: string): TopicColumn => ({ name, kind: 'text' })
const timestamp = (name: string): TopicColumn => ({ name, kind: 'timestamp' })

export const person: Topic = {
  name: 'person',
  columns: [
    bigint('id'),
    text('name'),
    text('email_address'),
    text('credit_card'),
    text('city'),
    text('state'),
    timestamp('date_time'),
    text('extra'),
  ],
}

export const auction: Topic = {
  name: 'auction',
  columns: [
    bigint('id'),
    text('item_name'),
    text('description'),
    bigint('initial_bid'),
    bigint('reserve'),
    timestamp('date_time'),
    timestamp('expires'),
    bigint('seller'),
    bigint('category'),
    text('extra'),
  ],
}

export const bid: Topic = {
  name: 'bid',
  columns: [
    bigint('auction'),
    bigint('bidder'),
    bigint('price'),
    text('channel'),
    text('url'),
    timestamp('date_time'),
    text('extra'),
  ],
}

export const topics: readonly Topic[] = [person, auction, bid]

/** The topics in Millrace's SQL. The lateness is the usual one of Nexmark's watermarks. */
export function topicsSql(): string {
  return topics.map((topic) => `${table(topic)} WITH (event_time = 'date_time', lateness = '4 seconds');\n`).join('')
}

/** The same columns as tables of DuckDB. */
export function tablesSql(): string {
  return topics.map((topic) => `${table(topic)};\n`).join('')
}

function table(topic: Topic): string {
  return `CREATE TABLE ${topic.name} (${topic.columns.map(({ name, kind }) => `${name} ${kind} NOT NULL`).join(', ')})`
}
