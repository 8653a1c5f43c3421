import { type Block, blockColumn, headerBytes, writeBlock } from './block.ts'
import { Bug } from './errors.ts'
import { align8, viewsOver } from './memory.ts'
import { laneWidth } from './sql-type.ts'

/**
 * Some rows of a block of events as a block of their own.
 * @param rows ascending
 */
export function rowsOfBlock(block: Block, rows: ArrayLike<number>): Uint8Array {
  if (block.columns.has(blockColumn.weight)) throw new Bug('events have no weight')
  const count = rows.length
  let size = Math.max(headerBytes, align8(block.bytes.byteLength))
  for (const { lane, state } of block.columns.values()) {
    size += align8(count * laneWidth(lane)) + (state === 0 ? 0 : align8(count))
  }
  // The chosen cells are put behind the block, so that strings are found where they lie.
  const memory = viewsOver(new ArrayBuffer(size))
  memory.u8.set(block.bytes)
  let at = align8(block.bytes.byteLength)
  const ids: number[] = []
  const columns = [...block.columns].map(([id, column]) => {
    const words = laneWidth(column.lane) >>> 2
    const data = at
    const [from, to] = [column.data >>> 2, data >>> 2]
    for (let i = 0; i < count; i++) {
      memory.u32[to + i * words] = memory.u32[from + rows[i] * words]
      if (words === 2) memory.u32[to + i * 2 + 1] = memory.u32[from + rows[i] * 2 + 1]
    }
    at += align8(count * laneWidth(column.lane))
    let state = 0
    if (column.state !== 0) {
      let others = 0
      for (let i = 0; i < count; i++) others |= memory.u8[at + i] = memory.u8[column.state + rows[i]]
      state = others === 0 ? 0 : at
      at += align8(count)
    }
    ids.push(id)
    return { ...column, data, state }
  })
  return writeBlock(memory, { rows: count, columns, weights: 0 }, ids)
}
