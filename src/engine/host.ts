import { type ErrorCode, errorCodes, MillraceError } from '../data/errors.ts'
import type { Io, ThreadPort } from '../io/io.ts'
import type { Program } from '../plan/program.ts'
import { Engine } from './engine.ts'
import type { EngineFailure, EngineReply, EngineStart, TickInput, TickOutput, TopicBlock } from './port.ts'

/** The owner's side of an engine: ticks go in, their outputs come back in the same order. */
export interface EngineHost {
  /** Ticks handed over and not answered yet. */
  readonly underWay: number
  /**
   * Hands a tick over. The engine works through ticks in order and never stops within one.
   * @throws MillraceError engine/stopped, engine/memory: the engine has failed for good
   */
  step(input: TickInput): Promise<TickOutput>
  /** Ends the engine. Ticks under way are refused. */
  stop(): Promise<void>
}

export interface HostOptions {
  readonly engine: 'inline' | 'worker'
  readonly memoryBytes: number
  /** Inline only: all state is destroyed and rebuilt after every tick. */
  readonly reopen?: boolean
}

export const defaultMemoryBytes = 4 * 1024 ** 3

export function startEngine(io: Io, program: Program, options: HostOptions): EngineHost {
  return options.engine === 'worker' ? new ThreadHost(io, program, options) : new InlineHost(io, program, options)
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
  resolve(output: TickOutput): void
  reject(error: MillraceError): void
}

/** What waits for outputs, in order, until the first failure. */
class Waiters {
  readonly #waiting: Waiter[] = []
  failure: MillraceError | null = null

  get length(): number {
    return this.#waiting.length
  }

  add(): Promise<TickOutput> {
    if (this.failure !== null) return Promise.reject(this.failure)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  take(reply: EngineReply): void {
    if (reply.kind === 'failed') this.fail(stoppedBy(reply))
    else this.#waiting.shift()?.resolve(reply)
  }

  fail(error: MillraceError): void {
    this.failure ??= error
    for (const waiter of this.#waiting.splice(0)) waiter.reject(this.failure)
  }
}

function closed(): MillraceError {
  return new MillraceError('engine/stopped', 'the engine was stopped')
}

/** In the owner's thread: each tick is a task of its own, so that whoever waits gets a turn between two of them. */
class InlineHost implements EngineHost {
  readonly #io: Io
  readonly #engine: Engine
  readonly #waiters = new Waiters()

  constructor(io: Io, program: Program, { memoryBytes, reopen = false }: HostOptions) {
    this.#io = io
    this.#engine = new Engine(program, { memoryBytes, reopen })
  }

  get underWay(): number {
    return this.#waiters.length
  }

  step(input: TickInput): Promise<TickOutput> {
    const output = this.#waiters.add()
    if (this.#waiters.failure === null) this.#io.clock.after(0, () => this.#run(input))
    return output
  }

  #run(input: TickInput): void {
    if (this.#waiters.failure !== null) return
    let reply: EngineReply
    try {
      reply = this.#engine.step(input)
    } catch (error) {
      reply = failureOf(error)
    }
    this.#waiters.take(reply)
  }

  async stop(): Promise<void> {
    if (this.#waiters.failure === null) this.#engine.destroy()
    this.#waiters.fail(closed())
  }
}

/** In a thread of its own. */
class ThreadHost implements EngineHost {
  readonly #port: ThreadPort
  readonly #waiters = new Waiters()

  constructor(io: Io, program: Program, { memoryBytes }: HostOptions) {
    this.#port = io.threads.start(
      'engine',
      (message) => this.#waiters.take(message as EngineReply),
      (error) => this.#waiters.take(failureOf(error)),
    )
    const start: EngineStart = { kind: 'start', program, memoryBytes }
    this.#port.post(start)
  }

  get underWay(): number {
    return this.#waiters.length
  }

  step(input: TickInput): Promise<TickOutput> {
    const output = this.#waiters.add()
    if (this.#waiters.failure === null) {
      const { blocks, buffer } = packBlocks(input.blocks)
      this.#port.post({ ...input, blocks }, buffer === null ? [] : [buffer])
    }
    return output
  }

  async stop(): Promise<void> {
    this.#waiters.fail(closed())
    await this.#port.stop()
  }
}

/**
 * Blocks in shared memory are read where they lie. The others come side by side in one buffer that changes hands:
 * the log keeps its own, and a block that is a part of a larger buffer would take all of that along.
 */
function packBlocks(blocks: readonly TopicBlock[]): { blocks: readonly TopicBlock[]; buffer: ArrayBuffer | null } {
  let size = 0
  for (const { bytes } of blocks) if (!isShared(bytes)) size += (bytes.byteLength + 7) & ~7
  if (size === 0) return { blocks, buffer: null }
  const buffer = new ArrayBuffer(size)
  let at = 0
  const packed = blocks.map((block) => {
    if (isShared(block.bytes)) return block
    const bytes = new Uint8Array(buffer, at, block.bytes.byteLength)
    bytes.set(block.bytes)
    at += (bytes.byteLength + 7) & ~7
    return { ...block, bytes }
  })
  return { blocks: packed, buffer }
}

function isShared({ buffer }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer
}
