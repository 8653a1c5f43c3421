import type { Program } from '../plan/program.ts'

/**
 * What crosses between the thread that owns log and views and the engine: messages and write-once buffers, nothing
 * else. Inline, in a worker and in the simulator the same synchronous engine stands behind it.
 */
export interface EngineStart {
  readonly kind: 'start'
  readonly program: Program
  readonly memoryBytes: number
}

/** A run of events of one topic, in offset order. */
export interface TopicBlock {
  readonly topic: number
  readonly partition: number
  readonly firstOffset: number
  /** Microseconds since 1970: when the commit was written. */
  readonly appendedAtMicros: bigint
  /** data/block.ts, columns numbered by the topic's schema, plus `operation` for tables. */
  readonly bytes: Uint8Array
}

/** One engine step is one tick. Blocks are in the order of the log. */
export interface TickInput {
  readonly kind: 'tick'
  readonly tick: number
  /** The tick's time; never goes back. */
  readonly timeMicros: bigint
  readonly blocks: readonly TopicBlock[]
  /** Evaluates final views as if every watermark were infinite: the last step of a batch run, never of a log. */
  readonly closeWindows?: boolean
}

export type EngineMessage = EngineStart | TickInput

export interface ErrorRow {
  /** cell.ts's code. */
  readonly code: number
  /** Where it met a predicate, key or output, and the row's columns in readable form. */
  readonly reason: string
  readonly weight: number
}

/** A view's net change in one tick: no row appears in it with both signs. */
export interface ViewDelta {
  readonly view: number
  /** Blocks with the view's columns and a `weight` column (absent: all +1). */
  readonly blocks: readonly Uint8Array[]
  readonly errors: readonly ErrorRow[]
}

export interface TickOutput {
  readonly kind: 'tick'
  readonly tick: number
  readonly timeMicros: bigint
  /** Only views that changed. */
  readonly deltas: readonly ViewDelta[]
  /** Per topic with an event time: the least watermark over its partitions, null before the first event. */
  readonly watermarks: readonly { readonly topic: number; readonly micros: bigint | null }[]
  readonly late: readonly { readonly topic: number; readonly events: number }[]
  /** When some row's presence depends on `now()`: the next time at which a tick is due, else null. */
  readonly dueMicros: bigint | null
  readonly stateBytes: number
  /** The state is beyond its budget, and a capture that becomes durable would let some of it go. */
  readonly wantsCapture: boolean
}

/** The engine stopped for good: out of memory or a broken invariant. */
export interface EngineFailure {
  readonly kind: 'failed'
  readonly message: string
  readonly code: string
  readonly stack?: string
}

export type EngineReply = TickOutput | EngineFailure
