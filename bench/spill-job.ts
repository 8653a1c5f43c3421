import { mkdirSync, rmSync } from 'node:fs'
import type { Engine } from '../src/engine/engine.ts'
import type { Piece } from '../src/state/cold.ts'
import type { ColdRuns } from '../src/state/runs/cold-runs.ts'
import type { RunFile } from '../src/state/runs/run-format.ts'
import { answerParent } from './child.ts'
import { quantile, type Took, took } from './measure.ts'
import { load } from './millrace.ts'
import { openLog, programOf } from './nexmark/ours.ts'

export interface SpillTask {
  readonly journal: string
  readonly folder: string
  readonly sql: string
  /** Nothing leaves memory; it is captured; it is captured, and what is beyond the budget forgotten. */
  readonly mode: 'memory' | 'captured' | 'spilled'
  readonly budgetBytes: number
}

export interface SpillAnswer {
  readonly took: Took
  readonly stateBytes: number
  /** Rows put out, so that the modes can be compared. */
  readonly changes: number
  readonly captures: number
  readonly writtenBytes: number
  /** Of processor time: the longest slice and the 99th of a hundred; 0 without any. */
  readonly sliceMs: { readonly longest: number; readonly p99: number }
  readonly tickMs: { readonly longest: number; readonly p99: number }
}

const tickRows = 16_384
const sliceBytes = 1 << 20
/** Ticks between two captures. */
const every = 16
const mostRuns = 6

const modules = async () => ({
  ...(await load<typeof import('../src/engine/engine.ts')>('engine/engine')),
  ...(await load<typeof import('../src/io/node.ts')>('io/node')),
  ...(await load<typeof import('../src/data/block.ts')>('data/block')),
  ...(await load<typeof import('../src/state/runs/captured.ts')>('state/runs/captured')),
  ...(await load<typeof import('../src/state/runs/cold-runs.ts')>('state/runs/cold-runs')),
  ...(await load<typeof import('../src/state/runs/run-compaction.ts')>('state/runs/run-compaction')),
})

/** Captures an engine's state into runs, as its owner and the keeper do, but all in this thread. */
class Snapshots {
  captures = 0
  writtenBytes = 0
  readonly slices: number[] = []
  readonly #engine: Engine
  readonly #folder: string
  readonly #modules: Awaited<ReturnType<typeof modules>>
  #runs: RunFile[] = []
  #cold: ColdRuns | null = null
  #made = 0

  constructor(engine: Engine, folder: string, loaded: Awaited<ReturnType<typeof modules>>) {
    this.#engine = engine
    this.#folder = folder
    this.#modules = loaded
  }

  async take(tick: number): Promise<void> {
    const { Captured, ColdRuns: Runs, mergeRuns, nodeIo } = this.#modules
    const { disk } = nodeIo()
    const captured = new Captured()
    this.#engine.beginCapture()
    for (let done = false; !done; ) {
      let pieces: readonly Piece[] = []
      const cpu = process.cpuUsage()
      ;({ pieces, done } = this.#engine.captureSlice(sliceBytes))
      const { user, system } = process.cpuUsage(cpu)
      this.slices.push((user + system) / 1000)
      for (const piece of pieces) captured.add(piece)
    }
    this.captures++
    this.writtenBytes += captured.bytes
    this.#runs.unshift(await captured.writeRun(disk, this.#folder, `run-${this.#made++}`))
    if (this.#runs.length > mostRuns) {
      const options = { oldest: true, pause: async () => {} }
      this.#runs = [await mergeRuns(disk, this.#folder, this.#runs, `run-${this.#made++}`, options)]
    }
    if (this.#cold === null) this.#cold = new Runs(disk, this.#folder, this.#runs, { cacheBytes: 32 << 20 })
    else this.#cold.adopt(this.#runs)
    this.#engine.adopt(this.#cold, tick)
  }
}

async function run({ journal, folder, sql, mode, budgetBytes }: SpillTask): Promise<SpillAnswer> {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const loaded = await modules()
  const program = await programOf(sql)
  const known = new Set(program.topics.map(({ id }) => id))
  const options = mode === 'spilled' ? { tracked: true, budgetBytes } : { tracked: mode === 'captured' }
  const engine = new loaded.Engine(program, options)
  const snapshots = new Snapshots(engine, folder, loaded)
  const log = await openLog(journal)
  const ticks: number[] = []
  let stateBytes = 0
  let changes = 0
  let since = 0
  const time = await took(() =>
    log.replay(async (tick) => {
      const start = process.cpuUsage()
      const output = engine.step({ kind: 'tick', ...tick, blocks: tick.blocks.filter(({ topic }) => known.has(topic)) })
      const { user, system } = process.cpuUsage(start)
      ticks.push((user + system) / 1000)
      for (const { blocks } of output.deltas) for (const block of blocks) changes += loaded.openBlock(block).rows
      stateBytes = Math.max(stateBytes, output.stateBytes)
      tick.release?.()
      if (mode === 'memory') return
      if (++since < every && !(mode === 'spilled' && output.wantsCapture)) return
      since = 0
      await snapshots.take(tick.tick)
    }, tickRows),
  )
  await log.close()
  const { captures, writtenBytes, slices } = snapshots
  const spread = (all: readonly number[]) => ({
    longest: all.reduce((a, b) => Math.max(a, b), 0),
    p99: all.length === 0 ? 0 : quantile(all, 0.99),
  })
  engine.destroy()
  return { took: time, stateBytes, changes, captures, writtenBytes, sliceMs: spread(slices), tickMs: spread(ticks) }
}

await answerParent(run)
