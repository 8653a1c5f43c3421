import { MillraceError } from '../data/errors.ts'
import { strayUse } from './builder/select-state.ts'
import type { ColumnType, NamedColumn } from './column-type.ts'
import { type ColumnTypes, columnsOf } from './columns.ts'
import type { ColumnsOfRow, Expr, OfRow } from './expression.ts'
import type { Kind } from './kinds.ts'
import type { AnyRow, Sql, SqlText } from './sql-text.ts'
import { isStandardSchema, type StandardSchema } from './standard-schema.ts'

/** An append-only topic. */
export interface Topic<Name extends string = string, In = never, Row = unknown, Cols = ColumnsOfRow<Row>> {
  readonly kind: 'topic'
  readonly name: Name
  readonly columns: readonly NamedColumn[]
  /** The column of the event time, if it has one. */
  readonly time: string | null
  readonly lateness: string | null
  readonly retention: string | null
  /** Checks and transforms events before they are appended; null where the columns alone decide. */
  readonly schema: StandardSchema | null
  readonly '~types'?: { readonly input: (event: In) => void; readonly row: Row }
  readonly '~columns'?: Cols
}

/** A topic of upserts and deletes by primary key. */
export interface Table<Name extends string = string, In = never, Row = unknown, Key = never, Cols = ColumnsOfRow<Row>> {
  readonly kind: 'table'
  readonly name: Name
  readonly columns: readonly NamedColumn[]
  readonly key: readonly string[]
  readonly retention: string | null
  readonly schema: StandardSchema | null
  readonly '~types'?: { readonly input: (event: In) => void; readonly row: Row; readonly key: (key: Key) => void }
  readonly '~columns'?: Cols
}

/** A query whose result is kept up to date. */
export interface View<Name extends string = string, Row = unknown, Cols = ColumnsOfRow<Row>> {
  readonly kind: 'view'
  readonly name: Name
  readonly sql: SqlText
  readonly emit: 'continuous' | 'final'
  readonly late: 'keep' | 'drop'
  readonly retain: string | null
  readonly '~types'?: { readonly row: Row }
  readonly '~columns'?: Cols
}

/** A name for a query; nothing is kept. */
export interface Query<Name extends string = string, Cols = unknown> {
  readonly kind: 'query'
  readonly name: Name
  readonly sql: SqlText
  readonly '~columns'?: Cols
}

export type Definition = Topic | Table | View | Query

/** Column types, or a Standard Schema such as zod's. */
export type Schema = ColumnTypes | StandardSchema<never, object> | StandardSchema<unknown, object>

type Simplify<T> = { [K in keyof T]: T[K] } & {}
type InputOf<C> = C extends { readonly '~types'?: { readonly input: infer In } } ? In : never
type OutputOf<C> = C extends { readonly '~types'?: { readonly output: infer Out } } ? Out : never
type OptionalKeys<S> = { [K in keyof S]: undefined extends InputOf<S[K]> ? K : never }[keyof S]

/** What `append` takes for a schema. */
export type SchemaInput<S> = S extends { readonly '~standard': { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly input: infer In }
    ? In
    : never
  : Simplify<{ [K in Exclude<keyof S, OptionalKeys<S>>]: InputOf<S[K]> } & { [K in OptionalKeys<S>]?: InputOf<S[K]> }>

/** What reads give for a schema: its output, with null where a field is missing. */
export type SchemaRow<S> = S extends { readonly '~standard': { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly output: infer Out }
    ? { [K in keyof Out]-?: undefined extends Out[K] ? Exclude<Out[K], undefined> | null : Out[K] }
    : never
  : { [K in keyof S]: OutputOf<S[K]> }

type KindOfColumn<C> = C extends { readonly '~types'?: { readonly kind: infer K } } ? K & Kind : never

/** A schema's columns, as queries see them. */
export type SchemaColumns<S> = S extends { readonly '~standard': unknown }
  ? ColumnsOfRow<SchemaRow<S>>
  : { readonly [K in keyof S]: Expr<OutputOf<S[K]>, KindOfColumn<S[K]>, OfRow> }

/** The type of what can be appended to a topic or table. */
export type InferInput<D> = D extends { readonly '~types'?: { readonly input: (event: infer In) => void } } ? In : never

/** The type of a topic's, table's or view's rows. */
export type InferRow<D> = D extends { readonly '~types'?: { readonly row: infer Row } } ? Row : never

/** The type of a table's keys. */
export type InferKey<D> = D extends { readonly '~types'?: { readonly key: (key: infer Key) => void } } ? Key : never

/** Fields of the rows that can be an event time. */
type TimeKey<Row> = { [K in keyof Row]: Row[K] extends string | Date ? K : never }[keyof Row] & string

/** Columns for fields of a schema: what they say goes before what the schema says. */
export type GivenColumns<S> = { readonly [K in keyof SchemaRow<S>]?: ColumnType<never, unknown> | ColumnType }

type NoColumns = Record<never, never>

type WithColumns<S, C> = S extends { readonly '~standard': unknown }
  ? {
      /** Columns that can't be derived from the schema, or shall be others than are derived. */
      readonly columns?: C & { readonly [K in Exclude<keyof C, keyof SchemaRow<S>>]: never }
    }
  : { readonly columns?: never }

/** Rows of a schema, with what `columns` says of some. */
export type RowWith<S, C> = [keyof C] extends [never]
  ? SchemaRow<S>
  : { [K in keyof SchemaRow<S>]: K extends keyof C ? OutputOf<C[K]> : SchemaRow<S>[K] }

type ColumnsWith<S, C> = [keyof C] extends [never]
  ? SchemaColumns<S>
  : {
      readonly [K in keyof SchemaColumns<S>]: K extends keyof C
        ? Expr<OutputOf<C[K]>, KindOfColumn<C[K]>, OfRow>
        : SchemaColumns<S>[K]
    }

export type TopicOptions<S, C = NoColumns> = WithColumns<S, C> & {
  readonly schema: S
  /** The column that says when an event happened: a timestamp or timestamptz that is never NULL. */
  readonly time?: TimeKey<RowWith<S, C>>
  /** How far events may arrive out of order, such as `30s` or `5 minutes`; 0 if not given. */
  readonly lateness?: string
  /**
   * How much of it stays in the log at least: a time (`7 days`), bytes (`10 GiB`) or both. What is older goes; views keep
   * what they made of it. Everything if not given.
   */
  readonly retention?: string
}

/**
 * Defines a topic: append-only events of one shape.
 *
 *     topic('orders', { schema: { id: t.bigint(), at: t.timestamptz() }, time: 'at', lateness: '30s' })
 *
 * @throws MillraceError schema/unmappable for a field that no column can be derived for
 */
export function topic<const Name extends string, S extends Schema, C extends GivenColumns<S> = NoColumns>(
  name: Name,
  options: TopicOptions<S, C>,
): Topic<Name, SchemaInput<S>, RowWith<S, C>, ColumnsWith<S, C>> {
  const columns = columnsOf(name, options.schema, options.columns)
  const time = options.time ?? null
  if (time !== null) mustHave(name, columns, time)
  return Object.freeze({
    kind: 'topic',
    name,
    columns: Object.freeze(columns),
    time,
    lateness: options.lateness ?? null,
    retention: options.retention ?? null,
    schema: isStandardSchema(options.schema) ? options.schema : null,
  })
}

export type TableOptions<S, Key extends string, C = NoColumns> = WithColumns<S, C> & {
  readonly schema: S
  /** The column or columns of the primary key. */
  readonly key: Key | readonly [Key, ...Key[]]
  /** How long its history stays in the log (`7 days`); older changes go, rows never. Everything if not given. */
  readonly retention?: string
}

/**
 * Defines a table: a topic of upserts and deletes by primary key.
 *
 *     table('accounts', { schema: { id: t.bigint(), owner: t.text().nullable() }, key: 'id' })
 *
 * @throws MillraceError schema/unmappable for a field that no column can be derived for
 */
export function table<
  const Name extends string,
  S extends Schema,
  const Key extends keyof SchemaRow<S> & string,
  C extends GivenColumns<S> = NoColumns,
>(
  name: Name,
  options: TableOptions<S, Key, C>,
): Table<
  Name,
  SchemaInput<S>,
  RowWith<S, C>,
  Simplify<Pick<RowWith<S, C>, Key & keyof RowWith<S, C>>>,
  ColumnsWith<S, C>
> {
  const columns = columnsOf(name, options.schema, options.columns)
  const key: readonly string[] = typeof options.key === 'string' ? [options.key] : options.key
  for (const column of key) mustHave(name, columns, column)
  return Object.freeze({
    kind: 'table',
    name,
    columns: Object.freeze(columns),
    key: Object.freeze([...key]),
    retention: options.retention ?? null,
    schema: isStandardSchema(options.schema) ? options.schema : null,
  })
}

function mustHave(topicName: string, columns: readonly NamedColumn[], name: string): void {
  if (columns.some((column) => column.name === name)) return
  throw new MillraceError('schema/unmappable', `${topicName}: there is no column ${name}`, {
    hint: `there are ${columns.map((column) => column.name).join(', ')}`,
  })
}

export interface ViewOptions {
  /** `continuous` (default): corrected for ever; `final`: each window once, when it has closed. */
  readonly emit?: 'continuous' | 'final'
  /** `drop`: late events are not read. */
  readonly late?: 'drop'
  /**
   * How much of its past is kept at hand for `asOf` and for subscribers that lag: a time (`1 hour`; 256 MiB at most),
   * bytes (`64 MiB`; 16 MiB if not given) or both (`1 hour, 64 MiB`).
   */
  readonly retain?: string
}

/**
 * Row types of views whose SQL is text, by the view's name: `millrace generate` writes them into one file, which
 * declares them here.
 *
 *     declare module 'millrace' {
 *       interface SqlRows {
 *         byUser: { userId: string; spent: number | null }
 *       }
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: the generated file puts members into it
export interface SqlRows {}

/** What was stated for a query's rows, else what was generated for the view of this name. */
export type StatedRow<Name extends string, Row> = [AnyRow] extends [Row]
  ? Name extends keyof SqlRows
    ? SqlRows[Name]
    : Row
  : Row

type StatedColumns<Name extends string, Row, Cols> = [AnyRow] extends [Row] ? ColumnsOfRow<StatedRow<Name, Row>> : Cols

/**
 * Defines a view: a query whose result is kept up to date. The type of its rows is the builder's, or what is stated:
 *
 *     view('byUser', sql<{ userId: string; spent: number }>`SELECT …`)
 *
 * or what `millrace generate` found out: see {@link SqlRows}.
 */
export function view<const Name extends string, Row = AnyRow, Cols = ColumnsOfRow<Row>>(
  name: Name,
  query: Sql<Row, Cols>,
  options: ViewOptions = {},
): View<Name, StatedRow<Name, Row>, StatedColumns<Name, Row, Cols>> {
  return Object.freeze({
    kind: 'view',
    name,
    sql: wholeQuery(name, query),
    emit: options.emit ?? 'continuous',
    late: options.late ?? 'keep',
    retain: options.retain ?? null,
  })
}

/** Defines a named query: SQL that other queries can read by name. Nothing of it is kept. */
export function query<const Name extends string, Row = AnyRow, Cols = ColumnsOfRow<Row>>(
  name: Name,
  text: Sql<Row, Cols>,
): Query<Name, StatedColumns<Name, Row, Cols>> {
  return Object.freeze({ kind: 'query', name, sql: wholeQuery(name, text) })
}

/** @throws MillraceError app/load for what is no query, sql/definition where columns of another query are left in it */
function wholeQuery(name: string, query: SqlText): SqlText {
  if (!Array.isArray((query as Partial<SqlText> | null | undefined)?.uses)) {
    throw new MillraceError('app/load', `${name}: its query is neither SQL nor made by the builder`, {
      hint: 'write sql`SELECT …`, or from({ … }).select(…)',
    })
  }
  if (query.uses.length > 0) throw strayUse(query.uses[0])
  return query
}
