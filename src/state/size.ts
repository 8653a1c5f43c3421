import type { Table } from './table.ts'

/** How much of some state is in memory: keys exactly, bytes about. */
export interface Size {
  readonly keys: number
  readonly bytes: number
}

/** Entries looked at to tell how large one is. */
const sizedEntries = 512

/** @param bytesOf about what an entry and all that hangs on it take */
export function sizeOf({ count, mask, slots, heap }: Table, bytesOf: (entry: number) => number): Size {
  const { u32 } = heap.memory
  let seen = 0
  let bytes = 0
  for (let slot = 0; slot <= mask && seen < sizedEntries; slot++) {
    const entry = u32[(slots + slot * 8 + 4) >>> 2]
    if (entry === 0) continue
    seen++
    bytes += bytesOf(entry)
  }
  return { keys: count, bytes: (mask + 1) * 8 + (seen === 0 ? 0 : Math.round((bytes / seen) * count)) }
}
