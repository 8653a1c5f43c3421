import { useMemo, useSyncExternalStore } from 'react'
import type { SqlHandle } from '../app/database-shape.ts'
import type { AnyRow, Sql } from '../app/sql-text.ts'
import { type Followed, identityOf, type LiveRows, type LiveRowsOptions, liveRowsOf } from './live-rows.ts'

export type { LiveRows } from './live-rows.ts'

export interface UseLiveOptions<Row> extends LiveRowsOptions<Row> {
  /** Sorts the rows; keep it the same function from one rendering to the next. */
  readonly order?: (a: Row, b: Row) => number
  /** Rows to show at most, behind `order`. */
  readonly limit?: number
}

/**
 * A view's rows in a React component, up to date with every tick. Components that follow the same view share one
 * stream; it reconnects by itself, and goes on without gap or duplicate.
 *
 *     const { rows, state } = useLive(db.spent, { key: ['id'], order: byTotal })
 *
 * While the stream is away, and while a view is replaced by a changed one, the rows stay as they were last. Throws
 * nothing: `state` is `failed` with `error` where the server refuses.
 */
export function useLive<Row>(view: Followed<Row>, options: UseLiveOptions<Row> = {}): LiveRows<Row> {
  const { order, limit } = options
  const store = liveRowsOf(view, options)
  const live = useSyncExternalStore(store.subscribe, store.current, store.initial)
  return useMemo(() => {
    if (order === undefined && limit === undefined) return live
    const sorted = order === undefined ? live.rows : [...live.rows].sort(order)
    return { ...live, rows: limit === undefined ? sorted : sorted.slice(0, limit) }
  }, [live, order, limit])
}

export interface UseLiveSqlOptions<Row> extends UseLiveOptions<Row> {
  /** The values of $1, $2, … */
  readonly params?: readonly unknown[]
}

/**
 * The same of one SELECT, which may be another one at each rendering: what it reads is followed as long as its text
 * and its parameters stay the same.
 *
 *     const { rows } = useLiveSql(db, 'SELECT status, count(*) AS n FROM orders WHERE shop = $1 GROUP BY status', { params: [shop] })
 */
export function useLiveSql<Row = AnyRow>(
  db: { readonly sql: Pick<SqlHandle, 'live'> },
  query: string | Sql<Row>,
  options: UseLiveSqlOptions<Row> = {},
): LiveRows<Row> {
  const { params = [], ...rest } = options
  const asked = identityOf([typeof query === 'string' ? query : query.text, params])
  // biome-ignore lint/correctness/useExhaustiveDependencies: equal texts and parameters ask for the same
  const followed = useMemo<Followed<Row>>(
    () => ({ live: ({ signal } = {}) => db.sql.live(query, { params, ...(signal === undefined ? {} : { signal }) }) }),
    [db, asked],
  )
  return useLive(followed, rest)
}
