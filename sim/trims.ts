// What was thrown away in the middle of a run, and what the log must hold all the same.
import type { Log } from '../src/log/log.ts'
import { type LoggedEvent, type TopicName, topicNames, Violation } from './history.ts'
import { topicOf } from './program.ts'

/** What is known of one topic. */
interface Gone {
  readonly known: Map<number, LoggedEvent>
  /** The newest cut that was asked for, and the newest of which it was answered that it is durable. */
  tried: number
  told: number
}

/**
 * Remembers a topic's events as they were before a trim, so that what is gone can be told from what is lost: what a
 * read of the topic gives is filled up with what may be gone, and only with that.
 */
export class Trims {
  readonly #topics: Readonly<Record<TopicName, Gone>>
  /** Bids were never trimmed, or up to one of these ticks. */
  readonly bidCuts: Set<number>

  /** @param of another log, which this one is a copy of */
  constructor(of: Trims | null = null) {
    const gone = (topic: TopicName): Gone => {
      const { known, tried, told } = of === null ? { known: [], tried: 0, told: 0 } : of.#topics[topic]
      return { known: new Map(known), tried, told }
    }
    this.#topics = { bid: gone('bid'), account: gone('account') }
    this.bidCuts = new Set(of === null ? [0] : of.bidCuts)
  }

  /** Without it all views can be told of every tick. */
  get tried(): number {
    return Math.max(...topicNames.map((topic) => this.#topics[topic].tried))
  }

  /** Up to there bids are gone for certain. */
  get bidsTold(): number {
    return this.#topics.bid.told
  }

  /** Notes what is there before a cut is asked for. */
  asks(topic: TopicName, events: readonly LoggedEvent[], tick: number): void {
    const gone = this.#topics[topic]
    for (const event of events) if (!gone.known.has(event.offset)) gone.known.set(event.offset, event)
    gone.tried = Math.max(gone.tried, tick)
    if (topic === 'bid') this.bidCuts.add(tick)
  }

  answered(topic: TopicName, tick: number): void {
    const gone = this.#topics[topic]
    gone.told = Math.max(gone.told, tick)
  }

  /**
   * The events of a topic as they were, whatever was trimmed.
   * @param own whether the log is the one that answered, not an older copy
   */
  whole(log: Log, topic: TopicName, events: readonly LoggedEvent[], own: boolean): LoggedEvent[] {
    const { known, tried, told } = this.#topics[topic]
    const { throughTick = 0, firstOffset = 0, keeps } = log.starts().get(topicOf(topic).id) ?? {}
    if (throughTick > tried) throw new Violation('only what was asked for is trimmed', `${topic} up to ${throughTick}`)
    if (own && throughTick < told) {
      throw new Violation('what was trimmed stays so', `${topic} ${throughTick}, after ${told} was answered`)
    }
    if (keeps === 'nothing' && events.some(({ tick }) => tick <= throughTick)) {
      throw new Violation('what was trimmed stays so', `${topic} has ${events[0].text}, cut at ${throughTick}`)
    }
    const last = new Map<string, LoggedEvent>()
    if (keeps === 'latest') {
      for (const event of known.values()) if (event.tick <= throughTick) last.set(keyOf(event), event)
    }
    const there = new Map(events.map((event) => [event.offset, event]))
    const end = Math.max(firstOffset, (events.at(-1)?.offset ?? -1) + 1)
    return Array.from({ length: end }, (_, offset) => {
      const found = there.get(offset)
      if (found !== undefined) return found
      const gone = known.get(offset)
      if (gone === undefined || gone.tick > throughTick)
        throw new Violation('offsets have no gaps', `${topic} ${offset}`)
      if (last.get(keyOf(gone)) === gone && !gone.text.startsWith('["account-"')) {
        throw new Violation('only what was replaced is trimmed', `${gone.text} at ${offset}, cut at ${throughTick}`)
      }
      return gone
    })
  }
}

function keyOf({ text }: LoggedEvent): string {
  return (JSON.parse(text) as string[])[1]
}
