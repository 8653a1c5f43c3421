import { Bug, invariant } from '../data/errors.ts'
import type { StateFiles } from '../engine/port.ts'
import { sha256 } from '../io/digest.ts'
import type { Io } from '../io/io.ts'
import { viewMeaning } from '../plan/fingerprint.ts'
import type { Program, ViewDefinition } from '../plan/program.ts'
import { type Keeper, startKeeper } from '../state/keeper.ts'
import { type Manifest, openSnapshots, type SnapshotNotes } from '../state/manifest.ts'
import type { ViewState } from '../views/view.ts'
import { filesOf, isDamage, type StoredView, ViewFiles } from '../views/view-files.ts'
import type { ViewSet } from '../views/view-set.ts'
import type { Capture, Restored, Running } from './running.ts'

/** A slice of state: about a millisecond of the engine's time. */
const sliceBytes = 1 << 20

/** What a manifest says beside where the engine's state is. */
interface About extends SnapshotNotes {
  /** The log's identity: a snapshot of another log says nothing. */
  readonly log: string
  readonly views: readonly { readonly meaning: string; readonly stored: StoredView }[]
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
  readonly #files: ViewFiles
  #keeper: Keeper | null = null
  /** Whose state the newest snapshot is. */
  #running: Running | null = null

  private constructor(io: Io, folder: string, log: string, files: ViewFiles) {
    this.#io = io
    this.#folder = folder
    this.#log = log
    this.#files = files
  }

  /**
   * Opens a folder of snapshots, made when it is missing.
   * @param log its identity
   */
  static async open(io: Io, folder: string, log: string): Promise<Snapshots> {
    await io.disk.makeFolder(folder)
    return new Snapshots(io, folder, log, await ViewFiles.open(io.disk, folder))
  }

  /**
   * The newest state that the program can go on from; once, before anything is taken.
   * @param newestTick of the log
   * @param tell is told, in a line each, why a snapshot can't be used
   * @returns null where there is none
   */
  async restore(program: Program, views: ViewSet, newestTick: number, tell: Tell): Promise<Restored | null> {
    const meanings = program.views.map((view) => meaningOf(program, view))
    let unusable = Number.POSITIVE_INFINITY
    for (;;) {
      const { newest, passedOver } = await openSnapshots(this.#io, this.#folder, (manifest) =>
        manifest.tick >= unusable ? 'its views are damaged' : this.#refusal(manifest, meanings, newestTick),
      )
      for (const line of passedOver) tell(line)
      try {
        const restored = newest === null ? null : await this.#load(newest, meanings, views)
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
    keeper.onMerged((manifest) => {
      // Files that were merged go only once nobody reads them.
      if (this.#running !== null) this.#adopt(this.#running, manifest).catch(() => {})
    })
    this.#keeper = keeper
  }

  #refusal({ tick, about }: Manifest, meanings: readonly string[], newestTick: number): string | null {
    const { log, views } = about as About
    if (log !== this.#log) return 'it is of another log'
    if (tick > newestTick) return `the log ends at tick ${newestTick}, before it`
    const known = new Set(views.map(({ meaning }) => meaning))
    return meanings.every((meaning) => known.has(meaning)) ? null : 'it is of other definitions'
  }

  async #load(manifest: Manifest, meanings: readonly string[], views: ViewSet): Promise<Restored> {
    const about = manifest.about as About
    const stored = new Map(about.views.map((view) => [view.meaning, view.stored]))
    const slices = views.slices()
    const states: ViewState[] = []
    for (const [i, view] of views.views.entries()) {
      states.push(await this.#files.load(view, stored.get(meanings[i])!, slices))
    }
    return { timeMicros: BigInt(about.timeMicros), events: about.events, from: this.#filesOf(manifest), views: states }
  }

  #filesOf({ tick, files }: Manifest): StateFiles {
    return { folder: this.#folder, files, tick }
  }

  /**
   * Writes the state of a program at one tick. The engine hands its state over in slices, between ticks: ticks go on.
   * @throws IoError when it can't be written: the snapshots that were there stay
   */
  async take(running: Running): Promise<void> {
    const keeper = this.#keeper
    invariant(keeper !== null, 'a snapshot is taken before the state was restored')
    const capture = await running.capture(sliceBytes, (pieces) => keeper.add(pieces))
    if (capture === null) return
    const kept = await this.#adopt(running, await this.#commit(keeper, running.program, [capture]))
    // Only now: while another is taken, its files are there and nobody names them yet.
    await this.#files.removeOthers(new Set(kept.flatMap(({ about }) => about.files)))
  }

  /** Makes captures durable as one snapshot of `program`: what one of them lacks another has. */
  async #commit(keeper: Keeper, program: Program, captures: readonly Capture[]): Promise<Manifest> {
    const slices = captures[0].running.views.slices()
    const found = program.views.map((view) => {
      const meaning = meaningOf(program, view)
      for (const { running, states } of captures) {
        const at = running.program.views.findIndex((other) => meaningOf(running.program, other) === meaning)
        if (at >= 0) return { meaning, state: states[at] }
      }
      throw new Bug(`nobody has captured ${view.name}`)
    })
    const stored = await this.#files.save(
      found.map(({ state }) => state),
      slices,
    )
    const { tick, timeMicros, events } = captures[0]
    const about: About = {
      files: filesOf(stored),
      log: this.#log,
      views: found.map(({ meaning }, i) => ({ meaning, stored: stored[i] })),
      timeMicros: String(timeMicros),
      events,
    }
    return keeper.commit(tick, about)
  }

  /** From now on the newest snapshot is of this program's state. */
  follow(running: Running): void {
    this.#running = running
  }

  /** The engine reads from this snapshot's files from now on; what no snapshot names any more goes. */
  async #adopt(running: Running, manifest: Manifest): Promise<readonly Manifest[]> {
    await running.adopt(this.#filesOf(manifest))
    return this.#keeper!.dropUnused(manifest)
  }

  async close(): Promise<void> {
    await this.#keeper?.close()
  }
}

type Tell = (line: string) => void

/** A view's meaning as 32 hexadecimal digits. */
function meaningOf(program: Program, view: ViewDefinition): string {
  const digest = sha256(new TextEncoder().encode(viewMeaning(program, view)))
  return Buffer.from(digest.subarray(0, 16)).toString('hex')
}
