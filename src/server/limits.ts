import { MillraceError } from '../data/errors.ts'

export const defaultPort = 4280

/** What every request is bounded by. */
export interface Limits {
  /** Bytes of one body. */
  readonly bodyBytes: number
  /** Bytes of all bodies that are being read or worked on. */
  readonly bodyBytesInAll: number
  /** How long a body may take to arrive. */
  readonly bodyMs: number
  /** What is still taken of a body that has been refused, so that its sender reads the answer; and for how long. */
  readonly dropBytes: number
  readonly dropMs: number
  /** How long headers may take to arrive, and how large they may be. */
  readonly headersMs: number
  readonly headerBytes: number
  /** Requests at work at the same time, live streams not counted. */
  readonly requests: number
  readonly liveStreams: number
  /** Different live queries at the same time. */
  readonly liveQueries: number
  readonly connections: number
  /** Of one address; a proxy that is trusted may have all of them. */
  readonly connectionsOfAddress: number
  /** Requests of one connection that are not answered yet: one with more is closed. */
  readonly requestsOfConnection: number
  /** Rows of one answer. */
  readonly viewRows: number
  /** Bytes of rendered answers that are kept for who asks the same. */
  readonly answerBytes: number
  readonly sqlRows: number
  readonly topicEvents: number
  /** Bytes of events in one answer: the rest is behind `next`. */
  readonly topicBytes: number
  /** Ad-hoc queries at the same time, and how long one may take. */
  readonly queries: number
  readonly queryMs: number
  /** Explanations at the same time, each of which may run the log through engines of its own. */
  readonly explanations: number
  /** How long one request waits for a replay before it is told to ask again, and how long a replay may take. */
  readonly replayWaitMs: number
  readonly replayMs: number
  /** How long comparing definitions may take, and how many differing rows of each view one answer lists. */
  readonly diffMs: number
  readonly diffRows: number
  /** How long a read waits for its tick at most. */
  readonly minTickMs: number
  /** A reader that takes nothing for so long is cut off. */
  readonly slowReaderMs: number
  readonly heartbeatMs: number
}

export const defaultLimits: Limits = {
  bodyBytes: 16 * 1024 * 1024,
  bodyBytesInAll: 512 * 1024 * 1024,
  bodyMs: 60_000,
  dropBytes: 64 * 1024 * 1024,
  dropMs: 2_000,
  headersMs: 10_000,
  headerBytes: 16 * 1024,
  requests: 4096,
  liveStreams: 1024,
  liveQueries: 16,
  connections: 8192,
  connectionsOfAddress: 2048,
  requestsOfConnection: 256,
  viewRows: 100_000,
  answerBytes: 64 * 1024 * 1024,
  sqlRows: 10_000,
  topicEvents: 10_000,
  topicBytes: 16 * 1024 * 1024,
  queries: 4,
  queryMs: 30_000,
  explanations: 2,
  replayWaitMs: 2000,
  replayMs: 600_000,
  // Less than the five minutes after which Node’s fetch stops waiting.
  diffMs: 240_000,
  diffRows: 1000,
  minTickMs: 10_000,
  slowReaderMs: 30_000,
  heartbeatMs: 15_000,
}

/** So many at the same time and no more. */
export class Gate {
  readonly #most: number
  readonly #what: string
  taken = 0

  /** @param what is bounded, for the error */
  constructor(most: number, what: string) {
    this.#most = most
    this.#what = what
  }

  /** @returns gives it back @throws MillraceError request/busy */
  enter(amount = 1): () => void {
    if (this.taken + amount > this.#most) {
      throw new MillraceError('request/busy', `the server has as many ${this.#what} as it takes: ${this.#most}`, {
        hint: 'ask again in a while',
      })
    }
    this.taken += amount
    let left = false
    return () => {
      if (left) return
      left = true
      this.taken -= amount
    }
  }
}
