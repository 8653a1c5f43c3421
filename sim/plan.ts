// What a simulation will do and suffer, as data: made from a seed, printed when it fails, cut down by the shrinker.
import { Prng } from '../src/io/twin/prng.ts'
import { type Retention, type ViewName, viewNames } from './app.ts'

export interface LifePlan {
  /** What each client does in this life, at most. */
  readonly operations: number
  /** How it ends: the machine stops, only the program is killed, or it is closed as it should be. */
  readonly end: 'crash' | 'kill' | 'close'
  /** When: at this write boundary, after so many milliseconds, or when all clients are done. */
  readonly at: { readonly boundary: number } | { readonly ms: number } | null
  /** This sync fails, counted from the start of the life. */
  readonly failSync: number | null
  /** Bytes that are free on the disk at first; after a while there is room again. */
  readonly freeBytes: number | null
  readonly slowness: number
  /** So far is the wall clock off in this life; negative: behind. */
  readonly clockMs: number
  /** One bit below the durable mark turns before the next life: chosen by this number. */
  readonly flip: number | null
  /** A file of the snapshots is damaged, in the middle of this life or before the next one, and stays so. */
  readonly damage: number | null
  /** After so many milliseconds the app gets another view, while all goes on. */
  readonly redefineMs: number | null
  /** Every so many milliseconds the table is compacted, behind the program's back: only without snapshots. */
  readonly trimMs: number | null
  /** Before the next life all snapshots are removed; the base is no part of them. */
  readonly loseSnapshots: boolean
  /** Before the next life copies of the disk are verified, damaged, and opened. */
  readonly probe: number | null
}

export interface SimulationPlan {
  readonly seed: number
  readonly engine: 'inline' | 'worker'
  /** The engine rebuilds all its state after every tick (inline only). */
  readonly reopen: boolean
  /** Small journal files, so that files end and begin all the time. */
  readonly smallFiles: boolean
  /** A snapshot after so many bytes of log; null: none ever. */
  readonly snapshotBytes: number | null
  /** The engine forgets what is in a snapshot beyond so many bytes; null: never. */
  readonly stateBytes: number | null
  readonly views: readonly ViewName[]
  /** What the topics keep; null: they don't say, and nothing goes. */
  readonly retention: Retention | null
  /** What they keep from the second life on, where that is something else. */
  readonly laterRetention: Retention | null
  /** Views that the app got in the middle of a life stay; else the next life begins without them. */
  readonly keepViews: boolean
  readonly clients: number
  readonly subscribers: number
  /** Who follows topics; absent: nobody. */
  readonly readers?: number
  /** Lives of the program over one disk. A last one without faults follows them. */
  readonly lives: readonly LifePlan[]
}

export const quietLife: LifePlan = {
  operations: 3,
  end: 'close',
  at: null,
  failSync: null,
  freeBytes: null,
  slowness: 1,
  clockMs: 0,
  flip: null,
  damage: null,
  redefineMs: null,
  trimMs: null,
  loseSnapshots: false,
  probe: null,
}

/** Few views make a life short. Few sets of them make plans that can be used again. */
const viewSets: readonly (readonly ViewName[])[] = [
  ['per_item', 'rich_items'],
  ['owned', 'per_owner'],
  ['best', 'late'],
  ['richest', 'big'],
  ['per_window', 'per_window_final'],
  ['recent', 'per_item'],
  ['per_window_final', 'late', 'owned'],
  ['per_owner', 'richest', 'big'],
  ['parts', 'per_item'],
]

export function planOf(seed: number): SimulationPlan {
  const prng = new Prng(seed * 2 + 1)
  const engine = prng.chance(0.6) ? 'worker' : 'inline'
  const plan: SimulationPlan = {
    seed,
    engine,
    reopen: engine === 'inline' && prng.chance(0.08),
    smallFiles: prng.chance(0.9),
    snapshotBytes: prng.chance(0.75) ? 1 << (7 + prng.below(7)) : null,
    stateBytes: prng.chance(0.4) ? prng.below(20_000) : null,
    views: prng.chance(0.1) ? viewNames : viewSets[prng.below(viewSets.length)],
    clients: 1 + prng.below(4),
    subscribers: prng.below(4),
    retention: null,
    laterRetention: null,
    keepViews: prng.chance(0.5),
    lives: Array.from({ length: 1 + prng.below(4) }, () => lifeOf(prng)),
  }
  if (plan.snapshotBytes === null) return prng.chance(0.7) ? withTrims(plan) : plan
  return prng.chance(0.5) ? withRetention(plan) : plan
}

const retentions: readonly Retention[] = [
  { bid: '0 MiB', account: '0 seconds' },
  { bid: '2 seconds', account: null },
  { bid: '1 kB', account: '1 second' },
  { bid: '4 seconds, 2 kB', account: '3 seconds' },
  { bid: null, account: '0 seconds' },
]

/** What topics keep in a life of a plan. */
export function retentionIn({ retention, laterRetention }: SimulationPlan, life: number): Retention | null {
  return life > 1 && laterRetention !== null ? laterRetention : retention
}

/** The same, with readers that follow topics. Plans of old go on as they were. */
export function withReaders(plan: SimulationPlan): SimulationPlan {
  return { ...plan, readers: 2 + (plan.seed % 2) }
}

/** The same, with topics that keep little: events go again and again, and bases stand for them. */
export function withRetention(plan: SimulationPlan): SimulationPlan {
  const { seed, snapshotBytes } = plan
  const lives = plan.lives.map((life, i) => ({
    ...life,
    trimMs: null,
    operations: life.operations + 6,
    loseSnapshots: (seed + i) % 3 === 0,
    redefineMs: life.redefineMs ?? ((seed * 7 + i) % 2 === 0 ? 300 + ((seed * 37 + i * 311) % 2500) : null),
  }))
  const retention = retentions[seed % retentions.length]
  const laterRetention = seed % 4 === 0 ? retentions[(seed + 1 + (seed % 3)) % retentions.length] : null
  return {
    ...plan,
    retention,
    laterRetention,
    smallFiles: true,
    snapshotBytes: Math.min(snapshotBytes ?? 2048, 2048),
    lives,
  }
}

/** The same, with the table compacted again and again. */
export function withTrims(plan: SimulationPlan): SimulationPlan {
  const lives = plan.lives.map((life, i) => ({ ...life, trimMs: 100 + ((plan.seed * 37 + i * 311) % 1200) }))
  return {
    ...plan,
    retention: null,
    laterRetention: null,
    snapshotBytes: null,
    stateBytes: null,
    smallFiles: true,
    lives,
  }
}

function lifeOf(prng: Prng): LifePlan {
  const end = prng.chance(0.5) ? 'crash' : prng.chance(0.6) ? 'kill' : 'close'
  const when = prng.below(10)
  const at = when < 7 ? { boundary: 1 + prng.below(90) } : when < 9 ? { ms: prng.below(2500) } : null
  return {
    operations: 2 + prng.below(12),
    end,
    at: end === 'close' && at !== null && 'boundary' in at ? null : at,
    failSync: prng.chance(0.2) ? 1 + prng.below(20) : null,
    freeBytes: prng.chance(0.15) ? prng.below(24_000) : null,
    slowness: prng.chance(0.2) ? 1 + prng.below(200) : 1,
    clockMs: prng.chance(0.2) ? prng.below(60_000) - 50_000 : 0,
    flip: prng.chance(0.15) ? prng.uint32() : null,
    damage: prng.chance(0.2) ? prng.uint32() : null,
    probe: prng.chance(0.25) ? prng.uint32() : null,
    redefineMs: prng.chance(0.1) ? prng.below(1500) : null,
    trimMs: null,
    loseSnapshots: false,
  }
}

/** Simpler plans, the greatest steps first. */
export function* simplerPlans(plan: SimulationPlan): Iterable<SimulationPlan> {
  const { lives } = plan
  const withLife = (i: number, change: Partial<LifePlan>): SimulationPlan => ({
    ...plan,
    lives: lives.map((life, k) => (k === i ? { ...life, ...change } : life)),
  })
  for (let i = 0; i < lives.length; i++) yield { ...plan, lives: lives.filter((_, k) => k !== i) }
  if (plan.views.length > 2) for (const views of viewSets) yield { ...plan, views }
  for (const clients of smaller(plan.clients, 1)) yield { ...plan, clients }
  for (const subscribers of smaller(plan.subscribers, 0)) yield { ...plan, subscribers }
  for (const readers of smaller(plan.readers ?? 0, 0)) yield { ...plan, readers }
  for (let i = 0; i < lives.length; i++) {
    const life = lives[i]
    if (life.flip !== null) yield withLife(i, { flip: null })
    if (life.damage !== null) yield withLife(i, { damage: null })
    if (life.redefineMs !== null) yield withLife(i, { redefineMs: null })
    if (life.trimMs !== null) yield withLife(i, { trimMs: null })
    if (life.loseSnapshots) yield withLife(i, { loseSnapshots: false })
    if (life.probe !== null) yield withLife(i, { probe: null })
    if (life.freeBytes !== null) yield withLife(i, { freeBytes: null })
    if (life.failSync !== null) yield withLife(i, { failSync: null })
    if (life.slowness !== 1) yield withLife(i, { slowness: 1 })
    if (life.clockMs !== 0) yield withLife(i, { clockMs: 0 })
    if (life.end !== 'close') yield withLife(i, { end: 'close', at: null })
    for (const operations of smaller(life.operations, 0)) yield withLife(i, { operations })
  }
  if (plan.stateBytes !== null) yield { ...plan, stateBytes: null }
  if (plan.laterRetention !== null) yield { ...plan, laterRetention: null }
  if (plan.retention !== null) yield { ...plan, retention: null, laterRetention: null }
  if (plan.retention?.account) yield { ...plan, retention: { ...plan.retention, account: null } }
  if (plan.keepViews) yield { ...plan, keepViews: false }
  if (plan.snapshotBytes !== null) yield { ...plan, retention: null, laterRetention: null, snapshotBytes: null }
  if (plan.reopen) yield { ...plan, reopen: false }
  if (plan.engine === 'worker') yield { ...plan, engine: 'inline' }
  if (!plan.smallFiles) yield { ...plan, smallFiles: true }
}

function smaller(n: number, least: number): number[] {
  return [...new Set([least, n >> 1, n - 1])].filter((one) => one >= least && one < n)
}

/** A plan's only life, stopped at each of its write boundaries: by a crash and by a kill. */
export function* everyBoundary(plan: SimulationPlan, boundaries: number): Iterable<SimulationPlan> {
  for (let boundary = 1; boundary <= boundaries; boundary++) {
    for (const end of ['crash', 'kill'] as const) {
      yield { ...plan, lives: plan.lives.map((life) => ({ ...life, end, at: { boundary } })) }
    }
  }
}
