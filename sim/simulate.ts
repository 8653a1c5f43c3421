import { Database } from '../src/database.ts'
import { engineThread } from '../src/engine/thread.ts'
import { type Io, IoError } from '../src/io/io.ts'
import type { DiskPlan } from '../src/io/twin/crash-disk.ts'
import { Prng } from '../src/io/twin/prng.ts'
import { type SimulatedIo, type SimulationOptions, simulatedIo } from '../src/io/twin/simulated-io.ts'
import { openFileLog } from '../src/log/file-log.ts'
import type { Log, LogOptions } from '../src/log/log.ts'
import { loadParser } from '../src/sql/parse.ts'
import { keeperThread } from '../src/state/snapshots/keeper-thread.ts'
import { addedTo, type ViewName } from './app.ts'
import { BetweenLives, type Counts, noCounts } from './between-lives.ts'
import { Client } from './client.ts'
import { compact } from './compact.ts'
import { History, Violation } from './history.ts'
import { codeOf, Life } from './life.ts'
import { type LifePlan, quietLife, retentionIn, type SimulationPlan } from './plan.ts'
import type { Planted } from './planted.ts'
import { undoPlanted } from './planted-state.ts'
import { basesOf, definitionOf, folder, logOf } from './program.ts'
import { Starts } from './retention.ts'
import { Subscriber } from './subscriber.ts'
import { TopicReader } from './topic-reader.ts'
import { Trace } from './trace.ts'
import { watchedLog } from './watched-log.ts'

/** After so long a full disk has room again. */
const roomAfterMs = 3000
/** Files are damaged within so long. */
const damageWithinMs = 2000
const longestMs = 3_600_000

export interface Outcome {
  readonly failure: Error | null
  readonly trace: Trace
  readonly counts: Counts
  /** Write boundaries of each life. */
  readonly boundaries: readonly number[]
  /** The history, for an oracle. */
  readonly simulation: Simulation
}

/** Runs a plan from its first life to the last check. The same plan gives the same run. */
export async function simulate(plan: SimulationPlan, planted: Planted | null = null): Promise<Outcome> {
  await loadParser()
  const simulation = new Simulation(plan, planted)
  let failure: Error | null = null
  try {
    await simulation.run()
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error))
    simulation.trace.add(`failed: ${failure.message}`)
  }
  simulation.end()
  undoPlanted()
  const { trace, counts, boundaries } = simulation
  return { failure, trace, counts, boundaries, simulation }
}

export class Simulation {
  readonly plan: SimulationPlan
  readonly trace = new Trace()
  readonly history = new History()
  readonly boundaries: number[] = []
  readonly counts: Counts = noCounts()
  readonly #planted: Planted | null
  readonly #clients: readonly Client[]
  readonly #subscribers: readonly Subscriber[]
  readonly #readers: readonly TopicReader[]
  readonly #followers: readonly (Subscriber | TopicReader)[]
  readonly #between: BetweenLives
  #io: SimulatedIo
  readonly #starts: Starts
  /** What the app has by now. */
  #views: readonly ViewName[]
  readonly #bases = new Set<number>()
  /** What stood for events that are gone was damaged, and that was named: there is nothing to go on with. */
  #lost = false

  constructor(plan: SimulationPlan, planted: Planted | null) {
    const { seed, clients, subscribers, views } = plan
    this.plan = plan
    this.#planted = planted
    this.#views = views
    this.#starts = new Starts(views)
    this.#clients = Array.from({ length: clients }, (_, i) => new Client(i + 1, plan, this.history))
    this.#subscribers = Array.from({ length: subscribers }, (_, i) => new Subscriber(i + 1, seed, views, this.history))
    this.#readers = Array.from({ length: plan.readers ?? 0 }, (_, i) => new TopicReader(i + 1, seed, this.history))
    this.#followers = [...this.#subscribers, ...this.#readers]
    this.#between = new BetweenLives(plan, () => this.#views, this.history, this.trace, this.counts)
    this.#io = simulatedIo(seed, this.#machine(plan.lives[0] ?? quietLife))
  }

  async run(): Promise<void> {
    const { lives, seed } = this.plan
    for (const [i, life] of lives.entries()) {
      await this.#life(i + 1, life)
      this.#next(life, lives[i + 1] ?? quietLife)
      if (life.flip !== null) await this.#between.flip(this.#io, i + 1, life.flip)
      if (life.damage !== null && life.damage % 2 === 0) this.#damage(i + 1, life.damage)
      if (life.probe !== null) await this.#probe(i + 1, life.probe)
      if (life.loseSnapshots) this.#between.loseSnapshots(this.#io, i + 1)
    }
    await this.#life(lives.length + 1, quietLife)
    this.#next(quietLife, quietLife)
    if (lives.some(({ probe }) => probe !== null)) await this.#probe(lives.length + 1, seed)
    // What a clean close left behind.
    await this.#life(lives.length + 2, { ...quietLife, operations: 0 })
    this.counts.appends = this.history.tried.length
    this.counts.bases = this.#bases.size
  }

  /** Nothing is left to look at where the base was found damaged. */
  async #probe(number: number, choice: number): Promise<void> {
    if (this.#lost) return
    await this.#namedOrThrown(() => this.#between.probe(this.#io, number, choice))
  }

  /** Runs work that may meet a damaged base: it must be refused by name, unless something is whole that has as much. */
  async #namedOrThrown(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      const { damaged, trims } = this.history
      if (codeOf(error) !== 'log/corrupt' || !damaged || trims.tried === 0) throw error
      this.trace.add(`the base is lost: ${(error as Error).message}`)
      this.#io.crash()
      const whole = await this.#between.wholeState(this.#io)
      if (whole !== null) {
        throw new Violation('what is whole is used', `${whole} is whole, but: ${(error as Error).message}`)
      }
      this.counts.basesNamed++
      this.#lost = true
    }
  }

  end(): void {
    this.#io.crash()
  }

  #machine(life: LifePlan): SimulationOptions {
    const disk: DiskPlan = {
      ...(life.at !== null && 'boundary' in life.at ? { crashAt: life.at.boundary } : {}),
      ...(life.failSync === null ? {} : { failSyncs: [life.failSync] }),
      slowness: life.slowness,
    }
    const engine = this.#planted?.engine?.(engineThread) ?? engineThread
    const keeper = this.#planted?.keeper?.(keeperThread) ?? keeperThread
    return { disk, threads: { engine, keeper }, idle: 'advance' }
  }

  #next(ended: LifePlan, next: LifePlan): void {
    this.boundaries.push(this.#io.disk.boundaries)
    for (const tick of basesOf(this.#io.disk)) this.#bases.add(tick)
    const options = this.#machine(next)
    if (ended.end === 'crash') this.counts.crashes++
    if (ended.end === 'kill') this.counts.kills++
    this.trace.add(`${ended.end} after ${this.#io.disk.boundaries} boundaries`)
    for (const follower of this.#followers) follower.stop()
    this.#io = ended.end === 'crash' ? this.#io.restart(options) : this.#io.rerun(options)
  }

  #damage(number: number, choice: number): void {
    if (this.#between.damageState(this.#io, number, choice)) this.history.damaged = true
  }

  /** Runs one life to its end, whichever comes first. */
  async #life(number: number, plan: LifePlan): Promise<void> {
    if (this.#lost) return
    await this.#namedOrThrown(() => this.#liveOn(number, plan))
  }

  async #liveOn(number: number, plan: LifePlan): Promise<void> {
    const io = this.#io
    const hanging = new Promise<never>((_, reject) => {
      io.clock.after(longestMs, () => reject(new Violation('nothing hangs', `life ${number} does not end`)))
    })
    const { at, end } = plan
    if (end !== 'close' && at !== null && 'ms' in at) io.clock.after(at.ms, () => io.crash())
    const { damage } = plan
    if (damage !== null && damage % 2 === 1) io.clock.after(damage % damageWithinMs, () => this.#damage(number, damage))
    await Promise.race([this.#work(number, plan, io), io.crashed, hanging, this.history.broken])
  }

  async #work(number: number, plan: LifePlan, io: SimulatedIo): Promise<void> {
    const life = await this.#open(number, plan, io)
    if (life === null) return
    await this.#check(life)
    const following = this.#followers.map((follower) => follower.live(life))
    const working = Promise.all([
      ...this.#clients.map((client) => client.live(life)),
      this.#redefine(life),
      compact(life, this.#subscribers, this.counts),
    ])
    // A subscriber that ends early ends nothing; one that fails does.
    const followed = Promise.all(following).then(() => new Promise<never>(() => {}))
    const { end, at } = plan
    const closesEarly = end === 'close' && at !== null && 'ms' in at
    await Promise.race([working, followed, ...(closesEarly ? [life.sleep(at.ms)] : [])])
    if (!closesEarly && !life.poisoned) await Promise.race([this.#settle(life), followed])
    if (life.poisoned) this.counts.poisoned++
    if (end !== 'close') {
      io.crash()
      return
    }
    life.closing = true
    for (const follower of this.#followers) follower.stop()
    await life.within('closing', life.database.close())
    await life.within('clients end', working)
    await life.within('subscribers end', Promise.all(following))
    life.trace('program', 'closed')
  }

  /** The app gets one more view, if the plan says so. */
  async #redefine(life: Life): Promise<void> {
    const { redefineMs, failSync } = life.plan
    if (redefineMs === null) return
    const added = addedTo(life.views, this.plan.seed + life.number)
    if (added === undefined) return
    await life.sleep(redefineMs)
    if (life.over) return
    const views = [...life.views, added]
    this.#starts.asks(added, this.history)
    // Whatever becomes of it, the next life has it.
    if (this.plan.keepViews) this.#views = views
    try {
      await life.within(
        'another view is defined',
        life.database.redefine(definitionOf(views, retentionIn(this.plan, life.number))),
      )
      life.views = views
      this.counts.redefined++
      this.counts.begunBehind += this.#starts.check(life.database.catalog().views, this.history)
      life.trace('the app', `has ${added}, too, from ${life.startOf(added)} on`)
    } catch (error) {
      const code = codeOf(error)
      life.trace('the app', `${added} is refused: ${code}`)
      const explained =
        failSync !== null ||
        (code === 'log/closed' && life.closing) ||
        (life.full && (code === 'log/full' || code === 'state/snapshot'))
      if (!explained) throw error
    }
  }

  /** @returns null where the plan explains why it can't be opened */
  async #open(number: number, plan: LifePlan, io: SimulatedIo): Promise<Life | null> {
    const small = plan.freeBytes !== null
    if (plan.freeBytes !== null) {
      io.disk.plan = { ...io.disk.plan, capacityBytes: io.disk.usedBytes + plan.freeBytes }
      this.counts.full++
    }
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#openOnce(number, plan, io, small && attempt === 1)
      } catch (error) {
        const code = codeOf(error)
        this.trace.add(`${number} open: ${code} ${error instanceof Error ? error.message : ''}`)
        const syncFailed = plan.failSync !== null && io.disk.syncs >= plan.failSync
        const named = code === 'log/poisoned' || code === 'state/snapshot'
        if (syncFailed && (named || error instanceof IoError)) return null
        if (attempt > 1 || !small || (code !== 'log/full' && code !== 'state/snapshot')) throw error
      }
      makeRoom(io)
    }
  }

  async #openOnce(number: number, plan: LifePlan, io: SimulatedIo, small: boolean): Promise<Life> {
    let opened: Log | null = null
    let passedOver = false
    const { history, trace } = this
    const views = this.#views
    for (const view of views) this.#starts.asks(view, history)
    const basesBefore = basesOf(io.disk)
    const onlyBase = basesBefore.length > 0 && !io.disk.paths.some((path) => /\/snapshot-\d+\.json$/.test(path))
    const database = await Database.open({
      io: withClock(this.#planted?.io?.(io) ?? io, plan.clockMs),
      definition: definitionOf(views, retentionIn(this.plan, number)),
      data: folder,
      engine: this.plan.engine,
      reopen: this.plan.reopen,
      memoryBytes: 64 << 20,
      snapshots: this.plan.snapshotBytes === null ? false : { everyBytes: this.plan.snapshotBytes, closeBytes: 1 },
      ...(this.plan.stateBytes === null ? {} : { stateBytes: this.plan.stateBytes }),
      onNotice: (line) => {
        trace.add(`${number} notice: ${line}`)
        passedOver ||= this.#noticed(line, plan)
      },
      openLog: async (given, path, options) => {
        opened = await this.#openLog(number, io, given, path, options)
        return opened
      },
    })
    const life = new Life(number, plan, {
      views,
      live: this.#planted?.live ?? null,
      events: this.#planted?.events ?? null,
      io,
      database,
      log: opened!,
      history,
      trace,
    })
    this.counts.begunBehind += this.#starts.check(database.catalog().views, history)
    if (onlyBase && history.trims.tried > 0) this.counts.fromBase++
    const restored = !passedOver && (await io.disk.list(`${folder}/state`)).some((name) => name.endsWith('.json'))
    if (restored) this.counts.restored++
    life.trace('program', `opened at tick ${database.status().tick}`)
    if (small) {
      life.full = true
      io.clock.after(roomAfterMs, () => makeRoom(io))
    }
    return life
  }

  async #openLog(number: number, io: SimulatedIo, given: Io, path: string, options: LogOptions): Promise<Log> {
    await this.#planted?.recovery?.(io.disk, path)
    const log = await openFileLog(given, path, { ...options, ...logOf(this.plan) })
    const prng = new Prng(this.plan.seed * 31 + number)
    const context = { life: number, prng, clock: given.clock }
    return watchedLog(this.#planted?.log?.(log, context) ?? log, this.history, this.plan)
  }

  /** @returns whether a snapshot was passed over */
  #noticed(line: string, plan: LifePlan): boolean {
    // One for definitions that were not taken over is of no use to those that stayed.
    const redefined = this.plan.lives.some(({ redefineMs }) => redefineMs !== null)
    const others = / of other definitions/.test(line) && redefined
    const fault = !/passed over/.test(line) && (plan.failSync ?? plan.freeBytes) !== null
    const begins = / begins with what is left: /.test(line) && this.history.trims.tried > 0
    const older = /events after it are gone/.test(line) && this.history.trims.tried > 0
    const explained = this.history.damaged || others || fault || begins || older
    if (!explained) this.history.tell(new Violation('snapshots that nobody damaged are whole', line))
    const passed = / passed over/.test(line)
    if (passed) this.counts.passedOver++
    if (/made from the log again/.test(line)) this.counts.mended++
    return passed
  }

  /** All that the log and the views owe, right after the start and once everything is quiet. */
  async #check(life: Life): Promise<void> {
    const newest = await life.read('the check')
    // What was told of a tick in an earlier life is told again.
    const past = Math.ceil((newest * (1 + (life.number % 3))) / 4)
    if (past > 0) await life.replayPast('the check', life.views, past, false, this.plan.views)
    const { content, tick } = await life.content()
    this.history.check(content, tick)
    this.counts.eventsGone = life.gone
    for (const base of life.bases()) this.#bases.add(base)
    life.trace('the check', `tick ${tick}, ${content.bid.length} bids, ${content.account.length} accounts`)
  }

  /** When all is done, whoever follows a view has it. */
  async #settle(life: Life): Promise<void> {
    life.settling = true
    for (let round = 0; ; round++) {
      await life.sleep(1000)
      if (life.poisoned) return
      const before = life.log.position().tick
      try {
        await life.read('the end', undefined, before)
      } catch (error) {
        if (!life.poisoned) throw error
        return
      }
      const idle = this.#followers.every(({ waiting }) => waiting)
      if (idle && life.database.status().tick === before) break
      if (round > 100) throw new Violation('nothing hangs', 'subscribers never have all')
    }
    for (const subscriber of this.#subscribers) {
      const { tick } = life.database.status()
      const rows = subscriber.texts()
      this.history.observe({ who: `${subscriber.name}, at rest`, view: subscriber.view, tick, rows })
    }
    const { content, tick } = await life.content()
    this.history.check(content, tick)
    for (const reader of this.#readers) reader.check(content)
  }
}

/** The same machine with a wall clock that is off. */
function withClock(io: Io, offMs: number): Io {
  if (offMs === 0) return io
  const { clock } = io
  const off = BigInt(offMs) * 1000n
  return {
    ...io,
    clock: {
      nowMicros: () => clock.nowMicros() + off,
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs, task) => clock.after(delayMs, task),
    },
  }
}

function makeRoom(io: SimulatedIo): void {
  const { capacityBytes: _, ...roomy } = io.disk.plan
  io.disk.plan = roomy
}
