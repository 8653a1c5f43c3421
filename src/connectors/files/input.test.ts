import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openBlock } from '../../data/block.ts'
import { blockCells } from '../../data/cell-access.ts'
import { cellDatum } from '../../data/datum.ts'
import { MillraceError } from '../../data/errors.ts'
import type { DecoderTopic } from '../../data/ingest/row-reader.ts'
import { printRow } from '../../data/json-print.ts'
import type { ColumnSchema } from '../../data/sql-type.ts'
import { NodeDisk } from '../../io/node-disk.ts'
import { type InputBlock, streamSource } from './byte-source.ts'
import { formatOf, readEventList, readInput, readSource } from './input.ts'

const disk = new NodeDisk()
const data = fileURLToPath(new URL('../../../node_modules/vega-datasets/data', import.meta.url))
const flights = path.join(data, 'flights-3m.parquet')
const airports = path.join(data, 'airports.csv')

const text = (name: string, nullable = true): ColumnSchema => ({ name, type: { kind: 'text' }, nullable })

const airport: DecoderTopic = {
  name: 'airport',
  columns: [
    text('iata', false),
    ...['name', 'city', 'state', 'country'].map((name) => text(name)),
    { name: 'latitude', type: { kind: 'double' }, nullable: true },
    { name: 'longitude', type: { kind: 'numeric', precision: 13, scale: 8 }, nullable: true },
  ],
  primaryKey: [0],
  eventTime: null,
}

const flight: DecoderTopic = {
  name: 'flight',
  columns: [
    { name: 'date', type: { kind: 'timestamp' }, nullable: false },
    { name: 'delay', type: { kind: 'integer' }, nullable: true },
    { name: 'distance', type: { kind: 'bigint' }, nullable: true },
    text('origin'),
    text('Destination'),
    text('missing'),
  ],
  primaryKey: [],
  eventTime: 0,
}

async function rowsOf(topic: DecoderTopic, blocks: AsyncIterable<InputBlock>): Promise<string[]> {
  const rows: string[] = []
  for await (const { bytes, rows: count } of blocks) {
    const block = openBlock(bytes)
    expect(block.rows).toBe(count)
    const cells = blockCells(block, topic.columns.length)
    for (let row = 0; row < count; row++) rows.push(printRow(topic.columns, block.memory, cells, row))
  }
  return rows
}

async function* pieces(content: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(content)
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size)
}

async function failureOf(blocks: AsyncIterable<unknown>): Promise<MillraceError> {
  try {
    for await (const _ of blocks);
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError)
    return error as MillraceError
  }
  throw new Error('it did not fail')
}

describe('Parquet', () => {
  it('reads the flights', async () => {
    let rows = 0
    let delay = 0
    let nulls = 0
    let last = 0
    const seen = new Set<string>()
    let first = ''
    for await (const block of readInput(disk, flights, flight)) {
      const { memory, columns, rows: count } = openBlock(block.bytes)
      const delays = columns.get(1)!
      for (let row = 0; row < count; row++) {
        if (delays.state !== 0 && memory.u8[delays.state + row] === 1) nulls++
        delay += memory.i32[delays.data / 4 + row]
      }
      if (rows === 0) first = printRow(flight.columns, memory, blockCells(openBlock(block.bytes), 6), 0)
      seen.add(String(cellDatum(memory, columns.get(3)!, 0, { kind: 'text' })))
      rows += count
      expect(block.readBytes).toBeGreaterThanOrEqual(last)
      last = block.readBytes
    }
    expect(rows).toBe(3_000_000)
    expect(nulls).toBe(0)
    expect(first).toBe(
      '{"date":"2001-01-01T00:01:00","delay":33,"distance":2176,"origin":"LAS","Destination":"PHL","missing":null}',
    )
    expect(delay).toBe(20_003_603)
    expect(seen.size).toBeGreaterThan(20)
  })

  it('refuses a column that does not fit, and one that is missing', async () => {
    const wrong: DecoderTopic = { ...flight, columns: [{ name: 'date', type: { kind: 'boolean' }, nullable: false }] }
    expect(await failureOf(readInput(disk, flights, wrong))).toMatchObject({
      code: 'event/invalid',
      message: 'column date of flight: the file has timestamp (INT64) there, which is no boolean',
    })
    const needed: DecoderTopic = { ...flight, columns: [...flight.columns, text('needed', false)] }
    expect((await failureOf(readInput(disk, flights, needed))).message).toContain('the file has no such column')
  })

  it('refuses a value that does not fit, with its row', async () => {
    const small: DecoderTopic = {
      ...flight,
      columns: flight.columns.map((column) =>
        column.name === 'distance' ? { ...column, type: { kind: 'smallint' } } : column,
      ),
    }
    const tiny: DecoderTopic = {
      ...small,
      columns: small.columns.map((column) =>
        column.name === 'origin' ? { ...column, type: { kind: 'varchar', length: 2 } } : column,
      ),
    }
    expect(await failureOf(readInput(disk, flights, tiny))).toMatchObject({
      message: '"LAS" is longer than 2 characters',
      place: { file: flights, pointer: '/0/origin' },
    })
  })

  it('refuses what is no Parquet', async () => {
    const error = await failureOf(readInput({ ...disk, open: () => disk.open(airports) } as never, 'x.parquet', flight))
    expect(error).toMatchObject({ code: 'event/invalid', place: { file: 'x.parquet' } })
  })
})

describe('CSV', () => {
  it('reads the airports', async () => {
    const rows = await rowsOf(airport, readInput(disk, airports, airport))
    expect(rows).toHaveLength(3376)
    expect(rows[0]).toBe(
      '{"iata":"00M","name":"Thigpen","city":"Bay Springs","state":"MS","country":"USA","latitude":31.95376472,"longitude":-89.23450472}',
    )
  })

  const topic: DecoderTopic = {
    name: 't',
    columns: [
      { name: 'id', type: { kind: 'bigint' }, nullable: false },
      text('note'),
      { name: 'at', type: { kind: 'timestamp' }, nullable: true },
      { name: 'ok', type: { kind: 'boolean' }, nullable: true },
    ],
    primaryKey: [],
    eventTime: null,
  }
  const csv = (content: string, size = 1 << 20) =>
    readSource(streamSource('x.csv', pieces(content, size)), 'csv', topic)

  const content = [
    'note,ID,extra,at,ok',
    'plain,1,,2026-11-21 10:00:00.5,t',
    '"a ""quoted"", text\r\nof two lines",2,"x",2026-11-21,false',
    '"",3,,,',
    '',
    ',004,é,,1',
    'é,"5",,"2026-11-21T00:00:00Z",""',
  ]

  it('takes quotes, line ends and NULLs, wherever it is cut', async () => {
    const expected = [
      '{"id":1,"note":"plain","at":"2026-11-21T10:00:00.5","ok":true}',
      '{"id":2,"note":"a \\"quoted\\", text\\r\\nof two lines","at":"2026-11-21T00:00:00","ok":false}',
      '{"id":3,"note":"","at":null,"ok":null}',
      '{"id":4,"note":null,"at":null,"ok":true}',
    ]
    const good = content.slice(0, -1)
    for (const file of [good.join('\n'), `\ufeff${good.join('\r\n')}\r\n`]) {
      for (let size = 1; size < 60; size++) expect(await rowsOf(topic, csv(file, size))).toEqual(expected)
    }
  })

  it.each<[string, number, string, string]>([
    [content.join('\n'), 8, '/4/ok', '"" is not a boolean'],
    ['id\n1\nx\n', 3, '/1/id', '"x" is not a bigint'],
    ['id,note\n1,a\n2\n', 3, '/1', 'the record has 1 fields, the first line has 2'],
    ['id,note\n1,"a\nb"\n2,"c', 4, '/1', 'a quote is not closed'],
    ['id,note\n1,"a"b\n', 2, '/0', 'something follows a closing quote'],
    ['id,note\n,a\n', 2, '/0/id', 'must not be null'],
    ['id,id\n1,1\n', 1, '', 'the column id is there twice'],
    ['note\na\n', 1, '', 'the column id is missing, and it must not be null'],
    ['', 1, '', 'the line of column names is missing'],
  ])('%j', async (file, line, pointer, detail) => {
    for (const size of [1, 3, 1000]) {
      const error = await failureOf(csv(file, size))
      expect(error).toMatchObject({ code: 'event/invalid', message: detail, place: { file: 'x.csv', line, pointer } })
    }
  })

  it('keeps unknown columns', async () => {
    for await (const { bytes } of csv('id,extra\n1,x\n2,\n')) {
      const block = openBlock(bytes)
      const rest = block.columns.get(65533)!
      expect(cellDatum(block.memory, rest, 0, { kind: 'jsonb' })).toEqual({ extra: 'x' })
      expect(cellDatum(block.memory, rest, 1, { kind: 'jsonb' })).toBeNull()
    }
  })
})

describe('JSON', () => {
  const topic: DecoderTopic = {
    name: 't',
    columns: [{ name: 'id', type: { kind: 'bigint' }, nullable: false }],
    primaryKey: [],
    eventTime: null,
  }
  const read = (content: string, format: 'ndjson' | 'json', size = 3) =>
    readSource(streamSource('x', pieces(content, size)), format, topic)

  it('reads lines and arrays', async () => {
    expect(await rowsOf(topic, read('\ufeff{"id":1}\n{"id":2}', 'ndjson'))).toEqual(['{"id":1}', '{"id":2}'])
    expect(await rowsOf(topic, read('[{"id":1},\n {"id":2}]\n', 'json'))).toEqual(['{"id":1}', '{"id":2}'])
  })

  it('ends at the first bad event, with file, line and pointer', async () => {
    expect(await failureOf(read('{"id":1}\n\n{"id":"x"}\n{"id":"y"}', 'ndjson'))).toMatchObject({
      code: 'event/invalid',
      message: '"x" is not a bigint',
      place: { file: 'x', line: 3, pointer: '/2/id' },
      exit: 1,
    })
    for (const size of [1, 5, 100]) {
      expect(await failureOf(read('[\n  {"id":1},\n\n  {\n "id":"x"}]', 'json', size))).toMatchObject({
        place: { file: 'x', line: 4, pointer: '/1/id' },
      })
      expect(await failureOf(read('[\n  {"id":1},\n\n  {\n "id":2', 'json', size))).toMatchObject({
        code: 'event/invalid',
        message: expect.stringContaining('too early'),
        place: { file: 'x', line: 4, pointer: '/1' },
      })
    }
  })

  it('reads events of several topics', async () => {
    const topics = [{ ...topic, id: 7 }]
    const source = (content: string) => streamSource('-', pieces(content, 5))
    const groups: [number, number][] = []
    const lines = '{"topic":"t","data":{"id":1}}\n'.repeat(5)
    for await (const { events, blocks } of readEventList(source(lines), topics, 2))
      groups.push([events, blocks[0].topic])
    expect(groups).toEqual([
      [2, 7],
      [2, 7],
      [1, 7],
    ])
    expect(await failureOf(readEventList(source(`${lines}{"topic":"u","data":{}}`), topics))).toMatchObject({
      code: 'topic/unknown',
      place: { file: '-', line: 6, pointer: '/5/topic' },
    })
  })
})

it('tells formats by their ending, and says what it cannot read', async () => {
  expect(['a.ndjson', 'a.JSONL', 'b/a.json', 'a.csv', 'a.parquet'].map(formatOf)).toEqual([
    'ndjson',
    'ndjson',
    'json',
    'csv',
    'parquet',
  ])
  expect(() => formatOf('events.txt')).toThrow(MillraceError)
  expect(await failureOf(readInput(disk, fileURLToPath(new URL('none.csv', import.meta.url)), airport))).toMatchObject({
    code: 'usage',
    message: expect.stringContaining('there is no such file'),
  })
})
