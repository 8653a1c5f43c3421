import type { Clock, Disk, Io } from '../io/io.ts'
import { ColdRuns } from '../state/runs/cold-runs.ts'
import { Engine } from './engine.ts'
import type { EngineReply, EngineRequest, EngineStart } from './port.ts'

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
      case 'capture-begin':
        engine.beginCapture()
        return engine.status()
      case 'capture-slice':
        return this.#slice(request.maxBytes)
      case 'adopt': {
        const { folder, files, tick } = request.state
        if (this.#runs === null) this.#runs = this.#open(folder, files)
        else this.#runs.adopt(files)
        engine.adopt(this.#runs, tick)
        return { kind: 'adopted', tick }
      }
    }
  }

  #slice(maxBytes: number): EngineReply {
    const start = this.#clock.monotonicMs()
    const slice = this.#engine.captureSlice(maxBytes)
    return { kind: 'captured', ...slice, ms: this.#clock.monotonicMs() - start }
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
