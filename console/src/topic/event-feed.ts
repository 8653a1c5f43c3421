/** Events of a topic as its page lists them. */
import { type ReadonlySignal, signal } from '@preact/signals'
import type { Inspector, TopicEventsBody } from 'millrace/client'
import { topicNamed } from '../ask/catalog.ts'
import { isAbort, type Refusal, refusalOf } from '../ask/refusal.ts'
import { eventsWhileSeen } from '../rows/while-seen.ts'

export type TopicEvent = TopicEventsBody['events'][number]

export interface FeedState {
  /** The newest first. */
  readonly events: readonly TopicEvent[]
  readonly refusal: Refusal | null
  readonly waiting: boolean
  /** When the newest of them came in, on the page's clock; by offset. */
  readonly freshFrom: number
  readonly freshAt: number
  /** Events that came, and went before they were drawn: more came between two frames than are listed. */
  readonly skipped: number
  /** The server has more than it has told by now. */
  readonly behind: boolean
}

const kept = 400

/** The end of a topic, followed by its stream: the newest events, drawn at most once a frame. */
export class EventTail {
  readonly #state = signal<FeedState>({
    events: [],
    refusal: null,
    waiting: true,
    freshFrom: Number.MAX_SAFE_INTEGER,
    freshAt: 0,
    skipped: 0,
    behind: false,
  })
  readonly #stop = new AbortController()
  /** The oldest first: what came since the last frame, and before it; at most `kept`. */
  #events: TopicEvent[] = []
  /** Those before this offset were drawn, or passed over. */
  #drawnTo = 0
  /** What was there when the page was opened is told: what follows is new. */
  #begun = false
  #skipped = 0
  #behind = false
  #frame = 0

  constructor(server: Inspector, topic: string, next: number) {
    const end = (): number => topicNamed(topic)?.events ?? next
    void this.#follow(server, topic, end)
  }

  get state(): ReadonlySignal<FeedState> {
    return this.#state
  }

  close(): void {
    this.#stop.abort()
    cancelAnimationFrame(this.#frame)
  }

  async #follow(server: Inspector, topic: string, end: () => number): Promise<void> {
    const { signal } = this.#stop
    try {
      const steps = eventsWhileSeen(server, topic, { beginAt: () => Math.max(0, end() - kept / 2), signal })
      for await (const { kind, events, complete } of steps) {
        // A list with a gap would say what is not so.
        if (kind === 'reset') this.#events = []
        this.#note(events as readonly TopicEvent[])
        this.#behind = this.#begun && !complete
        if (complete) this.#begin()
        this.#soon()
      }
    } catch (error) {
      if (signal.aborted || isAbort(error)) return
      this.#state.value = { ...this.#state.value, refusal: refusalOf(error), waiting: false }
    }
  }

  #note(events: readonly TopicEvent[]): void {
    const all = [...this.#events, ...events]
    const gone = all.slice(0, Math.max(0, all.length - kept))
    // Of a page that nobody sees nothing is drawn, and nobody misses it.
    const counts = this.#begun && !document.hidden
    if (counts) for (const { offset } of gone) if (offset >= this.#drawnTo) this.#skipped++
    this.#events = all.slice(gone.length)
  }

  /** From now on what comes is new. */
  #begin(): void {
    if (this.#begun) return
    this.#begun = true
    this.#drawnTo = (this.#events.at(-1)?.offset ?? -1) + 1
  }

  #soon(): void {
    if (this.#frame !== 0) return
    this.#frame = requestAnimationFrame((now) => {
      this.#frame = 0
      const { freshFrom, freshAt } = this.#state.value
      const next = (this.#events.at(-1)?.offset ?? -1) + 1
      const isFresh = this.#begun && next > this.#drawnTo
      this.#state.value = {
        events: this.#events.toReversed(),
        refusal: null,
        waiting: !this.#begun,
        freshFrom: isFresh ? this.#drawnTo : freshFrom,
        freshAt: isFresh ? now : freshAt,
        skipped: this.#skipped,
        behind: this.#behind,
      }
      if (this.#begun) this.#drawnTo = Math.max(this.#drawnTo, next)
    })
  }
}
