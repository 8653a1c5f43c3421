import { Bug, MillraceError } from '../data/errors.ts'
import { Arena, LinearMemory } from '../data/memory.ts'
import type { Program } from '../plan/program.ts'
import { Captures } from '../state/captures.ts'
import type { ColdStore, Piece } from '../state/cold.ts'
import { Heap } from '../state/heap.ts'
import { MemoryColdStore } from '../state/memory-cold.ts'
import { compileProgram } from './compile.ts'
import type { Dataflow } from './dataflow.ts'
import { figuresOf, openWindows } from './figures.ts'
import { Meter } from './meter.ts'
import type { Step } from './operator.ts'
import type {
  CaptureSlice,
  EngineFigures,
  EngineStatus,
  GoneTimes,
  Standing,
  TappedBlock,
  TickInput,
  TickOutput,
  ViewDelta,
} from './port.ts'
import { Tap } from './tap.ts'

export interface EngineOptions {
  /** The most memory the engine may use, in bytes; up to 4 GiB. */
  readonly memoryBytes?: number
  /** Keeps track of what changes, so that captures can be taken; implied by `cold`. */
  readonly tracked?: boolean
  /** Where the state is found that the engine begins with, and the tick that it is of. */
  readonly cold?: { readonly store: ColdStore; readonly tick: number }
  /** Beyond this many bytes the engine forgets state that can be found outside. */
  readonly budgetBytes?: number
  /**
   * Test mode: after every tick all state is captured, engine and memory are destroyed, and a new engine in another
   * memory finds everything outside. It must change nothing.
   */
  readonly reopen?: boolean
  /** A clock in milliseconds, to count where the time goes. Nothing that is computed depends on it. */
  readonly nowMs?: () => number
  /** What counts of events that it will never see. */
  readonly gone?: readonly GoneTimes[]
  /** Test mode: hashes of few bits. */
  readonly weakHash?: boolean
}

/** Figures go along with a tick about this often. */
const figuresMs = 1000

/** A tap keeps so many rows of a batch, and so many batches. */
const tappedRows = 20

function bytesOf({ blocks }: TickInput): number {
  let sum = 0
  for (const { bytes } of blocks) sum += bytes.byteLength
  return sum
}

/** Reopening takes captures in slices of this size, so that they meet the ends of slices. */
const reopenBytes = 4096

/**
 * The incremental engine: a program's dataflow in one linear memory. A synchronous step over messages: one `step` is
 * one tick, and its output is a pure function of the program and the ticks so far.
 */
export class Engine {
  readonly #program: Program
  readonly #options: EngineOptions
  #core: Core
  #lastTick = -1
  #lastMicros: bigint | null = null
  /** The tick at whose end the last capture began, and whether it is whole. */
  #capture = { tick: -1, done: false }
  readonly #store = new MemoryColdStore()

  /** @throws MillraceError when the program needs what the engine does not do */
  constructor(program: Program, options: EngineOptions = {}) {
    this.#program = program
    this.#options = options
    this.#core = new Core(program, options, options.cold?.store ?? null, 0)
    if (options.cold !== undefined) this.#lastTick = options.cold.tick
  }

  /**
   * Runs one tick to its end.
   * @throws MillraceError engine/memory; after any error the engine is of no more use
   */
  step(input: TickInput): TickOutput {
    if (input.tick <= this.#lastTick) throw new Bug(`tick ${input.tick} after tick ${this.#lastTick}`)
    if (this.#lastMicros !== null && input.timeMicros < this.#lastMicros) throw new Bug('the time of a tick went back')
    this.#lastTick = input.tick
    this.#lastMicros = input.timeMicros
    const output = this.#core.step(input)
    if (this.#options.reopen === true && input.closeWindows !== true) this.#reopen()
    return output
  }

  /** How things stand after the last tick. */
  status(): EngineStatus {
    const { arrangements } = this.#core
    return { kind: 'status', tick: this.#lastTick, arrangements, ...this.#core.standing() }
  }

  /** What has gone through so far, and what is kept. */
  figures(): EngineFigures {
    return this.#core.figures(true)
  }

  /**
   * Looks at what a node of the topology puts out, until it is told to look at another one or at none (null).
   * @returns what it has seen until now
   */
  tap(node: string | null): readonly TappedBlock[] {
    return this.#core.tap(node)
  }

  /** Begins a capture of the state after the last tick; one that is not whole yet is given up. */
  beginCapture(): void {
    this.#core.beginCapture()
    this.#capture = { tick: this.#lastTick, done: false }
  }

  /** @returns about so many bytes more of the capture that was begun; ticks may run before the next slice */
  captureSlice(maxBytes: number): Omit<CaptureSlice, 'kind' | 'ms'> {
    const { pieces, done } = this.#core.captureSlice(maxBytes)
    this.#capture.done = done
    return { tick: this.#capture.tick, pieces, done }
  }

  /**
   * What was captured up to the end of `tick` is durable and found in `store` from now on: the engine may forget it.
   * The same tick again: the store has moved, as after a merge.
   */
  adopt(store: ColdStore, tick: number): void {
    this.#core.adopt(store, this.#capture.done && this.#capture.tick === tick)
  }

  #reopen(): void {
    const pieces: Piece[] = []
    this.beginCapture()
    for (let done = false; !done; ) {
      const slice = this.captureSlice(reopenBytes)
      pieces.push(...slice.pieces)
      done = slice.done
    }
    this.#store.apply(pieces)
    this.#core.destroy()
    // Another start shifts every address.
    this.#core = new Core(this.#program, this.#options, this.#store, 1 + (this.#lastTick % 7))
  }

  destroy(): void {
    this.#core.destroy()
  }
}

/** Names of the state of a program that a snapshot has to have for an engine to begin with it. */
export function arrangementsOf(program: Program): readonly string[] {
  const core = new Core(program, { tracked: true }, null, 0)
  const { needed } = core
  core.destroy()
  return needed
}

/** What dies with its memory. */
class Core {
  readonly #memory: LinearMemory
  readonly #step: Step
  readonly #flow: Dataflow
  readonly #captures: Captures
  readonly #meter: Meter | null
  #toldMs = Number.NEGATIVE_INFINITY
  #tap: Tap | null = null
  readonly #budgetBytes: number

  constructor(program: Program, options: EngineOptions, cold: ColdStore | null, shiftPages: number) {
    this.#memory = new LinearMemory(options.memoryBytes)
    this.#meter = options.nowMs === undefined ? null : new Meter(options.nowMs)
    if (shiftPages > 0) this.#memory.allocatePages(shiftPages)
    const arena = new Arena(this.#memory)
    const tracked = options.tracked === true || options.reopen === true || cold !== null
    const heap = new Heap(this.#memory, { tracked, weakHash: options.weakHash ?? false })
    // Stamps of entries start at 0, or at 1 where they are tracked: the first epoch is 2.
    this.#step = { memory: this.#memory, arena, heap, epoch: 2, tick: 0, nowMicros: 0n, meter: this.#meter, slot: 0 }
    this.#flow = compileProgram(program, this.#step)
    for (const { topic, micros, late } of options.gone ?? []) this.#flow.sources.get(topic)?.goOn(micros, late)
    this.#captures = new Captures(this.#flow.arrangements, heap, cold)
    this.#budgetBytes = options.budgetBytes ?? Number.POSITIVE_INFINITY
    arena.reset()
  }

  get arrangements(): readonly string[] {
    return this.#flow.arrangements.map(({ name }) => name)
  }

  get needed(): readonly string[] {
    return this.#flow.arrangements.filter((part) => !this.#flow.spare.has(part)).map(({ name }) => name)
  }

  step(input: TickInput): TickOutput {
    const step = this.#step
    step.tick = input.tick
    step.nowMicros = input.timeMicros
    this.#flow.closing = input.closeWindows === true
    const meter = this.#meter
    meter?.begin(bytesOf(input))
    for (const operator of this.#flow.operators) operator.beginTick?.()
    this.#push(input, meter)
    this.#flow.endTick(meter)
    const deltas: ViewDelta[] = []
    for (const sink of this.#flow.sinks) {
      if (meter?.timing) meter.switchTo(sink.slot)
      const delta = sink.takeDelta()
      if (delta !== null) deltas.push(delta)
    }
    if (meter?.timing) meter.switchTo(0)
    this.#endStep()
    this.#captures.evict(this.#budgetBytes)
    const figures = meter?.timing ? this.#dueFigures(meter) : null
    meter?.end()
    return {
      kind: 'tick',
      tick: input.tick,
      timeMicros: input.timeMicros,
      deltas,
      ...this.standing(),
      wantsCapture: this.#captures.wanted(this.#budgetBytes),
      ...(figures === null ? {} : { figures }),
    }
  }

  #push({ blocks }: TickInput, meter: Meter | null): void {
    for (const block of blocks) {
      const source = this.#flow.sources.get(block.topic)
      if (source === undefined) continue
      const before = meter?.timing ? meter.switchTo(source.slot) : 0
      source.push(block)
      if (meter?.timing) meter.switchTo(before)
    }
  }

  #dueFigures({ nowMs }: Meter): EngineFigures | null {
    if (nowMs - this.#toldMs < figuresMs) return null
    this.#toldMs = nowMs
    return this.figures(false)
  }

  /** @param whole whether to look at state, disorder and windows, too */
  figures(whole: boolean): EngineFigures {
    const timed = [...this.#flow.sources.values()].filter(({ topic }) => whole && topic.eventTime !== null)
    const busyMs = this.#meter?.busyMs ?? []
    return {
      kind: 'figures',
      atMs: this.#meter?.nowMs ?? 0,
      busyMs: busyMs.reduce((sum, ms) => sum + ms, 0),
      memoryBytes: this.#memory.u8.byteLength,
      nodes: figuresOf(this.#flow.parts, busyMs, whole ? this.#step.heap.usedBytes : null),
      disorder: timed.map(({ topic, disorder }) => ({ topic: topic.id, counts: disorder.slice() })),
      windows: whole ? openWindows(this.#flow.parts) : [],
    }
  }

  tap(node: string | null): readonly TappedBlock[] {
    const seen = this.#tap?.end() ?? []
    const output = this.#flow.parts.find(({ id }) => id === node)?.output ?? null
    this.#tap = output === null ? null : new Tap(this.#step, output, tappedRows)
    return seen
  }

  standing(): Standing {
    const withTime = [...this.#flow.sources.values()].filter(({ topic }) => topic.eventTime !== null)
    return {
      watermarks: withTime.map((source) => ({ topic: source.topic.id, micros: source.watermark })),
      late: withTime.map((source) => ({ topic: source.topic.id, events: source.lateEvents })),
      dueMicros: this.#flow.dueMicros(),
      stateBytes: this.#step.heap.usedBytes,
    }
  }

  #endStep(): void {
    this.#step.heap.endTick()
    this.#step.arena.reset()
    this.#step.epoch++
    // After 2^32 ticks a stale stamp could match; refusing beats a wrong answer.
    if (this.#step.epoch > 0xffffff00)
      throw new MillraceError('engine/stopped', 'the engine has run 2^32 ticks', { hint: 'restart the process' })
  }

  beginCapture(): void {
    this.#step.epoch = this.#captures.begin(this.#step.epoch)
  }

  captureSlice(maxBytes: number): { pieces: Piece[]; done: boolean } {
    const slice = this.#captures.slice(maxBytes)
    this.#step.arena.reset()
    return slice
  }

  adopt(store: ColdStore, captured: boolean): void {
    this.#captures.adopt(store, captured)
    this.#captures.evict(this.#budgetBytes)
  }

  destroy(): void {
    this.#step.heap.destroy()
    // A write through a stale view must not find the old bytes in place.
    this.#memory.u8.fill(0xa5, 0, Math.min(this.#memory.u8.length, 1 << 20))
  }
}
