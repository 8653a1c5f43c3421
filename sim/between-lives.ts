// What happens to the disk between two lives, and what is tried on copies of it, which no life feels.

import { checkSnapshot } from '../src/database/verify/check-snapshot.ts'
import { verifyData } from '../src/database/verify/verify.ts'
import { Database } from '../src/database.ts'
import { engineThread } from '../src/engine/thread.ts'
import { Prng } from '../src/io/twin/prng.ts'
import type { SimulatedIo } from '../src/io/twin/simulated-io.ts'
import { openFileLog } from '../src/log/file-log.ts'
import type { Log } from '../src/log/log.ts'
import { restoreBackup } from '../src/log/restore.ts'
import { keeperThread } from '../src/state/snapshots/keeper-thread.ts'
import { baseNames, readSnapshot } from '../src/state/snapshots/manifest.ts'
import { isDamage } from '../src/views/view-files.ts'
import type { ViewName } from './app.ts'
import { damageOf, durableFlip, mustBeSeen } from './damage.ts'
import { type Backup, History, type LogContent, Violation } from './history.ts'
import { codeOf, Life } from './life.ts'
import { quietLife, type SimulationPlan } from './plan.ts'
import { definitionOf, folder, logOf } from './program.ts'
import type { Trace } from './trace.ts'
import { Trims } from './trims.ts'
import { watchedLog } from './watched-log.ts'

/** How often each thing happened. */
export interface Counts {
  appends: number
  crashes: number
  kills: number
  poisoned: number
  full: number
  /** Bits that a log had to see. */
  flipped: number
  /** Lives that began with a snapshot. */
  restored: number
  /** Damages of snapshots, and how often one was met: passed over at a start, or mended at work. */
  damagedStates: number
  passedOver: number
  mended: number
  redefined: number
  trimmed: number
  /** Bases that were seen, events that are gone at the end, and starts with nothing but a base. */
  bases: number
  eventsGone: number
  fromBase: number
  /** Views that begin behind what is gone. */
  begunBehind: number
  /** Bases that were damaged, and named. */
  basesNamed: number
  verified: number
  backups: number
  /** Damages of copies: named, without effect, and taken for a torn tail. */
  named: number
  harmless: number
  shortened: number
}

export function noCounts(): Counts {
  const log = { appends: 0, crashes: 0, kills: 0, poisoned: 0, full: 0, flipped: 0 }
  const state = { restored: 0, damagedStates: 0, passedOver: 0, mended: 0 }
  const gone = { trimmed: 0, bases: 0, eventsGone: 0, fromBase: 0, begunBehind: 0, basesNamed: 0 }
  return { ...log, ...state, redefined: 0, ...gone, verified: 0, backups: 0, named: 0, harmless: 0, shortened: 0 }
}

/** What a log and its views were found to be. */
interface Found {
  readonly content: LogContent
  readonly tick: number
  readonly timeMicros: bigint
  readonly seen: History
}

/** Copies are opened by a program without mistakes. */
function copyOf(io: SimulatedIo): SimulatedIo {
  return io.copy({ threads: { engine: engineThread, keeper: keeperThread } })
}

const longestMs = 3_600_000
/** What a program may say of a log that is damaged. */
const names = ['log/corrupt', 'log/version']

export class BetweenLives {
  readonly #plan: SimulationPlan
  readonly #views: () => readonly ViewName[]
  readonly #history: History
  readonly #trace: Trace
  readonly #counts: Counts

  /** @param views what the app has by now */
  constructor(plan: SimulationPlan, views: () => readonly ViewName[], history: History, trace: Trace, counts: Counts) {
    this.#plan = plan
    this.#views = views
    this.#history = history
    this.#trace = trace
    this.#counts = counts
  }

  /** Turns a bit that was durable for certain: the program must refuse to start, and start again once it is mended. */
  async flip(io: SimulatedIo, number: number, choice: number): Promise<void> {
    const flip = await durableFlip(io.disk, `${folder}/log`, new Prng(choice))
    if (flip === null) return
    const copy = copyOf(io)
    copy.disk.flipBit(flip.path, flip.byte, flip.bit)
    this.#counts.flipped++
    const code = await openFileLog(copy, `${folder}/log`, { sealNow: () => false }).then(async (log) => {
      const code = await log.replay(() => {}).then(() => 'nothing', codeOf)
      await log.close()
      return code
    }, codeOf)
    copy.crash()
    this.#trace.add(`${number} bit ${flip.bit} of ${flip.path} ${flip.byte}: ${code}`)
    if (code !== 'log/corrupt' && code !== 'log/version') {
      throw new Violation('damage is refused by name', `${flip.path} byte ${flip.byte} bit ${flip.bit}: ${code}`)
    }
  }

  /** Damages files of the snapshots. @returns whether there were any */
  damageState(io: SimulatedIo, number: number, choice: number): boolean {
    const damage = damageOf(io.disk, new Prng(choice), (path) => path.startsWith(`${folder}/state/`))
    if (damage === null) return false
    damage.apply(io.disk)
    this.#counts.damagedStates++
    this.#trace.add(`${number} ${damage.what}`)
    return true
  }

  /** Takes away all snapshots, which are no part of what was promised. */
  loseSnapshots({ disk }: SimulatedIo, number: number): void {
    const lost = disk.paths.filter((path) => /\/state\/snapshot-\d+\.json$/.test(path))
    for (const path of lost) disk.forget(path)
    this.#trace.add(`${number} ${lost.length} snapshots are lost`)
  }

  /** The newest base, if it is whole: what shows only at work is mended from that alone. */
  async wholeState(io: SimulatedIo): Promise<string | null> {
    const { disk } = copyOf(io)
    const state = `${folder}/state`
    const names = await disk.list(state)
    for (const name of baseNames(names).slice(0, 1)) {
      try {
        const manifest = readSnapshot(disk, state, name, new Set(names))
        if (manifest.tick < this.#history.trims.tried) continue
        await checkSnapshot(disk, state, manifest, { due: false, pause: async () => {} })
        return `${name}`
      } catch (error) {
        if (!isDamage(error)) throw error
      }
    }
    return null
  }

  /**
   * Verifies the data, opens each backup that was told to be whole, and damages a copy: it must be named, or what is
   * left must be the log up to some event.
   */
  async probe(io: SimulatedIo, number: number, choice: number): Promise<void> {
    const prng = new Prng(choice)
    await this.#verify(io, number, prng.chance(0.5))
    const truth = await this.#open(copyOf(io), folder)
    for (const backup of this.#history.backups.splice(0)) await this.#openBackup(io, number, backup, truth)
    await this.#damageCopy(io, number, prng, truth)
  }

  async #verify(io: SimulatedIo, number: number, full: boolean): Promise<void> {
    const { damaged } = this.#history
    const copy = copyOf(io)
    const results = await verifyData({ io: copy, folder, full }).catch((error: unknown) => {
      if (codeOf(error) === 'usage' && this.#history.seenTick === 0) return []
      throw error
    })
    copy.crash()
    for (const { check, problem } of results) {
      if (problem === null || (damaged && check !== 'log')) continue
      // Before the first append there is nothing to verify.
      if (problem.code === 'usage' && this.#history.seenTick === 0) continue
      throw new Violation('verify finds all well', `${check}: ${problem.message}`)
    }
    this.#counts.verified++
    this.#trace.add(`${number} verified`)
  }

  async #openBackup(io: SimulatedIo, number: number, backup: Backup, truth: Found): Promise<void> {
    const copy = copyOf(io)
    await restoreBackup(copy.disk, backup.folder, 'restored')
    const { content, tick, timeMicros, seen } = await this.#open(copy, 'restored', backup.tick > 0)
    io.disk.forget(backup.folder)
    const told = `the backup of tick ${backup.tick} at ${backup.timeMicros}`
    // Views over views that hold what is gone are made anew from a base of before: that takes a tick.
    const given = this.#plan.retention !== null && tick === backup.tick + 1
    if (!given && (tick !== backup.tick || timeMicros !== backup.timeMicros)) {
      throw new Violation('a backup is of the tick that was told', `${told} is of tick ${tick} at ${timeMicros}`)
    }
    for (const topic of ['bid', 'account'] as const) {
      const wanted = truth.content[topic].filter((event) => event.tick <= backup.tick)
      if (JSON.stringify(wanted) !== JSON.stringify(content[topic])) {
        throw new Violation('a backup is the log up to its tick', `${told} has ${content[topic].length} of ${topic}`)
      }
    }
    this.#history.checkApart(content, seen)
    this.#counts.backups++
    this.#trace.add(`${number} backup of tick ${tick} is whole`)
  }

  async #damageCopy(io: SimulatedIo, number: number, prng: Prng, truth: Found): Promise<void> {
    const where = prng.chance(0.6) ? '/log/' : prng.chance(0.5) ? '/state/' : '/'
    const within = `${folder}${where}`
    const damage = damageOf(io.disk, prng, (path) => path.startsWith(within))
    if (damage === null) return
    const copy = copyOf(io)
    damage.apply(copy.disk)
    const damaged = copyOf(copy)
    const certain = damage.kind !== 'cut' && (await mustBeSeen(io.disk, copy.disk, `${folder}/log`))
    const outcome = await this.#open(copy, folder).catch(codeOf)
    this.#trace.add(`${number} on a copy ${damage.what}: ${typeof outcome === 'string' ? outcome : 'opens'}`)
    if (typeof outcome === 'string') {
      if (!names.includes(outcome)) throw new Violation('damage is refused by name', `${damage.what}: ${outcome}`)
      // What was damaged and not read yet may have become the base before it was met.
      const letGo = trimsOn(copy) !== trimsOn(damaged)
      const whole = where === '/state/' && !letGo ? await this.wholeState(damaged) : null
      if (whole !== null) throw new Violation('what is whole is used', `${damage.what}: ${whole} is whole`)
      this.#counts.named++
      return
    }
    if (certain) throw new Violation('damage is refused by name', `${damage.what}: nothing`)
    this.#history.checkApart(outcome.content, outcome.seen)
    let shorter = false
    for (const topic of ['bid', 'account'] as const) {
      const [is, was] = [outcome.content[topic], truth.content[topic]]
      shorter ||= is.length < was.length
      const wrong = is.find(({ text }, i) => text !== was[i]?.text)
      if (wrong !== undefined) throw new Violation('damage is never served', `${damage.what}: ${wrong.text}`)
    }
    if (shorter) this.#counts.shortened++
    else this.#counts.harmless++
  }

  /**
   * Opens a copy of the data without any fault, and looks at all of it.
   * @param asLogged with the definitions that the log holds: others would be a tick of their own
   */
  async #open(io: SimulatedIo, data: string, asLogged = false): Promise<Found> {
    const seen = new History(new Trims(this.#history.trims))
    let log: Log | null = null
    const hanging = new Promise<never>((_, reject) => {
      io.clock.after(longestMs, () => reject(new Violation('nothing hangs', `a copy of ${data} is never open`)))
    })
    const look = async (): Promise<Found> => {
      const { retention, stateBytes, snapshotBytes } = this.#plan
      const views = this.#views()
      const database = await Database.open({
        io,
        ...(asLogged ? {} : { definition: definitionOf(views, retention) }),
        data,
        engine: 'inline',
        memoryBytes: 64 << 20,
        snapshots: snapshotBytes === null ? false : { everyBytes: snapshotBytes },
        ...(stateBytes === null ? {} : { stateBytes }),
        openLog: async (given, path, options) => {
          log = watchedLog(await openFileLog(given, path, { ...options, ...logOf(this.#plan) }), seen, this.#plan)
          return log
        },
      })
      const trace = { add: () => {} }
      const life = new Life(0, quietLife, {
        views,
        live: null,
        events: null,
        io,
        database,
        log: log!,
        history: seen,
        trace,
      })
      const { timeMicros } = database.status()
      const tick = await life.read('who looks at a copy', viewsOf(database))
      const { content } = await life.content()
      return { content, tick, timeMicros, seen }
    }
    try {
      return await Promise.race([look(), hanging, seen.broken])
    } finally {
      io.crash()
    }
  }
}

/** Which decisions to throw something away lie on a disk. */
function trimsOn({ disk }: SimulatedIo): string {
  return disk.paths.filter((path) => path.endsWith('.trims')).join()
}

function viewsOf(database: Database): readonly ViewName[] {
  return database.catalog().views.map(({ name }) => name as ViewName)
}
