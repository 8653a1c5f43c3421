import { blockMagic, blockVersion, directoryBytes, headerBytes, openBlock, type Section } from './block.ts'
import type { BlockBuilder } from './block-builder.ts'
import { align8, type MemoryViews, viewsOver } from './memory.ts'
import type { Lane } from './sql-type.ts'

/** A column of a block to be: its cells, heap and states where they lie. */
export interface Part {
  readonly id: number
  readonly memory: MemoryViews
  readonly section: Section
}

const lanes: readonly Lane[] = ['i32', 'i64', 'f64', 'bytes']

/** What a builder made of one of its columns, under another number; null where it is all NULL. */
export function builtPart(builder: BlockBuilder, id: number, builtId: number): Part | null {
  const { memory, columns } = openBlock(builder.finish())
  const section = columns.get(builtId)
  return section === undefined ? null : { id, memory, section }
}

/** Puts columns that are serialised already together into one block: nothing of them is looked at. */
export function joinBlock(rows: number, parts: readonly Part[]): Uint8Array {
  let size = headerBytes + parts.length * directoryBytes
  for (const { section } of parts) size += align8(section.length) + (section.state === 0 ? 0 : align8(rows))
  const out = viewsOver(new ArrayBuffer(size))
  out.u32.set([blockMagic, blockVersion, size, rows, parts.length, 0, 0, 0])
  let at = headerBytes + parts.length * directoryBytes
  for (const [i, { id, memory, section }] of parts.entries()) {
    const { data, length, state } = section
    out.u8.set(memory.u8.subarray(data, data + length), at)
    const stateAt = state === 0 ? 0 : at + align8(length)
    if (state !== 0) out.u8.set(memory.u8.subarray(state, state + rows), stateAt)
    const entry = (headerBytes + i * directoryBytes) >>> 2
    out.u32.set([id | (lanes.indexOf(section.lane) << 16), at, length, stateAt, 0, 0], entry)
    at += align8(length) + (state === 0 ? 0 : align8(rows))
  }
  return out.u8
}
