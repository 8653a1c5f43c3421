import type { Prng } from './prng.ts'

/** The unit that a disk writes whole or not at all. */
export const sectorBytes = 512

/** A file's bytes, growing as they are written; what was never written is zero. */
export class FileImage {
  bytes: Uint8Array
  length: number

  constructor(from?: FileImage) {
    this.bytes = from === undefined ? new Uint8Array(sectorBytes) : from.bytes.slice()
    this.length = from?.length ?? 0
  }

  read(into: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(into.byteLength, this.length - position))
    into.set(this.bytes.subarray(position, position + count))
    return count
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.byteLength
    if (end > this.bytes.byteLength) {
      const larger = new Uint8Array(Math.max(end, this.bytes.byteLength * 2))
      larger.set(this.bytes)
      this.bytes = larger
    }
    this.bytes.set(bytes, position)
    this.length = Math.max(this.length, end)
  }

  truncate(length: number): void {
    if (length > this.length) this.write(new Uint8Array(length - this.length), this.length)
    this.bytes.fill(0, length)
    this.length = length
  }
}

/** A change of a file that no successful sync covers yet. */
export interface PendingChange {
  readonly position: number
  /** What is written there, or null: the file is cut (or grown) to `position`. */
  readonly bytes: Uint8Array | null
  completed: boolean
}

export function apply(image: FileImage, change: PendingChange): void {
  if (change.bytes === null) image.truncate(change.position)
  else image.write(change.bytes, change.position)
}

/**
 * What a disk does with changes that no sync made safe: of each all survives, nothing, or each of its sectors on its
 * own, the others keeping their old bytes. Writes reach the disk in any order, also over the same bytes; what changes
 * a file's length keeps its place among them.
 */
export function decideFates(image: FileImage, changes: readonly PendingChange[], prng: Prng): void {
  for (let from = 0; from < changes.length; ) {
    const next = changes.findIndex(({ bytes }, i) => i >= from && bytes === null)
    const to = next < 0 ? changes.length : next
    const writes = changes.slice(from, to)
    for (let left = writes.length; left > 0; left--) {
      const at = prng.below(left)
      decideFate(image, writes[at], prng)
      writes[at] = writes[left - 1]
    }
    if (to < changes.length) decideFate(image, changes[to], prng)
    from = to + 1
  }
}

function decideFate(image: FileImage, change: PendingChange, prng: Prng): void {
  const fate = prng.below(3)
  if (fate === 0) return
  if (fate === 1 || change.bytes === null) {
    apply(image, change)
    return
  }
  const end = change.position + change.bytes.byteLength
  for (let at = change.position; at < end; ) {
    const next = Math.min(end, (Math.floor(at / sectorBytes) + 1) * sectorBytes)
    if (prng.chance(0.5)) {
      image.write(change.bytes.subarray(at - change.position, next - change.position), at)
    }
    at = next
  }
}
