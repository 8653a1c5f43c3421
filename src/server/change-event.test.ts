import { describe, expect, it } from 'vitest'
import type { PrintOptions } from '../data/json-print.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { nodeIo } from '../io/node.ts'
import { EventStreamParser } from '../protocol/event-stream.ts'
import { equalityOf } from '../views/read.ts'
import { Rows } from '../views/rows.ts'
import { changeEvent } from './change-event.ts'

const columns: readonly ColumnSchema[] = [{ name: 'n', type: { kind: 'bigint' }, nullable: false }]
const { clock } = nodeIo()

/** The same row, so often. */
function rowsOf(count: number): Rows {
  const { page } = equalityOf(columns, new Map([[0, '7']]))
  return new Rows(columns, [page as never], new Uint32Array(count), null)
}

async function piecesOf(tick: number, rows: Rows, options: PrintOptions = {}): Promise<readonly Uint8Array[]> {
  const pieces: Uint8Array[] = []
  for await (const piece of changeEvent(clock, tick, rows, options)) pieces.push(piece)
  return pieces
}

function told(pieces: readonly Uint8Array[]): unknown {
  const parser = new EventStreamParser()
  return pieces.flatMap((piece) => parser.feed(piece)).map(({ id, data }) => [id, JSON.parse(data)])
}

describe('a change as an event', () => {
  it('is printed once for all readers who are told the same rows in the same way', async () => {
    const rows = rowsOf(1)
    const [[first], [second]] = await Promise.all([piecesOf(3, rows), piecesOf(3, rows)])
    expect(second).toBe(first)
    expect(told([first])).toEqual([['3', { tick: 3, changes: [{ row: { n: 7 }, weight: 1 }] }]])
    const [asText] = await piecesOf(3, rows, { numbers: 'string' })
    expect(told([asText])).toEqual([['3', { tick: 3, changes: [{ row: { n: '7' }, weight: 1 }] }]])
    expect(told(await piecesOf(4, rows))).toMatchObject([['4', { tick: 4 }]])
    const [other] = await piecesOf(3, rowsOf(1))
    expect(other).not.toBe(first)
    expect(other).toEqual(first)
  })

  it('is whole in several pieces, shared or not', async () => {
    for (const count of [2048, 5000]) {
      const rows = rowsOf(count)
      const pieces = await piecesOf(1, rows)
      expect((told(pieces) as [[string, { changes: unknown[] }]])[0][1].changes).toHaveLength(count)
      expect((await piecesOf(1, rows))[0] === pieces[0]).toBe(count <= 2048)
    }
  })
})
