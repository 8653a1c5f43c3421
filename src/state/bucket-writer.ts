import { batchRows, type Column } from '../data/batch.ts'
import { copyOutBlock } from '../data/block.ts'
import type { Arena } from '../data/memory.ts'
import type { Piece } from './cold.ts'

/** Entries on their way out, sorted by hash: turns what their owner reads of them into pieces. */
export class BucketWriter {
  readonly arena: Arena
  readonly entries: Uint32Array
  /** Of all pieces made. */
  bytes = 0
  readonly #name: string
  /** Low and high words, pair by pair. */
  readonly #hashes: Uint32Array
  readonly #out: Piece[]

  /** @param hashes the entries' hashes as pairs of words, the low one first, in order */
  constructor(arena: Arena, name: string, entries: Uint32Array, hashes: Uint32Array, out: Piece[]) {
    this.arena = arena
    this.#name = name
    this.entries = entries
    this.#hashes = hashes
    this.#out = out
  }

  /** Which buckets these are, each once. */
  writeHashes(): void {
    const hashes = this.#hashes
    const owners: number[] = []
    for (let i = 0; i < this.entries.length; i++) {
      if (i === 0 || hashes[2 * i] !== hashes[2 * i - 2] || hashes[2 * i + 1] !== hashes[2 * i - 1]) owners.push(i)
    }
    for (let from = 0; from < owners.length; from += batchRows)
      this.#put(-1, owners, from, Math.min(batchRows, owners.length - from), [])
  }

  /**
   * One row per entry.
   * @param read makes the section's columns of `rows` entries, whose addresses are at `entries` (u32)
   */
  each(section: number, read: (entries: number, rows: number) => readonly Column[]): void {
    for (let from = 0; from < this.entries.length; from += batchRows) {
      const rows = Math.min(batchRows, this.entries.length - from)
      const mark = this.arena.mark()
      const address = this.arena.allocate(rows * 4)
      this.arena.memory.u32.set(this.entries.subarray(from, from + rows), address >>> 2)
      this.#put(section, null, from, rows, read(address, rows))
      this.arena.release(mark)
    }
  }

  /**
   * Any number of rows per entry.
   * @param owners ordinals in `entries`, ascending
   * @param things the rows' addresses
   * @param read makes the section's columns of `rows` things, with their entries beside them (u32 lanes)
   */
  rows(
    section: number,
    owners: readonly number[],
    things: readonly number[],
    read: (things: number, entries: number, rows: number, from: number) => readonly Column[],
  ): void {
    for (let from = 0; from < things.length; from += batchRows) {
      const rows = Math.min(batchRows, things.length - from)
      const mark = this.arena.mark()
      const addresses = this.arena.allocate(rows * 4)
      const entries = this.arena.allocate(rows * 4)
      const { u32 } = this.arena.memory
      for (let i = 0, a = addresses >>> 2, e = entries >>> 2; i < rows; i++) {
        u32[a + i] = things[from + i]
        u32[e + i] = this.entries[owners[from + i]]
      }
      this.#put(section, owners, from, rows, read(addresses, entries, rows, from))
      this.arena.release(mark)
    }
  }

  #put(
    section: number,
    owners: readonly number[] | null,
    from: number,
    rows: number,
    columns: readonly Column[],
  ): void {
    const data = this.arena.allocate(rows * 8)
    const { u32 } = this.arena.memory
    const hashes = this.#hashes
    if (owners === null) u32.set(hashes.subarray(from * 2, (from + rows) * 2), data >>> 2)
    else {
      for (let i = 0, to = data >>> 2; i < rows; i++, to += 2) {
        const owner = owners[from + i]
        u32[to] = hashes[2 * owner]
        u32[to + 1] = hashes[2 * owner + 1]
      }
    }
    const hash: Column = { lane: 'i64', data, state: 0, heap: 0 }
    const bytes = copyOutBlock(this.arena, { rows, columns: [hash, ...columns], weights: 0 })
    this.bytes += bytes.byteLength
    this.#out.push({ arrangement: this.#name, section, bytes })
  }
}
