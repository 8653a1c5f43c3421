/** Live streams, open for as long as somebody sees the page. */
import type { Inspector } from 'millrace/client'

type Steps = ReturnType<Inspector['relations']['live']>

/** A browser has six connections to a server for all its tabs together, and a stream holds one: hidden ones let go. */
const hiddenMs = 5000

interface Options {
  /** Goes on behind this tick; null: with a snapshot. */
  readonly fromTick: number | null
  readonly signal: AbortSignal
}

/**
 * The steps of a view's live stream without gap or duplicate: while the page is hidden it rests, and then goes on behind
 * the tick that it had.
 */
export async function* liveWhileSeen(server: Inspector, view: string, { fromTick, signal }: Options): Steps {
  let tick = fromTick
  let whole = true
  while (!signal.aborted) {
    if (document.hidden) await seen(signal)
    const hidden = new AbortController()
    const leave = leaveWhenHidden(hidden, signal)
    try {
      const options = { signal: hidden.signal, ...(tick === null ? {} : { fromTick: tick }) }
      for await (const step of server.relations.live(view, options)) {
        whole = step.complete
        if (whole) tick = step.tick
        yield step
      }
    } finally {
      leave()
    }
    // The rest of a broken snapshot is not told later: it begins anew.
    if (!whole) tick = null
    if (!whole && !signal.aborted) yield { kind: 'reset', tick: 0, complete: false, changes: [] }
  }
}

type EventSteps = ReturnType<Inspector['relations']['liveEvents']>

interface EventOptions {
  /** Where the list is to begin, as far as is known now. */
  readonly beginAt: () => number
  readonly signal: AbortSignal
}

/**
 * The steps of a topic's stream: while the page is hidden it rests, and then goes on with what came last. What it
 * passes over by that is a `reset`.
 */
export async function* eventsWhileSeen(
  server: Inspector,
  topic: string,
  { beginAt, signal }: EventOptions,
): EventSteps {
  let next: number | null = null
  while (!signal.aborted) {
    if (document.hidden) await seen(signal)
    const hidden = new AbortController()
    const leave = leaveWhenHidden(hidden, signal)
    const from = Math.max(next ?? 0, beginAt())
    if (next !== null && from > next) yield { kind: 'reset', tick: 0, next: from, complete: false, events: [] }
    try {
      for await (const step of server.relations.liveEvents(topic, { from, signal: hidden.signal })) {
        next = step.next
        yield step
      }
    } finally {
      leave()
    }
  }
}

type SqlSteps = ReturnType<Inspector['relations']['liveSql']>

/** The same of a query, which begins anew each time: with a snapshot. */
export async function* sqlWhileSeen(server: Inspector, sql: string, signal: AbortSignal): SqlSteps {
  while (!signal.aborted) {
    if (document.hidden) await seen(signal)
    const hidden = new AbortController()
    const leave = leaveWhenHidden(hidden, signal)
    let whole = true
    try {
      for await (const step of server.relations.liveSql(sql, { signal: hidden.signal })) {
        whole = step.complete
        yield step
      }
    } finally {
      leave()
    }
    if (!whole && !signal.aborted)
      yield { kind: 'reset', tick: 0, complete: false, changes: [], columns: [], order: [] }
  }
}

function leaveWhenHidden(stream: AbortController, signal: AbortSignal): () => void {
  let timer = 0
  const abort = (): void => stream.abort()
  const look = (): void => {
    clearTimeout(timer)
    if (document.hidden) timer = window.setTimeout(abort, hiddenMs)
  }
  document.addEventListener('visibilitychange', look)
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  return () => {
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', look)
    signal.removeEventListener('abort', abort)
  }
}

function seen(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (document.hidden && !signal.aborted) return
      document.removeEventListener('visibilitychange', look)
      signal.removeEventListener('abort', look)
      resolve()
    }
    document.addEventListener('visibilitychange', look)
    signal.addEventListener('abort', look)
    look()
  })
}
