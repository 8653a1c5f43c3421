import { rmSync } from 'node:fs'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EngineReply } from '../src/engine/port.ts'
import type { Io } from '../src/io/io.ts'
import type { KeeperReply } from '../src/state/snapshots/keeper-port.ts'
import { answerParent } from './child.ts'
import { type Took, took } from './measure.ts'
import { load } from './millrace.ts'
import { blockWriter } from './nexmark/blocks.ts'
import { Generator } from './nexmark/generator.ts'

export interface SteadyTask {
  readonly folder: string
  readonly sql: string
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly eventsPerSecond: number
  readonly snapshotBytes: number
  readonly seed: number
}

export interface SteadyAnswer {
  readonly took: Took
  readonly events: number
  /** From handing a tick to the engine's thread until its changes are back, waiting for what it was at included. */
  readonly tickMs: readonly number[]
  readonly durableMs: readonly number[]
  readonly visibleMs: readonly number[]
  /** How long the engine was held up by each slice of a capture, by what begins one, and by taking over new files. */
  readonly sliceMs: readonly number[]
  readonly beginMs: readonly number[]
  /** The same two with their turn, from being asked until they were answered. */
  readonly beginTurnMs: readonly number[]
  readonly adoptTurnMs: readonly number[]
  readonly adoptMs: readonly number[]
  readonly snapshots: number
  readonly merges: number
  readonly mergedBytes: number
  readonly stateBytes: number
  readonly viewBytes: number
  /** How long the thread of log and views was held up: longest, 99.9th, and by its garbage collector at most. */
  readonly loopMs: { readonly longest: number; readonly p999: number; readonly garbage: number }
}

/** An append every so many milliseconds. */
const everyMs = 10

/** Times that are noted only once the program has warmed up. */
class Times {
  readonly tick: number[] = []
  readonly slice: number[] = []
  readonly begin: number[] = []
  readonly adopt: number[] = []
  readonly beginTurn: number[] = []
  readonly adoptTurn: number[] = []
  snapshots = 0
  merges = 0
  mergedBytes = 0
  noted = false

  note(of: 'tick' | 'slice' | 'begin' | 'adopt' | 'beginTurn' | 'adoptTurn', ms: number): void {
    if (this.noted) this[of].push(ms)
  }
}

/** Node's world, with a watch on what goes to the threads and comes back. */
function watched(io: Io, times: Times): Io {
  const start: Io['threads']['start'] = (entry, onMessage, onFailure) => {
    if (entry === 'keeper') {
      return io.threads.start(
        entry,
        (message) => {
          noteKeeper(message as KeeperReply, times)
          onMessage(message)
        },
        onFailure,
      )
    }
    const sent: number[] = []
    const port = io.threads.start(
      entry,
      (message) => {
        noteEngine(message as EngineReply, performance.now() - (sent.shift() ?? performance.now()), times)
        onMessage(message)
      },
      onFailure,
    )
    return {
      post(message, transfer) {
        // A start is not answered.
        if ((message as { kind: string }).kind !== 'start') sent.push(performance.now())
        port.post(message, transfer)
      },
      stop: () => port.stop(),
    }
  }
  return { ...io, threads: { start } }
}

function noteEngine(reply: EngineReply, ms: number, times: Times): void {
  if (reply.kind === 'tick') times.note('tick', ms)
  else if (reply.kind === 'captured') times.note('slice', reply.ms)
  else if (reply.kind === 'status' && reply.ms !== undefined) {
    times.note('begin', reply.ms)
    times.note('beginTurn', ms)
  } else if (reply.kind === 'adopted') {
    times.note('adopt', reply.ms)
    times.note('adoptTurn', ms)
  }
}

function noteKeeper(reply: KeeperReply, times: Times): void {
  if (!times.noted) return
  if (reply.kind === 'merged') {
    times.merges++
    // The newest file is the merged one, unless a snapshot came meanwhile: then it is counted as that.
    times.mergedBytes += reply.manifest.files.at(-1)?.bytes ?? 0
  }
}

async function steady(task: SteadyTask): Promise<SteadyAnswer> {
  const { Database } = await load<typeof import('../src/database.ts')>('database')
  const { sqlDefinition } = await load<typeof import('../src/engine/definitions.ts')>('engine/definitions')
  const { nodeIo } = await load<typeof import('../src/io/node.ts')>('io/node')
  rmSync(task.folder, { recursive: true, force: true })
  const times = new Times()
  const io = watched(nodeIo(), times)
  const snapshots = { everyBytes: task.snapshotBytes }
  const db = await Database.open({ io, definition: sqlDefinition(task.sql), data: task.folder, snapshots })
  const ids = new Map(db.catalog().topics.map(({ name, id }) => [name, id]))
  const generator = new Generator({ seed: task.seed, rate: task.eventsPerSecond, texts: true })
  const blocks = await blockWriter()
  const durableMs: number[] = []
  const visibleMs: number[] = []
  const loop = monitorEventLoopDelay({ resolution: 1 })
  let garbage = 0
  const collector = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) if (times.noted) garbage = Math.max(garbage, duration)
  })
  collector.observe({ entryTypes: ['gc'] })
  const underWay = new Set<Promise<void>>()
  const append = async (due: number, noted: boolean): Promise<void> => {
    const made = blocks(generator).map((block) => ({ ...block, topic: ids.get(block.topic)! }))
    const { tick } = await db.append({ blocks: made })
    const durable = performance.now() - due
    await db.waitForTick(tick, 600_000)
    if (!noted) return
    durableMs.push(durable)
    visibleMs.push(performance.now() - due)
  }
  const feed = async (seconds: number, noted: boolean): Promise<void> => {
    const begin = performance.now()
    const chunk = Math.round((task.eventsPerSecond * everyMs) / 1000)
    for (let n = 0; n < (seconds * 1000) / everyMs; n++) {
      // Timed from when it was due: who is late does not look better for it.
      const due = begin + n * everyMs
      const wait = due - performance.now()
      if (wait > 0) await sleep(wait)
      generator.next(chunk)
      const one: Promise<void> = append(Math.min(due, performance.now()), noted).finally(() => underWay.delete(one))
      underWay.add(one)
    }
    await Promise.all(underWay)
  }
  await feed(task.warmUpSeconds, false)
  times.noted = true
  loop.enable()
  const events = generator.events
  const time = await took(() => feed(task.seconds, true))
  loop.disable()
  times.noted = false
  collector.disconnect()
  const { stateBytes, viewBytes, failure } = db.status()
  if (failure !== null) throw failure
  await db.close()
  return {
    took: time,
    events: generator.events - events,
    tickMs: times.tick,
    durableMs,
    visibleMs,
    sliceMs: times.slice,
    beginMs: times.begin,
    adoptMs: times.adopt,
    beginTurnMs: times.beginTurn,
    adoptTurnMs: times.adoptTurn,
    snapshots: times.begin.length,
    merges: times.merges,
    mergedBytes: times.mergedBytes,
    stateBytes,
    viewBytes,
    loopMs: { longest: loop.max / 1e6, p999: loop.percentile(99.9) / 1e6, garbage },
  }
}

await answerParent(steady)
