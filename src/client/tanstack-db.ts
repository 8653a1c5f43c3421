import type { LiveStep } from '../app/database-shape.ts'
import type { Followed } from './live-rows.ts'

/** What TanStack DB hands to a collection's sync: as much of it as is used here. */
interface Sync<Row> {
  readonly begin: () => void
  readonly write: (message: { readonly type: 'insert' | 'update' | 'delete'; readonly value: Row }) => void
  readonly commit: () => unknown
  readonly markReady: () => void
  readonly markError?: (error?: unknown) => void
  readonly truncate: () => void
}

export interface LiveCollectionOptions<Row, Key> {
  readonly view: Followed<Row>
  /** What tells rows apart: a view's rows must be unique by it. */
  readonly getKey: (row: Row) => Key
  readonly id?: string
}

/**
 * A view as a collection of TanStack DB: `createCollection(liveCollectionOptions({ view: db.spent, getKey }))`. The
 * collection follows the view from its first subscriber on; each tick is one transaction of it. Writes go to topics and
 * tables, not to views: append to them, and the collection follows.
 */
export function liveCollectionOptions<Row extends object, Key extends string | number>({
  view,
  getKey,
  id,
}: LiveCollectionOptions<Row, Key>) {
  return {
    ...(id === undefined ? {} : { id }),
    getKey,
    sync: {
      rowUpdateMode: 'full' as const,
      sync(sync: Sync<Row>) {
        const stop = new AbortController()
        follow(view, getKey, sync, stop.signal)
        return () => stop.abort()
      },
    },
  }
}

async function follow<Row, Key>(
  view: Followed<Row>,
  getKey: (row: Row) => Key,
  sync: Sync<Row>,
  signal: AbortSignal,
): Promise<void> {
  const keys = new Set<Key>()
  /** Pieces of a snapshot, and a reset before it, become one transaction. */
  let open = false
  try {
    for await (const step of view.live({ signal })) {
      if (signal.aborted) return
      if (!open) sync.begin()
      open = true
      if (step.kind === 'reset') {
        sync.truncate()
        keys.clear()
      }
      write(step, getKey, keys, sync)
      if (!step.complete) continue
      open = false
      sync.commit()
      sync.markReady()
    }
  } catch (error) {
    if (signal.aborted) return
    if (sync.markError === undefined) throw error
    sync.markError(error)
  }
}

/** The changes of a step as what they come to for each key. */
function write<Row, Key>({ changes }: LiveStep<Row>, getKey: (row: Row) => Key, keys: Set<Key>, sync: Sync<Row>): void {
  const added = new Map<Key, Row>()
  for (const { row, weight } of changes) if (weight > 0) added.set(getKey(row), row)
  for (const { row, weight } of changes) {
    const key = getKey(row)
    if (weight > 0 || added.has(key) || !keys.delete(key)) continue
    sync.write({ type: 'delete', value: row })
  }
  for (const [key, value] of added) {
    sync.write({ type: keys.has(key) ? 'update' : 'insert', value })
    keys.add(key)
  }
}
