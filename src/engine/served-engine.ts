import type { Clock, Disk, Io } from '../io/io.ts'
import type { Piece } from '../state/cold.ts'
import { ColdRuns } from '../state/runs/cold-runs.ts'
import { Engine } from './engine.ts'
import type { CaptureSlice, CaptureSliceRequest, EngineReply, EngineRequest, EngineStart, StateFiles } from './port.ts'

/** A capture's slice looks at the clock after each so many bytes. */
const stepBytes = 64 * 1024

/** The engine behind messages: what a thread runs, and what the inline host calls. */
export class ServedEngine {
  readonly #engine: Engine
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #cacheBytes: number | undefined
  #runs: ColdRuns | null = null

  /** @throws MillraceError what the program needs and the engine does not do; state/corrupt */
  constructor(start: EngineStart, { disk, clock }: Pick<Io, 'disk' | 'clock'>) {
    const { program, memoryBytes, state, reopen, gone } = start
    this.#disk = disk
    this.#clock = clock
    this.#cacheBytes = state?.cacheBytes
    const from = state?.from
    if (from !== undefined) this.#runs = this.#open(from.folder, from.files)
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
    for (let left = maxBytes; ; ) {
      const step = this.#engine.captureSlice(Math.min(left, stepBytes))
      for (const piece of step.pieces) {
        pieces.push(piece)
        left -= piece.bytes.byteLength
      }
      const ms = this.#clock.monotonicMs() - start
      if (step.done || left <= 0 || ms >= maxMs) return { kind: 'captured', ...step, pieces, ms }
    }
  }

  #adopt({ folder, files, tick }: StateFiles): void {
    if (this.#runs === null) this.#runs = this.#open(folder, files)
    else this.#runs.adopt(files)
    this.#engine.adopt(this.#runs, tick)
  }

  #open(folder: string, files: ConstructorParameters<typeof ColdRuns>[2]): ColdRuns {
    return new ColdRuns(
      this.#disk,
      folder,
      files,
      this.#cacheBytes === undefined ? {} : { cacheBytes: this.#cacheBytes },
    )
  }

  destroy(): void {
    this.#engine.destroy()
    this.#runs?.close()
  }
}
