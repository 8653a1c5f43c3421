import { Bug, invariant, MillraceError } from '../data/errors.ts'
import { arrangementsOf } from '../engine/engine.ts'
import type { StateFiles } from '../engine/port.ts'
import { sha256 } from '../io/digest.ts'
import { type Io, IoError } from '../io/io.ts'
import { viewMeaning } from '../plan/fingerprint.ts'
import type { Program, ViewDefinition } from '../plan/program.ts'
import { type Keeper, startKeeper } from '../state/snapshots/keeper.ts'
import { type Manifest, openSnapshots, type SnapshotNotes } from '../state/snapshots/manifest.ts'
import type { ViewState } from '../views/view.ts'
import { filesOf, isDamage, type StoredView, ViewFiles } from '../views/view-files.ts'
import type { ViewSet } from '../views/view-set.ts'
import type { BegunCapture, Pinned, Restored, Running } from './running.ts'
import { SliceSize } from './slice-size.ts'

/** What a manifest says beside where the engine's state is. */
interface About extends SnapshotNotes {
  /** The log's identity: a snapshot of another log says nothing. */
  readonly log: string
  readonly views: readonly { readonly meaning: string; readonly stored: StoredView }[]
  /** Everything of an engine that is in the snapshot, the empty parts included. */
  readonly arrangements: readonly string[]
  readonly timeMicros: string
  readonly events: number
}

/**
 * Snapshots: the engine's arrangements and the views at one tick, in files beside the log. They spare a restart most
 * of the replay and are never the truth: one that is missing, damaged, of another log or of other definitions is
 * passed over, and an older one or the log takes its place.
 */
export class Snapshots {
  readonly #io: Io
  readonly #folder: string
  readonly #log: string
  #files: ViewFiles
  #keeper: Keeper | null = null
  readonly #sliceSize = new SliceSize()
  #tell: Tell = () => {}
  /** Whose state the newest snapshot is. */
  #running: Running | null = null
  /** What a program to come goes on from, whatever is merged meanwhile. */
  #joined: Manifest | null = null
  /** Told of damage that shows only when views that are at work are read. */
  onDamage: (error: MillraceError) => void = () => {}

  private constructor(io: Io, folder: string, log: string, files: ViewFiles) {
    this.#io = io
    this.#folder = folder
    this.#log = log
    this.#files = files
    files.onDamage = (error) => this.onDamage(error)
  }

  /**
   * Opens a folder of snapshots, made when it is missing.
   * @param log its identity
   */
  static async open(io: Io, folder: string, log: string): Promise<Snapshots> {
    await io.disk.makeFolder(folder)
    return new Snapshots(io, folder, log, await ViewFiles.open(io.disk, folder))
  }

  /** Whether there is state that the program can go on from, as far as can be told without reading it. */
  async has(program: Program, newestTick: number): Promise<boolean> {
    const needs = needsOf(program)
    const found = await openSnapshots(this.#io, this.#folder, (manifest) => this.#refusal(manifest, needs, newestTick))
    return found.newest !== null
  }

  /**
   * The newest state that the program can go on from; once, before anything is taken.
   * @param newestTick of the log
   * @param tell is told, in a line each, why a snapshot can't be used
   * @returns null where there is none
   */
  async restore(program: Program, views: ViewSet, newestTick: number, tell: Tell): Promise<Restored | null> {
    this.#tell = tell
    const needs = needsOf(program)
    let unusable = Number.POSITIVE_INFINITY
    for (;;) {
      const { newest, passedOver } = await openSnapshots(this.#io, this.#folder, (manifest) =>
        manifest.tick >= unusable ? 'its views are damaged' : this.#refusal(manifest, needs, newestTick),
      )
      for (const line of passedOver) tell(line)
      try {
        const restored = newest === null ? null : await this.#load(newest, needs.meanings, views)
        this.#start(newest)
        return restored
      } catch (error) {
        if (newest === null || !isDamage(error)) throw error
        tell((error as Error).message)
        unusable = newest.tick
      }
    }
  }

  #start(newest: Manifest | null): void {
    const keeper = startKeeper(this.#io, this.#folder, newest)
    keeper.onTrouble((error) => this.#tell(`runs of state could not be merged: ${error.message}`))
    keeper.onMerged((manifest) => {
      // Files that were merged go only once nobody reads them.
      if (this.#running !== null) this.#adopt(this.#running, manifest).catch(() => {})
    })
    this.#keeper = keeper
  }

  #refusal({ tick, about }: Manifest, needs: Needs, newestTick: number): string | null {
    const { log, views, arrangements } = about as About
    if (log !== this.#log) return 'it is of another log'
    if (tick > newestTick) return `the log ends at tick ${newestTick}, before it`
    const meanings = new Set(views.map(({ meaning }) => meaning))
    const names = new Set(arrangements)
    const enough =
      needs.meanings.every((meaning) => meanings.has(meaning)) && needs.arrangements.every((name) => names.has(name))
    return enough ? null : 'it is of other definitions'
  }

  async #load(manifest: Manifest, meanings: readonly string[], views: ViewSet): Promise<Restored> {
    const about = manifest.about as About
    const stored = new Map(about.views.map((view) => [view.meaning, view.stored]))
    const states: ViewState[] = []
    for (const [i, view] of views.views.entries()) {
      states.push(await this.#files.load(view, stored.get(meanings[i])!))
    }
    return { timeMicros: BigInt(about.timeMicros), events: about.events, from: this.#filesOf(manifest), views: states }
  }

  #filesOf({ tick, files }: Manifest): StateFiles {
    return { folder: this.#folder, files, tick }
  }

  /**
   * Writes the state of a program at one tick. The engine hands its state over in slices, between ticks: ticks go on.
   * @throws MillraceError state/snapshot, IoError: the snapshots that were there stay
   */
  async take(running: Running): Promise<void> {
    if (running.driver.handed === 0) return
    const { manifest } = await this.#write(running.program, [running.beginCapture()])
    const kept = await this.#adopt(running, manifest)
    // Only now: while another is taken, its files are there and nobody names them yet.
    await this.#files.removeOthers(new Set(kept.flatMap(({ about }) => about.files)))
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
        await this.#capture(keeper, running, taken)
        for (const name of arrangements) taken.add(name)
      }
      // What is not of the program that the snapshot before is of was captured whole: an earlier life of it is over.
      const { arrangements: goOn } = await begun[0].status
      const { states, pinned, views } = await saving
      const about: About = {
        files: filesOf(views.map(({ stored }) => stored)),
        log: this.#log,
        views,
        arrangements: [...taken],
        timeMicros: String(pinned.timeMicros),
        events: pinned.events,
      }
      return { manifest: await keeper.commit(tick, about, goOn), states, pinned }
    } finally {
      // Whatever fails: the next snapshot's files are not written beside this one's.
      await saving.catch(() => {})
    }
  }

  /** Hands an engine's state to the keeper, who writes a slice while the engine makes the next one. */
  async #capture(keeper: Keeper, running: Running, taken: ReadonlySet<string>): Promise<void> {
    let adding = Promise.resolve()
    let coming = running.captured(this.#sliceSize.bytes)
    for (let done = false; !done; ) {
      const slice = await coming
      done = slice.done
      this.#sliceSize.took(slice.ms)
      if (!done) {
        coming = running.captured(this.#sliceSize.bytes)
        coming.catch(() => {})
      }
      await adding
      adding = keeper.add(slice.pieces.filter(({ arrangement }) => !taken.has(arrangement)))
    }
    await adding
  }

  async #saveViews(program: Program, begun: readonly BegunCapture[]): Promise<Saved> {
    const held = new Map<string, ViewState>()
    const captured: Pinned[] = []
    for (const { running, pinned } of begun) {
      const found = await pinned
      if (found === null) throw running.driver.failure ?? new Bug('an engine did not come to its tick')
      captured.push(found)
      running.program.views.forEach((view, i) => {
        const meaning = meaningOf(running.program, view)
        if (!held.has(meaning)) held.set(meaning, found.states[i])
      })
    }
    const meanings = program.views.map((view) => meaningOf(program, view))
    const states = meanings.map((meaning, i) => {
      const state = held.get(meaning)
      if (state === undefined) throw new Bug(`nobody has captured ${program.views[i].name}`)
      return state
    })
    const stored = await this.#files.save(states, begun[0].running.views.slices()).catch((error: unknown) => {
      throw error instanceof IoError ? notWritten(error) : error
    })
    return { states, pinned: captured[0], views: meanings.map((meaning, i) => ({ meaning, stored: stored[i] })) }
  }

  /** Throws all snapshots away. */
  async discard(): Promise<void> {
    await this.#keeper?.close()
    this.#running = null
    this.#joined = null
    // Who still reads what was thrown away is told what he finds there, but nothing is mended for it.
    this.#files.onDamage = () => {}
    this.#files = await ViewFiles.open(this.#io.disk, this.#folder)
    this.#files.onDamage = (error) => this.onDamage(error)
    this.#start(null)
  }

  /** From now on the newest snapshot is of this program's state. */
  follow(running: Running): void {
    this.#running = running
    this.#joined = null
  }

  /** The engine reads from this snapshot's files from now on; what no snapshot names any more goes. */
  async #adopt(running: Running, manifest: Manifest): Promise<readonly Manifest[]> {
    await running.adopt(this.#filesOf(manifest))
    return this.#keeper!.dropUnused(this.#joined ?? manifest)
  }

  async close(): Promise<void> {
    await this.#keeper?.close()
    await this.#files.close()
  }
}

/** What a program must find in a snapshot. */
interface Needs {
  readonly meanings: readonly string[]
  readonly arrangements: readonly string[]
}

function needsOf(program: Program): Needs {
  return { meanings: program.views.map((view) => meaningOf(program, view)), arrangements: arrangementsOf(program) }
}

interface Captured {
  /** In the order of the program's views. */
  readonly states: readonly ViewState[]
  readonly pinned: Pinned
}

interface Saved extends Captured {
  readonly views: About['views']
}

interface Written extends Captured {
  readonly manifest: Manifest
}

type Tell = (line: string) => void

function notWritten(error: IoError): MillraceError {
  const full = error.failure === 'full'
  return new MillraceError('state/snapshot', `a snapshot could not be written: ${error.message}`, {
    hint: full ? 'free some space: the next one is tried then' : 'check the disk: the log is not touched by this',
    place: { file: error.path },
    cause: error,
  })
}

/** A view's meaning as 32 hexadecimal digits. */
function meaningOf(program: Program, view: ViewDefinition): string {
  const digest = sha256(new TextEncoder().encode(viewMeaning(program, view)))
  return Buffer.from(digest.subarray(0, 16)).toString('hex')
}
