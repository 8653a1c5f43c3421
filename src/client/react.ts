import { useMemo, useSyncExternalStore } from 'react'
import { type Followed, type LiveRows, type LiveRowsOptions, liveRowsOf } from './live-rows.ts'

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
