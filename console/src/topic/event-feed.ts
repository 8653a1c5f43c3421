/** Events of a topic as its page lists them. */
import { type ReadonlySignal, signal } from '@preact/signals'
import type { Inspector, TopicEventsBody } from 'millrace/client'
import { isAbort, type Refusal, refusalOf } from '../ask/refusal.ts'

export type TopicEvent = TopicEventsBody['events'][number]

export interface FeedState {
  /** The newest first. */
  readonly events: readonly TopicEvent[]
  readonly refusal: Refusal | null
  readonly waiting: boolean
  /** When the newest of them came in, on the page's clock; by offset. */
  readonly freshFrom: number
  readonly freshAt: number
}

const kept = 400
const everyMs = 600
const atATime = 400

/** The end of a topic, followed: asks for what came behind the last event that it knows. */
export class EventTail {
  readonly #state = signal<FeedState>({ events: [], refusal: null, waiting: true, freshFrom: 0, freshAt: 0 })
  readonly #stop = new AbortController()
  #timer = 0

  constructor(server: Inspector, topic: string, next: number) {
    void this.#follow(server, topic, Math.max(0, next - kept / 2))
  }

  get state(): ReadonlySignal<FeedState> {
    return this.#state
  }

  close(): void {
    this.#stop.abort()
    clearTimeout(this.#timer)
  }

  async #follow(server: Inspector, topic: string, from: number): Promise<void> {
    const { signal: stop } = this.#stop
    let next = from
    let begun = false
    while (!stop.aborted) {
      try {
        const page = await server.relations.events(topic, { from: next, limit: atATime, signal: stop })
        next = page.next
        const { events } = this.#state.value
        const fresh = begun && page.events.length > 0
        if (page.events.length > 0 || !begun || this.#state.value.refusal !== null) {
          this.#state.value = {
            events: [...page.events.toReversed(), ...events].slice(0, kept),
            refusal: null,
            waiting: false,
            freshFrom: fresh ? page.events[0].offset : Number.MAX_SAFE_INTEGER,
            freshAt: performance.now(),
          }
        }
        begun = true
        if (page.events.length === atATime) continue
      } catch (error) {
        if (stop.aborted || isAbort(error)) return
        const refusal = refusalOf(error)
        // Asked again below; what passes by itself is no trouble.
        if (refusal.code !== 'request/busy') this.#state.value = { ...this.#state.value, refusal, waiting: false }
      }
      await new Promise((resolve) => {
        this.#timer = window.setTimeout(resolve, everyMs)
      })
    }
  }
}
