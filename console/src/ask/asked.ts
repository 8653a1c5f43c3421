/** Answers that pages show: asked for once or again and again, with the last good one kept while the next is awaited. */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals'
import type { Inspector } from 'millrace/client'
import { useLayoutEffect, useMemo } from 'preact/hooks'
import { isAbort, type Refusal, refusalOf } from './refusal.ts'
import { server } from './server.ts'

export interface Asked<Value> {
  readonly value: Value | null
  readonly refusal: Refusal | null
  readonly waiting: boolean
}

type Ask<Value> = (server: Inspector, signal: AbortSignal) => Promise<Value>

/** While nobody looks at the page, nothing is asked. */
const hiddenMs = 500

/** A server that says this wants to be asked again in a while. */
const busy = 'request/busy'
const busyMs = 1000

/**
 * Asks now, and again `everyMs` after each answer.
 * @param everyMs 0: once, or until the server is no longer busy
 * @returns how to stop
 */
export function poll<Value>(into: Signal<Asked<Value>>, ask: Ask<Value>, everyMs: number): () => void {
  const stop = new AbortController()
  let timer = 0
  const round = async (): Promise<void> => {
    if (document.hidden && into.value.value !== null) {
      timer = window.setTimeout(round, hiddenMs)
      return
    }
    try {
      const value = await ask(server.value, stop.signal)
      if (!stop.signal.aborted) into.value = { value, refusal: null, waiting: false }
    } catch (error) {
      if (stop.signal.aborted || isAbort(error)) return
      const refusal = refusalOf(error)
      if (everyMs === 0 && refusal.code === busy) {
        timer = window.setTimeout(round, busyMs)
        return
      }
      into.value = { value: into.value.value, refusal, waiting: false }
    }
    if (everyMs > 0 && !stop.signal.aborted) timer = window.setTimeout(round, everyMs)
  }
  void round()
  return () => {
    stop.abort()
    clearTimeout(timer)
  }
}

/**
 * An answer for as long as a component is there. Asked anew when `key` or the server's token changes: until then the
 * answer to another key is not shown.
 */
export function useAsked<Value>(key: string, ask: Ask<Value>, everyMs = 0): ReadonlySignal<Asked<Value>> {
  const client = server.value
  const asked = useMemo(() => signal<Asked<Value>>({ value: null, refusal: null, waiting: true }), [key, client])
  // Before the page is painted: an answer that comes a frame earlier is seen a frame earlier.
  useLayoutEffect(() => poll(asked, ask, everyMs), [asked, everyMs])
  return asked
}
