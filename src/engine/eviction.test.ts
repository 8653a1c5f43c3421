import { describe, expect, it } from 'vitest'
import { openBlock } from '../data/block.ts'
import { ObjectDecoder } from '../data/js-rows.ts'
import { loadParser } from '../sql/parse.ts'
import { sqlDefinition } from './definitions.ts'
import { Engine } from './engine.ts'

const topic = `CREATE TABLE bid (auction bigint NOT NULL, at timestamp NOT NULL)
  WITH (event_time = 'at', lateness = '10 seconds');`
const query = `SELECT window_start, window_end, auction, count(*) AS bids
  FROM tumble(bid, at, interval '1 minute') GROUP BY window_start, window_end, auction`

/** Feeds minutes of bids, one tick each. @returns state bytes after each, and the rows put out */
async function run(view: string, minutes: number, reopen = false): Promise<{ bytes: number[]; rows: number }> {
  await loadParser()
  const { program } = await sqlDefinition(`${topic}\n${view}`).plan({ topics: [], views: [] })
  const engine = new Engine(program, { reopen })
  const decoder = new ObjectDecoder(program.topics[0])
  const bytes: number[] = []
  let rows = 0
  let offset = 0
  for (let minute = 0; minute < minutes; minute++) {
    const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, minute, second)).toISOString()
    const events = Array.from({ length: 60 }, (_, i) => ({ auction: i % 40, at: at(i) }))
    const { blocks } = decoder.decode(events, 'upsert')
    const output = engine.step({
      kind: 'tick',
      tick: minute + 1,
      timeMicros: BigInt(minute),
      blocks: blocks.map((block) => {
        const firstOffset = offset
        offset += block.rows
        return {
          topic: program.topics[0].id,
          partition: 0,
          firstOffset,
          appendedAtMicros: 0n,
          bytes: block.bytes,
        }
      }),
    })
    bytes.push(output.stateBytes)
    for (const delta of output.deltas) for (const block of delta.blocks) rows += openBlock(block).rows
  }
  engine.destroy()
  return { bytes, rows }
}

describe('a final view', () => {
  it('forgets the groups of closed windows, and puts out each row once', async () => {
    for (const reopen of [false, true]) {
      const { bytes, rows } = await run(`CREATE MATERIALIZED VIEW v WITH (emit = 'final') AS ${query};`, 60, reopen)
      expect(bytes[59]).toBeLessThan(bytes[9] * 1.5)
      expect(rows).toBe(59 * 40)
    }
  })

  it('forgets what DISTINCT knows of them', async () => {
    const counted = `SELECT window_end, auction % 5 AS five, count(DISTINCT auction) AS auctions
      FROM tumble(bid, at, interval '1 minute') GROUP BY window_end, auction % 5`
    for (const reopen of [false, true]) {
      const { bytes, rows } = await run(`CREATE MATERIALIZED VIEW v WITH (emit = 'final') AS ${counted};`, 60, reopen)
      expect(bytes[59]).toBeLessThan(bytes[9] * 1.5)
      expect(rows).toBe(59 * 5)
    }
  })

  it('keeps them where it corrects itself', async () => {
    const { bytes } = await run(`CREATE MATERIALIZED VIEW v AS ${query};`, 60)
    expect(bytes[59]).toBeGreaterThan(bytes[9] * 3)
  })

  it('keeps them below a join, where an old window can still change', async () => {
    const join = `CREATE MATERIALIZED VIEW v WITH (emit = 'final') AS
      SELECT window_end, a.auction, count(*) AS n FROM tumble(bid, at, interval '1 minute') a
      JOIN bid b ON a.auction = b.auction GROUP BY window_end, a.auction;`
    const { bytes } = await run(join, 60)
    expect(bytes[59]).toBeGreaterThan(bytes[9] * 3)
  })
})
