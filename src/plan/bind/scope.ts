import type { ErrorPlace } from '../../data/errors.ts'
import type { SqlType } from '../../data/sql-type.ts'
import { nearest, refusal } from '../../sql/refuse.ts'
import { fold } from '../../sql/tokens.ts'
import type { Plan } from '../plan.ts'

/** A column that names can reach, and where it is in the relation's plan. */
export interface ScopeColumn {
  readonly index: number
  readonly name: string
  readonly type: SqlType
  readonly nullable: boolean
  /** The alias of the relation it comes from; null for a column merged by USING. */
  readonly table: string | null
  /** Reached without the relation's name. */
  readonly bare: boolean
  /** Stands for `*`; system columns don't. */
  readonly star: boolean
  /** Stands for `relation.*`. */
  readonly tableStar: boolean
}

/** A relation of a FROM clause by its alias. */
export interface ScopeTable {
  readonly alias: string
  /** Columns that identify its rows, if the relation has a primary key. */
  readonly key: readonly number[]
}

export interface Scope {
  readonly columns: readonly ScopeColumn[]
  readonly tables: readonly ScopeTable[]
}

/** A part of a FROM clause: a plan and the names of its columns. */
export interface Relation {
  readonly plan: Plan
  readonly scope: Scope
}

export const emptyScope: Scope = { columns: [], tables: [] }

/** What a subquery, view or function puts out, under an alias. `hidden` columns stay out of `*`. */
export function scopeOf(plan: Plan, alias: string | null, hidden = 0, key: readonly number[] = []): Scope {
  const visible = plan.columns.length - hidden
  return {
    columns: plan.columns.map(({ name, type, nullable }, index) => ({
      index,
      name,
      type,
      nullable,
      table: alias,
      bare: true,
      star: index < visible,
      tableStar: index < visible,
    })),
    tables: alias === null ? [] : [{ alias, key }],
  }
}

export function shifted(scope: Scope, by: number): Scope {
  return {
    columns: scope.columns.map((column) => ({ ...column, index: column.index + by })),
    tables: scope.tables.map((table) => ({ ...table, key: table.key.map((index) => index + by) })),
  }
}

/** Two scopes side by side; their plan puts out the left's columns, then the right's. */
export function beside(left: Scope, right: Scope, leftWidth: number, place: ErrorPlace): Scope {
  const moved = shifted(right, leftWidth)
  for (const { alias } of moved.tables) {
    if (left.tables.some((table) => fold(table.alias) === fold(alias))) {
      throw refusal(
        'sql/ambiguous',
        `relation name "${alias}" is given more than once`,
        place,
        'give one of them an alias',
      )
    }
  }
  return { columns: [...left.columns, ...moved.columns], tables: [...left.tables, ...moved.tables] }
}

/** The scope's columns with the types and nullness that `plan` gives them. */
export function retyped(scope: Scope, plan: Plan): Scope {
  return {
    ...scope,
    columns: scope.columns.map((column) => ({ ...column, nullable: plan.columns[column.index].nullable })),
  }
}

/**
 * Finds the column that `table.name` or `name` means.
 * @returns null if there is none here
 * @throws MillraceError sql/ambiguous
 */
export function findColumn(scope: Scope, table: string | null, name: string, place: ErrorPlace): ScopeColumn | null {
  const wanted = fold(name)
  const found = scope.columns.filter(
    (column) =>
      fold(column.name) === wanted &&
      (table === null ? column.bare : column.table !== null && fold(column.table) === fold(table)),
  )
  // Two topics' system columns are not a reason to refuse a column that one of them really has.
  const candidates = found.some(({ star }) => star) ? found.filter(({ star, bare }) => star || !bare) : found
  if (candidates.length > 1) {
    const hint =
      table === null
        ? `write ${candidates.map((column) => `${column.table ?? '…'}.${column.name}`).join(' or ')}`
        : 'give the columns of the subquery different names'
    throw refusal('sql/ambiguous', `column reference "${name}" is ambiguous`, place, hint)
  }
  return candidates[0] ?? null
}

export function hasTable(scope: Scope, table: string): boolean {
  return scope.tables.some(({ alias }) => fold(alias) === fold(table))
}

/** @param scopes the innermost first */
export function unknownColumn(scopes: readonly Scope[], table: string | null, name: string, place: ErrorPlace): Error {
  const columns = scopes.flatMap((scope) => scope.columns)
  if (table !== null && !scopes.some((scope) => hasTable(scope, table))) {
    const tables = scopes.flatMap((scope) => scope.tables.map(({ alias }) => alias))
    const near = nearest(table, tables)
    const hint = near === null ? `FROM has ${tables.join(', ') || 'no relations'}` : `did you mean ${near}?`
    return refusal('sql/unknown-relation', `FROM has no relation "${table}"`, place, hint)
  }
  const names = columns.filter((column) => table === null || fold(column.table ?? '') === fold(table))
  const near = nearest(
    name,
    names.map((column) => column.name),
  )
  const known = names.filter((column) => column.star || column.tableStar).map((column) => column.name)
  const hint = near === null ? `there are ${list(known)}` : `did you mean ${near}?`
  const full = table === null ? `"${name}"` : `"${table}.${name}"`
  return refusal('sql/unknown-column', `column ${full} does not exist`, place, hint)
}

function list(names: readonly string[]): string {
  if (names.length === 0) return 'no columns here'
  return names.length > 12 ? `${names.slice(0, 12).join(', ')} and ${names.length - 12} more` : names.join(', ')
}
