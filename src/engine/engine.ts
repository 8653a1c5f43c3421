import { Bug, MillraceError } from '../data/errors.ts'
import { Arena, LinearMemory } from '../data/memory.ts'
import type { Program } from '../plan/program.ts'
import { type StateDump, StateReader, StateWriter } from '../state/dump.ts'
import { Heap } from '../state/heap.ts'
import { compileProgram, type Dataflow } from './compile.ts'
import type { Step } from './operator.ts'
import type { TickInput, TickOutput, ViewDelta } from './port.ts'

export interface EngineOptions {
  /** The most memory the engine may use, in bytes; up to 4 GiB. */
  readonly memoryBytes?: number
  /**
   * Test mode: after every tick all state is copied out, engine and memory are destroyed, and state is rebuilt in a
   * new memory at other addresses. It must change nothing.
   */
  readonly reopen?: boolean
}

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

  /** @throws MillraceError when the program needs what the engine does not do */
  constructor(program: Program, options: EngineOptions = {}) {
    this.#program = program
    this.#options = options
    this.#core = new Core(program, options.memoryBytes, 0)
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

  #reopen(): void {
    const dump = this.#core.save()
    this.#core.destroy()
    // Another start shifts every address.
    this.#core = new Core(this.#program, this.#options.memoryBytes, 1 + (this.#lastTick % 7))
    this.#core.restore(dump)
  }

  /** All state, free of addresses: what a snapshot holds. */
  save(): StateDump {
    return this.#core.save()
  }

  destroy(): void {
    this.#core.destroy()
  }
}

/** What dies with its memory. */
class Core {
  readonly #memory: LinearMemory
  readonly #step: Step
  readonly #flow: Dataflow

  constructor(program: Program, memoryBytes: number | undefined, shiftPages: number) {
    this.#memory = new LinearMemory(memoryBytes)
    if (shiftPages > 0) this.#memory.allocatePages(shiftPages)
    const arena = new Arena(this.#memory)
    const heap = new Heap(this.#memory)
    // Stamps of entries start at 0: the first epoch is 1.
    this.#step = { memory: this.#memory, arena, heap, epoch: 1, tick: 0, nowMicros: 0n }
    this.#flow = compileProgram(program, this.#step)
  }

  step(input: TickInput): TickOutput {
    const step = this.#step
    step.tick = input.tick
    step.nowMicros = input.timeMicros
    this.#flow.closing = input.closeWindows === true
    for (const operator of this.#flow.operators) operator.beginTick?.()
    for (const block of input.blocks) this.#flow.sources.get(block.topic)?.push(block)
    this.#flow.endTick()
    const deltas: ViewDelta[] = []
    for (const sink of this.#flow.sinks) {
      const delta = sink.takeDelta()
      if (delta !== null) deltas.push(delta)
    }
    this.#endStep()
    const withTime = [...this.#flow.sources.values()].filter(({ topic }) => topic.eventTime !== null)
    return {
      kind: 'tick',
      tick: input.tick,
      timeMicros: input.timeMicros,
      deltas,
      watermarks: withTime.map((source) => ({ topic: source.topic.id, micros: source.watermark })),
      late: withTime.map((source) => ({ topic: source.topic.id, events: source.lateEvents })),
      dueMicros: this.#flow.dueMicros(),
      stateBytes: step.heap.usedBytes,
    }
  }

  #endStep(): void {
    this.#step.heap.endTick()
    this.#step.arena.reset()
    this.#step.epoch = (this.#step.epoch + 1) >>> 0
    // After 2^32 ticks a stale stamp could match; refusing beats a wrong answer.
    if (this.#step.epoch === 0)
      throw new MillraceError('engine/stopped', 'the engine has run 2^32 ticks', { hint: 'restart the process' })
  }

  save(): StateDump {
    const dump: StateDump = new Map()
    this.#flow.each((name, part) => part.save(new StateWriter(this.#step.arena, dump, name)))
    this.#step.arena.reset()
    return dump
  }

  restore(dump: StateDump): void {
    this.#flow.each((name, part) => part.restore(new StateReader(this.#step.arena, dump, name)))
    this.#step.heap.endTick()
    this.#step.arena.reset()
  }

  destroy(): void {
    this.#step.heap.destroy()
    // A write through a stale view must not find the old bytes in place.
    this.#memory.u8.fill(0xa5, 0, Math.min(this.#memory.u8.length, 1 << 20))
  }
}
