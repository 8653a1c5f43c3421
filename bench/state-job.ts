import { mkdirSync, rmSync } from 'node:fs'
import type { Arena } from '../src/data/memory.ts'
import type { Io } from '../src/io/io.ts'
import type { Piece } from '../src/state/cold.ts'
import type { ColdRuns } from '../src/state/runs/cold-runs.ts'
import type { RunFile } from '../src/state/runs/run-format.ts'
import { answerParent } from './child.ts'
import { type Took, took } from './measure.ts'
import { load } from './millrace.ts'

export interface StateTask {
  readonly folder: string
  readonly buckets: number
  readonly smoke: boolean
}

/** What was done, how much of it, and what it took. */
export interface StateFigure {
  readonly what: string
  readonly rows: number
  readonly bytes: number
  readonly took: Took
  readonly note: string
}

const batchRows = 16384
/** Runs are cut here, as the keeper cuts them. */
const runBytes = 64 * 1024 * 1024
const arrangement = 'groups'

const modules = async () => ({
  ...(await load<typeof import('../src/data/block.ts')>('data/block')),
  ...(await load<typeof import('../src/data/memory.ts')>('data/memory')),
  ...(await load<typeof import('../src/io/node.ts')>('io/node')),
  ...(await load<typeof import('../src/state/runs/captured.ts')>('state/runs/captured')),
  ...(await load<typeof import('../src/state/runs/cold-runs.ts')>('state/runs/cold-runs')),
  ...(await load<typeof import('../src/state/snapshots/keeper.ts')>('state/snapshots/keeper')),
  ...(await load<typeof import('../src/state/runs/run-compaction.ts')>('state/runs/run-compaction')),
})
type Modules = Awaited<ReturnType<typeof modules>>

class Bench {
  readonly #modules: Modules
  readonly #io: Io
  readonly #folder: string
  readonly #arena: Arena
  readonly #figures: StateFigure[] = []
  readonly #runs: RunFile[] = []
  #seed = 1

  constructor(loaded: Modules, folder: string) {
    this.#modules = loaded
    this.#io = loaded.nodeIo()
    this.#folder = folder
    this.#arena = new loaded.Arena(new loaded.LinearMemory())
  }

  async run(buckets: number): Promise<StateFigure[]> {
    rmSync(this.#folder, { recursive: true, force: true })
    mkdirSync(this.#folder, { recursive: true })
    const hashes = this.#randomHashes(buckets)
    await this.#keep('snapshot of all, in the keeper’s thread', hashes)
    await this.#write('snapshot of all: sort, write, sync', hashes)
    for (let i = 0; i < 3; i++) {
      await this.#write('a twentieth of it again', this.#some(hashes, Math.ceil(buckets / 20)))
    }
    const bytes = this.#runs.reduce((sum, run) => sum + run.bytes, 0)
    const asked = Math.min(buckets, 500_000)
    this.#lookups('lookups, all blocks in the cache', hashes, asked, 2 * bytes, true)
    this.#lookups('lookups, a tenth in the cache', hashes, asked, bytes / 10, false)
    this.#lookups('lookups of what is not there', this.#randomHashes(asked), asked, 2 * bytes, true)
    const merged = await this.#merge(bytes)
    const one = new this.#modules.ColdRuns(this.#io.disk, this.#folder, [merged])
    const all = await took(() => one.all(arrangement, this.#arena, () => {}))
    this.#tell('read all of one run', buckets, merged.bytes, all, '')
    return this.#figures
  }

  async #keep(what: string, hashes: Uint32Array): Promise<void> {
    const pieces = this.#pieces(hashes)
    const bytes = pieces.reduce((sum, piece) => sum + piece.bytes.length, 0)
    const folder = `${this.#folder}/kept`
    const keeper = this.#modules.startKeeper(this.#io, folder, null)
    await keeper.opened
    const time = await took(async () => {
      for (let i = 0; i < pieces.length; i += 2) await keeper.add(pieces.slice(i, i + 2))
      await keeper.commit(1, { files: [] })
    })
    await keeper.close()
    rmSync(folder, { recursive: true })
    this.#tell(what, hashes.length / 2, bytes, time, '')
  }

  async #write(what: string, hashes: Uint32Array): Promise<void> {
    const pieces = this.#pieces(hashes)
    const bytes = pieces.reduce((sum, piece) => sum + piece.bytes.length, 0)
    let captured = new this.#modules.Captured()
    const write = async (): Promise<void> => {
      const run = await captured.writeRun(this.#io.disk, this.#folder, `run-${this.#runs.length}`)
      this.#runs.unshift(run)
      captured = new this.#modules.Captured()
    }
    const time = await took(async () => {
      for (const piece of pieces) {
        captured.add(piece)
        if (piece.section > -1 && captured.bytes >= runBytes) await write()
      }
      if (captured.bytes > 0) await write()
    })
    this.#tell(what, hashes.length / 2, bytes, time, `${this.#runs.length} runs`)
  }

  /** Batches of 8 k hashes, drawn at random. */
  #lookups(what: string, hashes: Uint32Array, count: number, cacheBytes: number, warm: boolean): void {
    const runs = new this.#modules.ColdRuns(this.#io.disk, this.#folder, this.#runs, { cacheBytes })
    const chosen = this.#some(hashes, count)
    if (warm) this.#lookUp(runs, chosen)
    const { misses } = runs.cache
    const cpu = process.cpuUsage()
    const start = performance.now()
    const found = this.#lookUp(runs, chosen)
    const seconds = (performance.now() - start) / 1000
    const { user, system } = process.cpuUsage(cpu)
    const read = runs.cache.misses - misses
    const note = `${found} found, ${read} blocks read`
    this.#tell(what, count, 0, { seconds, cpuSeconds: (user + system) / 1e6 }, note)
    runs.close()
  }

  #lookUp(runs: ColdRuns, hashes: Uint32Array): number {
    let found = 0
    for (let from = 0; from < hashes.length; from += 16384) {
      const some = hashes.subarray(from, from + 16384)
      const address = this.#arena.allocate(some.length * 4)
      this.#arena.memory.u32.set(some, address >>> 2)
      for (const batch of runs.lookup(arrangement, this.#arena, address, some.length / 2)[0]) found += batch.rows
      this.#arena.reset()
    }
    return found
  }

  async #merge(bytes: number): Promise<RunFile> {
    let merged: RunFile | undefined
    const time = await took(async () => {
      const pause = async (): Promise<void> => {}
      const options = { oldest: true, pause }
      merged = await this.#modules.mergeRuns(this.#io.disk, this.#folder, this.#runs, 'merged', options)
    })
    const rows = Math.round((this.#figures[0].rows * 23) / 20)
    this.#tell(`merging ${this.#runs.length} runs into one`, rows, bytes, time, '')
    return merged as RunFile
  }

  #tell(what: string, rows: number, bytes: number, time: Took, note: string): void {
    this.#figures.push({ what, rows, bytes, took: time, note })
  }

  /** Keys, a count, a sum and a text of 16 bytes per bucket. */
  #pieces(hashes: Uint32Array): Piece[] {
    const { memory } = this.#arena
    const pieces: Piece[] = []
    for (let from = 0; from < hashes.length; from += 2 * batchRows) {
      const some = new BigUint64Array(hashes.slice(from, from + 2 * batchRows).buffer).sort()
      const rows = some.length
      const wide = [0, 1, 2, 3].map(() => this.#arena.allocate(rows * 8))
      const text = this.#arena.allocate(rows * 8)
      const heap = this.#arena.allocate(rows * 16)
      for (let i = 0; i < rows; i++) {
        for (const data of wide) memory.i64[data / 8 + i] = BigInt.asIntN(64, some[i])
        memory.u32[(text >>> 2) + 2 * i] = i * 16
        memory.u32[(text >>> 2) + 2 * i + 1] = 16
      }
      const columns = wide.map((data, k) => ({ lane: k === 3 ? 'f64' : 'i64', data, state: 0, heap: 0 }) as const)
      const write = (all: Parameters<Modules['writeBlock']>[1]['columns']): Uint8Array =>
        this.#modules.writeBlock(memory, { rows, columns: all, weights: 0 })
      pieces.push({ arrangement, section: -1, bytes: write(columns.slice(0, 1)) })
      pieces.push({
        arrangement,
        section: 0,
        bytes: write([...columns, { lane: 'bytes', data: text, state: 0, heap }]),
      })
      this.#arena.reset()
    }
    return pieces
  }

  #random(): number {
    this.#seed ^= this.#seed << 13
    this.#seed ^= this.#seed >>> 17
    this.#seed ^= this.#seed << 5
    return this.#seed >>> 0
  }

  /** Pairs of words; that two are equal is too rare to matter to a capture of millions. */
  #randomHashes(count: number): Uint32Array {
    const hashes = new Uint32Array(2 * count)
    for (let i = 0; i < count; i++) {
      hashes[2 * i] = Math.imul(i + 1 + this.#runs.length * 7919, 0x9e3779b1)
      hashes[2 * i + 1] = this.#random()
    }
    return hashes
  }

  /** Some of them, each once. */
  #some(hashes: Uint32Array, count: number): Uint32Array {
    const chosen = new Uint32Array(2 * count)
    const all = hashes.length / 2
    // A step without a common divisor with the number of all comes to each once.
    const step = coprime(all, Math.floor(all * 0.618))
    for (let i = 0, at = this.#random() % all; i < count; i++, at = (at + step) % all) {
      chosen[2 * i] = hashes[2 * at]
      chosen[2 * i + 1] = hashes[2 * at + 1]
    }
    return chosen
  }
}

function coprime(all: number, near: number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))
  for (let step = Math.max(1, near); ; step++) if (divisor(all, step) === 1) return step
}

await answerParent<StateTask, StateFigure[]>(async ({ folder, buckets }) => {
  return new Bench(await modules(), folder).run(buckets)
})
