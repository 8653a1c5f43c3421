import { batchRows } from './batch.ts'
import { compileComparator, completeOrder, type RowOrder, type RowSet, scaleBytes } from './compare.ts'
import type { MemoryViews } from './memory.ts'
import { type ColumnSchema, laneOf } from './sql-type.ts'

/** A batch or a block's columns, at most `batchRows` rows, with the memory it lies in. */
export interface SortSource extends RowSet {
  readonly memory: MemoryViews
  readonly rows: number
}

/** @returns which source a place of `sortRows` is in, and its row there */
export function rowPlace(place: number): { readonly source: number; readonly row: number } {
  return { source: Math.floor(place / batchRows), row: place % batchRows }
}

/**
 * Sorts the rows of all sources.
 * @returns places, each source × `batchRows` + row, in the order of `compileComparator`
 */
export function sortRows(
  schema: readonly ColumnSchema[],
  order: readonly RowOrder[],
  sources: readonly SortSource[],
): Uint32Array {
  const places = new Uint32Array(sources.reduce((sum, source) => sum + source.rows, 0))
  let at = 0
  sources.forEach(({ rows }, source) => {
    for (let row = 0; row < rows; row++) places[at++] = source * batchRows + row
  })
  new Sort(schema, order, sources, places).sort(0, places.length, 0)
  return places
}

/** Below this a comparison sort is as fast. */
const fewRows = 2048

/**
 * Radix sort by a 64-bit prefix of a column that never contradicts its order, then the same by the next column, or
 * comparisons, among the rows whose prefixes are equal.
 */
class Sort {
  readonly #schema: readonly ColumnSchema[]
  readonly #order: readonly RowOrder[]
  readonly #sources: readonly SortSource[]
  readonly #places: Uint32Array
  readonly #compare: (p: number, q: number) => number
  readonly #high: Uint32Array
  readonly #low: Uint32Array
  readonly #spare: { readonly places: Uint32Array; readonly high: Uint32Array; readonly low: Uint32Array }
  readonly #counts = new Uint32Array(65536)

  constructor(
    schema: readonly ColumnSchema[],
    order: readonly RowOrder[],
    sources: readonly SortSource[],
    places: Uint32Array,
  ) {
    this.#schema = schema
    this.#order = completeOrder(schema, order)
    this.#sources = sources
    this.#places = places
    const length = places.length < fewRows ? 0 : places.length
    this.#high = new Uint32Array(length)
    this.#low = new Uint32Array(length)
    this.#spare = { places: new Uint32Array(length), high: new Uint32Array(length), low: new Uint32Array(length) }
    const compare = compileComparator(schema, order)
    this.#compare = (p, q) => {
      const a = sources[(p / batchRows) | 0]
      const b = sources[(q / batchRows) | 0]
      return compare(a.memory, a, p % batchRows, b.memory, b, q % batchRows)
    }
  }

  /** Sorts the places from `start` to `end`, which are equal in the columns before `step`. */
  sort(start: number, end: number, step: number): void {
    if (end - start < fewRows || step === this.#order.length) {
      this.#places.subarray(start, end).sort(this.#compare)
      return
    }
    this.#fillPrefixes(start, end, this.#order[step])
    for (const key of ['low', 'high'] as const) {
      this.#pass(start, end, key, 0)
      this.#pass(start, end, key, 16)
    }
    this.#sortTies(start, end, step)
  }

  #sortTies(start: number, end: number, step: number): void {
    const high = this.#high
    const low = this.#low
    const whole = laneOf(this.#schema[this.#order[step].column].type) !== 'bytes'
    const ties: [number, number, boolean][] = []
    for (let from = start, at = start + 1; at <= end; at++) {
      if (at < end && high[at] === high[from] && low[at] === low[from]) continue
      // NULL shares the least or the greatest prefix.
      const extreme = (high[from] === 0 && low[from] === 0) || (high[from] === 0xffffffff && low[from] === 0xffffffff)
      if (at - from > 1) ties.push([from, at, whole && !extreme])
      from = at
    }
    // The prefixes are written over from here on.
    for (const [from, to, equal] of ties) {
      if (equal) this.sort(from, to, step + 1)
      else this.#places.subarray(from, to).sort(this.#compare)
    }
  }

  #fillPrefixes(start: number, end: number, { column, descending, nullsFirst }: RowOrder): void {
    const places = this.#places
    const { type } = this.#schema[column]
    const lane = laneOf(type)
    const prefix = { high: 0, low: 0 }
    const nothing = nullsFirst ? 0 : 0xffffffff
    const flip = descending ? 0xffffffff : 0
    for (let i = start; i < end; i++) {
      const { memory, columns } = this.#sources[(places[i] / batchRows) | 0]
      const row = places[i] % batchRows
      const cells = columns[column]
      if (cells === null || (cells.state !== 0 && memory.u8[cells.state + row] !== 0)) {
        this.#high[i] = nothing
        this.#low[i] = nothing
        continue
      }
      const at = (cells.data >>> 2) + (lane === 'i32' ? row : row * 2)
      if (lane === 'i32') {
        prefix.high = memory.i32[at] ^ 0x80000000
        prefix.low = 0
      } else if (lane === 'bytes') {
        const from = cells.heap + memory.u32[at]
        const length = memory.u32[at + 1]
        const counted = type.kind === 'numeric' ? length - scaleBytes(memory.u8, from, length) : length
        prefix.high = fourBytes(memory.u8, from, counted)
        prefix.low = fourBytes(memory.u8, from + 4, counted - 4)
      } else {
        const sign = lane === 'f64' && memory.i32[at + 1] < 0 ? 0xffffffff : 0
        prefix.high = memory.i32[at + 1] ^ (sign | 0x80000000)
        prefix.low = memory.i32[at] ^ sign
      }
      this.#high[i] = prefix.high ^ flip
      this.#low[i] = prefix.low ^ flip
    }
  }

  /** One stable counting pass by 16 bits of the prefix. */
  #pass(start: number, end: number, key: 'high' | 'low', shift: number): void {
    const counts = this.#counts.fill(0)
    const keys = key === 'high' ? this.#high : this.#low
    for (let i = start; i < end; i++) counts[(keys[i] >>> shift) & 0xffff]++
    if (counts[(keys[start] >>> shift) & 0xffff] === end - start) return
    for (let digit = 0, at = start; digit < 65536; digit++) {
      const count = counts[digit]
      counts[digit] = at
      at += count
    }
    const { places, high, low } = this.#spare
    for (let i = start; i < end; i++) {
      const to = counts[(keys[i] >>> shift) & 0xffff]++
      places[to] = this.#places[i]
      high[to] = this.#high[i]
      low[to] = this.#low[i]
    }
    this.#places.set(places.subarray(start, end), start)
    this.#high.set(high.subarray(start, end), start)
    this.#low.set(low.subarray(start, end), start)
  }
}

/** Up to four bytes as an unsigned big-endian word, zeros behind them. */
function fourBytes(u8: Uint8Array, start: number, length: number): number {
  let word = 0
  for (let i = 0; i < 4; i++) word = (word << 8) | (i < length ? u8[start + i] : 0)
  return word
}
