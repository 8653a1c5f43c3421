// What is done with an engine's state between ticks, none of which may change an answer.
import { type Batch, rawCell } from '../../src/data/batch.ts'
import { Arena, LinearMemory } from '../../src/data/memory.ts'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import type { TickInput, TickOutput } from '../../src/engine/port.ts'
import { simulatedIo } from '../../src/io/twin/simulated-io.ts'
import type { Program } from '../../src/plan/program.ts'
import type { ColdStore, Piece } from '../../src/state/cold.ts'
import { MemoryColdStore } from '../../src/state/memory-cold.ts'
import { Captured } from '../../src/state/runs/captured.ts'
import { ColdRuns } from '../../src/state/runs/cold-runs.ts'
import { mergeRuns } from '../../src/state/runs/run-compaction.ts'
import type { RunFile } from '../../src/state/runs/run-format.ts'
import { Random } from './fuzz/random.ts'
import type { StateMode } from './subject.ts'

/** What the law's runner needs of an engine. */
export interface Stepping {
  step(input: TickInput): TickOutput | Promise<TickOutput>
  destroy(): void
}

/** Where captures go that are forgotten then. */
interface Store extends ColdStore {
  apply(pieces: readonly Piece[]): void | Promise<void>
}

export function startEngine(program: Program, mode: StateMode | undefined, weakHash: boolean): Stepping {
  const options: EngineOptions = { memoryBytes: 512 * 1024 ** 2, weakHash }
  switch (mode) {
    case undefined:
      return new Engine(program, options)
    case 'reopen':
      return new Engine(program, { ...options, reopen: true })
    case 'incremental':
      return new Incremental(program, options)
    case 'spill':
      return new Spilling(program, options, new MemoryColdStore())
    case 'disk':
      return new Spilling(program, options, new DiskStore())
  }
}

/**
 * Captures in slices of a few rows between ticks. When one is whole, all captures so far together must be the state
 * as it was when it began, which a second engine knows.
 */
class Incremental implements Stepping {
  readonly #engine: Engine
  readonly #witness: Engine
  readonly #store = new MemoryColdStore()
  readonly #random = new Random(5)
  #pieces: Piece[] | null = null
  /** What the witness will have been fed, and a dump of what it held when the capture began. */
  #wanted = ''

  constructor(program: Program, options: EngineOptions) {
    this.#engine = new Engine(program, { ...options, tracked: true })
    this.#witness = new Engine(program, { ...options, tracked: true })
  }

  step(input: TickInput): TickOutput {
    const output = this.#engine.step(input)
    if (input.closeWindows === true) return output
    this.#witness.step(input)
    if (this.#pieces === null) {
      if (this.#random.chance(0.3)) return output
      this.#engine.beginCapture()
      this.#pieces = []
      this.#wanted = fullState(this.#witness)
    }
    for (let slices = this.#random.integer(0, 3); slices > 0; slices--) if (this.#slice(this.#pieces)) break
    return output
  }

  #slice(pieces: Piece[]): boolean {
    const slice = this.#engine.captureSlice(this.#random.integer(1, 600))
    pieces.push(...slice.pieces)
    if (!slice.done) return false
    this.#pieces = null
    // A capture that never becomes durable is part of the next one.
    if (this.#random.chance(0.2)) return true
    this.#store.apply(pieces)
    const found = dump(this.#store, this.#engine.status().arrangements)
    if (found !== this.#wanted) throw new Error(`captured:\n${found}\nbut there was:\n${this.#wanted}`)
    this.#engine.adopt(this.#store, slice.tick)
    return true
  }

  destroy(): void {
    this.#engine.destroy()
    this.#witness.destroy()
  }
}

/** No budget: whatever was captured is forgotten, and comes back when a tick asks for it. */
class Spilling implements Stepping {
  readonly #engine: Engine
  readonly #store: Store
  readonly #random = new Random(6)
  #pieces: Piece[] | null = null

  constructor(program: Program, options: EngineOptions, store: Store) {
    this.#store = store
    this.#engine = new Engine(program, { ...options, tracked: true, budgetBytes: 0 })
  }

  async step(input: TickInput): Promise<TickOutput> {
    const output = this.#engine.step(input)
    if (input.closeWindows === true) return output
    if (this.#pieces === null) {
      this.#engine.beginCapture()
      this.#pieces = []
    }
    // Mostly at once; sometimes a tick comes in between.
    while (this.#random.chance(0.9)) {
      const slice = this.#engine.captureSlice(2 ** this.#random.integer(0, 20))
      this.#pieces.push(...slice.pieces)
      if (!slice.done) continue
      await this.#store.apply(this.#pieces)
      this.#pieces = null
      this.#engine.adopt(this.#store, slice.tick)
      break
    }
    return output
  }

  destroy(): void {
    this.#engine.destroy()
  }
}

/** Runs on a disk, merged now and then, read through a cache that holds next to nothing. */
class DiskStore implements Store {
  readonly #disk = simulatedIo(1).disk
  readonly #runs = new ColdRuns(this.#disk, 'd', [], { cacheBytes: 0 })
  readonly #random = new Random(7)
  #files: readonly RunFile[] = []
  #names = 0

  async apply(pieces: readonly Piece[]): Promise<void> {
    const captured = new Captured()
    for (const piece of pieces) captured.add(piece)
    this.#files = [await captured.writeRun(this.#disk, 'd', `run-${this.#names++}`), ...this.#files]
    const count = this.#random.integer(1, this.#files.length)
    if (count > 1 && this.#random.chance(0.5)) {
      const oldest = count === this.#files.length
      const options = { oldest, stepBytes: this.#random.integer(1, 100_000), pause: async () => {} }
      const merging = this.#files.slice(0, count)
      const merged = await mergeRuns(this.#disk, 'd', merging, `run-${this.#names++}`, options)
      this.#files = [merged, ...this.#files.slice(count)]
    }
    this.#runs.adopt(this.#files)
  }

  lookup(arrangement: string, arena: Arena, hashes: number, count: number) {
    return this.#runs.lookup(arrangement, arena, hashes, count)
  }

  all(arrangement: string, arena: Arena, take: (section: number, batch: Batch) => void): void {
    this.#runs.all(arrangement, arena, take)
  }
}

/** Everything an engine holds, as text. Nothing that it captures becomes durable, so each capture is of everything. */
function fullState(engine: Engine): string {
  const pieces: Piece[] = []
  engine.beginCapture()
  for (let done = false; !done; ) {
    const slice = engine.captureSlice(1 << 20)
    pieces.push(...slice.pieces)
    done = slice.done
  }
  const store = new MemoryColdStore()
  store.apply(pieces)
  return dump(store, engine.status().arrangements)
}

function dump(store: MemoryColdStore, arrangements: readonly string[]): string {
  const memory = new LinearMemory()
  const arena = new Arena(memory)
  const lines: string[] = []
  for (const name of arrangements) {
    const rows: string[] = []
    store.all(name, arena, (section, batch) => {
      for (let i = 0; i < batch.rows; i++) {
        const cells = batch.columns.map((column) => {
          const state = column.state === 0 ? 0 : memory.u8[column.state + i]
          return state === 0
            ? String(rawCell(memory, column.lane === 'f64' ? { ...column, lane: 'i64' } : column, i))
            : `!${state}`
        })
        rows.push(`${name} ${section}: ${cells.join(' ')}`)
      }
    })
    // Lists have no order of their own.
    lines.push(...rows.sort())
  }
  return lines.join('\n')
}
