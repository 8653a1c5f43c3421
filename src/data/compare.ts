import type { Column } from './batch.ts'
import { Bug } from './errors.ts'
import type { MemoryViews } from './memory.ts'
import { type ColumnSchema, laneOf } from './sql-type.ts'

/** One column of an ORDER BY. */
export interface RowOrder {
  readonly column: number
  readonly descending: boolean
  readonly nullsFirst: boolean
}

/** What rows are compared in: a batch, or a block's columns; null is a column that is NULL in every row. */
export interface RowSet {
  readonly columns: readonly (Column | null)[]
}

/** @returns below 0 if row `i` of `a` comes before row `j` of `b`, 0 only if they are the same row */
export type RowComparator = (ma: MemoryViews, a: RowSet, i: number, mb: MemoryViews, b: RowSet, j: number) => number

/** The order completed by all columns ascending, NULLs last. A second mention of a column decides nothing. */
export function completeOrder(schema: readonly ColumnSchema[], order: readonly RowOrder[]): readonly RowOrder[] {
  const done = new Set<number>()
  const all = [...order, ...schema.map((_, column) => ({ column, descending: false, nullsFirst: false }))]
  return all.filter(({ column }) => {
    if (schema[column] === undefined) throw new Bug(`an order by column ${column}`)
    const first = !done.has(column)
    done.add(column)
    return first
  })
}

/**
 * Compares rows as PostgreSQL's ORDER BY does under collation "C", completed by all columns ascending, NULLs last;
 * values that are equal but not the same (1.5 and 1.50) by their bytes at last, so that the order is total.
 */
export function compileComparator(schema: readonly ColumnSchema[], order: readonly RowOrder[]): RowComparator {
  const lines = orderSteps(schema, completeOrder(schema, order))
  for (let i = 0; i < schema.length; i++) {
    const { kind } = schema[i].type
    if (laneOf(schema[i].type) === 'bytes' && (kind === 'numeric' || kind === 'interval')) {
      lines.push(...columnStep({ ...schema[i], type: { kind: 'bytea' } }, i, false, false))
    }
  }
  return compileSteps(lines)
}

/** Compares by the columns of the order alone: rows that are equal in them compare as 0. */
export function compileKeyComparator(schema: readonly ColumnSchema[], order: readonly RowOrder[]): RowComparator {
  return compileSteps(orderSteps(schema, order))
}

function orderSteps(schema: readonly ColumnSchema[], order: readonly RowOrder[]): string[] {
  return order.flatMap(({ column, descending, nullsFirst }) =>
    columnStep(schema[column], column, descending, nullsFirst),
  )
}

function compileSteps(lines: readonly string[]): RowComparator {
  const body = `return function compare(ma, a, i, mb, b, j) {\nlet x, y, s, t, p, q, c\n${lines.join('\n')}\nreturn 0\n}`
  return new Function('compareBytes', 'compareDecimalBytes', 'compareDoubles', body)(
    compareBytes,
    compareDecimalBytes,
    compareDoubles,
  )
}

function columnStep(schema: ColumnSchema, index: number, descending: boolean, nullsFirst: boolean): string[] {
  const before = descending ? 1 : -1
  const equal = `if (c !== 0) return ${descending ? '-c' : 'c'}`
  return [
    `x = a.columns[${index}]; y = b.columns[${index}]`,
    's = x === null ? 1 : x.state === 0 ? 0 : ma.u8[x.state + i]',
    't = y === null ? 1 : y.state === 0 ? 0 : mb.u8[y.state + j]',
    `if ((s | t) !== 0) { if (s !== t) return ${nullsFirst ? 't - s' : 's - t'} }`,
    'else {',
    ...valueStep(schema, before, equal),
    '}',
  ]
}

function valueStep({ type }: ColumnSchema, before: number, equal: string): string[] {
  switch (laneOf(type)) {
    case 'i32':
      return [
        'p = ma.i32[(x.data >>> 2) + i]; q = mb.i32[(y.data >>> 2) + j]',
        `if (p !== q) return p < q ? ${before} : ${-before}`,
      ]
    case 'i64':
      return [
        's = (x.data >>> 2) + i * 2; t = (y.data >>> 2) + j * 2',
        'p = ma.i32[s + 1]; q = mb.i32[t + 1]',
        `if (p !== q) return p < q ? ${before} : ${-before}`,
        'p = ma.u32[s]; q = mb.u32[t]',
        `if (p !== q) return p < q ? ${before} : ${-before}`,
      ]
    case 'f64':
      return ['c = compareDoubles(ma.f64[x.data / 8 + i], mb.f64[y.data / 8 + j])', equal]
    case 'bytes': {
      const compare = type.kind === 'numeric' ? 'compareDecimalBytes' : 'compareBytes'
      // The first 12 bytes of an interval are its length; a month equals 30 days.
      const length = (cell: string): string => (type.kind === 'interval' ? '12' : cell)
      return [
        's = (x.data >>> 2) + i * 2; t = (y.data >>> 2) + j * 2',
        `c = ${compare}(ma.u8, x.heap + ma.u32[s], ${length('ma.u32[s + 1]')}, ` +
          `mb.u8, y.heap + mb.u32[t], ${length('mb.u32[t + 1]')})`,
        equal,
      ]
    }
  }
}

function compareDoubles(p: number, q: number): number {
  if (p < q) return -1
  if (p > q) return 1
  // NaN is equal to itself and greater than all others.
  return p === q ? 0 : Number.isNaN(p) ? (Number.isNaN(q) ? 0 : 1) : -1
}

/** Byte order, a prefix first. */
export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aLength: number,
  b: Uint8Array,
  bStart: number,
  bLength: number,
): number {
  const length = aLength < bLength ? aLength : bLength
  for (let i = 0; i < length; i++) {
    const difference = a[aStart + i] - b[bStart + i]
    if (difference !== 0) return difference
  }
  return aLength - bLength
}

/** Numerics as decimal-bytes.ts writes them, by value: the display scale at the end does not count. */
function compareDecimalBytes(
  a: Uint8Array,
  aStart: number,
  aLength: number,
  b: Uint8Array,
  bStart: number,
  bLength: number,
): number {
  return compareBytes(
    a,
    aStart,
    aLength - scaleBytes(a, aStart, aLength),
    b,
    bStart,
    bLength - scaleBytes(b, bStart, bLength),
  )
}

/** Bytes of the display scale, which end a numeric. */
export function scaleBytes(u8: Uint8Array, start: number, length: number): number {
  // NaN and the infinities have none. Three bytes begin with 255, which no digit is.
  if (length < 2) return 0
  return length >= 4 && u8[start + length - 3] === 255 ? 3 : 1
}
