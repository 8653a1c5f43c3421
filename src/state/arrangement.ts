import type { Batch, Column } from '../data/batch.ts'
import { Bug } from '../data/errors.ts'
import type { Arena } from '../data/memory.ts'
import type { Lane } from '../data/sql-type.ts'
import { BucketWriter } from './bucket-writer.ts'
import type { ColdStore, Piece } from './cold.ts'
import { HashSet } from './hash-set.ts'
import { orderOfHashes } from './runs/hash-order.ts'
import { type Size, sizeOf } from './size.ts'
import type { StatePart } from './state-part.ts'
import type { Table } from './table.ts'
import { Words } from './words.ts'

/** What an arrangement's owner knows: what hangs on an entry, and how it leaves memory and comes back. */
export interface Contents {
  /** Lanes of each section's columns. Sections after the first carry the key: a bucket may hold several. */
  readonly sections: readonly (readonly Lane[])[]
  /** About how many bytes an entry and all that hangs on it take when saved. */
  bytesOf(entry: number): number
  /** Writes every section's rows of the writer's entries. */
  save(out: BucketWriter): void
  /** Takes rows of a section back, finding entries by `table.restore`. Sections come in order. */
  restore(section: number, batch: Batch): void
  /** Gives back what hangs on an entry, but not the entry itself. */
  release(entry: number): void
}

/** So many words are listed beyond two for each entry before the list is made anew. */
const spareWords = 64

/**
 * A keyed arrangement: the mutable head (a table and what hangs on its entries) and what lies outside, behind one
 * door. The unit is the bucket, all that belongs to keys with one 64-bit hash: it is in memory as a whole or not at
 * all, and memory wins over outside.
 *
 * Stamps of entries tell what has to be captured: let D be the mark of the last durable capture and M that of the last
 * one begun. An entry with a stamp ≤ D is as it is outside; one in between, D < stamp < M, was changed before the
 * capture began and is not captured yet; M itself: captured; above M: changed since. Before anything of a bucket
 * changes that is not captured yet, it is captured: so a capture is exactly the state when it began, though ticks go
 * on. That is decided for all entries with one low word of the hash together: it costs nothing, and tells buckets
 * apart only where they are written.
 */
export class Arrangement implements StatePart {
  name = ''
  resident = false
  faults = 0
  readonly #table: Table
  readonly #contents: Contents
  readonly #arena: Arena
  #durable = 0
  #capturing = false
  /** Low words of what was changed since the last capture began; some twice. */
  #dirty = new Words()
  /** The same of captures that are not durable yet, and how far the one under way has come. */
  #frozen = new Words()
  #next = 0
  /** Buckets of which nothing is left, though there may be something outside: since the last capture began, and before. */
  #gone = new HashSet()
  #goneFrozen = new HashSet()
  #tombs: Uint32Array | null = null
  #nextTomb = 0
  /** Entries that must be captured before the present `locate` returns. */
  #early: number[] = []
  #pieces: Piece[] = []
  /** Where buckets may be that are not in memory. */
  #cold: ColdStore | null = null
  /** Whether anything of it has ever been outside. */
  #outside = false
  #clock = 0
  /** Bytes written per byte estimated. */
  #ratio = 1

  constructor(arena: Arena, table: Table, contents: Contents) {
    this.#table = table
    this.#contents = contents
    this.#arena = arena
    if (!table.heap.tracked) return
    table.mark = 0
    table.arrangement = this
  }

  get slots(): number {
    return this.#table.mask + 1
  }

  size(): Size {
    return sizeOf(this.#table, (entry) => this.#contents.bytesOf(entry))
  }

  /** Something with this low word is about to change, or to be made. */
  changing(low: number): void {
    if (this.#capturing) this.#preserve(low)
    this.#dirty.push(low)
  }

  /**
   * Brings in, for rows that are about to be located, the buckets that are not in memory.
   * @returns whether `out` holds what was found of them in memory before that, 0 where nothing was
   */
  locating(columns: readonly Column[], rows: number, out: number): boolean {
    if (this.#cold === null) return false
    this.#faultIn(this.#cold, columns, rows, out)
    return true
  }

  /** What has to be captured before it changes is captured now. */
  located(): void {
    if (this.#early.length === 0) return
    const early = this.#early
    this.#early = []
    this.#write(early, this.#pieces)
  }

  /** As if all of these entries were about to change. */
  preserve(entries: number, rows: number): void {
    if (this.#capturing) {
      const { u32 } = this.#table.heap.memory
      for (let i = 0; i < rows; i++) {
        const entry = u32[(entries >>> 2) + i]
        if (entry !== 0 && this.#isFrozen(entry)) this.#preserve(u32[entry >>> 2])
      }
    }
    this.located()
  }

  /** An entry is about to be taken out for good. */
  removing(entry: number): void {
    const { u32 } = this.#table.heap.memory
    const { mark } = this.#table
    if (u32[(entry >>> 2) + 1] <= mark) throw new Bug('an entry is removed that was not touched')
    const low = u32[entry >>> 2]
    const high = this.#table.highOf(this.#table.heap.memory, entry)
    const other = this.#table.entryOf(low, high, entry)
    if (other === 0) this.#gone.add(low, high)
    else if (u32[(other >>> 2) + 1] <= mark) {
      // What is left of the bucket is another bucket than what is outside.
      this.#dirty.push(low)
      u32[(other >>> 2) + 1] = mark + 1
    }
  }

  begin(mark: number): void {
    this.#table.mark = mark
    this.#capturing = true
    // What an unfinished capture has given is not relied upon.
    this.#pieces = []
    this.#tombs = null
    this.#next = 0
    this.#frozen.append(this.#dirty)
    this.#dirty = new Words()
    // Captures that are given up leave what they had to take to the next one, most of it again and again.
    if (this.#frozen.length > 2 * this.#table.count + spareWords) this.#frozen = this.#unsaved()
    if (!this.#outside) {
      this.#gone = new HashSet()
      this.#goneFrozen = new HashSet()
    }
    if (this.#goneFrozen.size === 0) {
      const none = this.#goneFrozen
      this.#goneFrozen = this.#gone
      this.#gone = none
    } else {
      this.#gone.forEach((low, high) => {
        this.#goneFrozen.add(low, high)
      })
      this.#gone = new HashSet()
    }
  }

  /** Low words of all entries that are not outside as they are. */
  #unsaved(): Words {
    const table = this.#table
    const { u32 } = table.heap.memory
    const words = new Words()
    for (let slot = 0, at = table.slots >>> 2; slot <= table.mask; slot++, at += 2) {
      const entry = u32[at + 1]
      if (entry !== 0 && u32[(entry >>> 2) + 1] > this.#durable) words.push(u32[at])
    }
    return words
  }

  slice(out: Piece[], maxBytes: number): boolean {
    let bytes = this.#takeEarly(out)
    if (!this.#capturing) return true
    let estimated = 0
    const budget = (maxBytes - bytes) / this.#ratio
    const entries: number[] = []
    let looked = 0
    const most = Math.max(16, maxBytes / 32)
    while (this.#next < this.#frozen.length && estimated < budget && looked++ < most) {
      const from = entries.length
      this.#takeGroup(this.#frozen.at(this.#next++), entries)
      for (let i = from; i < entries.length; i++) estimated += 16 + this.#contents.bytesOf(entries[i])
    }
    if (entries.length > 0) {
      const written = this.#write(entries, out)
      bytes += written
      this.#ratio = Math.min(64, Math.max(0.25, written / estimated))
    }
    if (this.#next < this.#frozen.length || bytes >= maxBytes) return false
    if (!this.#writeTombs(out, (maxBytes - bytes) / 8)) return false
    this.#capturing = false
    return true
  }

  adopt(cold: ColdStore): void {
    if (this.#capturing) throw new Bug('a capture is durable before it is whole')
    this.#durable = this.#table.mark
    this.#frozen = new Words()
    this.#next = 0
    this.#goneFrozen = new HashSet()
    this.move(cold)
  }

  move(cold: ColdStore): void {
    this.#outside = true
    if (this.#cold !== null) this.#cold = cold
  }

  start(cold: ColdStore): void {
    this.#outside = true
    if (!this.resident) {
      this.#cold = cold
      return
    }
    cold.all(this.name, this.#arena, (section, batch) => this.#restore(section, batch))
  }

  evict(slots: number, cold: ColdStore, second: boolean): boolean {
    if (this.resident) return false
    const table = this.#table
    const { u32 } = table.heap.memory
    const limit = second ? this.#durable : this.#durable - 1
    const group: number[] = []
    let any = false
    for (let left = Math.min(slots, this.slots); left > 0 && table.count > 0; left--) {
      const at = (table.slots + (this.#clock & table.mask) * 8) >>> 2
      const entry = u32[at + 1]
      if (entry === 0 || u32[(entry >>> 2) + 1] > limit || !this.#listClean(u32[at], group)) {
        this.#clock = (this.#clock + 1) & table.mask
        continue
      }
      // Removing closes the gap: the slot is looked at again.
      for (const each of group) {
        this.#contents.release(each)
        table.drop(each)
      }
      any = true
    }
    if (any) {
      this.#cold = cold
      table.shrink()
    }
    return any
  }

  #isFrozen(entry: number): boolean {
    const stamp = this.#table.heap.memory.u32[(entry >>> 2) + 1]
    return stamp > this.#durable && stamp < this.#table.mark
  }

  /** Lists the entries with this low word. @returns whether all are as they are outside */
  #listClean(low: number, group: number[]): boolean {
    const { slots, mask, heap } = this.#table
    const { u32 } = heap.memory
    group.length = 0
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const at = (slots >>> 2) + slot * 2
      const entry = u32[at + 1]
      if (entry === 0) return true
      if (u32[at] !== low) continue
      if (u32[(entry >>> 2) + 1] > this.#durable) return false
      group.push(entry)
    }
  }

  #preserve(low: number): void {
    this.#takeGroup(low, this.#early)
  }

  /** Lists the entries with this low word, if one of them has to be captured still. They count as captured. */
  #takeGroup(low: number, out: number[]): void {
    const { slots, mask, mark, heap } = this.#table
    const { u32 } = heap.memory
    const from = out.length
    let frozen = false
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const at = (slots >>> 2) + slot * 2
      const entry = u32[at + 1]
      if (entry === 0) break
      if (u32[at] !== low) continue
      const stamp = u32[(entry >>> 2) + 1]
      if (stamp > this.#durable && stamp < mark) frozen = true
      out.push(entry)
    }
    if (!frozen) out.length = from
    for (let i = from; i < out.length; i++) u32[(out[i] >>> 2) + 1] = mark
  }

  /** @returns bytes of the pieces */
  #write(list: readonly number[], out: Piece[]): number {
    const { memory } = this.#table.heap
    const unsorted = new Uint32Array(list.length * 2)
    for (let i = 0; i < list.length; i++) {
      unsorted[2 * i] = memory.u32[list[i] >>> 2]
      unsorted[2 * i + 1] = this.#table.highOf(memory, list[i])
    }
    const order = orderOfHashes(unsorted, 0, list.length)
    const hashes = inOrder(unsorted, order)
    const entries = order.map((i) => list[i])
    if (this.#goneFrozen.size > 0) {
      for (let i = 0; i < hashes.length; i += 2) this.#goneFrozen.delete(hashes[i], hashes[i + 1])
    }
    const mark = this.#arena.mark()
    const writer = new BucketWriter(this.#arena, this.name, entries, hashes, out)
    writer.writeHashes()
    this.#contents.save(writer)
    this.#arena.release(mark)
    return writer.bytes
  }

  #takeEarly(out: Piece[]): number {
    let bytes = 0
    for (const piece of this.#pieces) {
      bytes += piece.bytes.byteLength
      out.push(piece)
    }
    this.#pieces = []
    return bytes
  }

  /** Buckets of which nothing was left when the capture began. @returns whether those were the last */
  #writeTombs(out: Piece[], most: number): boolean {
    if (this.#tombs === null) {
      const hashes = new Uint32Array(this.#goneFrozen.size * 2)
      let at = 0
      this.#goneFrozen.forEach((low, high) => {
        hashes[at++] = low
        hashes[at++] = high
      })
      this.#tombs = hashes
      this.#nextTomb = 0
    }
    const to = Math.min(this.#tombs.length / 2, this.#nextTomb + Math.max(64, Math.floor(most)))
    const some = this.#tombs.subarray(this.#nextTomb * 2, to * 2)
    const order = orderOfHashes(some, 0, some.length / 2)
    const mark = this.#arena.mark()
    new BucketWriter(this.#arena, this.name, order, inOrder(some, order), out).writeHashes()
    this.#arena.release(mark)
    this.#nextTomb = to
    if (to < this.#tombs.length / 2) return false
    this.#tombs = null
    return true
  }

  #faultIn(cold: ColdStore, columns: readonly Column[], rows: number, out: number): void {
    const table = this.#table
    table.locate(columns, rows, out, false)
    const mark = this.#arena.mark()
    const hashes = this.#arena.allocate(rows * 8)
    const missing = table.hashMissing(table.heap.memory, columns, rows, out, hashes)
    const count = missing === 0 ? 0 : this.#selectCold(hashes, missing)
    if (count > 0) {
      this.faults += count
      const sections = cold.lookup(this.name, this.#arena, hashes, count)
      for (const [section, batches] of sections.entries()) for (const batch of batches) this.#restore(section, batch)
    }
    this.#arena.release(mark)
  }

  /** Keeps, of hashes that are not in memory, each one once that may be outside. @returns how many */
  #selectCold(hashes: number, count: number): number {
    const table = this.#table
    const seen = new HashSet()
    let kept = 0
    for (let i = 0; i < count; i++) {
      const { u32 } = table.heap.memory
      const low = u32[(hashes >>> 2) + 2 * i]
      const high = u32[(hashes >>> 2) + 2 * i + 1]
      if (this.#gone.has(low, high) || this.#goneFrozen.has(low, high) || !seen.add(low, high)) continue
      if (table.entryOf(low, high, 0) !== 0) continue
      u32[(hashes >>> 2) + 2 * kept] = low
      u32[(hashes >>> 2) + 2 * kept++ + 1] = high
    }
    return kept
  }

  #restore(section: number, batch: Batch): void {
    this.#contents.restore(section, { rows: batch.rows, columns: batch.columns.slice(1), weights: 0 })
  }
}

/** Pairs of words in another order. */
function inOrder(pairs: Uint32Array, order: Uint32Array): Uint32Array {
  const out = new Uint32Array(pairs.length)
  for (let i = 0; i < order.length; i++) {
    out[2 * i] = pairs[2 * order[i]]
    out[2 * i + 1] = pairs[2 * order[i] + 1]
  }
  return out
}
