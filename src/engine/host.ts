import { type ErrorCode, errorCodes, MillraceError } from '../data/errors.ts'
import type { Io, ThreadPort } from '../io/io.ts'
import type { Program } from '../plan/program.ts'
import { packTick } from './pack.ts'
import type {
  Adopted,
  CaptureSlice,
  EngineFailure,
  EngineFigures,
  EngineReply,
  EngineRequest,
  EngineStart,
  EngineStatus,
  GoneTimes,
  StateFiles,
  StateOptions,
  Tapped,
  TickInput,
  TickOutput,
} from './port.ts'
import { ServedEngine } from './served-engine.ts'
import { type EngineReplies, TickGroups } from './tick-groups.ts'

/** The owner's side of an engine: ticks go in, their outputs come back in the same order. */
export interface EngineHost {
  /** Ticks handed over and not answered yet. */
  readonly underWay: number
  /**
   * Hands a tick over. The engine works through ticks in order and never stops within one.
   * @param together nobody waits for it: while the engine has enough to do, small ticks are handed over, and answered,
   *   several at a time, since to cross between threads takes longer than they do
   * @throws MillraceError engine/stopped, engine/memory: the engine has failed for good
   */
  step(input: TickInput, together?: boolean): Promise<TickOutput>
  /** How things stand after the ticks handed over so far. */
  status(): Promise<EngineStatus>
  /** What has gone through the ticks handed over so far. */
  figures(): Promise<EngineFigures>
  /** As Engine.tap. */
  tap(node: string | null): Promise<Tapped>
  /**
   * Begins a capture of the state after the ticks handed over so far; one under way is given up. What is captured and
   * never adopted is part of the next capture.
   * @returns how things stand then, which tick that is, and all names that the capture is of
   */
  beginCapture(): Promise<EngineStatus>
  /**
   * More of the capture under way, about so many bytes at most, or what the engine makes in so long. Ticks may be
   * handed over before the next slice.
   */
  capture(maxBytes: number, maxMs: number): Promise<CaptureSlice>
  /**
   * State up to `state.tick` is durable in these files, where the engine finds it from now on; the same tick again
   * after a merge. When this resolves, files that are not among them are not read any more.
   */
  adopt(state: StateFiles): Promise<Adopted>
  /** Ends the engine. Ticks under way are refused. */
  stop(): Promise<void>
}

export interface HostOptions {
  readonly engine: 'inline' | 'worker'
  readonly memoryBytes: number
  /** Inline only: all state is destroyed and rebuilt after every tick. */
  readonly reopen?: boolean
  /** Set where state is captured, or found outside. */
  readonly state?: StateOptions
  /** Counts where the time goes. */
  readonly metered?: boolean
  /** What counts of events that it will never see. */
  readonly gone?: readonly GoneTimes[]
}

export const defaultMemoryBytes = 4 * 1024 ** 3

export function startEngine(io: Io, program: Program, options: HostOptions): EngineHost {
  return options.engine === 'worker' ? new ThreadHost(io, program, options) : new InlineHost(io, program, options)
}

/**
 * Work of an engine that is stopped at its end, or when a signal says so: within a tick it hears of nothing else.
 * @throws the signal's reason; what the work throws
 */
export async function runStopped<T>(
  engine: Pick<EngineHost, 'stop'>,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const stop = (): void => void engine.stop()
  signal?.addEventListener('abort', stop, { once: true })
  try {
    signal?.throwIfAborted()
    return await work()
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error
  } finally {
    signal?.removeEventListener('abort', stop)
    await engine.stop()
  }
}

export function failureOf(error: unknown): EngineFailure {
  const message = error instanceof Error ? error.message : String(error)
  const stack = error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {}
  return { kind: 'failed', message, code: error instanceof MillraceError ? error.code : 'engine/stopped', ...stack }
}

function stoppedBy(failure: EngineFailure): MillraceError {
  const code = failure.code in errorCodes ? (failure.code as ErrorCode) : 'engine/stopped'
  const error = new MillraceError(code, `the engine stopped: ${failure.message}`, {
    hint: code === 'engine/memory' ? 'give the engine more memory, or keep less state' : 'start again: the log is safe',
  })
  if (failure.stack !== undefined) error.stack = failure.stack
  return error
}

interface Waiter {
  readonly tick: boolean
  resolve(reply: EngineReply): void
  reject(error: MillraceError): void
}

/** What waits for replies, in order, until the first failure. */
class Waiters {
  readonly #waiting: Waiter[] = []
  failure: MillraceError | null = null
  /** How many wait for a tick. */
  ticks = 0

  /** @param tick whether it is a tick that is waited for */
  add<R extends EngineReply>(tick: boolean): Promise<R> {
    if (this.failure !== null) return Promise.reject(this.failure)
    if (tick) this.ticks++
    return new Promise((resolve, reject) =>
      this.#waiting.push({ tick, resolve: resolve as (reply: EngineReply) => void, reject }),
    )
  }

  take(reply: EngineReply): void {
    if (reply.kind === 'failed') {
      this.fail(stoppedBy(reply))
      return
    }
    const waiter = this.#waiting.shift()
    if (waiter?.tick) this.ticks--
    waiter?.resolve(reply)
  }

  fail(error: MillraceError): void {
    this.failure ??= error
    this.ticks = 0
    for (const waiter of this.#waiting.splice(0)) waiter.reject(this.failure)
  }
}

function closed(): MillraceError {
  return new MillraceError('engine/stopped', 'the engine was stopped')
}

/** Requests go in, replies come back in their order. */
abstract class Host implements EngineHost {
  protected readonly waiters = new Waiters()

  get underWay(): number {
    return this.waiters.ticks
  }

  step(input: TickInput, together = false): Promise<TickOutput> {
    return this.#ask(input, together)
  }

  status(): Promise<EngineStatus> {
    return this.#ask({ kind: 'status' })
  }

  figures(): Promise<EngineFigures> {
    return this.#ask({ kind: 'figures' })
  }

  tap(node: string | null): Promise<Tapped> {
    return this.#ask({ kind: 'tap', node })
  }

  beginCapture(): Promise<EngineStatus> {
    return this.#ask({ kind: 'capture-begin' })
  }

  capture(maxBytes: number, maxMs: number): Promise<CaptureSlice> {
    return this.#ask({ kind: 'capture-slice', maxBytes, maxMs })
  }

  adopt(state: StateFiles): Promise<Adopted> {
    return this.#ask({ kind: 'adopt', state })
  }

  abstract stop(): Promise<void>

  protected abstract send(request: EngineRequest, together: boolean): void

  #ask<R extends EngineReply>(request: EngineRequest, together = false): Promise<R> {
    const reply = this.waiters.add<R>(request.kind === 'tick')
    if (this.waiters.failure !== null) return reply
    try {
      this.send(request, together)
    } catch (error) {
      // There was no memory to pack it: whoever sends may be in the middle of a commit, which is not to fail by it.
      this.waiters.take(failureOf(error))
    }
    return reply
  }
}

function startOf(program: Program, { memoryBytes, reopen, state, metered, gone }: HostOptions): EngineStart {
  return {
    kind: 'start',
    program,
    memoryBytes,
    ...(reopen === undefined ? {} : { reopen }),
    ...(state === undefined ? {} : { state }),
    ...(metered === undefined ? {} : { metered }),
    ...(gone === undefined || gone.length === 0 ? {} : { gone }),
  }
}

/** In the owner's thread: each request is a task of its own, so that whoever waits gets a turn between two of them. */
class InlineHost extends Host {
  readonly #io: Io
  readonly #engine: ServedEngine | null

  constructor(io: Io, program: Program, options: HostOptions) {
    super()
    this.#io = io
    this.#engine = this.#start(startOf(program, options))
  }

  /** Damaged state is met as in a thread: by whoever waits for an answer. What can't be compiled is refused at once. */
  #start(start: EngineStart): ServedEngine | null {
    try {
      return new ServedEngine(start, this.#io)
    } catch (error) {
      if (start.state?.from === undefined) throw error
      this.waiters.take(failureOf(error))
      return null
    }
  }

  protected send(request: EngineRequest): void {
    this.#io.clock.after(0, () => this.#run(request))
  }

  #run(request: EngineRequest): void {
    if (this.waiters.failure !== null || this.#engine === null) return
    let reply: EngineReply
    try {
      reply = this.#engine.answer(request)
    } catch (error) {
      reply = failureOf(error)
    }
    this.waiters.take(reply)
  }

  async stop(): Promise<void> {
    if (this.waiters.failure === null) this.#engine?.destroy()
    this.waiters.fail(closed())
  }
}

/** In a thread of its own. */
class ThreadHost extends Host {
  readonly #port: ThreadPort
  /** Ticks that are on their way, or answered, together. */
  readonly #ticks = new TickGroups(
    () => this.waiters.ticks,
    (ticks, transfer) => this.#port.post(ticks, transfer),
  )

  constructor(io: Io, program: Program, options: HostOptions) {
    super()
    this.#port = io.threads.start(
      'engine',
      (message) => this.#take(message as EngineReply | EngineReplies),
      (error) => this.waiters.take(failureOf(error)),
    )
    // Rebuilding after every tick is for tests, which run inline.
    const { reopen: _, ...start } = startOf(program, options)
    this.#port.post(start)
  }

  #take(message: EngineReply | EngineReplies): void {
    for (const reply of message.kind === 'several' ? message.replies : [message]) this.waiters.take(reply)
    this.#ticks.answered()
  }

  protected send(request: EngineRequest, together: boolean): void {
    if (request.kind === 'tick') {
      const { packed, transfer } = packTick(request)
      if (together) {
        this.#ticks.add(packed, transfer)
        return
      }
      this.#ticks.flush()
      this.#port.post(packed, transfer)
      return
    }
    // The order of requests is that of their answers.
    this.#ticks.flush()
    this.#port.post(request)
  }

  async stop(): Promise<void> {
    this.waiters.fail(closed())
    await this.#port.stop()
  }
}
