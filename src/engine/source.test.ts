// What a topic's source copies out of the log's blocks: the columns that somebody reads, and nothing else.
import { describe, expect, it } from 'vitest'
import { openBlock } from '../data/block.ts'
import { blockCells } from '../data/cell-access.ts'
import { MillraceError } from '../data/errors.ts'
import { ObjectDecoder } from '../data/js-rows.ts'
import { compileRowTexts } from '../data/text-print.ts'
import type { Program } from '../plan/program.ts'
import { loadParser } from '../sql/parse.ts'
import { sqlDefinition } from './definitions.ts'
import { Engine } from './engine.ts'
import type { TickInput } from './port.ts'

const topic = `CREATE TABLE hit (page text NOT NULL, at timestamp NOT NULL, size int, note text)
  WITH (event_time = 'at', lateness = '1 second');`

const time = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString().slice(0, 19)

const events = [
  { page: '/a', at: time(10), size: 1, note: 'first' },
  { page: '/b', at: time(3), size: null, note: null },
  { page: '/c', at: time(10), size: 3, note: 'third' },
  { page: '/d', at: time(11), size: 4, note: '' },
]

async function programOf(views: readonly string[]): Promise<Program> {
  await loadParser()
  const sql = views.map((query, i) => `CREATE MATERIALIZED VIEW v${i} AS ${query};`).join('\n')
  return (await sqlDefinition(`${topic}\n${sql}`).plan({ topics: [], views: [] })).program
}

function tickOf(program: Program, blocks: readonly Uint8Array[]): TickInput {
  let firstOffset = 7
  return {
    kind: 'tick',
    tick: 1,
    timeMicros: 5n,
    blocks: blocks.map((bytes) => {
      const logged = { topic: program.topics[0].id, partition: 0, firstOffset, appendedAtMicros: 9_000_000n, bytes }
      firstOffset += new DataView(bytes.buffer, bytes.byteOffset).getUint32(12, true)
      return logged
    }),
  }
}

function blocksOf(program: Program, cut: number): Uint8Array[] {
  const decoder = new ObjectDecoder(program.topics[0])
  const groups = Array.from({ length: Math.ceil(events.length / cut) }, (_, i) => events.slice(i * cut, (i + 1) * cut))
  return groups.flatMap((group) => decoder.decode(group, 'upsert').blocks.map(({ bytes }) => bytes))
}

/** The views' rows as text, in the order they came. */
function rowsOf(program: Program, blocks: readonly Uint8Array[], reopen = false): string[][] {
  const engine = new Engine(program, { reopen })
  const { deltas } = engine.step(tickOf(program, blocks))
  engine.destroy()
  return program.views.map((view) => {
    const texts = compileRowTexts(view.columns)
    const delta = deltas.find((one) => one.view === view.id)
    return (delta?.blocks ?? []).flatMap((bytes) => {
      const block = openBlock(bytes)
      const cells = blockCells(block, view.columns.length)
      return Array.from({ length: block.rows }, (_, i) => texts(block.memory, cells, i).join())
    })
  })
}

describe('a source', () => {
  it('tells the offsets that events have, where others are gone', async () => {
    const program = await programOf(['SELECT _offset, page FROM hit'])
    for (const cut of [1, 2, 4]) {
      const engine = new Engine(program)
      const input = tickOf(program, blocksOf(program, cut))
      let offset = 2 ** 33
      const blocks = input.blocks.map((block) => {
        const rows = new DataView(block.bytes.buffer, block.bytes.byteOffset).getUint32(12, true)
        const offsets = Float64Array.from({ length: rows }, () => (offset += 3))
        return { ...block, firstOffset: offsets[0], offsets }
      })
      const { deltas } = engine.step({ ...input, blocks })
      engine.destroy()
      const texts = compileRowTexts(program.views[0].columns)
      const rows = deltas[0].blocks.flatMap((bytes) => {
        const block = openBlock(bytes)
        const cells = blockCells(block, 2)
        return Array.from({ length: block.rows }, (_, i) => texts(block.memory, cells, i).join())
      })
      const wanted = ['/a', '/b', '/c', '/d'].map((page, i) => `${2 ** 33 + 3 * (i + 1)},${page}`)
      expect(rows.sort(), `blocks of ${cut}`).toEqual(wanted)
    }
  })

  it('gives each view its columns, whatever the others read', async () => {
    const queries: readonly (readonly [string, readonly string[]])[] = [
      ['SELECT page FROM hit', ['/a', '/b', '/c', '/d']],
      ['SELECT size, page FROM hit', ['1,/a', ',/b', '3,/c', '4,/d']],
      ['SELECT note FROM hit WHERE size > 1', ['third', '']],
      ['SELECT _offset, note FROM hit', ['7,first', '8,', '9,third', '10,']],
      [
        'SELECT * FROM hit',
        [
          '/a,2026-01-01 00:00:10,1,first',
          '/b,2026-01-01 00:00:03,,',
          '/c,2026-01-01 00:00:10,3,third',
          '/d,2026-01-01 00:00:11,4,',
        ],
      ],
      ['SELECT _offset, watermark, distance FROM _late', ['8,2026-01-01 00:00:09,00:00:06']],
    ]
    for (const cut of [1, 2, 3, 4]) {
      for (const [sql, rows] of queries) {
        const program = await programOf([sql])
        expect(rowsOf(program, blocksOf(program, cut))).toEqual([rows])
      }
      const program = await programOf(queries.map(([sql]) => sql))
      expect(rowsOf(program, blocksOf(program, cut))).toEqual(queries.map(([, rows]) => rows))
      expect(rowsOf(program, blocksOf(program, cut), true)).toEqual(queries.map(([, rows]) => rows))
    }
  })

  it('refuses a damaged text where it is read, and follows it nowhere else', async () => {
    const damagedBy = async (sql: string): Promise<unknown> => {
      const program = await programOf([sql])
      const [bytes] = blocksOf(program, 4)
      const block = openBlock(bytes)
      const note = block.columns.get(3)!
      // The first text's length.
      block.memory.u32[(note.data >>> 2) + 1] = 1 << 30
      try {
        return rowsOf(program, [bytes])
      } catch (error) {
        return error
      }
    }
    expect(await damagedBy('SELECT page FROM hit')).toEqual([['/a', '/b', '/c', '/d']])
    const error = await damagedBy('SELECT page, note FROM hit')
    expect(error).toBeInstanceOf(MillraceError)
    expect(error).toMatchObject({ code: 'log/corrupt' })
  })

  it('refuses a column of another lane', async () => {
    const program = await programOf(['SELECT page, size FROM hit'])
    const [bytes] = blocksOf(program, 4)
    const { memory } = openBlock(bytes)
    // The directory's entry of `size`: its lane, i32, becomes f64.
    for (let entry = 8; entry < 8 + 4 * 6; entry += 6)
      if ((memory.u32[entry] & 0xffff) === 2) memory.u32[entry] = 2 | (2 << 16)
    expect(() => rowsOf(program, [bytes])).toThrow(MillraceError)
  })
})
