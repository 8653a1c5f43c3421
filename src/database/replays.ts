import { MillraceError } from '../data/errors.ts'
import type { Clock } from '../io/io.ts'
import type { TickMark } from '../log/log.ts'
import type { ViewSet } from '../views/view-set.ts'

/** How far a replay for somebody who looks at the past has come. */
export interface PastProgress {
  /** The last tick that went through, of all up to `throughTick`. */
  readonly tick: number
  readonly throughTick: number
  readonly events: number
}

/** The replay goes on: ask again in a while. */
export class StillReplaying extends Error {
  override readonly name = 'StillReplaying'
  readonly progress: PastProgress

  constructor(progress: PastProgress) {
    super(`tick ${progress.tick} of ${progress.throughTick} is replayed`)
    this.progress = progress
  }
}

export interface ReplayWait {
  /** Absent: until it is done. */
  readonly waitMs?: number
  /** The replay ends with an error after so long. */
  readonly mostMs?: number
  readonly signal?: AbortSignal
}

export type StartReplay = (
  to: TickMark,
  views: ReadonlySet<number>,
  signal: AbortSignal,
  onTick: (tick: number, events: number) => void,
) => Promise<ViewSet>

/** So long a replay, or what came out of it, is there for nobody: who was told to ask again does so sooner. */
export const lingerMs = 10_000

interface Job {
  readonly to: TickMark
  readonly views: ReadonlySet<number>
  readonly ending: AbortController
  progress: PastProgress
  done: Promise<ViewSet>
  settled: boolean
  holders: number
  cancelLinger: () => void
  cancelTimeout: () => void
}

/**
 * Replays for those who look further back than views remember: one at a time. It goes on as long as somebody waits
 * for it, or may be about to ask again; so long its result is kept, too.
 */
export class Replays {
  readonly #clock: Clock
  readonly #start: StartReplay
  #job: Job | null = null

  constructor(clock: Clock, start: StartReplay) {
    this.#clock = clock
    this.#start = start
  }

  /**
   * The views as they were, once they are made.
   * @throws StillReplaying after `waitMs`; MillraceError request/busy while another replay is under way,
   * request/timeout; what replaying throws; the signal's reason
   */
  async views(to: TickMark, views: ReadonlySet<number>, wait: ReplayWait): Promise<ViewSet> {
    wait.signal?.throwIfAborted()
    const job = this.#join(to, views, wait)
    job.holders++
    job.cancelLinger()
    let gone = true
    try {
      const made = await settled(this.#clock, job.done, wait)
      gone = false
      if (made === null) throw new StillReplaying(job.progress)
      return made
    } finally {
      job.holders--
      if (job.holders === 0) this.#linger(job, gone ? 0 : lingerMs)
    }
  }

  #join(to: TickMark, views: ReadonlySet<number>, wait: ReplayWait): Job {
    const job = this.#job
    if (job !== null) {
      if (job.to.tick === to.tick && [...views].every((id) => job.views.has(id))) return job
      if (!job.settled || job.holders > 0) {
        throw new MillraceError('request/busy', `a replay up to tick ${job.to.tick} is under way; one runs at a time`, {
          hint: 'ask again in a while',
        })
      }
      this.#drop(job)
    }
    return this.#begin(to, views, wait.mostMs)
  }

  #begin(to: TickMark, views: ReadonlySet<number>, mostMs: number | undefined): Job {
    const ending = new AbortController()
    const progress = { tick: 0, throughTick: to.tick, events: 0 }
    const job: Job = {
      to,
      views,
      ending,
      progress,
      done: this.#start(to, views, ending.signal, (tick, events) => {
        job.progress = { ...progress, tick, events }
      }),
      settled: false,
      holders: 0,
      cancelLinger: () => {},
      cancelTimeout: () => {},
    }
    if (mostMs !== undefined) job.cancelTimeout = this.#clock.after(mostMs, () => ending.abort(tooLong(mostMs)))
    const settle = (): void => {
      job.settled = true
      job.cancelTimeout()
    }
    job.done.then(settle, () => {
      settle()
      // Who asks again begins anew.
      this.#drop(job)
    })
    this.#job = job
    return job
  }

  #linger(job: Job, ms: number): void {
    if (this.#job !== job) return
    if (ms === 0 && !job.settled) this.#drop(job)
    else job.cancelLinger = this.#clock.after(lingerMs, () => this.#drop(job))
  }

  #drop(job: Job, reason = new MillraceError('request/timeout', 'nobody waits for the replay any more')): void {
    job.cancelLinger()
    job.cancelTimeout()
    job.ending.abort(reason)
    if (this.#job === job) this.#job = null
  }

  /**
   * Resolves when nothing of it runs any more.
   * @param why told to those who wait
   */
  async close(why = new MillraceError('log/closed', 'the database was closed')): Promise<void> {
    const job = this.#job
    if (job === null) return
    this.#drop(job, why)
    await job.done.catch(() => {})
  }
}

function tooLong(ms: number): MillraceError {
  return new MillraceError('request/timeout', `the replay took longer than the ${ms / 1000} s that it may take`, {
    hint: 'let the view retain more, or replay a copy of the data with millrace run',
  })
}

/** @returns null when it takes longer @throws the signal's reason */
function settled<T>(clock: Clock, promise: Promise<T>, { waitMs, signal }: ReplayWait): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const cancel = waitMs === undefined ? () => {} : clock.after(waitMs, () => end(() => resolve(null)))
    const stop = (): void => end(() => reject(signal!.reason))
    const end = (finish: () => void): void => {
      cancel()
      signal?.removeEventListener('abort', stop)
      finish()
    }
    signal?.addEventListener('abort', stop, { once: true })
    promise.then(
      (value) => end(() => resolve(value)),
      (error) => end(() => reject(error)),
    )
  })
}
