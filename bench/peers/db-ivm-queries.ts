import type { IStreamBuilder, KeyValue } from '@tanstack/db-ivm'
import {
  concat,
  distinct,
  filter,
  groupBy,
  groupByOperators,
  groupedTopKWithFractionalIndex,
  join,
  map,
  reduce,
} from '@tanstack/db-ivm'
import type { Row } from '../nexmark/rows.ts'

const { avg, count, max, min, sum } = groupByOperators

export interface Inputs {
  readonly person: IStreamBuilder<Row>
  readonly auction: IStreamBuilder<Row>
  readonly bid: IStreamBuilder<Row>
}

/** A row of the answer, its columns in the query's order. */
export type Cells = readonly (number | string)[]
type Answer = IStreamBuilder<Cells>

const second = 1_000_000
const minute = 60 * second
const day = 1440 * minute
const floor = (time: number | string, size: number): number => Math.floor((time as number) / size) * size
const num = (cell: number | string): number => cell as number

const bidCells = (b: Row): Cells => [b.auction, b.bidder, b.price, b.channel, b.url, b.date_time, b.extra]
const keyBy =
  (column: string) =>
  (row: Row): KeyValue<number, Row> => [num(row[column]), row]

/** What an inner join puts out. */
type Joined<A, B> = KeyValue<number | string, [A, B]>

function joined<A, B>(
  left: IStreamBuilder<KeyValue<number | string, A>>,
  right: IStreamBuilder<KeyValue<number | string, B>>,
): IStreamBuilder<Joined<A, B>> {
  return left.pipe(join(right, 'inner')) as unknown as IStreamBuilder<Joined<A, B>>
}

function rowsByKey(stream: IStreamBuilder<Row>, column: string): IStreamBuilder<KeyValue<number | string, Row>> {
  return stream.pipe(map(keyBy(column)))
}

function valid({ auction, bid }: Inputs): IStreamBuilder<Joined<Row, Row>> {
  return joined(rowsByKey(auction, 'id'), rowsByKey(bid, 'auction')).pipe(
    filter(([, [a, b]]) => b.date_time >= a.date_time && b.date_time <= a.expires),
  )
}

/** The first rows of each group; each row gets a number of its own, as the operator wants it. */
function firstOf<T>(
  stream: IStreamBuilder<T>,
  group: (row: T) => number | string,
  compare: (a: T, b: T) => number,
  limit: number,
): IStreamBuilder<T> {
  let next = 0
  return stream.pipe(
    map((row): KeyValue<number, T> => [next++, row]),
    groupedTopKWithFractionalIndex<number, T>(compare, { limit, groupKeyFn: (_, row) => group(row) }),
    map(([, [row]]) => row),
  )
}

function byColumns(...columns: readonly string[]): (a: Row, b: Row) => number {
  const order = columns.map((column) => ({ column: column.replace('-', ''), sign: column.startsWith('-') ? -1 : 1 }))
  return (a, b) => {
    for (const { column, sign } of order) {
      if (a[column] < b[column]) return -sign
      if (a[column] > b[column]) return sign
    }
    return 0
  }
}

const ranks = {
  total: count<Row>(),
  rank1: sum<Row>((b) => (num(b.price) < 10_000 ? 1 : 0)),
  rank2: sum<Row>((b) => (num(b.price) >= 10_000 && num(b.price) < 1_000_000 ? 1 : 0)),
  rank3: sum<Row>((b) => (num(b.price) >= 1_000_000 ? 1 : 0)),
}

type Sale = readonly [price: number, bidder: number, auction: number]

/** Counts and distinct counts, in all and per price rank. */
function statistics(sales: [Sale, number][]): [number[], number][] {
  const counts = [0, 0, 0, 0]
  const bidders = [new Set(), new Set(), new Set(), new Set()]
  const auctions = [new Set(), new Set(), new Set(), new Set()]
  for (const [[price, bidder, auction], times] of sales) {
    for (const i of [0, price < 10_000 ? 1 : price < 1_000_000 ? 2 : 3]) {
      counts[i] += times
      bidders[i].add(bidder)
      auctions[i].add(auction)
    }
  }
  return [[[...counts, ...bidders.map((set) => set.size), ...auctions.map((set) => set.size)], 1]]
}

function hotItems({ bid }: Inputs): Answer {
  const windows = [0, 2, 4, 6, 8].map((back) =>
    bid.pipe(map((b) => ({ auction: b.auction, start: floor(b.date_time, 2 * second) - back * second }))),
  )
  const counts = windows
    .slice(1)
    .reduce((all, one) => all.pipe(concat(one)), windows[0])
    .pipe(
      groupBy(({ auction, start }) => ({ auction, start }), { num: count() }),
      map(
        ([, group]): KeyValue<number | string, { auction: number | string; num: number }> => [
          group.start,
          { auction: group.auction, num: group.num },
        ],
      ),
    )
  const most = counts.pipe(
    groupBy(([start]) => ({ start }), { most: max(([, { num }]) => num) }),
    map(([, group]): KeyValue<number | string, number> => [group.start, group.most ?? 0]),
  )
  return joined(counts, most).pipe(
    filter(([, [one, best]]) => one.num >= best),
    map(([start, [one]]): Cells => [one.auction, one.num, start]),
  )
}

function highestBids({ bid }: Inputs): Answer {
  const highest = bid.pipe(
    groupBy((b) => ({ end: floor(b.date_time, 10 * second) + 10 * second }), { most: max((b: Row) => num(b.price)) }),
    map(([, group]): KeyValue<number | string, number> => [group.most ?? 0, group.end]),
  )
  return joined(rowsByKey(bid, 'price'), highest).pipe(
    filter(([, [b, end]]) => num(b.date_time) >= end - 10 * second && num(b.date_time) <= end),
    map(([, [b]]): Cells => [b.auction, b.price, b.bidder, b.date_time, b.extra]),
  )
}

function newUsers({ person, auction }: Inputs): Answer {
  const window = (row: Row): number => floor(row.date_time, 10 * second)
  const people = person.pipe(
    map((p): KeyValue<string, Row> => [`${p.id}|${window(p)}`, { id: p.id, name: p.name, start: window(p) }]),
    distinct(),
    map(([, p]): KeyValue<number | string, Row> => [`${p.id}|${p.start}`, p]),
  )
  const sellers = auction.pipe(
    map((a): KeyValue<string, string> => [`${a.seller}|${window(a)}`, `${a.seller}|${window(a)}`]),
    distinct(),
    map(([, key]): KeyValue<number | string, string> => [key, key]),
  )
  return joined(people, sellers).pipe(map(([, [p]]): Cells => [p.id, p.name, p.start]))
}

function winningBids(inputs: Inputs): Answer {
  const byPrice = byColumns('-price', 'date_time', 'bidder', 'extra')
  const pairs = valid(inputs).pipe(map(([, pair]) => pair))
  return firstOf(
    pairs,
    ([a]) => a.id,
    (x, y) => byPrice(x[1], y[1]),
    1,
  ).pipe(
    map(
      ([a, b]): Cells => [...Object.values(a), b.auction, b.bidder, b.price, b.date_time, b.extra] as unknown as Cells,
    ),
  )
}

function price(cents: number | string): number {
  return num(cents) * 0.908
}

function dayTime(time: number | string): string {
  const hour = Math.floor((num(time) % day) / (60 * minute))
  return hour >= 8 && hour <= 18 ? 'dayTime' : hour <= 6 || hour >= 20 ? 'nightTime' : 'otherTime'
}

const channelIds: Record<string, string> = { apple: '0', google: '1', facebook: '2', baidu: '3' }

/** Nexmark's queries as dataflows of db-ivm, as its users would write them. */
export const dataflows: Readonly<Record<string, (inputs: Inputs) => Answer>> = {
  q0: ({ bid }) => bid.pipe(map((b): Cells => [b.auction, b.bidder, b.price, b.date_time, b.extra])),
  q1: ({ bid }) => bid.pipe(map((b): Cells => [b.auction, b.bidder, price(b.price), b.date_time, b.extra])),
  q2: ({ bid }) =>
    bid.pipe(
      filter((b) => num(b.auction) % 123 === 0),
      map((b): Cells => [b.auction, b.price]),
    ),
  q3: ({ auction, person }) =>
    joined(
      rowsByKey(auction.pipe(filter((a) => a.category === 10)), 'seller'),
      rowsByKey(person.pipe(filter((p) => p.state === 'OR' || p.state === 'ID' || p.state === 'CA')), 'id'),
    ).pipe(map(([, [a, p]]): Cells => [p.name, p.city, p.state, a.id])),
  q4: (inputs) =>
    valid(inputs).pipe(
      groupBy(([, [a]]) => ({ id: a.id, category: a.category }), {
        final: max(([, [, b]]: Joined<Row, Row>) => num(b.price)),
      }),
      groupBy(([, group]) => ({ category: group.category }), { final: avg(([, group]) => group.final ?? 0) }),
      map(([, group]): Cells => [group.category, group.final]),
    ),
  q5: hotItems,
  q7: highestBids,
  q8: newUsers,
  q9: winningBids,
  q12: ({ bid }) =>
    bid.pipe(
      groupBy((b) => ({ bidder: b.bidder, start: floor(b.date_time, 10 * second) }), { bids: count() }),
      map(([, group]): Cells => [group.bidder, group.bids, group.start, group.start + 10 * second]),
    ),
  q14: ({ bid }) =>
    bid.pipe(
      filter((b) => price(b.price) > 1_000_000 && price(b.price) < 50_000_000),
      map((b): Cells => {
        const extra = b.extra as string
        const letters = extra.length - extra.replaceAll('c', '').length
        return [b.auction, b.bidder, price(b.price), dayTime(b.date_time), b.date_time, b.extra, letters]
      }),
    ),
  q15: ({ bid }) =>
    bid.pipe(
      map((b): KeyValue<number, Sale> => [floor(b.date_time, day), [num(b.price), num(b.bidder), num(b.auction)]]),
      reduce(statistics),
      map(([start, counts]): Cells => [start, ...counts]),
    ),
  q16: ({ bid }) => {
    const keyOf = (b: Row): string => `${b.channel}|${floor(b.date_time, day)}`
    const minutes = bid.pipe(
      groupBy((b) => ({ key: keyOf(b) }), { minute: max((b: Row) => floor(b.date_time, minute)) }),
      map(([, group]): KeyValue<number | string, number> => [group.key, group.minute ?? 0]),
    )
    const counts = bid.pipe(
      map((b): KeyValue<number | string, Sale> => [keyOf(b), [num(b.price), num(b.bidder), num(b.auction)]]),
      reduce(statistics),
    )
    return joined(minutes, counts).pipe(
      map(([key, [latest, numbers]]): Cells => {
        const [channel, start] = String(key).split('|')
        return [channel, Number(start), latest, ...numbers]
      }),
    )
  },
  q17: ({ bid }) =>
    bid.pipe(
      groupBy((b) => ({ auction: b.auction, day: floor(b.date_time, day) }), {
        ...ranks,
        min: min((b: Row) => num(b.price)),
        max: max((b: Row) => num(b.price)),
        avg: avg((b: Row) => num(b.price)),
        sum: sum((b: Row) => num(b.price)),
      }),
      map(
        ([, g]): Cells => [g.auction, g.day, g.total, g.rank1, g.rank2, g.rank3, g.min ?? 0, g.max ?? 0, g.avg, g.sum],
      ),
    ),
  q18: ({ bid }) =>
    firstOf(
      bid,
      (b) => `${b.bidder}|${b.auction}`,
      byColumns('-date_time', 'price', 'channel', 'url', 'extra'),
      1,
    ).pipe(map(bidCells)),
  q20: ({ auction, bid }) =>
    joined(rowsByKey(bid, 'auction'), rowsByKey(auction.pipe(filter((a) => a.category === 10)), 'id')).pipe(
      map(([, [b, a]]): Cells => {
        const { item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra } = a
        const details = [item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra]
        return [...bidCells(b), ...details]
      }),
    ),
  q21: ({ bid }) =>
    bid.pipe(
      map((b): Cells => {
        const channel = b.channel as string
        const id = channelIds[channel.toLowerCase()] ?? /channel_id=([^&]+)/.exec(b.url as string)?.[1] ?? ''
        return [b.auction, b.bidder, b.price, channel, id]
      }),
      filter((cells) => cells[4] !== ''),
    ),
  q22: ({ bid }) =>
    bid.pipe(
      map((b): Cells => {
        const parts = (b.url as string).split('/')
        return [b.auction, b.bidder, b.price, b.channel, parts[3], parts[4], parts[5]]
      }),
    ),
}
