import { MillraceError } from '../data/errors.ts'
import { hex } from '../data/hex.ts'
import { tokenize } from '../sql/tokens.ts'
import type { Reads } from './column-type.ts'
import { type ColumnsOfRow, type Expr, type Fragment, levels, type Named, type Node, type Use } from './expression.ts'
import type { Kind, KindOf } from './kinds.ts'

/** SQL as it is written, whatever its rows. */
export interface SqlText extends Fragment {
  readonly kind: 'sql'
  /** The output columns, where they are known: see `OutputColumn`. */
  readonly outputs?: readonly OutputColumn[]
}

/**
 * SQL with everything put in, and the definitions that it reads. Made by the `sql` tag and by the builder. Where it
 * is an expression, `Row` is the type of its value.
 */
export interface Sql<Row = unknown, Cols = unknown, K extends Kind = Kind> extends SqlText {
  /** For the compiler alone: never there. */
  readonly '~row'?: Row
  readonly '~columns'?: Cols
  readonly '~expr'?: { readonly value: Row; readonly kind: K; readonly grade: never }
}

/** A column of a query of the builder: how its values are read follows from the columns that they come from. */
export interface OutputColumn {
  readonly name: string
  readonly form: Reads
  /** Null where only the database knows. */
  readonly type: Kind | null
}

/** A row whose type nobody stated. */
export type AnyRow = Readonly<Record<string, unknown>>

/** What may stand in `${…}`: a definition by its name, another piece of SQL, a column of the builder, or a value. */
export type SqlValue = Named | SqlText | Expr | string | number | bigint | boolean | null | Date | Uint8Array

/**
 * SQL as a template. Definitions go in as quoted names, values as quoted literals: never as code.
 *
 *     sql`SELECT status, count(*) AS orders FROM ${orders} WHERE amount > ${100} GROUP BY status`
 *
 * The type of its rows can be stated: sql<{ status: string; orders: number }>`SELECT …`.
 *
 * @throws MillraceError sql/value for what has no form in SQL, and for `${…}` inside quotes or a comment
 */
export function sql<Row = AnyRow>(
  strings: TemplateStringsArray,
  ...values: readonly SqlValue[]
): Sql<Row, ColumnsOfRow<Row>, KindOf<Row>> {
  const reads: Named[] = []
  const uses: Use[] = []
  let text = strings[0]
  values.forEach((value, i) => {
    if (!standsAlone(text)) {
      throw new MillraceError('sql/value', `the ${ordinal(i)} \${…} stands inside quotes or a comment`, {
        hint: 'take the quotes away: values are quoted for you',
      })
    }
    text += written(value, i, reads, uses) + strings[i + 1]
  })
  return Object.freeze({ kind: 'sql', text, reads: Object.freeze(reads), uses: Object.freeze(uses) })
}

/** Whether a word behind the text would be a token of its own. */
function standsAlone(text: string): boolean {
  const last = tokenize(`${text} x`).at(-1)
  return last?.kind === 'word' && last.end === text.length + 2 && last.start === text.length + 1
}

const namedKinds = new Set(['topic', 'table', 'view', 'query', 'function'])

function written(value: SqlValue, index: number, reads: Named[], uses: Use[]): string {
  if (((typeof value === 'object' && value !== null) || typeof value === 'function') && 'kind' in value) {
    if (value.kind === 'sql' || value.kind === 'expr') {
      reads.push(...value.reads)
      uses.push(...value.uses)
      const loose = value.kind === 'expr' && (value as Node).level < levels.cast
      return loose ? `(${value.text})` : value.text
    }
    if (namedKinds.has(value.kind)) {
      reads.push(value as Named)
      return quotedName((value as Named).name)
    }
  }
  const literal = literalOf(value)
  if (literal !== null) return literal
  const what = value === undefined ? 'undefined' : typeof value === 'number' ? String(value) : `a ${typeof value}`
  throw new MillraceError('sql/value', `the ${ordinal(index)} \${…} is ${what}, which has no form in SQL`, {
    hint: 'give a topic or view, a string, number, bigint, boolean, Date, Uint8Array or null',
  })
}

/** A value as a literal that is whole in every surrounding, or null if it has none. */
export function literalOf(value: unknown): string | null {
  switch (typeof value) {
    case 'string':
      return quotedText(value)
    case 'number':
      // In brackets, so that a minus before it doesn't make a comment of the two.
      if (Number.isNaN(value)) return "'NaN'::double precision"
      if (!Number.isFinite(value)) return `'${value}'::double precision`
      return value < 0 || Object.is(value, -0) ? `(${value})` : String(value)
    case 'bigint':
      return value < 0n ? `(${value})` : String(value)
    case 'boolean':
      return value ? 'TRUE' : 'FALSE'
    case 'object':
      if (value === null) return 'NULL'
      if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : `'${value.toISOString()}'::timestamptz`
      if (value instanceof Uint8Array) return `'\\x${hex(value)}'::bytea`
      return null
    default:
      return null
  }
}

export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function quotedText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function ordinal(index: number): string {
  return ['first', 'second', 'third', 'fourth', 'fifth'][index] ?? `${index + 1}th`
}
