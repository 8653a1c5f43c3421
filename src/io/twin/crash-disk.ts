import type { Disk, DiskFile, DiskLock, DiskReader, DiskSpace, OpenOptions } from '../io.ts'
import { IoError } from '../io.ts'
import type { DiskContent, Inode, Names, RecentWrite } from './disk-content.ts'
import { apply, decideFates, FileImage, type PendingChange } from './file-image.ts'
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

const writtenMost = 256

/**
 * A disk that keeps only what it must. A change is safe once a sync that began after the change had completed has
 * succeeded; a new name once its folder was synced likewise. When the machine stops, every other change survives,
 * vanishes or tears by sectors, each on its own, in any order. A failed sync settles its changes' fates at once, although the
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
    const inode = this.#inode(path)
    return {
      size: inode.current.length,
      read: (into, position) => inode.current.read(into, position),
      close: () => {},
    }
  }

  async bytesIn(folder: string): Promise<number> {
    await this.#take(20)
    let sum = 0
    for (const [path, inode] of this.#content.names) if (path.startsWith(`${folder}/`)) sum += inode.current.length
    return sum
  }

  async space(_folder: string): Promise<DiskSpace | null> {
    await this.#take(5)
    const { capacityBytes } = this.plan
    if (capacityBytes === undefined) return null
    return { freeBytes: Math.max(0, capacityBytes - this.usedBytes), totalBytes: capacityBytes }
  }

  /** Turns one bit of a file, on the disk and in what is read back. */
  flipBit(path: string, byte: number, bit: number): void {
    const inode = this.#inode(path)
    inode.current.bytes[byte] ^= 1 << bit
    if (byte < inode.durable.length) inode.durable.bytes[byte] ^= 1 << bit
  }

  /** Puts bytes into a file, on the disk and in what is read back; it gets no longer. */
  overwrite(path: string, position: number, bytes: Uint8Array): void {
    const { current, durable } = this.#inode(path)
    for (const image of [current, durable]) {
      image.bytes.set(bytes.subarray(0, Math.max(0, image.length - position)), Math.min(position, image.length))
    }
  }

  /** Cuts a file, on the disk and in what is read back. */
  cut(path: string, length: number): void {
    const { current, durable } = this.#inode(path)
    for (const image of [current, durable]) image.truncate(Math.min(image.length, length))
  }

  /** Writes whose files are still there, and whose bytes are as they were written. */
  recentWrites(): RecentWrite[] {
    const paths = new Map([...this.#content.names].map(([path, inode]) => [inode, path]))
    return this.#content.written.flatMap(({ inode, ...rest }) => {
      const path = paths.get(inode)
      const { bytes, length } = inode.current
      const now = bytes.subarray(rest.position, Math.min(length, rest.position + rest.bytes.length))
      return path === undefined || !equal(now, rest.bytes) ? [] : [{ path, ...rest }]
    })
  }

  /** All files, in order. */
  get paths(): readonly string[] {
    return [...this.#content.names.keys()].sort()
  }

  /** Bytes of all files together. */
  get usedBytes(): number {
    let used = 0
    for (const { current } of new Set(this.#content.names.values())) used += current.length
    return used
  }

  /** A copy of a file as it is read back now. */
  contentOf(path: string): Uint8Array {
    const { current } = this.#inode(path)
    return current.bytes.slice(0, current.length)
  }

  /** Removes a file, or a folder's files, as if they had never been. */
  forget(name: string): void {
    for (const path of this.paths) {
      if (path !== name && !path.startsWith(`${name}/`)) continue
      this.#content.names.delete(path)
      this.#content.durableNames.delete(path)
    }
  }

  /** Puts a file there, durable, as if it had always been. */
  place(path: string, bytes: Uint8Array): void {
    const image = new FileImage()
    image.write(bytes, 0)
    const inode: Inode = { current: image, durable: new FileImage(image), pending: [] }
    this.#content.names.set(path, inode)
    this.#content.durableNames.set(path, inode)
  }

  #inode(path: string): Inode {
    const inode = this.#content.names.get(path)
    if (inode === undefined) throw new IoError('missing', path)
    return inode
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
    const before = new Uint8Array(taken)
    inode.current.read(before, position)
    this.#complete(inode, change)
    const { written } = this.#content
    if (taken > 0) written.push({ inode, position, bytes: change.bytes!, before })
    if (written.length > writtenMost) written.shift()
    await this.#boundary()
    if (!fits) throw new IoError('full', path)
  }

  async #sync(path: string, inode: Inode): Promise<void> {
    await this.#boundary()
    const covered = inode.pending.filter((change) => change.completed)
    const fails = this.#syncFails()
    await this.#take(200 + 50 * covered.length)
    inode.pending = inode.pending.filter((change) => !covered.includes(change))
    if (fails) decideFates(inode.durable, covered, this.#prng)
    else for (const change of covered) apply(inode.durable, change)
    await this.#boundary()
    if (fails) throw new IoError('failed', path)
  }

  #syncFails(): boolean {
    this.syncs++
    return this.plan.failSyncs?.includes(this.syncs) === true || this.#prng.chance(this.plan.failSyncChance ?? 0)
  }

  /** How long the file may be. */
  #roomFor(inode: Inode, length: number): number {
    const { capacityBytes } = this.plan
    if (capacityBytes === undefined || length <= inode.current.length) return length
    return Math.max(inode.current.length, Math.min(length, inode.current.length + capacityBytes - this.usedBytes))
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

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
