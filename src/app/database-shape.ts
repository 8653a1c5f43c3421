/// <reference lib="esnext.disposable" preserve="true" />
import type { FindBody, JourneyBody, WhyBody } from '../protocol/why.ts'
import type { App } from './app.ts'
import type { InferInput, InferKey, InferRow, Query } from './definitions.ts'
import type { AnyRow, Sql } from './sql-text.ts'

/**
 * What a program looks like to those who use it, embedded or remote: a property per topic, table and view. The
 * types here are the contract; `open` and `createClient` give objects of this shape.
 */
export type DatabaseShape<Program> = Handles<DefinitionsOf<Program>> & {
  readonly sql: SqlHandle
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Ad-hoc SQL over all relations. Parameters are $1, $2, … */
export interface SqlHandle {
  /** One SELECT, at one tick. */
  <Row = AnyRow>(query: string | Sql<Row>, options?: SqlOptions): Promise<SqlAnswer<Row>>
  /**
   * The rows of one SELECT, then their changes, as of a view that only its reader knows. It does not resume: after a
   * break it begins anew, with a `reset`. What can't be computed ends it.
   *
   *     for await (const { kind, changes } of db.sql.live('SELECT status, count(*) FROM orders GROUP BY status')) { … }
   */
  live<Row = AnyRow>(query: string | Sql<Row>, options?: SqlLiveOptions): AsyncIterable<LiveSqlStep<Row>>
}

/** The definitions of an app, or of a module whose default export is one. */
export type DefinitionsOf<Program> =
  Program extends App<infer D> ? D : Program extends { readonly default: App<infer D> } ? D : never

type Handles<D> = { readonly [K in keyof D as D[K] extends Query ? never : K]: Handle<D[K]> }

/** How one definition is used. */
export type Handle<D> = D extends { readonly kind: 'topic' }
  ? TopicHandle<InferInput<D>, InferRow<D>>
  : D extends { readonly kind: 'table' }
    ? TableHandle<InferInput<D>, InferRow<D>, InferKey<D>>
    : D extends { readonly kind: 'view' }
      ? ViewHandle<InferRow<D>>
      : never

export interface TopicHandle<In, Row> {
  /**
   * Appends one event or several, all or none of them. Resolves once they are durable.
   * @throws MillraceError event/invalid with a pointer to each field that is wrong
   */
  append(events: In | readonly In[], options?: AppendOptions): Promise<AppendReceipt>
  /** Events in the order of their offsets. */
  read(options?: TopicReadOptions): Promise<TopicPage<Row>>
  /**
   * Events from an offset on, then those that come, in order and each once, until the signal aborts. Of a table they
   * are what its rows became: who forgets them at a `reset` and takes `complete` steps has the table at their ticks.
   */
  live(options?: TopicLiveOptions): AsyncIterable<TopicStep<Row>>
  /** What became of an event: what it did at each operator, and which rows it changed. @throws MillraceError not-found */
  journey(offset: number, options?: { readonly signal?: AbortSignal }): Promise<JourneyBody>
  /** Events by what is in them, the newest first. */
  find(where: { readonly [K in keyof Row]?: Row[K] }, options?: FindOptions): Promise<FindBody>
}

export interface TableHandle<In, Row, Key> extends TopicHandle<In, Row> {
  /** Deletes rows by their keys; an absent key changes nothing. */
  delete(keys: Key | readonly Key[], options?: AppendOptions): Promise<AppendReceipt>
}

export interface ViewHandle<Row> {
  /** The rows at one tick. */
  get(options?: GetOptions<Row>): Promise<ViewRows<Row>>
  /** The rows that could not be computed, and the events that they come from: found by a run over the log. */
  errors(options?: ErrorsOptions): Promise<ViewErrors>
  /**
   * Why a row is there, down to its events, or why it isn't: found by runs over the log.
   * @param key as many columns as tell the row from the others
   * @throws MillraceError request/parameter where several rows are like that
   */
  why(key: { readonly [K in keyof Row]?: Row[K] }, options?: WhyOptions): Promise<WhyBody>
  /** The rows, then their changes, without gap or duplicate, until the signal aborts. */
  live(options?: LiveOptions): AsyncIterable<LiveStep<Row>>
}

export interface AppendOptions {
  /** The same key with the same events is appended once, and answered the same each time. */
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal
}

export interface AppendReceipt {
  /** The tick at which the events become visible. */
  readonly tick: number
  readonly firstOffset: number
  readonly lastOffset: number
}

export interface TopicReadOptions {
  readonly from?: number
  readonly limit?: number
  readonly signal?: AbortSignal
}

export interface TopicLiveOptions {
  /** The first offset that is wanted (default: the end as it is now); 0: all that there is. Resume with `next`. */
  readonly from?: number
  readonly signal?: AbortSignal
}

/** `events`: some more; `reset`: events that were not told are gone, and what is left of the topic follows. */
export interface TopicStep<Row> {
  readonly kind: 'events' | 'reset'
  /** Of the last event; where `complete`, the tick up to which all is told. */
  readonly tick: number
  /** The offset to go on from. */
  readonly next: number
  /** Whether what was told up to here is all there is at this tick. */
  readonly complete: boolean
  readonly events: readonly TopicEvent<Row>[]
}

export interface TopicPage<Row> {
  readonly events: readonly TopicEvent<Row>[]
  /** The offset to go on from. */
  readonly next: number
}

export interface TopicEvent<Row> {
  readonly offset: number
  readonly tick: number
  /** A deleted row shows its key alone. */
  readonly op: 'append' | 'upsert' | 'delete'
  readonly data: Row
}

export interface GetOptions<Row> {
  /** Columns that must equal a value. */
  readonly where?: { readonly [K in keyof Row]?: Row[K] }
  /** Columns to order by, each with a minus before it for descending. */
  readonly order?: Ordering<Row> | readonly Ordering<Row>[]
  readonly limit?: number
  /** Waits until this tick is visible: read your own writes. */
  readonly minTick?: number
  /** A past tick, or a time: the rows as they were then, always the same. */
  readonly asOf?: AsOf
  /** Where what changed since `asOf` is no longer known: reads the log again up to there, which may take a while. */
  readonly replay?: boolean
  readonly signal?: AbortSignal
}

/** A tick's number or a time (a Date, or text as PostgreSQL reads a timestamptz): the newest tick not after it. */
export type AsOf = number | Date | string

type Ordering<Row> = (keyof Row & string) | `-${keyof Row & string}`

export interface ViewRows<Row> {
  readonly tick: number
  /** Rows that could not be computed, beside these. */
  readonly errors: number
  readonly rows: readonly Row[]
}

export interface ErrorsOptions {
  /** Error rows to list at most (default 100). */
  readonly limit?: number
  readonly signal?: AbortSignal
}

export interface ViewErrors {
  readonly tick: number
  /** Error rows beside the view's rows, listed or not. */
  readonly errors: number
  readonly rows: readonly ListedError[]
  /** Of them, rows whose events the log does not keep any more: nothing can say where they come from. */
  readonly gone?: number
}

/** Error rows that are made of the same. */
export interface ListedError {
  /** What went wrong and where: `division by zero (in WHERE)`. */
  readonly reason: string
  /** PostgreSQL's code for the same mistake. */
  readonly sqlstate: string
  readonly count: number
  /** The events that the row is made of; of a table's row, its last upsert. None behind an aggregate. */
  readonly positions: readonly EventPosition[]
  /** Behind an aggregate: the group's key, by column, as PostgreSQL prints it. */
  readonly key: Readonly<Record<string, string | null>> | null
}

export interface WhyOptions {
  /** A past tick, or a time. */
  readonly asOf?: AsOf
  /** Events listed at most (default 20); all are counted. */
  readonly limit?: number
  readonly signal?: AbortSignal
}

export interface FindOptions {
  /** The event of this offset alone, if it is like that. */
  readonly offset?: number
  /** Only events before this offset: goes on with an earlier search. */
  readonly before?: number
  /** Events listed at most (default 20). */
  readonly limit?: number
  readonly signal?: AbortSignal
}

export interface EventPosition {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export interface LiveOptions {
  /** Resume behind this tick. */
  readonly fromTick?: number
  readonly signal?: AbortSignal
}

/** `snapshot`: rows to start from, in pieces; `change`: what changed; `reset`: forget all, a snapshot follows. */
export interface LiveStep<Row> {
  readonly kind: 'snapshot' | 'change' | 'reset'
  readonly tick: number
  /** Whether what was told up to here is the whole view at this tick: not so in the middle of a snapshot. */
  readonly complete: boolean
  readonly changes: readonly Change<Row>[]
}

export interface Change<Row> {
  readonly row: Row
  /** +n: the row is there n times more; −n: n times less. */
  readonly weight: number
}

export interface SqlOptions {
  readonly params?: readonly unknown[]
  /** A past tick, or a time: the answer as it was then, all relations at the same tick. */
  readonly asOf?: AsOf
  readonly replay?: boolean
  readonly signal?: AbortSignal
}

export interface SqlLiveOptions {
  readonly params?: readonly unknown[]
  readonly signal?: AbortSignal
}

export interface LiveSqlStep<Row> extends LiveStep<Row> {
  /** Of the query, as they were told last; none before its first rows. */
  readonly columns: SqlAnswer<Row>['columns']
  /** What its rows are ordered by, as far as these columns say it, with a minus for descending. */
  readonly order: readonly string[]
}

export interface SqlAnswer<Row> {
  readonly tick: number
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly rows: readonly Row[]
}
