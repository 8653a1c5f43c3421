import { describe, expect, it } from 'vitest'
import { blockColumn, openBlock } from './block.ts'
import { blockCells } from './cell-access.ts'
import { type EventGroup, EventListDecoder, EventListStream } from './event-list.ts'
import type { ListedTopic } from './ingest/envelope-reader.ts'
import { printRow } from './json-print.ts'

const bid: ListedTopic = {
  id: 1,
  name: 'bid',
  columns: [
    { name: 'n', type: { kind: 'bigint' }, nullable: false },
    { name: 'note', type: { kind: 'text' }, nullable: true },
  ],
  primaryKey: [],
  eventTime: null,
}
const account: ListedTopic = {
  id: 2,
  name: 'account',
  columns: [
    { name: 'owner', type: { kind: 'text' }, nullable: false },
    { name: 'id', type: { kind: 'integer' }, nullable: false },
  ],
  primaryKey: [1],
  eventTime: null,
}
const topics = [bid, account]
const utf8 = (body: string): Uint8Array => new TextEncoder().encode(body)

/** Each group as its rows, `-` before a delete. */
function show(groups: readonly Pick<EventGroup, 'blocks'>[]): string[][] {
  return groups.map(({ blocks }) =>
    blocks.flatMap(({ topic, rows, bytes }) => {
      const { columns } = topics.find(({ id }) => id === topic)!
      const block = openBlock(bytes)
      const operation = block.columns.get(blockColumn.operation)
      return Array.from({ length: rows }, (_, row) => {
        const sign = operation !== undefined && block.memory.i32[operation.data / 4 + row] === 1 ? '-' : ''
        return sign + printRow(columns, block.memory, blockCells(block, columns.length), row)
      })
    }),
  )
}

describe('a list of events of several topics', () => {
  it('keeps the order within each topic, and cuts groups of so many events', () => {
    const lines = [
      '{"topic":"bid","data":{"n":1}}',
      '{"topic":"account","data":{"id":1,"owner":"a"}}',
      '{"topic":"bid","data":{"n":2}}',
      '',
      '{"topic":"account","op":"delete","data":{"id":1}}',
      '{"topic":"account","op":"upsert","data":{"id":2,"owner":"b"}}',
    ]
    const stream = new EventListStream(topics, 'ndjson', { cutEvery: 2 })
    const groups = [...stream.feed(utf8(lines.join('\n'))), ...stream.end()]
    expect(stream.errors).toEqual([])
    expect(groups.map((group) => group.events)).toEqual([2, 2, 1])
    expect(show(groups)).toEqual([
      ['{"n":1,"note":null}', '{"owner":"a","id":1}'],
      ['{"n":2,"note":null}', '-{"owner":null,"id":1}'],
      ['{"owner":"b","id":2}'],
    ])
  })

  it('takes the fields of an event in any order', () => {
    const orders = [
      '{"data":{"id":1,"owner":"x"},"topic":"account"}',
      '{"data":{"id":2},"op":"delete","topic":"account"}',
      '{"topic":"account","data":{"id":3},"op":"delete"}',
      '{"topic":"account","data":{"id":4,"owner":"left out"},"op":"delete"}',
      ' { "op" : null , "topic" : "account" , "data" : { "id" : 5 , "owner" : "y" } } ',
    ]
    const stream = new EventListStream(topics)
    const groups = [...stream.feed(utf8(orders.join('\n'))), ...stream.end()]
    expect(stream.errors).toEqual([])
    expect(show(groups)[0]).toEqual([
      '{"owner":"x","id":1}',
      '-{"owner":null,"id":2}',
      '-{"owner":null,"id":3}',
      '-{"owner":null,"id":4}',
      '{"owner":"y","id":5}',
    ])
  })

  it('marks only blocks with deletes', () => {
    const decoder = new EventListDecoder(topics)
    const upserts = decoder.decodeBody(utf8('{"events":[{"topic":"account","data":{"id":1,"owner":"x"}}]}'))
    expect(openBlock(upserts.blocks[0].bytes).columns.has(blockColumn.operation)).toBe(false)
  })

  it.each<[string, string, string, string]>([
    ['{"topic":"bid","data":{"n":"x"}}', '/data/n', 'event/invalid', '"x" is not a bigint'],
    ['{"topic":"nope","data":{}}', '/topic', 'topic/unknown', 'there is no topic "nope"'],
    ['{"topic":7,"data":{}}', '/topic', 'event/invalid', 'the name of a topic must be a string'],
    ['{"topic":"bid"}', '', 'event/invalid', 'the data are missing'],
    ['{"data":{"n":1}}', '', 'event/invalid', 'the topic is missing'],
    ['{"topic":"bid","data":[]}', '/data', 'event/invalid', 'an event must be a JSON object'],
    ['{"topic":"bid","data":{"n":1},"more":1}', '/more', 'event/invalid', 'an event has the fields topic, op and data'],
    ['{"topic":"bid","data":{"n":1},"data":{"n":1}}', '/data', 'event/invalid', 'the key is there twice'],
    [
      '{"topic":"bid","op":"update","data":{"n":1}}',
      '/op',
      'event/invalid',
      'the operation must be "upsert" or "delete"',
    ],
    [
      '{"topic":"bid","op":"delete","data":{"n":1}}',
      '/op',
      'event/unsupported-delete',
      'bid has no primary key, so nothing can be deleted from it',
    ],
    [
      '{"topic":"account","op":"delete","data":{"owner":"x"}}',
      '/data/id',
      'event/invalid',
      'the primary key is missing',
    ],
    ['7', '', 'event/invalid', 'an event must be a JSON object'],
  ])('%s', (event, pointer, code, detail) => {
    const good = '{"topic":"account","data":{"id":1,"owner":"x"}}'
    const body = utf8(`{"events": [${good}, ${event}, ${good}] }`)
    const decoder = new EventListDecoder(topics)
    const decoded = decoder.decodeBody(body)
    expect(decoded.errors).toContainEqual({ index: 1, pointer: `/events/1${pointer}`, code, detail })
    expect(decoded).toMatchObject({ events: 0, blocks: [], badEvents: 1, malformed: false })
    const skipped = decoder.decodeBody(body, { policy: 'skip' })
    expect(skipped.events).toBe(2)
    expect(show([skipped])[0]).toHaveLength(2)
    const stream = new EventListStream(topics)
    stream.feed(utf8(`${good}\n${event}\n`))
    expect(stream.errors).toContainEqual({ index: 1, line: 2, pointer: `/1${pointer}`, code, detail })
  })

  it('does not say again what was wrong with an earlier event', () => {
    const decoder = new EventListDecoder(topics)
    const { errors } = decoder.decodeBody(
      utf8(
        '{"events":[{"topic":"bid","data":{"n":"x"}},{"topic":"bid"},{"op":"delete","topic":"bid","data":{"n":[]}}]}',
      ),
    )
    expect(errors.map((e) => e.pointer)).toEqual(['/events/0/data/n', '/events/1', '/events/2/op', '/events/2/data/n'])
  })

  it.each([
    '[]',
    '{}',
    '{"events":{}}',
    '{"events":[]',
    '{"events":[],"more":1}',
    '{"events":[]} x',
    '{"event":[]}',
    '{"events":[{"topic":"bid","data":{"n":1}]}',
    '',
  ])('%s is not such a body', (body) => {
    const decoded = new EventListDecoder(topics).decodeBody(utf8(body), { policy: 'skip' })
    expect(decoded).toMatchObject({ events: 0, blocks: [], malformed: true })
    expect(decoded.errors[0].code).toBe('request/malformed')
  })

  it('is the same wherever the input is cut', () => {
    const body = utf8(
      '{"topic":"bid","data":{"n":1,"note":"é\\n😀"}}\n{"data":{"id":7},"op":"delete","topic":"account"}\n{"topic":"bid","data":{"n":2}}',
    )
    const whole = new EventListStream(topics)
    const expected = show([...whole.feed(body), ...whole.end()])
    for (let cut = 0; cut <= body.length; cut++) {
      const stream = new EventListStream(topics)
      const groups = [...stream.feed(body.subarray(0, cut)), ...stream.feed(body.subarray(cut)), ...stream.end()]
      expect(stream.errors).toEqual([])
      expect(show(groups)).toEqual(expected)
    }
  })

  it('cuts a topic into several blocks within a group', () => {
    const lines = Array.from({ length: 20_000 }, (_, n) => `{"topic":"bid","data":{"n":${n}}}`).join('\n')
    const stream = new EventListStream(topics, 'ndjson', { cutEvery: 50_000 })
    const groups = [...stream.feed(utf8(lines)), ...stream.end()]
    expect(groups.map(({ events, blocks }) => [events, blocks.map(({ rows }) => rows)])).toEqual([
      [20_000, [16_384, 3616]],
    ])
  })
})
