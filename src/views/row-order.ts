import { type ColumnSchema, type Lane, laneOf } from '../data/sql-type.ts'
import type { Order } from '../plan/plan.ts'
import type { Page } from './page.ts'

/** Compares row `i` of one page with row `j` of another: negative, zero or positive. */
export type RowCompare = (a: Page, i: number, b: Page, j: number) => number

export interface OrderKey extends Order {
  readonly lane: Lane
}

/** A total order of a view's rows: equal means the same row. */
export interface RowOrder {
  /** Under which a page remembers how its rows lie in it. */
  readonly id: number
  /** The keys asked for, then all other columns ascending, NULL last. */
  readonly keys: readonly OrderKey[]
  readonly compare: RowCompare
}

/** @param id unique among the orders that a page meets */
export function completeOrder(id: number, order: readonly Order[], schema: readonly ColumnSchema[]): RowOrder {
  const keys = completeKeys(order, schema)
  return { id, keys, compare: compileCompare(keys) }
}

export function completeKeys(order: readonly Order[], schema: readonly ColumnSchema[]): readonly OrderKey[] {
  const keys: OrderKey[] = []
  const seen = new Set<number>()
  const add = (key: Order): void => {
    if (seen.has(key.column)) return
    seen.add(key.column)
    keys.push({ ...key, lane: laneOf(schema[key.column].type) })
  }
  order.forEach(add)
  schema.forEach((_, column) => {
    add({ column, descending: false, nullsFirst: false })
  })
  return keys
}

/** Equal for the same keys only. */
export function keysName(keys: readonly OrderKey[]): string {
  return keys.map((key) => `${key.column}${key.descending ? 'd' : ''}${key.nullsFirst ? 'n' : ''}`).join()
}

/** Code for the keys, unrolled: only ordinals and fixed texts enter it. */
export function compileCompare(keys: readonly OrderKey[]): RowCompare {
  const body = keys.map((key) => {
    const less = key.descending ? 1 : -1
    const nullLess = key.nullsFirst ? -1 : 1
    return `{
      const c = a.columns[${key.column}], d = b.columns[${key.column}]
      const m = c.state !== 0 && ma.u8[c.state + i] === 1, n = d.state !== 0 && mb.u8[d.state + j] === 1
      if (m || n) { if (m !== n) return m ? ${nullLess} : ${-nullLess} }
      else { ${laneCode(key.lane, less)} }
    }`
  })
  const code = `return (a, i, b, j) => { const ma = a.memory, mb = b.memory; ${body.join('\n')} return 0 }`
  return new Function('compareBytes', code)(compareBytes) as RowCompare
}

function laneCode(lane: Lane, less: number): string {
  switch (lane) {
    case 'i32':
      return `const x = ma.i32[(c.data >>> 2) + i], y = mb.i32[(d.data >>> 2) + j]
        if (x !== y) return x < y ? ${less} : ${-less}`
    case 'i64':
      return `const p = (c.data >>> 2) + i * 2, q = (d.data >>> 2) + j * 2
        const x = ma.i32[p + 1], y = mb.i32[q + 1]
        if (x !== y) return x < y ? ${less} : ${-less}
        const v = ma.u32[p], w = mb.u32[q]
        if (v !== w) return v < w ? ${less} : ${-less}`
    case 'f64':
      // NaN is greater than every number and equal to itself.
      return `const x = ma.f64[c.data / 8 + i], y = mb.f64[d.data / 8 + j]
        if (x < y || (y !== y && x === x)) return ${less}
        if (x > y || (x !== x && y === y)) return ${-less}`
    case 'bytes':
      return `const p = (c.data >>> 2) + i * 2, q = (d.data >>> 2) + j * 2
        const r = compareBytes(ma.u8, c.heap + ma.u32[p], ma.u32[p + 1], mb.u8, d.heap + mb.u32[q], mb.u32[q + 1])
        if (r !== 0) return r < 0 ? ${less} : ${-less}`
  }
}

function compareBytes(
  a: Uint8Array,
  aStart: number,
  aLength: number,
  b: Uint8Array,
  bStart: number,
  bLength: number,
): number {
  const length = aLength < bLength ? aLength : bLength
  for (let k = 0; k < length; k++) {
    const x = a[aStart + k]
    const y = b[bStart + k]
    if (x !== y) return x - y
  }
  return aLength - bLength
}
