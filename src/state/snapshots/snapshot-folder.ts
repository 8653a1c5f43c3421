import { Bug, MillraceError } from '../../data/errors.ts'
import { type Io, IoError } from '../../io/io.ts'
import { hashVersion, type Piece } from '../cold.ts'
import { Captured } from '../runs/captured.ts'
import { mergeRuns } from '../runs/run-compaction.ts'
import type { RunFile, RunIndex } from '../runs/run-format.ts'
import { runsToMerge } from '../runs/tiers.ts'
import { filesOfSnapshot, findBase } from './base.ts'
import { replaced, without } from './files-that-count.ts'
import {
  baseName,
  baseNames,
  encodeManifest,
  type Manifest,
  manifestName,
  manifestNames,
  manifestVersion,
  readSnapshot,
  type SnapshotNotes,
} from './manifest.ts'

export interface SnapshotOptions {
  /** A capture is written as a run whenever so much of it has come: this bounds the memory it needs. */
  readonly runBytes?: number
  /** About how much is merged at a time. */
  readonly stepBytes?: number
}

type Notes = Readonly<Record<string, unknown>>

const keptManifests = 2
const unfinished = '.new'
const isRun = (name: string): boolean => /^run-\d{10}\.run$/.test(name)

/**
 * The folder of the snapshots, owned by one thread. What a manifest on disk names is never removed, and only what
 * was durable before a manifest's name is named by it.
 *
 * A run whose sync failed is never named. After a failed sync of the folder nobody can say which names a crash would
 * bring back, so from then on files stay, until the next start can see what is there.
 */
export class SnapshotFolder {
  readonly #io: Io
  readonly #folder: string
  readonly #runBytes: number
  readonly #stepBytes: number | undefined
  /** Those on disk that may be used, the newest first. */
  #kept: Manifest[]
  /** A sync of the folder has failed. */
  #uncertain = false
  /** Stands for events that are gone: it and all that it names stays, whatever else goes. */
  #base: Manifest | null = null
  /** A base is there that can't be read now, so that what it needs is not known, or one whose name may be lost. */
  #doubtful = false
  /** Files that somebody has open. */
  #adopted: readonly RunFile[]
  /** Files under construction, which nothing names yet. */
  readonly #writing = new Set<string>()
  #nextRun = 1
  #captured = new Captured()
  /** Of runs that were written, until somebody takes them. */
  #indexes: RunIndex[] = []
  /** Runs of the capture under way, the newest first. */
  #runs: RunFile[] = []
  /** Why the capture under way is given up. */
  #failure: unknown = null
  /** A name that was not durable when the folder could not be synced never will be, whatever a later sync says. */
  #failedSyncs = 0
  /** How many had failed when the capture under way began. */
  #failedBefore = 0
  /** Manifests are written and files removed by one at a time. */
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(io: Io, folder: string, newest: Manifest | null, options: SnapshotOptions) {
    this.#io = io
    this.#folder = folder
    this.#runBytes = options.runBytes ?? 64 * 1024 * 1024
    this.#stepBytes = options.stepBytes
    this.#kept = newest === null ? [] : [newest]
    this.#adopted = newest?.files ?? []
  }

  /**
   * Goes on from a snapshot: newer ones, and what no snapshot needs, are removed.
   * @param newest as `openSnapshots` found it, or null to begin anew
   */
  static async open(
    io: Io,
    folder: string,
    newest: Manifest | null,
    options: SnapshotOptions = {},
  ): Promise<SnapshotFolder> {
    const opened = new SnapshotFolder(io, folder, newest, options)
    await io.disk.makeFolder(folder)
    const names = await io.disk.list(folder)
    for (const name of names)
      if (isRun(name)) opened.#nextRun = Math.max(opened.#nextRun, 1 + Number(name.slice(4, 14)))
    const { base, damaged } = await findBase(io.disk, folder)
    opened.#base = base
    opened.#doubtful = damaged.length > 0
    if (base !== null && damaged.length === 0 && baseNames(names).length > 1) await opened.#finishPin(base)
    if (newest !== null) opened.#keepOlder(newest, names)
    await opened.#tidy()
    return opened
  }

  /** Those on disk, the newest first. */
  get kept(): readonly Manifest[] {
    return this.#kept
  }

  /** What was written of runs' directories since this was asked for last. */
  takeIndexes(): readonly RunIndex[] {
    const indexes = this.#indexes
    this.#indexes = []
    return indexes
  }

  /**
   * Forgets what was added and never committed: the next capture has its buckets again, and none may be in a run
   * twice.
   */
  begin(): void {
    for (const { name } of this.#runs) this.#writing.delete(name)
    this.#captured = new Captured()
    this.#runs = []
    this.#failure = null
    this.#failedBefore = this.#failedSyncs
  }

  /**
   * Takes pieces of the capture under way; this and `commit` are called one at a time. A bucket's pieces come together, in one
   * call. A failure waits for `commit`.
   */
  async add(pieces: readonly Piece[]): Promise<void> {
    if (this.#failure !== null) return
    try {
      for (const piece of pieces) this.#captured.add(piece)
      if (this.#captured.bytes >= this.#runBytes) await this.#writeCaptured()
    } catch (error) {
      this.#failure = error
    }
  }

  /**
   * Makes what was added since the last commit, on top of the snapshot before, the snapshot at a tick.
   * @param goOn arrangements that go on from the snapshot before: what older runs have of others is forgotten. All
   *   of them if not given
   * @returns its manifest, once it is durable
   * @throws MillraceError state/snapshot: this snapshot is given up, the one before stays
   */
  async commit(tick: number, about: SnapshotNotes, goOn?: readonly string[]): Promise<Manifest> {
    try {
      if (this.#failure !== null) throw this.#failure
      if (this.#captured.bytes > 0) await this.#writeCaptured()
      const runs = this.#runs
      return await this.#inTurn(async () => {
        const older = this.#kept[0]?.files ?? []
        const files = [...runs, ...(goOn === undefined ? older : without(older, new Set(goOn)))]
        const manifest: Manifest = { version: manifestVersion, hashVersion, tick, about, files }
        this.#checkNames(this.#failedBefore)
        await this.#publish(manifest, manifestName(tick))
        this.#kept = [manifest, ...this.#kept.filter((other) => other.tick !== tick)]
        return manifest
      })
    } catch (error) {
      throw givenUp(`the snapshot at tick ${tick}`, error)
    } finally {
      this.begin()
    }
  }

  /**
   * Removes what is no longer needed.
   * @param adopted the snapshot whose files are open from now on, instead of those before
   * @returns the snapshots that are left, the newest first, and the base; none where it isn't known what a base needs
   */
  async dropUnused(adopted: Manifest): Promise<readonly Manifest[]> {
    this.#adopted = adopted.files
    await this.#inTurn(() => this.#tidy())
    if (this.#doubtful) return []
    return this.#base === null ? this.#kept : [...this.#kept, this.#base]
  }

  /**
   * Makes one of the snapshots the base, in the place of the one before.
   * @param notes joins what its manifest says of it
   * @param own joins what the snapshot's own manifest says, before there is a base: for who finds that one alone
   * @returns its manifest, once it is durable
   * @throws MillraceError state/snapshot: the base before stays
   */
  async pin(tick: number, notes: Notes, own: Notes = {}): Promise<Manifest> {
    try {
      return await this.#inTurn(async () => {
        const found = this.#kept.find((manifest) => manifest.tick === tick)
        if (found === undefined) throw new Bug(`there is no snapshot at tick ${tick} to make the base of`)
        // Whether its name would outlast a crash could not be told any more.
        if (this.#uncertain) throw new IoError('failed', this.#folder)
        const noted = { ...found, about: { ...found.about, ...own } }
        await this.#publish(noted, manifestName(tick))
        this.#kept = this.#kept.map((manifest) => (manifest === found ? noted : manifest))
        const base = { ...noted, about: { ...noted.about, ...notes } }
        await this.#publish(base, baseName(tick))
        this.#base = base
        this.#doubtful = false
        await this.#tidy()
        return base
      })
    } catch (error) {
      throw givenUp(`the base at tick ${tick}`, error)
    }
  }

  /**
   * Merges runs of the newest snapshot, if there are enough of a size.
   * @param pause awaited after each step; it throws to stop
   * @returns the snapshot's new manifest, once it is durable, or null when there was nothing to do
   * @throws MillraceError state/snapshot, state/corrupt: nothing has changed
   */
  async merge(pause: () => Promise<void>): Promise<Manifest | null> {
    const newest = this.#kept[0]
    const stretch = newest === undefined ? null : runsToMerge(newest.files)
    if (stretch === null) return null
    const name = this.#newRun()
    const failedBefore = this.#failedSyncs
    try {
      const merging = newest.files.slice(stretch.from, stretch.to)
      const oldest = stretch.to === newest.files.length
      const stepBytes = this.#stepBytes === undefined ? {} : { stepBytes: this.#stepBytes }
      const options = { oldest, pause, indexed: this.#indexed, ...stepBytes }
      const file = await mergeRuns(this.#io.disk, this.#folder, merging, name, options)
      return await this.#inTurn(async () => {
        // Snapshots were perhaps taken meanwhile: their runs came before these.
        const now = this.#kept[0]
        const manifest = { ...now, files: replaced(now.files, merging, file) }
        this.#checkNames(failedBefore)
        await this.#publish(manifest, manifestName(manifest.tick))
        this.#kept = [manifest, ...this.#kept.slice(1)]
        this.#writing.delete(name)
        return manifest
      })
    } catch (error) {
      await this.#remove(name)
      throw error instanceof IoError ? givenUp('merging runs', error) : error
    }
  }

  readonly #indexed = (index: RunIndex): void => {
    this.#indexes.push(index)
  }

  #newRun(): string {
    const name = `run-${String(this.#nextRun++).padStart(10, '0')}.run`
    this.#writing.add(name)
    return name
  }

  async #writeCaptured(): Promise<void> {
    const captured = this.#captured
    this.#captured = new Captured()
    const name = this.#newRun()
    try {
      this.#runs.unshift(await captured.writeRun(this.#io.disk, this.#folder, name, this.#indexed))
    } catch (error) {
      await this.#remove(name)
      throw error
    }
  }

  /** The files that a manifest names are durable before its own name can be. */
  async #publish(manifest: Manifest, name: string): Promise<void> {
    const { disk } = this.#io
    const path = `${this.#folder}/${name}`
    await this.#syncFolder()
    const file = await disk.open(path + unfinished, { create: true })
    try {
      await file.truncate(0)
      await file.write(encodeManifest(manifest), 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await disk.rename(path + unfinished, path)
    await this.#syncFolder()
  }

  /** A sync of the folder has failed, by whomever: it was about all names in it. */
  doubt(): void {
    this.#uncertain = true
    this.#failedSyncs++
  }

  /**
   * A base did not come to take the place of the one before. The sync of the folder may have failed, and then its name
   * goes with the power, whatever a later sync says: it is named once more before the other goes.
   */
  async #finishPin(base: Manifest): Promise<void> {
    try {
      await this.#publish(base, baseName(base.tick))
    } catch (error) {
      if (!(error instanceof IoError)) throw error
      this.#doubtful = true
    }
  }

  /** @throws IoError where a sync has failed since files were begun: their names may be lost */
  #checkNames(failedBefore: number): void {
    if (this.#failedSyncs !== failedBefore) throw new IoError('failed', this.#folder)
  }

  async #syncFolder(): Promise<void> {
    try {
      await this.#io.disk.syncFolder(this.#folder)
    } catch (error) {
      this.doubt()
      throw error
    }
  }

  /** Removes manifests that are not kept, and then, if that is durable, files that nothing needs. */
  async #tidy(): Promise<void> {
    const { disk } = this.#io
    this.#kept = this.#kept.slice(0, keptManifests)
    try {
      const stays = new Set(this.#kept.map(({ tick }) => manifestName(tick)))
      const names = await disk.list(this.#folder)
      if (this.#base !== null && !this.#doubtful) stays.add(baseName(this.#base.tick))
      const others = this.#doubtful ? [] : baseNames(names)
      for (const name of [...manifestNames(names), ...others])
        if (!stays.has(name)) await disk.remove(`${this.#folder}/${name}`)
      await this.#syncFolder()
      if (this.#uncertain || this.#doubtful) return
      const needed = new Set(this.#writing)
      for (const name of this.#base === null ? [] : filesOfSnapshot(this.#base)) needed.add(name)
      for (const { name } of [this.#adopted, ...this.#kept.map(({ files }) => files)].flat()) needed.add(name)
      for (const name of names) {
        const isOurs = isRun(name) || (/^(snapshot|base)-/.test(name) && name.endsWith(unfinished))
        if (isOurs && !needed.has(name)) await disk.remove(`${this.#folder}/${name}`)
      }
    } catch (error) {
      // What can't be removed now is removed another time.
      if (!(error instanceof IoError)) throw error
    }
  }

  #keepOlder(newest: Manifest, names: readonly string[]): void {
    const present = new Set(names)
    for (const name of manifestNames(names)) {
      if (name >= manifestName(newest.tick)) continue
      try {
        this.#kept.push(readSnapshot(this.#io.disk, this.#folder, name, present))
        return
      } catch (error) {
        if (!(error instanceof MillraceError || error instanceof IoError)) throw error
      }
    }
  }

  async #remove(name: string): Promise<void> {
    this.#writing.delete(name)
    if (this.#uncertain) return
    try {
      await this.#io.disk.remove(`${this.#folder}/${name}`)
    } catch (error) {
      if (!(error instanceof IoError)) throw error
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => {})
    return result
  }
}

function givenUp(what: string, error: unknown): unknown {
  if (!(error instanceof IoError)) return error
  const full = error.failure === 'full'
  return new MillraceError('state/snapshot', `${what} is given up: ${full ? 'the disk is full' : error.message}`, {
    hint: full ? 'make room: the next one is taken then' : 'the next one is tried anew',
    place: { file: error.path },
    cause: error,
  })
}
