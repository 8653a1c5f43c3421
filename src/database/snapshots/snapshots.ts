import { invariant, MillraceError } from '../../data/errors.ts'
import type { StateFiles } from '../../engine/port.ts'
import { type Io, IoError } from '../../io/io.ts'
import type { SettledBase } from '../../log/backup.ts'
import type { Log } from '../../log/log.ts'
import type { Program } from '../../plan/program.ts'
import { findBase, settledBase } from '../../state/snapshots/base.ts'
import { type Keeper, startKeeper } from '../../state/snapshots/keeper.ts'
import { type Manifest, openSnapshots } from '../../state/snapshots/manifest.ts'
import { PageCache } from '../../views/page-cache.ts'
import { type KeptPast, PastFiles, type StoredPasts } from '../../views/past-files.ts'
import { retentionOf } from '../../views/retained.ts'
import type { ViewState } from '../../views/view.ts'
import { filesOf, isDamage, ViewFiles } from '../../views/view-files.ts'
import type { ViewSet } from '../../views/view-set.ts'
import { budgetOf } from '../budget.ts'
import type { DatabaseOptions } from '../contract.ts'
import type { LogPast } from '../log-past.ts'
import type { BegunCapture, Restored, Running } from '../running.ts'
import { checkSnapshot, SoundFiles } from '../verify/check-snapshot.ts'
import { DamagedFiles } from './damaged-files.ts'
import type { TimeMark } from './marks.ts'
import { type Captured, handOver, pinnedStates } from './pinned-states.ts'
import { type About, type BaseNotes, checkEnd, meaningsOf, needsOf, notWritten, refusalOf } from './snapshot-notes.ts'

const nothing: Program = { topics: [], views: [] }
const notLookedAt = 'it is not looked at'

/**
 * Snapshots: the engine's arrangements and the views at one tick, in files beside the log. They spare a restart most
 * of the replay and are never the truth: one that is missing, damaged, of another log or of other definitions is
 * passed over, and an older one or the log takes its place.
 */
export class Snapshots {
  readonly #io: Io
  readonly #folder: string
  readonly #log: Log
  readonly #past: LogPast
  /** Where views' pages stay that were read. */
  readonly #pages: PageCache
  readonly #pasts: PastFiles
  #files: ViewFiles
  #keeper: Keeper | null = null
  #tell: Tell = () => {}
  /** Whose state the newest snapshot is. */
  #running: Running | null = null
  /** What a program to come goes on from, whatever is merged meanwhile. */
  #joined: Manifest | null = null
  /** Told of damage that shows only when views that are at work are read. */
  onDamage: (error: MillraceError) => void = () => {}
  readonly #damaged: DamagedFiles
  /** The newest snapshot that was taken, or gone on from, and whose state it holds. */
  #newest: { readonly tick: number; readonly program: Program } | null = null
  #base: Manifest | null = null
  #sound = new SoundFiles()
  /** Who reads files that may be of no more use; none goes meanwhile. */
  #holders = 0
  #dropping: Promise<unknown> = Promise.resolve()

  private constructor(
    { io, data }: DatabaseOptions,
    log: Log,
    past: LogPast,
    pages: PageCache,
    files: ViewFiles,
    pasts: PastFiles,
  ) {
    this.#io = io
    this.#folder = `${data}/state`
    this.#damaged = new DamagedFiles(this.#folder)
    this.#log = log
    this.#past = past
    this.#pages = pages
    this.#files = files
    this.#pasts = pasts
    pasts.onLost = (line) => this.#tell(line)
    this.#watch(files)
  }

  #watch(files: ViewFiles): void {
    files.onDamage = (error) => {
      this.#damaged.add(error)
      // Who still reads what was thrown away is told what he finds there, but nothing is mended for it.
      if (files === this.#files) this.onDamage(error)
    }
  }

  /**
   * Opens a database's folder of snapshots, made when it is missing.
   * @throws MillraceError log/corrupt where a snapshot proves that the log has lost its end
   */
  static async open(options: DatabaseOptions, log: Log, past: LogPast): Promise<Snapshots> {
    const { io, data } = options
    const folder = `${data}/state`
    const pages = new PageCache(budgetOf(options).pageBytes)
    await io.disk.makeFolder(folder)
    const files = await ViewFiles.open(io.disk, folder, pages)
    const snapshots = new Snapshots(options, log, past, pages, files, await PastFiles.open(io.disk, folder))
    await checkEnd(io.disk, folder, { identity: log.identity, tick: log.position().tick })
    await snapshots.#findBase()
    return snapshots
  }

  async #findBase(): Promise<void> {
    const { base, damaged } = await findBase(this.#io.disk, this.#folder)
    for (const line of damaged) this.#tell(line)
    this.#base = base !== null && (base.about as About).log === this.#log.identity ? base : null
    this.#past.marks = this.base?.notes.marks ?? []
  }

  /** What stands for events that are gone, if there are any. */
  get base(): { readonly tick: number; readonly notes: BaseNotes } | null {
    const notes = (this.#base?.about as About | undefined)?.base
    return this.#base === null || notes === undefined ? null : { tick: this.#base.tick, notes }
  }

  /** The tick of the newest snapshot, 0: there is none of this program. */
  newestTick(program: Program): number {
    return this.#newest?.program === program ? this.#newest.tick : 0
  }

  /** Whether there is state that the program can go on from, as far as can be told without reading it. */
  async has(program: Program): Promise<boolean> {
    return (await this.#find(program)).newest !== null
  }

  #find(program: Program, before = Number.POSITIVE_INFINITY) {
    const needs = needsOf(program, this.#log.identity, this.#past.goneThrough(program))
    return openSnapshots(this.#io, this.#folder, (manifest) =>
      manifest.tick >= before || this.#damaged.isAnyOf(manifest) ? notLookedAt : refusalOf(manifest, needs),
    )
  }

  /**
   * The newest state that the program can go on from; once, before anything is taken.
   * @param tell is told, in a line each, why a snapshot can't be used
   * @returns null where there is none
   */
  async restore(program: Program, views: ViewSet, tell: Tell): Promise<Restored | null> {
    this.#tell = tell
    let unusable = Number.POSITIVE_INFINITY
    for (;;) {
      const { newest, passedOver } = await this.#find(program, unusable)
      for (const line of passedOver) if (!line.endsWith(notLookedAt)) tell(line)
      try {
        const restored = newest === null ? null : await this.#load(newest, program, views)
        if (this.#base === null) this.#past.marks = (newest?.about as About | undefined)?.marks ?? []
        this.#start(newest, program)
        return restored
      } catch (error) {
        if (newest === null || !isDamage(error)) throw error
        tell((error as Error).message)
        unusable = newest.tick
      }
    }
  }

  #start(newest: Manifest | null, program: Program): void {
    this.#newest = newest === null ? null : { tick: newest.tick, program }
    const keeper = startKeeper(this.#io, this.#folder, newest)
    keeper.onTrouble((error) => this.#tell(`runs of state could not be merged: ${error.message}`))
    keeper.onMerged((manifest) => {
      // Files that were merged go only once nobody reads them.
      if (this.#running !== null) this.#adopt(this.#running, manifest).catch(() => {})
    })
    this.#keeper = keeper
  }

  async #load(manifest: Manifest, program: Program, views: ViewSet): Promise<Restored> {
    const meanings = meaningsOf(program)
    const about = manifest.about as About
    const stored = new Map(about.views.map((view, i) => [view.meaning, { ...view, i }]))
    const states: ViewState[] = []
    for (const [i, view] of views.views.entries()) {
      const found = stored.get(meanings[i])!
      const past = this.#pasts.load(about.pasts, found.i, manifest.tick, view.definition.columns)
      const state = await this.#files.load(view, found.stored)
      states.push(past === null ? state : { ...state, past })
    }
    return { timeMicros: BigInt(about.timeMicros), events: about.events, from: this.#filesOf(manifest), views: states }
  }

  #filesOf(manifest: Manifest): StateFiles {
    const indexes = this.#keeper?.indexesOf(manifest) ?? []
    return { folder: this.#folder, files: manifest.files, indexes, tick: manifest.tick }
  }

  /**
   * Writes the state of a program at one tick. The engine hands its state over in slices, between ticks: ticks go on.
   * @throws MillraceError state/snapshot, IoError: the snapshots that were there stay
   */
  async take(running: Running): Promise<void> {
    if (running.driver.handed === 0) return
    await running.views.settle()
    const { manifest } = await this.#write(running.program, [running.beginCapture()])
    const kept = await this.#adopt(running, manifest)
    // Only now: while another is taken, its files are there and nobody names them yet.
    if (kept.length === 0) return
    const named = new Set(kept.flatMap(({ about }) => about.files))
    await this.#files.removeOthers(named)
    this.#damaged.keep(named)
    await this.#pasts.removeOthers(new Set(kept.flatMap(({ about }) => (about as About).pasts?.files ?? [])))
  }

  /**
   * Makes the newest snapshot the base: what stands for events that are about to go.
   * @throws MillraceError state/snapshot: the base before stays
   */
  async pin({ text, program }: Pick<Running, 'text' | 'program'>, marks: readonly TimeMark[]): Promise<void> {
    invariant(this.#keeper !== null, 'a base is pinned before the state was restored')
    const base: BaseNotes = { text, program, marks }
    this.#base = await this.#keeper.pin(this.newestTick(program), { base, pasts: null }, { marks })
    this.#past.marks = marks
  }

  /**
   * Makes sure that the newest snapshot, which is to stand for events, is whole before they go.
   * @throws MillraceError state/corrupt naming file and byte, IoError
   */
  async check({ program, views }: Pick<Running, 'program' | 'views'>): Promise<void> {
    await this.hold(async () => {
      const { newest, passedOver } = await this.#find(program)
      if (newest === null || newest.tick !== this.newestTick(program)) {
        throw new MillraceError('state/corrupt', passedOver[0] ?? 'the newest snapshot is gone')
      }
      await this.#sound.check(this.#io.disk, this.#folder, newest, views.slices())
    })
  }

  /** Runs work that reads files of snapshots: none goes meanwhile. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#holders++
    try {
      await this.#dropping
      return await work()
    } finally {
      this.#holders--
    }
  }

  /**
   * The newest state of some views that is not after a tick, for who looks at the past; within `hold`.
   * @returns null where there is none
   */
  async before(program: Program, views: ViewSet, tick: number): Promise<Restored | null> {
    const { newest } = await this.#find(program, tick + 1)
    return newest === null ? null : this.#load(newest, program, views)
  }

  /** Ticks at which state of these views is on disk, as far as can be told without reading it. */
  async ticksOf(program: Program): Promise<readonly number[]> {
    const ticks: number[] = []
    for (let before = Number.POSITIVE_INFINITY; ; ) {
      const { newest } = await this.#find(program, before)
      if (newest === null) return ticks
      ticks.push(newest.tick)
      before = newest.tick
    }
  }

  /**
   * Writes what a program to come begins with: captures of several others at one tick, that hold its views together.
   * @param begun the first is of the program that the newest snapshot is of
   */
  async join(program: Program, begun: readonly BegunCapture[]): Promise<Restored> {
    const { manifest, states, pinned } = await this.#write(program, begun)
    this.#joined = manifest
    await this.#adopt(begun[0].running, manifest)
    const { timeMicros, events } = pinned
    return { timeMicros, events, from: this.#filesOf(manifest), views: states }
  }

  async #write(program: Program, begun: readonly BegunCapture[]): Promise<Written> {
    const keeper = this.#keeper
    invariant(keeper !== null, 'a snapshot is taken before the state was restored')
    keeper.begin()
    // While the engine hands its state over, what the views held is written.
    const saving = this.#saveViews(program, begun)
    saving.catch(() => {})
    try {
      // Equal parts of several programs hold the same: the first one's are taken.
      const taken = new Set<string>()
      let tick = 0
      for (const { running, status } of begun) {
        const { arrangements, tick: at } = await status
        invariant(tick === 0 || tick === at, 'captures of several ticks are joined')
        tick = at
        await handOver(keeper, running, taken)
        for (const name of arrangements) taken.add(name)
      }
      // What is not of the program that the snapshot before is of was captured whole: an earlier life of it is over.
      const { arrangements: goOn } = await begun[0].status
      const { states, pinned, views, pasts } = await saving
      const about: About = {
        files: filesOf(views.map(({ stored }) => stored)),
        log: this.#log.identity,
        views,
        arrangements: [...taken],
        timeMicros: String(pinned.timeMicros),
        events: pinned.events,
        pasts,
        marks: this.#past.marks,
      }
      const manifest = await keeper.commit(tick, about, goOn)
      this.#files.named()
      this.#pasts.named()
      this.#newest = { tick, program }
      return { manifest, states, pinned }
    } finally {
      // Whatever fails: the next snapshot's files are not written beside this one's.
      await saving.catch(() => {})
    }
  }

  async #saveViews(program: Program, begun: readonly BegunCapture[]): Promise<Saved> {
    const { states, pinned } = await pinnedStates(program, begun)
    const kept = states.map(({ past }, i): KeptPast | null => {
      const view = program.views[i]
      return past === undefined ? null : { state: past, schema: view.columns, retention: retentionOf(view) }
    })
    const slices = begun[0].running.views.slices()
    try {
      const stored = await this.#files.save(states, slices)
      const pasts = await this.#pasts.save(kept, pinned.timeMicros, slices)
      const views = meaningsOf(program).map((meaning, i) => ({ meaning, stored: stored[i] }))
      return { states, pinned, pasts, views }
    } catch (error) {
      if (!(error instanceof IoError)) throw error
      // The folder itself could not be synced: a run that is being merged has its name there, too.
      if (error.path === this.#folder) this.#keeper?.doubt()
      throw notWritten(error)
    }
  }

  /** Throws all snapshots away, but for the base. */
  async discard(): Promise<void> {
    await this.#keeper?.close()
    this.#running = null
    this.#joined = null
    this.#sound = new SoundFiles()
    this.#files = await ViewFiles.open(this.#io.disk, this.#folder, this.#pages)
    this.#watch(this.#files)
    this.#start(null, nothing)
  }

  /** The files of the base, all of which are there and will not change; null: there is none. */
  async baseFiles(): Promise<SettledBase | null> {
    return this.#base === null ? null : settledBase(this.#io.disk, this.#folder, this.#base)
  }

  /** Whether the base has all that a program needs. */
  baseFits(program: Program): boolean {
    const needs = needsOf(program, this.#log.identity, this.#past.goneThrough(program))
    return this.#base !== null && refusalOf(this.#base, needs) === null
  }

  /**
   * The base's state, every byte of which was looked at; behind `discard`.
   * @param program its own
   * @throws MillraceError state/corrupt, IoError
   */
  async restoreBase(program: Program, views: ViewSet): Promise<Restored> {
    invariant(this.#base !== null, 'there is no base')
    await checkSnapshot(this.#io.disk, this.#folder, this.#base, views.slices())
    await this.#keeper?.close()
    const restored = await this.#load(this.#base, program, views)
    this.#start(this.#base, program)
    return restored
  }

  /** From now on the newest snapshot is of this program's state. */
  follow(running: Running): void {
    this.#running = running
    this.#joined = null
  }

  /** The engine reads from this snapshot's files from now on; what no snapshot names any more goes. */
  async #adopt(running: Running, manifest: Manifest): Promise<readonly Manifest[]> {
    await running.adopt(this.#filesOf(manifest))
    if (this.#holders > 0) return []
    const dropped = this.#keeper!.dropUnused(this.#joined ?? manifest)
    this.#dropping = dropped.catch(() => {})
    return dropped
  }

  async close(): Promise<void> {
    await this.#keeper?.close()
    await this.#files.close()
    await this.#pasts.close()
  }
}

interface Saved extends Captured {
  readonly views: About['views']
  readonly pasts: StoredPasts
}

type Written = Captured & { readonly manifest: Manifest }

type Tell = (line: string) => void
