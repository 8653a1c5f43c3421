import { blockMagic, blockVersion, directoryBytes, headerBytes } from './block.ts'
import { align8 } from './memory.ts'

/** Where a column lies in its block: bytes from the block's start, cells, heap, states and padding. */
export interface ColumnStretch {
  readonly id: number
  readonly start: number
  readonly end: number
}

const none: readonly ColumnStretch[] = []

/**
 * The columns of a block that take many bytes, in order.
 * @returns none where the bytes are no block whose columns lie one behind the other: then they can't be told apart
 */
export function largeColumns(bytes: Uint8Array, leastBytes: number): readonly ColumnStretch[] {
  if (bytes.byteLength < headerBytes + leastBytes) return none
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isBlock = view.getUint32(0, true) === blockMagic && view.getUint32(4, true) === blockVersion
  if (!isBlock || view.getUint32(8, true) !== bytes.byteLength) return none
  const rows = view.getUint32(12, true)
  const count = view.getUint32(16, true)
  let behind = headerBytes + count * directoryBytes
  if (behind > bytes.byteLength) return none
  const large: ColumnStretch[] = []
  for (let i = 0, entry = headerBytes; i < count; i++, entry += directoryBytes) {
    const start = view.getUint32(entry + 4, true)
    const length = view.getUint32(entry + 8, true)
    const state = view.getUint32(entry + 12, true)
    const end = align8(state === 0 ? start + length : state + rows)
    const inOrder = start >= behind && start % 8 === 0 && (state === 0 || state >= start + length)
    if (!inOrder || end > bytes.byteLength) return none
    if (end - start >= leastBytes) large.push({ id: view.getUint16(entry, true), start, end })
    behind = end
  }
  return large
}

/** Takes columns out of a block's directory, where it lies: what they held stays, and nobody finds it. */
export function dropColumns(bytes: Uint8Array, dropped: ReadonlySet<number>): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = view.getUint32(16, true)
  let kept = 0
  for (let i = 0; i < count; i++) {
    const entry = headerBytes + i * directoryBytes
    if (dropped.has(view.getUint16(entry, true))) continue
    if (kept < i) bytes.copyWithin(headerBytes + kept * directoryBytes, entry, entry + directoryBytes)
    kept++
  }
  view.setUint32(16, kept, true)
}
