/** Rows of a view for a drawing of it: kept up to date by the view's stream where there is room for one. */
import { effect, type ReadonlySignal, type Signal, signal } from '@preact/signals'
import type { Inspector, WireRow } from 'millrace/client'
import { useEffect, useMemo } from 'preact/hooks'
import { type Asked, poll } from '../ask/asked.ts'
import type { ViewInfo } from '../ask/catalog.ts'
import { server } from '../ask/server.ts'
import type { HeldRow } from './bag.ts'
import { LiveView } from './live-view.ts'

/** Larger views are asked for their first rows instead. */
export const mostStreamed = 20_000
/** Rows that a drawing takes, in the view's order. */
export const mostDrawn = 5000
/** A browser has six connections to a server: some are for questions. */
const mostStreams = 3
/** Drawings follow a stream so often at most: a line drawn anew with each frame tells nobody more. */
const drawnEveryMs = 250
const refreshMs = 2000

interface Shared {
  readonly live: LiveView
  users: number
}

/** Streams of drawings, by view and what its rows are like: several drawings of a view share one. */
const streams = new Map<string, Shared>()
let serial = 0
const serials = new WeakMap<Inspector, number>()

/** What a view's rows are like: another definition is another view. */
export function shapeOf({ name, sql, columns }: ViewInfo): string {
  return `${name}\n${sql}\n${columns.map((column) => `${column.name} ${column.type}`).join()}`
}

function shared(client: Inspector, view: ViewInfo): { readonly live: LiveView; readonly leave: () => void } | null {
  if (!serials.has(client)) serials.set(client, ++serial)
  const key = `${serials.get(client)}\n${shapeOf(view)}`
  let stream = streams.get(key)
  if (stream === undefined) {
    if (view.rows > mostStreamed || streams.size >= mostStreams) return null
    stream = { live: new LiveView(client, view, view.order), users: 0 }
    streams.set(key, stream)
  }
  const held = stream
  held.users++
  const leave = (): void => {
    held.users--
    if (held.users > 0) return
    held.live.close()
    streams.delete(key)
  }
  return { live: held.live, leave }
}

/** A view's first rows in its own order, for as long as a component is there. @param most rows at most */
export function useLiveRows(view: ViewInfo, most: number): ReadonlySignal<Asked<readonly WireRow[]>> {
  const client = server.value
  const shape = shapeOf(view)
  const rows = useMemo(
    () => signal<Asked<readonly WireRow[]>>({ value: null, refusal: null, waiting: true }),
    [client, shape, most],
  )
  useEffect(() => {
    const stream = shared(client, view)
    if (stream === null) return asked(rows, view.name, most)
    const end = follow(rows, stream.live, most)
    return () => {
      end()
      stream.leave()
    }
  }, [rows])
  return rows
}

function asked(into: Signal<Asked<readonly WireRow[]>>, name: string, limit: number): () => void {
  const ask = async (from: Inspector, stop: AbortSignal): Promise<readonly WireRow[]> =>
    (await from.relations.rows(name, { limit, signal: stop })).rows
  return poll(into, ask, refreshMs)
}

function follow(into: Signal<Asked<readonly WireRow[]>>, live: LiveView, most: number): () => void {
  let timer = 0
  let shownAt = 0
  const show = (): void => {
    timer = 0
    const { rows, whole, refusal } = live.state.peek()
    if (refusal !== null) into.value = { value: into.peek().value, refusal, waiting: false }
    else if (whole) into.value = { value: firstOf(rows, most), refusal: null, waiting: false }
    shownAt = performance.now()
  }
  const end = effect(() => {
    void live.state.value
    if (timer === 0) timer = window.setTimeout(show, Math.max(0, shownAt + drawnEveryMs - performance.now()))
  })
  return () => {
    end()
    clearTimeout(timer)
  }
}

/** Each row as often as it is there. */
function firstOf(held: readonly HeldRow[], most: number): readonly WireRow[] {
  const rows: WireRow[] = []
  for (const { row, weight } of held) {
    for (let n = 0; n < weight && rows.length < most; n++) rows.push(row)
    if (rows.length === most) break
  }
  return rows
}
