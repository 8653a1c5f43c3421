import type { Program } from '../plan/program.ts'
import type { Piece } from '../state/cold.ts'
import type { RunFile, RunIndex } from '../state/runs/run-format.ts'

/**
 * What crosses between the thread that owns log and views and the engine: messages and write-once buffers, nothing
 * else. Inline, in a worker and in the simulator the same synchronous engine stands behind it.
 */
export interface EngineStart {
  readonly kind: 'start'
  readonly program: Program
  readonly memoryBytes: number
  /** Inline only: all state is destroyed and rebuilt after every tick. */
  readonly reopen?: boolean
  /** Set where state is captured, or found outside. */
  readonly state?: StateOptions
  /** Counts where the time goes. */
  readonly metered?: boolean
  /** For an engine that begins where the log does: of topics whose first events are gone. */
  readonly gone?: readonly GoneTimes[]
}

/** What counts of events that were thrown away: later ones are late by what came before, as if these were there. */
export interface GoneTimes {
  readonly topic: number
  /** The greatest event time, microseconds since 1970. */
  readonly micros: bigint | null
  /** How many of them were late. */
  readonly late: number
}

/** Where state lies on disk: a manifest's files, the newest first. */
export interface StateFiles {
  readonly folder: string
  readonly files: readonly RunFile[]
  /** What was handed on of some of them, so that it need not be read. */
  readonly indexes?: readonly RunIndex[]
  /** It is the state at the end of this tick. */
  readonly tick: number
}

export interface StateOptions {
  /** What to begin with; without it the engine begins before the first tick. */
  readonly from?: StateFiles
  /** Beyond this many bytes the engine forgets state that lies on disk. */
  readonly budgetBytes?: number
  /** The most memory for blocks read from disk. */
  readonly cacheBytes?: number
}

/** Commits whose events lie in one block: where each one's rows end, when it was written, and its tick. */
export interface BlockCommits {
  readonly ends: Uint32Array
  /** Microseconds since 1970. */
  readonly micros: Float64Array
  readonly ticks: Float64Array
}

/** A run of events of one topic, in offset order. */
export interface TopicBlock {
  readonly topic: number
  readonly partition: number
  readonly firstOffset: number
  /** Microseconds since 1970: when the commit was written. */
  readonly appendedAtMicros: bigint
  /** Where the block holds several commits; `appendedAtMicros` is the first one's. */
  readonly commits?: BlockCommits
  /** Where some of the events are gone: the offset of each row, ascending from `firstOffset`. */
  readonly offsets?: Float64Array
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

/** How things stand after the last tick. */
export interface StatusRequest {
  readonly kind: 'status'
}

/** Begins a capture of the state after the last tick, giving up one under way. Answered with the status. */
export interface CaptureBegin {
  readonly kind: 'capture-begin'
}

/** Asks for more of the capture under way, about so many bytes at most; ticks may run between two slices. */
export interface CaptureSliceRequest {
  readonly kind: 'capture-slice'
  readonly maxBytes: number
  /** No more is begun once the engine has been held up for so long. */
  readonly maxMs: number
}

/**
 * State up to the tick is durable and lies in these files from now on. Files of before that are not among them are
 * closed when this is answered.
 */
export interface Adopt {
  readonly kind: 'adopt'
  readonly state: StateFiles
}

/** What goes through the engine, and what it keeps. */
export interface FiguresRequest {
  readonly kind: 'figures'
}

/** Begins to look at what a node of the topology puts out, if it is there; null ends that. */
export interface TapRequest {
  readonly kind: 'tap'
  readonly node: string | null
}

export type EngineRequest =
  | TickInput
  | StatusRequest
  | FiguresRequest
  | TapRequest
  | CaptureBegin
  | CaptureSliceRequest
  | Adopt

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

export interface TickOutput extends Standing {
  readonly kind: 'tick'
  readonly tick: number
  readonly timeMicros: bigint
  /** Only views that changed. */
  readonly deltas: readonly ViewDelta[]
  /** The state is beyond its budget, and a capture that becomes durable would let some of it go. */
  readonly wantsCapture: boolean
  /** About once a second, where the engine is metered: what state takes is not looked at. */
  readonly figures?: EngineFigures
}

/** What has gone through an engine since its start. */
export interface EngineFigures {
  readonly kind: 'figures'
  /** When, by the clock of the engine's thread; 0 without one. */
  readonly atMs: number
  /** All time that the engine was at work. */
  readonly busyMs: number
  /** Linear memory taken. */
  readonly memoryBytes: number
  readonly nodes: readonly NodeFigures[]
  /** Only where they were asked for; with an event time only. Counts as in data/log-buckets.ts, of microseconds. */
  readonly disorder: readonly { readonly topic: number; readonly counts: Float64Array }[]
  /** Only where they were asked for: what operators hold back until a watermark has passed, the oldest first. */
  readonly windows: readonly { readonly node: string; readonly endMicros: bigint; readonly rows: number }[]
}

/** What was seen since the tap before; empty when one begins. */
export interface Tapped {
  readonly kind: 'tapped'
  readonly blocks: readonly TappedBlock[]
}

/** Rows that an operator put out in a tick, with a `weight` column (absent: all +1). */
export interface TappedBlock {
  readonly tick: number
  readonly bytes: Uint8Array
}

/** Of one node of the topology. */
export interface NodeFigures {
  readonly id: string
  /** Changes that came out. */
  readonly rows: number
  readonly busyMs: number
  /** In memory; null: it has none, or nobody looked. About, but all nodes' together are exact. */
  readonly stateBytes: number | null
  readonly stateKeys: number | null
}

export interface Standing {
  /** Per topic with an event time: the least watermark over its partitions, null before the first event. */
  readonly watermarks: readonly { readonly topic: number; readonly micros: bigint | null }[]
  readonly late: readonly { readonly topic: number; readonly events: number }[]
  /** When some row's presence depends on `now()`: the next time at which a tick is due, else null. */
  readonly dueMicros: bigint | null
  readonly stateBytes: number
}

export interface EngineStatus extends Standing {
  readonly kind: 'status'
  /** The last tick, −1 before the first. */
  readonly tick: number
  /** Names of everything that has state: what a capture is a capture of. */
  readonly arrangements: readonly string[]
  /** Where a capture was begun: how long the engine was held up for it. */
  readonly ms?: number
}

/** A part of the capture under way. */
export interface CaptureSlice {
  readonly kind: 'captured'
  /** The tick at whose end the capture began: it holds the state as it was then. */
  readonly tick: number
  readonly pieces: readonly Piece[]
  /** Nothing is missing any more. */
  readonly done: boolean
  /** How long the engine was held up for it. */
  readonly ms: number
}

export interface Adopted {
  readonly kind: 'adopted'
  readonly tick: number
  /** How long the engine was held up for it. */
  readonly ms: number
}

/** The engine stopped for good: out of memory or a broken invariant. */
export interface EngineFailure {
  readonly kind: 'failed'
  readonly message: string
  readonly code: string
  readonly stack?: string
}

export type EngineReply = TickOutput | EngineStatus | EngineFigures | Tapped | CaptureSlice | Adopted | EngineFailure
