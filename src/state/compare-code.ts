import type { Column } from '../data/batch.ts'
import type { LinearMemory } from '../data/memory.ts'
import type { Field } from './layout.ts'
import { declareColumn, generate } from './row-code.ts'

/** How one field sorts; the fields not named follow, ascending, NULLs last, so that the order is total. */
export interface FieldOrder {
  readonly field: number
  readonly descending: boolean
  readonly nullsFirst: boolean
}

function completed(fields: readonly Field[], order: readonly FieldOrder[]): readonly FieldOrder[] {
  const named = new Set(order.map(({ field }) => field))
  const rest = fields.map((_, field) => ({ field, descending: false, nullsFirst: false }))
  return [...order, ...rest.filter(({ field }) => !named.has(field))]
}

/** What a comparison reads of one side's cell: its state, and its value as one or two numbers. */
interface Operand {
  readonly state: string
  /** i32, the high word of an i64, the double, or a string's address. */
  readonly first: string
  /** The low word of an i64, or a string's length. */
  readonly second: string
}

function entryOperand(name: string, field: Field): Operand {
  const at = `(${name} + ${field.offset} >>> 2)`
  const state = `u8[${name} + ${field.state}]`
  switch (field.lane) {
    case 'i32':
      return { state, first: `i32[${at}]`, second: '0' }
    case 'i64':
      return { state, first: `i32[${at} + 1]`, second: `u32[${at}]` }
    case 'f64':
      return { state, first: `f64[(${name} + ${field.offset}) / 8]`, second: '0' }
    case 'bytes':
      return { state, first: `u32[${at}]`, second: `u32[${at} + 1]` }
  }
}

function freshOperand(k: number, field: Field, row = 'i'): Operand {
  const state = `(s${k} === 0 ? 0 : u8[s${k} + ${row}])`
  switch (field.lane) {
    case 'i32':
      return { state, first: `i32[d${k} + ${row}]`, second: '0' }
    case 'i64':
      return { state, first: `i32[d${k} + 2 * ${row} + 1]`, second: `u32[d${k} + 2 * ${row}]` }
    case 'f64':
      return { state, first: `f64[d${k} / 2 + ${row}]`, second: '0' }
    case 'bytes':
      return { state, first: `h${k} + u32[d${k} + 2 * ${row}]`, second: `u32[d${k} + 2 * ${row} + 1]` }
  }
}

/** What is done with the answer: ends the comparison. */
type Answer = (value: string) => string
const returned: Answer = (value) => `return ${value};`

function compareOperands(field: Field, a: Operand, b: Operand, order: FieldOrder, answer = returned): string {
  const less = order.descending ? 1 : -1
  const nulls = order.nullsFirst
    ? '(p !== 0 && (q === 0 || p > q)) ? -1 : 1'
    : '(p === 0 || (q !== 0 && p < q)) ? -1 : 1'
  return `{ const p = ${a.state}, q = ${b.state};
    if (p !== 0 || q !== 0) { if (p !== q) { ${answer(nulls)} } }
    else { ${compareValues(field, a, b, less, answer)} } }`
}

function compareValues(field: Field, a: Operand, b: Operand, less: 1 | -1, answer: Answer): string {
  switch (field.lane) {
    case 'i32':
      return `const x = ${a.first}, y = ${b.first}; if (x !== y) { ${answer(`x < y ? ${less} : ${-less}`)} }`
    case 'i64':
      return `const x = ${a.first}, y = ${b.first}; if (x !== y) { ${answer(`x < y ? ${less} : ${-less}`)} }
        const v = ${a.second}, w = ${b.second}; if (v !== w) { ${answer(`v < w ? ${less} : ${-less}`)} }`
    case 'f64':
      // NaN is greater than everything and equal to itself.
      return `const x = ${a.first}, y = ${b.first};
        if (x !== y && !(x !== x && y !== y)) { ${answer(`(y !== y || x < y) ? ${less} : ${-less}`)} }`
    case 'bytes':
      return `const x = memory.kernels.compareBytes(${a.first}, ${a.second}, ${b.first}, ${b.second});
        if (x !== 0) { ${answer(`x < 0 ? ${less} : ${-less}`)} }`
  }
}

const comparedViews = 'const u8 = memory.u8, i32 = memory.i32, u32 = memory.u32, f64 = memory.f64;'

/** Compares two entries. */
export function compileCompare(
  fields: readonly Field[],
  order: readonly FieldOrder[],
): (memory: LinearMemory, a: number, b: number) => number {
  const body = completed(fields, order).map((each) => {
    const field = fields[each.field]
    return compareOperands(field, entryOperand('a', field), entryOperand('b', field), each)
  })
  return generate('compareRows', ['memory', 'a', 'b'], `${comparedViews} ${body.join('\n')} return 0;`)
}

/** Compares a row of a batch with an entry. */
export function compileCompareFresh(
  fields: readonly Field[],
  order: readonly FieldOrder[],
): (memory: LinearMemory, columns: readonly Column[], i: number, b: number) => number {
  const body = completed(fields, order).map((each) => {
    const field = fields[each.field]
    return compareOperands(field, freshOperand(each.field, field), entryOperand('b', field), each)
  })
  return generate(
    'compareFresh',
    ['memory', 'columns', 'i', 'b'],
    `${comparedViews} ${fields.map((_, k) => declareColumn(k)).join(' ')} ${body.join('\n')} return 0;`,
  )
}

/**
 * Code for a loop over rows: compares row `i` of the declared columns with another of them, or with an entry, whichever
 * the local `other` names, and leaves the answer in the local `c`.
 */
export function compareInLoop(fields: readonly Field[], order: readonly FieldOrder[], kind: 'row' | 'entry'): string {
  const answer: Answer = (value) => `c = ${value}; break compared;`
  const body = completed(fields, order).map((each) => {
    const field = fields[each.field]
    const other = kind === 'row' ? freshOperand(each.field, field, 'other') : entryOperand('other', field)
    return compareOperands(field, freshOperand(each.field, field), other, each, answer)
  })
  return `c = 0; compared: { ${body.join('\n')} }`
}
