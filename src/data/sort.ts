import { cellNull } from './cell.ts'
import { type RowComparator, type RowOrder, type RowSet, scaleBytes } from './compare.ts'
import type { MemoryViews } from './memory.ts'
import { type ColumnSchema, laneOf } from './sql-type.ts'

/** A batch or a block's columns, with the memory it lies in. */
export interface SortSource extends RowSet {
  readonly memory: MemoryViews
}

/** A total order: compare.ts's `compileComparator` for the schema and `completeOrder`'s keys. */
export interface SortOrder {
  readonly schema: readonly ColumnSchema[]
  readonly keys: readonly RowOrder[]
  readonly comparator: RowComparator
}

/**
 * Sorts rows of one source, given by number, in place. Sorting goes key by key: the first 8 bytes of each row's key, made so that they
 * compare as unsigned numbers, are radix sorted; rows that tie go on with the next key, and only where a key is
 * longer than that, or NULL, are rows compared one by one.
 */
export function sortRows(source: SortSource, order: SortOrder, rows: Uint16Array): Uint16Array {
  sortRange(source, order, 0, rows, 0, rows.length)
  return rows
}

/** Fewer rows than this are sorted by comparing them. */
const smallRange = 48

function sortRange(
  source: SortSource,
  order: SortOrder,
  depth: number,
  rows: Uint16Array,
  from: number,
  to: number,
): void {
  if (to - from <= smallRange || depth >= order.keys.length) {
    insertionSort(source, order, rows, from, to)
    return
  }
  const key = order.keys[depth]
  const prefix = new Prefixes(to - from)
  fillPrefixes(source, order, key, rows, from, to, prefix)
  radixSort(prefix)
  const sorted = new Uint16Array(to - from)
  for (let i = 0; i < sorted.length; i++) sorted[i] = rows[from + prefix.order[i]]
  rows.set(sorted, from)
  const { high, low, order: at } = prefix
  for (let i = 0; i < sorted.length; ) {
    const h = high[at[i]]
    const l = low[at[i]]
    let end = i + 1
    while (end < sorted.length && high[at[end]] === h && low[at[end]] === l) end++
    if (end - i > 1) {
      // The prefix of a NULL may also be a value's, and a longer string's says nothing about its rest.
      const whole =
        laneOf(order.schema[key.column].type) !== 'bytes' &&
        !((h === 0 && l === 0) || (h === 0xffffffff && l === 0xffffffff))
      if (whole) sortRange(source, order, depth + 1, rows, from + i, from + end)
      else mergeSort(source, order, rows, from + i, from + end)
    }
    i = end
  }
}

class Prefixes {
  readonly high: Uint32Array
  readonly low: Uint32Array
  order: Uint16Array
  other: Uint16Array

  constructor(length: number) {
    this.high = new Uint32Array(length)
    this.low = new Uint32Array(length)
    this.order = new Uint16Array(length)
    this.other = new Uint16Array(length)
    for (let i = 0; i < length; i++) this.order[i] = i
  }
}

function fillPrefixes(
  source: SortSource,
  { schema }: SortOrder,
  key: RowOrder,
  rows: Uint16Array,
  from: number,
  to: number,
  { high, low }: Prefixes,
): void {
  const { i32, u32, u8 } = source.memory
  const column = source.columns[key.column]
  const flip = key.descending ? 0xffffffff : 0
  const ofNull = key.nullsFirst ? 0 : 0xffffffff
  if (column === null) {
    high.fill(ofNull)
    low.fill(ofNull)
    return
  }
  const { data, state, heap } = column
  const { type } = schema[key.column]
  const lane = laneOf(type)
  const base = data >>> 2
  for (let i = from; i < to; i++) {
    const row = rows[i]
    const at = i - from
    if (state !== 0 && u8[state + row] === cellNull) {
      high[at] = ofNull
      low[at] = ofNull
      continue
    }
    let h = 0
    let l = 0
    switch (lane) {
      case 'i32':
        h = i32[base + row] ^ 0x80000000
        break
      case 'i64':
        h = i32[base + row * 2 + 1] ^ 0x80000000
        l = u32[base + row * 2]
        break
      case 'f64': {
        // A negative double's bits fall as it grows; NaN has the greatest bits of all.
        const bits = i32[base + row * 2 + 1]
        h = bits < 0 ? ~bits : bits ^ 0x80000000
        l = bits < 0 ? ~u32[base + row * 2] : u32[base + row * 2]
        break
      }
      case 'bytes': {
        const start = heap + u32[base + row * 2]
        const whole = u32[base + row * 2 + 1]
        // A numeric's display scale decides only between rows that are equal in everything else.
        const length = type.kind === 'numeric' ? whole - scaleBytes(u8, start, whole) : whole
        for (let k = 0; k < 4; k++) h = (h << 8) | (k < length ? u8[start + k] : 0)
        for (let k = 4; k < 8; k++) l = (l << 8) | (k < length ? u8[start + k] : 0)
      }
    }
    high[at] = h ^ flip
    low[at] = l ^ flip
  }
}

/** Least significant byte first, bytes that are the same in all rows left out. */
function radixSort(prefix: Prefixes): void {
  for (const words of [prefix.low, prefix.high]) {
    const counts = new Uint32Array(1024)
    for (const word of words) {
      counts[word & 255]++
      counts[256 + ((word >>> 8) & 255)]++
      counts[512 + ((word >>> 16) & 255)]++
      counts[768 + (word >>> 24)]++
    }
    for (let digit = 0; digit < 4; digit++)
      radixPass(prefix, words, counts.subarray(digit * 256, digit * 256 + 256), digit * 8)
  }
}

function radixPass(prefix: Prefixes, words: Uint32Array, counts: Uint32Array, shift: number): void {
  const { order, other } = prefix
  if (counts[(words[0] >>> shift) & 255] === words.length) return
  let sum = 0
  for (let i = 0; i < 256; i++) {
    const count = counts[i]
    counts[i] = sum
    sum += count
  }
  for (const at of order) other[counts[(words[at] >>> shift) & 255]++] = at
  prefix.order = other
  prefix.other = order
}

function insertionSort(source: SortSource, order: SortOrder, rows: Uint16Array, from: number, to: number): void {
  const { comparator } = order
  const { memory } = source
  for (let i = from + 1; i < to; i++) {
    const row = rows[i]
    let at = i
    while (at > from && comparator(memory, source, rows[at - 1], memory, source, row) > 0) {
      rows[at] = rows[at - 1]
      at--
    }
    rows[at] = row
  }
}

function mergeSort(source: SortSource, order: SortOrder, rows: Uint16Array, from: number, to: number): void {
  if (to - from <= 12) {
    insertionSort(source, order, rows, from, to)
    return
  }
  const middle = (from + to) >>> 1
  mergeSort(source, order, rows, from, middle)
  mergeSort(source, order, rows, middle, to)
  const left = rows.slice(from, middle)
  const { memory } = source
  let l = 0
  let r = middle
  let out = from
  while (l < left.length && r < to) {
    rows[out++] = order.comparator(memory, source, rows[r], memory, source, left[l]) < 0 ? rows[r++] : left[l++]
  }
  while (l < left.length) rows[out++] = left[l++]
}
