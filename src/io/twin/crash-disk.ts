import type { Disk, DiskFile, DiskLock, DiskReader, OpenOptions } from '../io.ts'
import { IoError } from '../io.ts'
import { apply, decideFate, FileImage, type PendingChange } from './file-image.ts'
import type { Prng } from './prng.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** What goes wrong, by explicit plan or by the seed. */
export interface DiskPlan {
  /**
   * The machine stops at this boundary, counted from 1. Each write, truncation, sync, creation, removal, renaming and
   * locking has two: before it has any effect, and after it took effect but before the program hears of it.
   */
  readonly crashAt?: number
  /** These syncs (of files and folders, counted from 1 in the order they begin) fail. */
  readonly failSyncs?: readonly number[]
  /** Any sync fails with this probability. */
  readonly failSyncChance?: number
  /** The most bytes all files together may have; a write that needs more fails as on a full disk. */
  readonly capacityBytes?: number
  /** How many times slower than usual. */
  readonly slowness?: number
}

interface Inode {
  /** What the program reads back. */
  current: FileImage
  /** What is on the disk for certain. */
  durable: FileImage
  pending: PendingChange[]
}

type Names = Map<string, Inode>

interface PendingName {
  readonly folder: string
  readonly change: (names: Names) => void
}

/** What outlives a program: the disk's content and, while the machine runs, the system's cache over it. */
export interface DiskContent {
  names: Names
  durableNames: Names
  pendingNames: PendingName[]
}

export function emptyDisk(): DiskContent {
  return { names: new Map(), durableNames: new Map(), pendingNames: [] }
}

/**
 * A disk that keeps only what it must. A change is safe once a sync that began after the change had completed has
 * succeeded; a new name once its folder was synced likewise. When the machine stops, every other change survives,
 * vanishes or tears by sectors, each on its own. A failed sync settles its changes' fates at once, although the
 * program still reads them back: another sync saves none of them. Folders themselves are durable at once.
 */
export class CrashDisk implements Disk {
  /** Boundaries passed so far: the range for `crashAt`. */
  boundaries = 0
  /** Syncs begun so far: the range for `failSyncs`. */
  syncs = 0
  /** May be changed while running. */
  plan: DiskPlan
  readonly #content: DiskContent
  readonly #clock: VirtualClock
  readonly #prng: Prng
  readonly #onCrash: () => void
  readonly #locks = new Set<string>()
  #stopped = false

  constructor(content: DiskContent, clock: VirtualClock, prng: Prng, plan: DiskPlan, onCrash: () => void) {
    this.#content = content
    this.#clock = clock
    this.#prng = prng
    this.plan = plan
    this.#onCrash = onCrash
  }

  async open(path: string, options: OpenOptions = {}): Promise<DiskFile> {
    await this.#take(20)
    let inode = this.#content.names.get(path)
    if (inode !== undefined && options.create === 'new') throw new IoError('exists', path)
    if (inode === undefined) {
      if (options.create === undefined || options.create === false) throw new IoError('missing', path)
      await this.#boundary()
      const made: Inode = { current: new FileImage(), durable: new FileImage(), pending: [] }
      inode = made
      this.#rename(path, (names) => names.set(path, made))
      await this.#boundary()
    }
    return this.#file(path, inode)
  }

  async list(folder: string): Promise<readonly string[]> {
    await this.#take(20)
    const prefix = `${folder}/`
    const names = [...this.#content.names.keys()].filter((path) => path.startsWith(prefix))
    return [...new Set(names.map((path) => path.slice(prefix.length).split('/')[0]))].sort()
  }

  async makeFolder(): Promise<void> {
    await this.#take(50)
  }

  async remove(path: string): Promise<void> {
    await this.#take(20)
    if (!this.#content.names.has(path)) throw new IoError('missing', path)
    await this.#boundary()
    this.#rename(path, (names) => names.delete(path))
    await this.#boundary()
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#take(20)
    const inode = this.#content.names.get(from)
    if (inode === undefined) throw new IoError('missing', from)
    await this.#boundary()
    this.#rename(from, (names) => {
      names.delete(from)
      names.set(to, inode)
    })
    await this.#boundary()
  }

  async syncFolder(folder: string): Promise<void> {
    await this.#boundary()
    const covered = this.#content.pendingNames.filter((pending) => pending.folder === folder)
    const fails = this.#syncFails()
    await this.#take(200)
    this.#content.pendingNames = this.#content.pendingNames.filter((pending) => !covered.includes(pending))
    for (const { change } of covered) if (!fails || this.#prng.chance(0.5)) change(this.#content.durableNames)
    await this.#boundary()
    if (fails) throw new IoError('failed', folder)
  }

  async lock(path: string): Promise<DiskLock | null> {
    await this.#take(20)
    if (this.#locks.has(path)) return null
    this.#locks.add(path)
    return {
      release: async () => {
        this.#locks.delete(path)
      },
    }
  }

  /** Takes no time: nothing else could run meanwhile, as with a real read that blocks its thread. */
  openReader(path: string): DiskReader {
    const inode = this.#content.names.get(path)
    if (inode === undefined) throw new IoError('missing', path)
    return {
      size: inode.current.length,
      read: (into, position) => inode.current.read(into, position),
      close: () => {},
    }
  }

  /** Turns one bit of a file, on the disk and in what is read back. */
  flipBit(path: string, byte: number, bit: number): void {
    const inode = this.#content.names.get(path)
    if (inode === undefined) throw new IoError('missing', path)
    inode.current.bytes[byte] ^= 1 << bit
    if (byte < inode.durable.length) inode.durable.bytes[byte] ^= 1 << bit
  }

  /** A copy of a file as it is read back now. */
  contentOf(path: string): Uint8Array {
    const inode = this.#content.names.get(path)
    if (inode === undefined) throw new IoError('missing', path)
    return inode.current.bytes.slice(0, inode.current.length)
  }

  /** Puts a file there, durable, as if it had always been. */
  place(path: string, bytes: Uint8Array): void {
    const image = new FileImage()
    image.write(bytes, 0)
    const inode: Inode = { current: image, durable: new FileImage(image), pending: [] }
    this.#content.names.set(path, inode)
    this.#content.durableNames.set(path, inode)
  }

  /** Every operation under way or to come never ends. */
  stop(): void {
    this.#stopped = true
  }

  #file(path: string, inode: Inode): DiskFile {
    return {
      size: async () => {
        await this.#take(5)
        return inode.current.length
      },
      read: async (into, position) => {
        await this.#take(20 + into.byteLength / 4096)
        return inode.current.read(into, position)
      },
      write: (bytes, position) => this.#write(path, inode, bytes, position),
      truncate: async (length) => {
        await this.#boundary()
        await this.#take(20)
        this.#complete(inode, this.#begin(inode, length, null))
        await this.#boundary()
      },
      sync: () => this.#sync(path, inode),
      close: () => this.#take(5),
    }
  }

  async #write(path: string, inode: Inode, bytes: Uint8Array, position: number): Promise<void> {
    await this.#boundary()
    const room = this.#roomFor(inode, position + bytes.byteLength)
    const fits = room >= position + bytes.byteLength
    // A write that meets the end of the disk may have got any part of the way.
    const taken = fits ? bytes.byteLength : Math.max(0, this.#prng.below(Math.max(0, room - position) + 1))
    const change = this.#begin(inode, position, bytes.slice(0, taken))
    await this.#take(20 + bytes.byteLength / 1024)
    this.#complete(inode, change)
    await this.#boundary()
    if (!fits) throw new IoError('full', path)
  }

  async #sync(path: string, inode: Inode): Promise<void> {
    await this.#boundary()
    const covered = inode.pending.filter((change) => change.completed)
    const fails = this.#syncFails()
    await this.#take(200 + 50 * covered.length)
    inode.pending = inode.pending.filter((change) => !covered.includes(change))
    for (const change of covered) {
      if (fails) decideFate(inode.durable, change, this.#prng)
      else apply(inode.durable, change)
    }
    await this.#boundary()
    if (fails) throw new IoError('failed', path)
  }

  #syncFails(): boolean {
    this.syncs++
    return this.plan.failSyncs?.includes(this.syncs) === true || this.#prng.chance(this.plan.failSyncChance ?? 0)
  }

  /** How long the file may be. */
  #roomFor(inode: Inode, length: number): number {
    if (this.plan.capacityBytes === undefined || length <= inode.current.length) return length
    let used = 0
    for (const other of new Set(this.#content.names.values())) used += other.current.length
    return Math.max(inode.current.length, Math.min(length, inode.current.length + this.plan.capacityBytes - used))
  }

  #begin(inode: Inode, position: number, bytes: Uint8Array | null): PendingChange {
    const change = { position, bytes, completed: false }
    inode.pending.push(change)
    return change
  }

  #complete(inode: Inode, change: PendingChange): void {
    apply(inode.current, change)
    change.completed = true
  }

  #rename(path: string, change: (names: Names) => void): void {
    change(this.#content.names)
    this.#content.pendingNames.push({ folder: path.slice(0, path.lastIndexOf('/')), change })
  }

  async #boundary(): Promise<void> {
    if (this.#stopped) await forever()
    this.boundaries++
    if (this.boundaries !== this.plan.crashAt) return
    this.#onCrash()
    await forever()
  }

  #take(micros: number): Promise<void> {
    const spread = 0.5 + this.#prng.uint32() / 2 ** 32
    return new Promise((resolve) => {
      this.#clock.work(micros * spread * (this.plan.slowness ?? 1), () => {
        if (!this.#stopped) resolve()
      })
    })
  }
}

/** A promise of its own each time, so that nothing holds on to a program that has stopped. */
function forever(): Promise<never> {
  return new Promise(() => {})
}

/** The machine stopped: what the disk holds when it starts again. */
export function afterCrash(content: DiskContent, prng: Prng): DiskContent {
  for (const { change } of content.pendingNames) if (prng.chance(0.5)) change(content.durableNames)
  const names: Names = new Map()
  for (const [path, inode] of content.durableNames) {
    for (const change of inode.pending) decideFate(inode.durable, change, prng)
    inode.pending = []
    names.set(path, { current: new FileImage(inode.durable), durable: inode.durable, pending: [] })
  }
  return { names, durableNames: new Map(names), pendingNames: [] }
}

/** Only the program stopped: the system still holds what it wrote, though no sync made it safe. */
export function afterKill(content: DiskContent): DiskContent {
  for (const inode of content.names.values()) inode.pending = inode.pending.filter((change) => change.completed)
  return content
}
