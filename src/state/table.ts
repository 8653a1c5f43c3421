import type { Column } from '../data/batch.ts'
import { Bug } from '../data/errors.ts'
import type { Arena, LinearMemory } from '../data/memory.ts'
import type { Lane } from '../data/sql-type.ts'
import type { Arrangement } from './arrangement.ts'
import { compileHashMissing, compileHighOf, type HashMissing, type HighOf } from './bucket-hash.ts'
import type { Heap } from './heap.ts'
import { type Field, type Layout, layoutOf } from './layout.ts'
import { compileLoad, type Load } from './load.ts'
import {
  compileLocate,
  compileLocateListed,
  headerBytes,
  type Locate,
  type LocateListed,
  type LocateOptions,
  type Mode,
  modes,
  type TableState,
} from './locate-code.ts'
import { type Probe, probedColumnsMax, probeModule } from './probe-kernel.ts'
import { declareColumn, equalCell, generate, releaseCell, storeCell, viewNames } from './row-code.ts'

const firstSlots = 16
/** So many rows at least are looked up by the kernel. */
const probedRowsMin = 64
/** So many at a time: a key that is new to the table should be there when it comes again soon. */
const probedRows = 256

/**
 * The mutable head of an arrangement: a hash table from a key to one entry in linear memory. Entries never move, so
 * their addresses are handles; 8-byte slots (hash, address) with linear probing keep misses off the entries.
 */
export class Table implements TableState {
  readonly layout: Layout
  readonly heap: Heap
  /** Offset of the owner's payload within an entry; zeroed when the entry is made. */
  readonly payload = headerBytes
  slots: number
  mask = firstSlots - 1
  count = 0
  /** Entries with this stamp or an older one have not been touched since the last capture began; −1: nobody asks. */
  mark = -1
  /** What keeps track of this table, if anything does. */
  arrangement: Arrangement | null = null
  /** The high word of an entry's bucket. */
  readonly highOf: HighOf
  readonly hashMissing: HashMissing
  readonly #keys: readonly Lane[]
  readonly #locate: Locate
  readonly #options: LocateOptions
  /** Made when the first batch of some size comes. */
  #probe: Probe | null = null
  #locateListed: LocateListed | null = null
  readonly #release: (memory: LinearMemory, heap: Heap, e: number) => void
  readonly #load: Load
  readonly #payloadBytes: number
  readonly #storeValues: StoreValues
  readonly #equalValues: EqualValues

  /**
   * @param keys the key's lanes
   * @param payloadBytes bytes of the owner's payload per entry
   * @param skipNull keys with a NULL are neither found nor inserted (SQL's `=` never holds for them)
   * @param values lanes of a row kept with each key, NULL-free zeros until `storeValues`
   */
  constructor(heap: Heap, keys: readonly Lane[], payloadBytes: number, skipNull = false, values: readonly Lane[] = []) {
    this.heap = heap
    this.#keys = keys
    this.#payloadBytes = (payloadBytes + 7) & ~7
    this.layout = layoutOf([...keys, ...values], headerBytes + this.#payloadBytes)
    this.slots = newSlots(heap, firstSlots)
    const weak = heap.weakHash
    this.#options = { keyCount: keys.length, payloadBytes: this.#payloadBytes, skipNull, weak }
    this.#locate = compileLocate(this.layout, this.#options)
    const keyFields = this.layout.fields.slice(0, keys.length)
    this.highOf = compileHighOf(keyFields, weak)
    this.hashMissing = compileHashMissing(keyFields, skipNull, weak)
    this.#release = generate(
      'releaseEntry',
      ['memory', 'heap', 'e'],
      `const u32 = memory.u32; ${this.layout.fields.map(releaseCell).join(' ')}`,
    )
    this.#load = compileLoad(this.layout.fields)
    const valueFields = this.layout.fields.slice(keys.length)
    this.#storeValues = compileStoreValues(valueFields)
    this.#equalValues = compileEqualValues(valueFields)
  }

  get keys(): readonly Lane[] {
    return this.#keys
  }

  /**
   * Finds the entry of each row's key, or, in order to change them, finds or makes it.
   * @param columns the key's columns
   * @param out address of `rows` u32: receives entry addresses, 0 where there is none
   */
  locate(columns: readonly Column[], rows: number, out: number, insert: boolean): void {
    if (columns.length !== this.#keys.length) throw new Bug('a key of another width')
    const searched = insert && (this.arrangement?.locating(columns, rows, out) ?? false)
    this.#search(columns, rows, out, insert ? modes.change : modes.find, searched)
    if (insert && this.arrangement !== null) this.arrangement.located()
  }

  /** As `locate`, for an owner that says by `touch` which of the entries it is going to change. */
  make(columns: readonly Column[], rows: number, out: number): void {
    const searched = this.arrangement?.locating(columns, rows, out) ?? false
    this.#search(columns, rows, out, modes.make, searched)
    if (this.arrangement !== null) this.arrangement.preserve(out, rows)
  }

  /** As `locate`, for what comes back from outside: it counts as unchanged. */
  restore(columns: readonly Column[], rows: number, out: number): void {
    this.#search(columns, rows, out, modes.restore, false)
  }

  /** A kernel looks up what is there, and JavaScript does the rest; few rows are not worth the call. */
  #search(columns: readonly Column[], rows: number, out: number, mode: Mode, searched: boolean): void {
    const { heap } = this
    const { memory } = heap
    const width = this.#keys.length
    if (searched || rows < probedRowsMin || width === 0 || width > probedColumnsMax) {
      this.#locate(memory, heap, this, columns, rows, out, mode, searched)
      return
    }
    this.#probe ??= memory.instance(probeModule(this.layout.fields.slice(0, width), this.#options.weak))[
      'probe'
    ] as unknown as Probe
    const hashes = heap.scratch(rows * 8)
    const missed = hashes + rows * 4
    // What was not touched since the last capture began is for JavaScript, which tells the arrangement.
    const limit = mode === modes.change ? this.mark + 1 : 0
    const cells = columns.flatMap(({ data, state, heap: strings }) => [data, state, strings])
    this.#locateListed ??= compileLocateListed(this.layout, this.#options)
    for (let from = 0; from < rows; from += probedRows) {
      const to = Math.min(rows, from + probedRows)
      const misses = this.#probe(from, to, out, hashes, this.slots, this.mask, limit, missed, ...cells)
      if (misses > 0 && mode !== modes.find)
        this.#locateListed(memory, heap, this, columns, misses, out, mode, missed, hashes)
    }
  }

  /** To be called before an entry is changed that was not located in this tick. */
  touch(entry: number): void {
    const { u32 } = this.heap.memory
    if (u32[(entry >>> 2) + 1] > this.mark) return
    this.changing(u32[entry >>> 2])
    this.heap.memory.u32[(entry >>> 2) + 1] = this.mark + 1
    this.arrangement?.located()
  }

  /** Called by generated code for an entry that was not touched since the last capture began, or a new one's hash. */
  changing(hash: number): void {
    this.arrangement?.changing(hash)
  }

  /** Copies entries' keys out as columns; strings stay where they are until the end of the tick. */
  load(arena: Arena, entries: number, rows: number, fields?: readonly number[]): Column[] {
    return this.#load(arena, entries, rows, fields)
  }

  /**
   * Replaces the values of `rows` entries (u32 lane `entries`) by the rows of `columns`, in order, from row `from` on;
   * the old strings are free at the end of the tick.
   */
  storeValues(columns: readonly Column[], from: number, rows: number, entries: number): void {
    this.#storeValues(this.heap.memory, this.heap, columns, from, rows, entries)
  }

  /** Writes into the u8 lane `flags` whether row i of `columns` equals the values of entry i. */
  equalValues(columns: readonly Column[], rows: number, entries: number, flags: number): void {
    this.#equalValues(this.heap.memory, columns, rows, entries, flags)
  }

  /** Takes an entry out; its bytes are free at the end of the tick. */
  remove(entry: number): void {
    this.arrangement?.removing(entry)
    this.drop(entry)
  }

  /** As `remove`, for an entry that goes on existing outside. */
  drop(entry: number): void {
    const { u32 } = this.heap.memory
    const hash = u32[entry >>> 2]
    let slot = hash & this.mask
    while (u32[(this.slots + slot * 8 + 4) >>> 2] !== entry) {
      if (u32[(this.slots + slot * 8 + 4) >>> 2] === 0) throw new Bug('an entry that is not in its table')
      slot = (slot + 1) & this.mask
    }
    closeGap(u32, this.slots >>> 2, this.mask, slot)
    this.count--
    this.#release(this.heap.memory, this.heap, entry)
    this.heap.freeLater(entry, this.layout.bytes)
  }

  /** Visits every entry; the table must not change meanwhile. The order is that of the hashes. */
  forEach(visit: (entry: number) => void): void {
    for (let slot = 0; slot <= this.mask; slot++) {
      const entry = this.heap.memory.u32[(this.slots + slot * 8 + 4) >>> 2]
      if (entry !== 0) visit(entry)
    }
  }

  /** An entry with this hash, but not `except`; 0 if there is none. */
  entryOf(low: number, high: number, except: number): number {
    const { memory } = this.heap
    for (let slot = low & this.mask; ; slot = (slot + 1) & this.mask) {
      const at = (this.slots >>> 2) + slot * 2
      const entry = memory.u32[at + 1]
      if (entry === 0 || (memory.u32[at] === low && entry !== except && this.highOf(memory, entry) === high))
        return entry
    }
  }

  /** Every entry, in the order of the hashes. */
  entries(): number[] {
    const all: number[] = []
    this.forEach((entry) => {
      all.push(entry)
    })
    return all
  }

  /** Empties the table; everything is free at the end of the tick. */
  clear(): void {
    this.forEach((entry) => {
      this.#release(this.heap.memory, this.heap, entry)
      this.heap.freeLater(entry, this.layout.bytes)
    })
    this.heap.free(this.slots, (this.mask + 1) * 8)
    this.slots = newSlots(this.heap, firstSlots)
    this.mask = firstSlots - 1
    this.count = 0
  }

  grow(): void {
    this.#rehash(this.mask * 2 + 1)
  }

  /** Gives back slots that were needed for many more entries. */
  shrink(): void {
    let mask = this.mask
    while (mask >= firstSlots * 2 && this.count * 6 < mask) mask >>>= 1
    if (mask < this.mask) this.#rehash(mask)
  }

  #rehash(mask: number): void {
    const old = this.slots
    const oldMask = this.mask
    const slots = newSlots(this.heap, mask + 1)
    const { u32 } = this.heap.memory
    for (let i = 0; i <= oldMask; i++) {
      const entry = u32[(old + i * 8 + 4) >>> 2]
      if (entry === 0) continue
      const hash = u32[(old + i * 8) >>> 2]
      let slot = hash & mask
      while (u32[(slots + slot * 8 + 4) >>> 2] !== 0) slot = (slot + 1) & mask
      u32[(slots + slot * 8) >>> 2] = hash
      u32[(slots + slot * 8 + 4) >>> 2] = entry
    }
    this.heap.free(old, (oldMask + 1) * 8)
    this.slots = slots
    this.mask = mask
  }
}

function newSlots(heap: Heap, count: number): number {
  const address = heap.allocate(count * 8)
  heap.memory.kernels.clearBytes(address, count * 8)
  return address
}

/** Linear probing without tombstones: later slots of the same run move up into the gap. */
function closeGap(u32: Uint32Array, slots: number, mask: number, gap: number): void {
  let next = (gap + 1) & mask
  while (u32[slots + next * 2 + 1] !== 0) {
    const home = u32[slots + next * 2] & mask
    if (((next - home) & mask) >= ((next - gap) & mask)) {
      u32[slots + gap * 2] = u32[slots + next * 2]
      u32[slots + gap * 2 + 1] = u32[slots + next * 2 + 1]
      gap = next
    }
    next = (next + 1) & mask
  }
  u32[slots + gap * 2] = 0
  u32[slots + gap * 2 + 1] = 0
}

type StoreValues = (
  memory: LinearMemory,
  heap: Heap,
  columns: readonly Column[],
  from: number,
  rows: number,
  entries: number,
) => void

function compileStoreValues(fields: readonly Field[]): StoreValues {
  return generate(
    'storeValues',
    ['memory', 'heap', 'columns', 'from', 'rows', 'entries'],
    `${viewNames}
    ${fields.map((_, k) => declareColumn(k)).join('\n')}
    for (let i = from, p = entries >>> 2; i < from + rows; i++, p++) {
      const e = u32[p];
      ${fields.map(releaseCell).join('\n')}
      ${fields.map((field, k) => storeCell(k, field)).join('\n')}
    }`,
  )
}

type EqualValues = (
  memory: LinearMemory,
  columns: readonly Column[],
  rows: number,
  entries: number,
  flags: number,
) => void

function compileEqualValues(fields: readonly Field[]): EqualValues {
  return generate(
    'equalValues',
    ['memory', 'columns', 'rows', 'entries', 'flags'],
    `const u8 = memory.u8, i32 = memory.i32, u32 = memory.u32;
    ${fields.map((_, k) => declareColumn(k)).join('\n')}
    for (let i = 0, p = entries >>> 2; i < rows; i++, p++) {
      const e = u32[p];
      u8[flags + i] = ${['true', ...fields.map((field, k) => equalCell(k, field))].join(' && ')} ? 1 : 0;
    }`,
  )
}
