import type { Clock, Disk, Io } from '../io/io.ts'
import type { Piece } from '../state/cold.ts'
import { ColdRuns } from '../state/runs/cold-runs.ts'
import { Engine } from './engine.ts'
import type { CaptureSlice, CaptureSliceRequest, EngineReply, EngineRequest, EngineStart, StateFiles } from './port.ts'
import { SlicePace } from './slice-pace.ts'

/** The engine behind messages: what a thread runs, and what the inline host calls. */
export class ServedEngine {
  readonly #engine: Engine
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #cacheBytes: number | undefined
  readonly #pace = new SlicePace()
  #runs: ColdRuns | null = null

  /** @throws MillraceError what the program needs and the engine does not do; state/corrupt */
  constructor(start: EngineStart, { disk, clock }: Pick<Io, 'disk' | 'clock'>) {
    const { program, memoryBytes, state, reopen, gone } = start
    this.#disk = disk
    this.#clock = clock
    this.#cacheBytes = state?.cacheBytes
    const from = state?.from
    if (from !== undefined) this.#runs = this.#open(from)
    this.#engine = new Engine(program, {
      memoryBytes,
      reopen: reopen ?? false,
      tracked: state !== undefined,
      ...(start.metered === true ? { nowMs: () => clock.monotonicMs() } : {}),
      ...(gone === undefined ? {} : { gone }),
      ...(state?.budgetBytes === undefined ? {} : { budgetBytes: state.budgetBytes }),
      ...(from === undefined || this.#runs === null ? {} : { cold: { store: this.#runs, tick: from.tick } }),
    })
  }

  /** @throws MillraceError as the engine; it is of no more use then */
  answer(request: EngineRequest): EngineReply {
    const engine = this.#engine
    switch (request.kind) {
      case 'tick':
        return engine.step(request)
      case 'figures':
        return engine.figures()
      case 'tap':
        return { kind: 'tapped', blocks: engine.tap(request.node) }
      case 'status':
        return engine.status()
      case 'capture-begin': {
        const ms = this.#timed(() => engine.beginCapture())
        return { ...engine.status(), ms }
      }
      case 'capture-slice':
        return this.#slice(request)
      case 'adopt':
        return { kind: 'adopted', tick: request.state.tick, ms: this.#timed(() => this.#adopt(request.state)) }
    }
  }

  #timed(work: () => void): number {
    const start = this.#clock.monotonicMs()
    work()
    return this.#clock.monotonicMs() - start
  }

  /** Goes in steps, as no size tells how long one takes: that depends on what it is of, and on who else is at work. */
  #slice({ maxBytes, maxMs }: CaptureSliceRequest): CaptureSlice {
    const start = this.#clock.monotonicMs()
    const pieces: Piece[] = []
    for (let left = maxBytes, ms = 0; ; ) {
      const asked = Math.min(left, this.#pace.stepBytes(maxMs - ms))
      const step = this.#engine.captureSlice(asked)
      let bytes = 0
      for (const piece of step.pieces) {
        pieces.push(piece)
        bytes += piece.bytes.byteLength
      }
      left -= bytes
      const before = ms
      ms = this.#clock.monotonicMs() - start
      this.#pace.took(asked, bytes, ms - before)
      if (step.done || left <= 0 || ms >= maxMs) return { kind: 'captured', ...step, pieces, ms }
    }
  }

  #adopt(state: StateFiles): void {
    if (this.#runs === null) this.#runs = this.#open(state)
    else this.#runs.adopt(state.files, state.indexes)
    this.#engine.adopt(this.#runs, state.tick)
  }

  #open({ folder, files, indexes = [] }: StateFiles): ColdRuns {
    const cacheBytes = this.#cacheBytes
    return new ColdRuns(this.#disk, folder, files, { indexes, ...(cacheBytes === undefined ? {} : { cacheBytes }) })
  }

  destroy(): void {
    this.#engine.destroy()
    this.#runs?.close()
  }
}
