import type { Column } from '../data/batch.ts'
import type { Arena, LinearMemory } from '../data/memory.ts'
import type { Lane } from '../data/sql-type.ts'
import { compareInLoop, type FieldOrder } from './compare-code.ts'
import type { Heap } from './heap.ts'
import { type Layout, layoutOf } from './layout.ts'
import { compileLoad, type Load } from './load.ts'
import { declareColumn, generate, refreshViews, rowBytes, storeInlineCell, viewNames } from './row-code.ts'
import type { Table } from './table.ts'

/** A row's header: u32 bytes in all, u32 0. Its strings lie behind it. */
const rowHeader = 8

/** Offsets in a key's payload: the first row now; the first row last put out; 1 + the batch's row that is before it. */
const now = 0
const shown = 4
const rival = 8
/** Bytes of a key's payload. */
export const firstRowBytes = 16

type Offer = (memory: LinearMemory, columns: readonly Column[], rows: number, keys: number, list: number) => number
type Keep = (memory: LinearMemory, heap: Heap, columns: readonly Column[], rows: number, list: number) => void

/**
 * Per key the first of all rows ever offered, in an order completed by all columns. Rows are compared before
 * anything is copied, the rows of a batch among themselves, so that a batch costs one copy per key that it improves.
 */
export class FirstRows {
  readonly layout: Layout
  readonly #heap: Heap
  readonly #payload: number
  readonly #offer: Offer
  readonly #keep: Keep
  readonly #load: Load

  /** @param keys the keys' table, whose payload is `firstRowBytes` of ours */
  constructor(keys: Table, lanes: readonly Lane[], order: readonly FieldOrder[]) {
    this.#heap = keys.heap
    this.#payload = keys.payload
    this.layout = layoutOf(lanes, rowHeader)
    this.#offer = compileOffer(this.layout, order, this.#payload)
    this.#keep = compileKeep(this.layout, this.#payload)
    this.#load = compileLoad(this.layout.fields)
  }

  /**
   * @param keys u32 lane: the entry of each row's key
   * @param list u32 lane with room for `rows`: receives the entries whose first row is another one now
   * @returns how many these are
   */
  offer(columns: readonly Column[], rows: number, keys: number, list: number): number {
    const { memory } = this.#heap
    const improved = this.#offer(memory, columns, rows, keys, list)
    this.#keep(memory, this.#heap, columns, improved, list)
    return improved
  }

  first(key: number): number {
    return this.#heap.memory.u32[(key + this.#payload + now) >>> 2]
  }

  /** The row last put out, 0 if there was none. */
  shown(key: number): number {
    return this.#heap.memory.u32[(key + this.#payload + shown) >>> 2]
  }

  /** The first row has been put out, the one before it is free at the end of the tick. */
  show(key: number): void {
    const { u32 } = this.#heap.memory
    const at = (key + this.#payload) >>> 2
    const old = u32[at + shown / 4]
    if (old !== 0) this.#heap.freeLater(old, u32[old >>> 2])
    u32[at + shown / 4] = u32[at + now / 4]
  }

  /** Gives a key's row back, which has been put out. */
  release(key: number): void {
    const row = this.first(key)
    if (row !== 0) this.#heap.freeLater(row, this.#heap.memory.u32[row >>> 2])
  }

  load(arena: Arena, rows: number, count: number): Column[] {
    return this.#load(arena, rows, count)
  }
}

function compileOffer({ fields }: Layout, order: readonly FieldOrder[], payload: number): Offer {
  return generate(
    'offerRows',
    ['memory', 'columns', 'rows', 'keys', 'list'],
    `const u8 = memory.u8, i32 = memory.i32, u32 = memory.u32, f64 = memory.f64;
    ${fields.map((_, k) => declareColumn(k)).join('\n')}
    let n = 0, c = 0;
    for (let i = 0; i < rows; i++) {
      const key = u32[(keys >>> 2) + i], at = key + ${payload} >>> 2;
      if (u32[at + ${rival / 4}] !== 0) {
        const other = u32[at + ${rival / 4}] - 1;
        ${compareInLoop(fields, order, 'row')}
        if (c < 0) u32[at + ${rival / 4}] = i + 1;
        continue;
      }
      const other = u32[at + ${now / 4}];
      if (other !== 0) {
        ${compareInLoop(fields, order, 'entry')}
        if (c >= 0) continue;
      }
      u32[at + ${rival / 4}] = i + 1;
      u32[(list >>> 2) + n++] = key;
    }
    return n;`,
  )
}

function compileKeep(layout: Layout, payload: number): Keep {
  const { fields } = layout
  return generate(
    'keepRows',
    ['memory', 'heap', 'columns', 'rows', 'list'],
    `${viewNames}
    ${fields.map((_, k) => declareColumn(k)).join('\n')}
    for (let k = 0; k < rows; k++) {
      const at = u32[(list >>> 2) + k] + ${payload} >>> 2;
      const i = u32[at + ${rival / 4}] - 1, old = u32[at + ${now / 4}];
      u32[at + ${rival / 4}] = 0;
      // Nobody has seen a row that comes and goes within a tick.
      if (old !== 0 && old !== u32[at + ${shown / 4}]) heap.free(old, u32[old >>> 2]);
      const size = ${rowBytes(fields, layout.bytes)};
      const e = heap.allocate(size);
      ${refreshViews}
      let tail = e + ${layout.bytes};
      u32[e >>> 2] = size;
      ${fields.map((field, k) => storeInlineCell(k, field)).join('\n')}
      u32[at + ${now / 4}] = e;
    }`,
  )
}
