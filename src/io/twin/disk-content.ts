import { decideFates, FileImage, type PendingChange } from './file-image.ts'
import type { Prng } from './prng.ts'

export interface Inode {
  /** What the program reads back. */
  current: FileImage
  /** What is on the disk for certain. */
  durable: FileImage
  pending: PendingChange[]
}

export type Names = Map<string, Inode>

interface PendingName {
  readonly folder: string
  readonly change: (names: Names) => void
}

/** A write that took place: what it wrote, and what was there before. */
interface Written {
  readonly inode: Inode
  readonly position: number
  readonly bytes: Uint8Array
  readonly before: Uint8Array
}

/** The same for somebody who thinks of writes that went wrong. */
export interface RecentWrite extends Omit<Written, 'inode'> {
  readonly path: string
}

/** What outlives a program: the disk's content and, while the machine runs, the system's cache over it. */
export interface DiskContent {
  names: Names
  durableNames: Names
  pendingNames: PendingName[]
  /** The last ones. */
  written: Written[]
}

export function emptyDisk(): DiskContent {
  return { names: new Map(), durableNames: new Map(), pendingNames: [], written: [] }
}

/** The machine stopped: what the disk holds when it starts again. */
export function afterCrash(content: DiskContent, prng: Prng): DiskContent {
  for (const { change } of content.pendingNames) if (prng.chance(0.5)) change(content.durableNames)
  for (const inode of new Set(content.durableNames.values())) {
    decideFates(inode.durable, inode.pending, prng)
    inode.pending = []
  }
  return copied(content.durableNames, content.written, ({ durable }) => durable)
}

/** A disk of its own, on which all is durable that this one holds. */
export function copyOf(content: DiskContent): DiskContent {
  return copied(content.names, content.written, ({ current }) => current)
}

function copied(from: Names, written: readonly Written[], imageOf: (inode: Inode) => FileImage): DiskContent {
  const copies = new Map<Inode, Inode>()
  const names: Names = new Map()
  for (const [path, inode] of from) {
    const image = imageOf(inode)
    const copy = copies.get(inode) ?? { current: new FileImage(image), durable: new FileImage(image), pending: [] }
    copies.set(inode, copy)
    names.set(path, copy)
  }
  const there = written.flatMap((write) => {
    const inode = copies.get(write.inode)
    return inode === undefined ? [] : [{ ...write, inode }]
  })
  return { names, durableNames: new Map(names), pendingNames: [], written: there }
}

/** Only the program stopped: the system still holds what it wrote, though no sync made it safe. */
export function afterKill(content: DiskContent): DiskContent {
  for (const inode of content.names.values()) inode.pending = inode.pending.filter((change) => change.completed)
  return content
}
