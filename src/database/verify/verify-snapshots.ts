import { MillraceError } from '../../data/errors.ts'
import { runnablePrograms } from '../../engine/definitions.ts'
import { defaultMemoryBytes } from '../../engine/host.ts'
import type { Io } from '../../io/io.ts'
import { ReadOnlyLog } from '../../log/read-only.ts'
import type { Program } from '../../plan/program.ts'
import { findBase } from '../../state/snapshots/base.ts'
import { baseName, manifestNames, readSnapshot } from '../../state/snapshots/manifest.ts'
import { isDamage } from '../../views/view-files.ts'
import { LogPast } from '../log-past.ts'
import { type About, checkEnd, meaningsOf, needsOf, refusalOf } from '../snapshots/snapshot-notes.ts'
import { type Compared, type NamedManifest, type ReplayPlace, SnapshotReplay } from './snapshot-replay.ts'
import type { CheckedData, DataCheck } from './verify.ts'

/** A sample is of so many views, and takes so long at most. */
const sampleViews = 4
const sampleMs = 30_000
/** Where a sample has more events to go through, it begins at the snapshot before, if there is one. */
const sampleEvents = 2_000_000

/**
 * Whether snapshots are what the log makes: the newest one and a sample of its views, or (full) each of them with all
 * its views, and what becomes of each up to the log's end.
 */
export const replayCheck: DataCheck = {
  name: 'replay',
  async run(data) {
    const { io, folder } = data
    const state = `${folder}/state`
    const names = await io.disk.list(state)
    if (manifestNames(names).length === 0) return null
    const log = await ReadOnlyLog.open(io, `${folder}/log`)
    if (log === null) return null
    try {
      await checkEnd(io.disk, state, { identity: log.identity, tick: log.end.tick })
      return await new SnapshotCheck(data, log, names).run()
    } finally {
      await log.close()
    }
  },
}

/** What is compared in one replay: snapshots that one program was at work for. */
interface Group {
  readonly program: Program
  /** Ascending. */
  readonly snapshots: NamedManifest[]
}

class SnapshotCheck {
  readonly #data: CheckedData
  readonly #log: ReadOnlyLog
  readonly #past: LogPast
  readonly #names: readonly string[]
  readonly #notes: string[] = []
  readonly #compared: Compared = { views: 0, rows: 0, differing: [] }
  #base: NamedManifest | null = null
  #snapshots = 0
  #from = 0

  constructor(data: CheckedData, log: ReadOnlyLog, names: readonly string[]) {
    this.#data = data
    this.#log = log
    this.#names = names
    this.#past = new LogPast(log)
  }

  get #folder(): string {
    return `${this.#data.folder}/state`
  }

  async run() {
    const { io, full } = this.#data
    const { base } = await findBase(io.disk, this.#folder)
    if (base !== null && (base.about as About).log === this.#log.identity) {
      this.#base = { name: baseName(base.tick), manifest: base }
      this.#past.marks = (base.about as About).base?.marks ?? []
    }
    for (const group of await this.#groups()) {
      if (full) await this.#all(group)
      else {
        await this.#sample(group)
        break
      }
    }
    const { views, rows, differing } = this.#compared
    const facts = { snapshots: this.#snapshots, views, rows, from_tick: this.#from }
    return { facts, notes: this.#notes, differing }
  }

  /** Snapshots by the program that they are of, that of the newest first. */
  async #groups(): Promise<readonly Group[]> {
    const { disk } = this.#data.io
    const present = new Set(this.#names)
    const programs = [...(await runnablePrograms(this.#log))].reverse()
    const groups: Group[] = []
    for (const name of manifestNames(this.#names)) {
      const found = this.#usable(name, () => readSnapshot(disk, this.#folder, name, present))
      if (found === null) continue
      const program = programOf(found, programs, this.#log.identity)
      if (program === null) {
        this.#skip(name, 'no definitions in the log that this version of Millrace can run are its')
        continue
      }
      const gone = this.#past.goneThrough(program)
      if (found.manifest.tick < gone) {
        this.#skip(name, `events after it are gone, up to tick ${gone}`)
        continue
      }
      const group = groups.find((one) => one.program === program)
      if (group === undefined) groups.push({ program, snapshots: [found] })
      else group.snapshots.unshift(found)
    }
    return groups
  }

  #usable(name: string, read: () => NamedManifest['manifest']): NamedManifest | null {
    try {
      const manifest = read()
      if ((manifest.about as About).log === this.#log.identity) return { name, manifest }
      this.#skip(name, 'it is of another log')
    } catch (error) {
      // Another check says so.
      if (!isDamage(error)) throw error
    }
    return null
  }

  #skip(name: string, why: string): void {
    this.#notes.push(`the snapshot ${name} was not compared: ${why}`)
  }

  /** All views, from the log's beginning or the base, up to the log's end. */
  async #all({ program, snapshots }: Group): Promise<void> {
    await this.#replaying(snapshots, new AbortController().signal, async (replay) => {
      const { tick } = this.#log.end
      const beyond = this.#past.viewsBeyond(program)
      const ids = program.views.map(({ id }) => id)
      const fromLog = new Set(ids.filter((id) => !beyond.has(id)))
      if (fromLog.size > 0) await replay.compare(program, fromLog, null, snapshots, tick, this.#compared)
      if (beyond.size > 0) await this.#fromBase(replay, { program, snapshots }, beyond)
    })
  }

  /** Views that hold events which are gone. */
  async #fromBase(replay: SnapshotReplay, { program, snapshots }: Group, beyond: ReadonlySet<number>): Promise<void> {
    const base = this.#base
    const held = (base?.manifest.about as About | undefined)?.base?.program
    const later = snapshots.filter(({ manifest }) => base !== null && manifest.tick > base.manifest.tick)
    const names = program.views.filter(({ id }) => beyond.has(id)).map(({ name }) => name)
    if (base === null || held === undefined || later.length === 0) {
      this.#notes.push(`events of ${names.join(', ')} are gone, and no base before a snapshot tells what they made`)
      return
    }
    const inBase = new Set(meaningsOf(held))
    const meanings = meaningsOf(program)
    const rest = program.views.filter(({ id }, i) => beyond.has(id) && !inBase.has(meanings[i]))
    if (rest.length > 0) {
      const what = rest.map(({ name }) => name).join(', ')
      this.#notes.push(`${what} were defined behind the base over views whose events are gone: they were not compared`)
    }
    const inSnapshot = new Set(meanings.filter((_, i) => beyond.has(program.views[i].id)))
    const heldMeanings = meaningsOf(held)
    const ids = new Set(held.views.filter((_, i) => inSnapshot.has(heldMeanings[i])).map(({ id }) => id))
    if (ids.size === 0) return
    const needs = needsOf(held, this.#log.identity, 0)
    const goesOn = later.every(({ manifest }) => refusalOf(manifest, needs) === null)
    await replay.compare(held, ids, base, later, goesOn ? this.#log.end.tick : null, this.#compared)
  }

  async #sample({ program, snapshots }: Group): Promise<void> {
    const newest = snapshots[snapshots.length - 1]
    const before = snapshots[snapshots.length - 2] ?? this.#base
    const beyond = this.#past.viewsBeyond(program)
    const { events } = newest.manifest.about as About
    const ending = new AbortController()
    const cancel = this.#data.io.clock.after(sampleMs, () => ending.abort(outOfTime))
    try {
      await this.#replaying([newest], ending.signal, async (replay) => {
        const candidates = program.views.map(({ id }) => id).filter((id) => !beyond.has(id))
        const ids = new Set(chosen(this.#data.io, candidates, sampleViews))
        const isShort = events <= sampleEvents || before === null || before.manifest.tick >= newest.manifest.tick
        if (ids.size > 0 && isShort) return replay.compare(program, ids, null, [newest], null, this.#compared)
        const needs = needsOf(program, this.#log.identity, this.#past.goneThrough(program))
        if (
          before === null ||
          before.manifest.tick >= newest.manifest.tick ||
          refusalOf(before.manifest, needs) !== null
        ) {
          this.#notes.push('no view could be made anew in a short time: --full takes as long as it takes')
          return
        }
        const all = new Set(
          chosen(
            this.#data.io,
            program.views.map(({ id }) => id),
            sampleViews,
          ),
        )
        this.#from = before.manifest.tick
        return replay.compare(program, all, before, [newest], null, this.#compared)
      })
    } catch (error) {
      if (error !== outOfTime) throw error
      this.#skip(newest.name, `a sample took longer than ${sampleMs / 1000} s: --full takes as long as it takes`)
    } finally {
      cancel()
    }
  }

  async #replaying(
    snapshots: readonly NamedManifest[],
    signal: AbortSignal,
    work: (replay: SnapshotReplay) => Promise<void>,
  ): Promise<void> {
    const { io, engine = 'inline', memoryBytes = defaultMemoryBytes, onReplay } = this.#data
    const { end } = this.#log
    const onTick = (tick: number): void => onReplay?.(tick, end.tick)
    const [log, past, folder] = [this.#log, this.#past, this.#folder]
    const place: ReplayPlace = { io, log, past, folder, engine, memoryBytes, signal, onTick }
    const replay = await SnapshotReplay.open(place)
    try {
      await work(replay)
      this.#snapshots += snapshots.length
    } catch (error) {
      // Another check says where; more memory than there is may be needed for two engines' worth of state.
      const isMemory = error instanceof MillraceError && error.code === 'engine/memory'
      if (!isDamage(error) && !isMemory) throw error
      for (const { name } of snapshots) this.#skip(name, (error as Error).message)
    } finally {
      await replay.close()
    }
  }
}

const outOfTime = new MillraceError('request/timeout', 'the time for a sample is over')

/** The newest program that a snapshot is of: it holds its views and no others. */
function programOf({ manifest }: NamedManifest, programs: readonly Program[], identity: string): Program | null {
  const { views } = manifest.about as About
  const fits = (program: Program): boolean =>
    program.views.length === views.length && refusalOf(manifest, needsOf(program, identity, 0)) === null
  return programs.find(fits) ?? null
}

/** Some of them, drawn by chance: another time others are looked at. */
function chosen(io: Io, ids: readonly number[], most: number): readonly number[] {
  const left = [...ids]
  const drawn: number[] = []
  while (left.length > 0 && drawn.length < most) {
    const [a, b] = io.random.bytes(2)
    drawn.push(...left.splice(((a << 8) | b) % left.length, 1))
  }
  return drawn
}
