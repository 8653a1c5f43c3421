import { MillraceError } from '../data/errors.ts'
import type { Sight } from '../database/sight.ts'
import type { Clock } from '../io/io.ts'
import type { Caller } from './caller.ts'
import type { Needs } from './routes.ts'

/** What a stream was opened with. */
export interface Opened {
  readonly caller: Caller
  readonly needs: Needs
  /** The topic or view that its path names. */
  readonly name: string
  readonly sight: Sight | undefined
}

/** How an open stream stands with the gateway at the moment. */
export interface Verdict {
  readonly caller: Caller
  readonly sight: Sight | undefined
  /** Whether the caller sees something else through the stream than when it was opened. */
  readonly changed: boolean
}

/** Asked again and again for who holds a stream. @throws MillraceError why he may not go on */
export interface Judge {
  /** Tokens that were good stay so until their time is over; keys may be revoked. */
  stillHolds(caller: Caller): Promise<void>
  /** Once another gateway has taken over. */
  judge(opened: Opened): Verdict
}

/** A key that is revoked, expired or gone is noticed after so long at most, and the file's own freshness. */
const lookMs = 1000

/** One live stream, from the moment at which its caller was let in: what it may show, and for how long. */
export class Session {
  readonly #ended = new AbortController()
  #opened: Opened
  #onSight: (() => void) | null = null

  constructor(opened: Opened) {
    this.#opened = opened
  }

  get opened(): Opened {
    return this.#opened
  }

  /** Aborted, with a MillraceError as its reason, once the caller may not go on. */
  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** What the caller sees, as it is now; absent: everything. */
  get sight(): Sight | undefined {
    return this.#opened.sight
  }

  /** @param listener told when `sight` has become another one; a stream that does not listen ends then */
  onSight(listener: () => void): void {
    this.#onSight = listener
  }

  end(why: unknown): void {
    this.#ended.abort(why)
  }

  /** Another gateway has taken over, and lets it go on. */
  take({ caller, sight, changed }: Verdict): void {
    this.#opened = { ...this.#opened, caller, sight }
    if (!changed) return
    if (this.#onSight !== null) this.#onSight()
    else this.end(notAsBefore())
  }
}

/** The live streams that are open, each of which ends when its caller may not go on. */
export class Sessions {
  readonly #clock: Clock
  readonly #judge: () => Judge
  readonly #open = new Set<Session>()
  #cancelLook: (() => void) | null = null
  #closed = false

  /** @param judge the one that counts at the moment */
  constructor(clock: Clock, judge: () => Judge) {
    this.#clock = clock
    this.#judge = judge
  }

  /** @returns the session, and what ends it with its stream */
  begin(opened: Opened): { readonly session: Session; readonly leave: () => void } {
    const session = new Session(opened)
    this.#open.add(session)
    const { until } = opened.caller
    const cancel =
      until === null ? () => {} : this.#clock.after(this.#msUntil(until), () => session.end(overdue(opened.caller)))
    this.#look()
    return {
      session,
      leave: () => {
        cancel()
        this.#open.delete(session)
      },
    }
  }

  #msUntil(seconds: number): number {
    return Math.max(0, seconds * 1000 - Number(this.#clock.nowMicros() / 1000n))
  }

  /** Looks after keys for as long as there is somebody to look after. */
  #look(): void {
    if (this.#cancelLook !== null || this.#open.size === 0 || this.#closed) return
    this.#cancelLook = this.#clock.after(lookMs, () => {
      void this.#lookOnce().finally(() => {
        this.#cancelLook = null
        this.#look()
      })
    })
  }

  async #lookOnce(): Promise<void> {
    for (const session of [...this.#open]) {
      try {
        await this.#judge().stillHolds(session.opened.caller)
      } catch (error) {
        // A file that can't be read just now tells nothing of who may.
        const isOver = error instanceof MillraceError && error.code === 'auth/invalid'
        if (isOver) session.end(error)
      }
    }
  }

  /** Looks at all streams with the eyes of a gateway that has taken over. @returns how many had to end */
  rejudge(): number {
    let ended = 0
    for (const session of this.#open) {
      try {
        session.take(this.#judge().judge(session.opened))
      } catch (error) {
        session.end(error)
      }
      if (session.signal.aborted) ended++
    }
    return ended
  }

  close(): void {
    this.#closed = true
    this.#cancelLook?.()
    this.#cancelLook = null
  }
}

function overdue({ id }: Caller): MillraceError {
  const what = id.startsWith('key ') ? 'key' : 'token'
  return new MillraceError('auth/invalid', `the ${what} that opened this stream has expired`, {
    hint: 'come back with a new one',
  })
}

function notAsBefore(): MillraceError {
  return new MillraceError('auth/invalid', 'what you may see has changed since this stream was opened', {
    hint: 'ask anew',
  })
}
