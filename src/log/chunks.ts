import { invariant } from '../data/errors.ts'
import { allocate } from './frame.ts'

/** A piece of memory that frames are read into. */
export interface Chunk {
  readonly bytes: Uint8Array
  /** Who may still read it: the reader at work, and each tick that has blocks in it. */
  holders: number
}

/** Sizes are multiples of it, so that a piece fits the next frame that is a little larger, too. */
const unitBytes = 256 << 10
/** So much stays when nobody reads it: two of the largest ticks that a replay hands over. */
const keptBytes = 128 << 20

/**
 * Memory for reading the journal, used again once nobody reads it any more: fresh memory costs more than reading and
 * checksumming what is put there, since the system clears every page of it.
 */
export class ChunkPool {
  readonly #shared: boolean
  readonly #free: Chunk[] = []
  #freeBytes = 0

  /** @param shared whether what lies in it may be read by other threads */
  constructor(shared = false) {
    this.#shared = shared
  }

  /** @returns a piece of at least so many bytes, with one holder: the caller */
  take(bytes: number): Chunk {
    // The one given back last is the likeliest to be in the processor's cache.
    for (let i = this.#free.length - 1; i >= 0; i--) {
      const chunk = this.#free[i]
      if (chunk.bytes.byteLength < bytes) continue
      this.#free.splice(i, 1)
      this.#freeBytes -= chunk.bytes.byteLength
      chunk.holders = 1
      return chunk
    }
    const size = Math.ceil(bytes / unitBytes) * unitBytes
    return { bytes: this.#shared ? new Uint8Array(new SharedArrayBuffer(size)) : allocate(size), holders: 1 }
  }

  hold(chunk: Chunk): void {
    chunk.holders++
  }

  /** Gives up one hold; with the last one the memory may be written to again. */
  release(chunk: Chunk): void {
    invariant(chunk.holders > 0, 'a chunk that nobody holds is given back')
    if (--chunk.holders > 0) return
    this.#free.push(chunk)
    this.#freeBytes += chunk.bytes.byteLength
    // The size given back last is the one that is wanted now.
    while (this.#freeBytes > keptBytes) this.#freeBytes -= this.#free.shift()!.bytes.byteLength
  }
}

/** The chunks that the blocks of a tick lie in, held until nobody reads them any more. */
export class HeldChunks {
  readonly #pool: ChunkPool
  #chunks: Chunk[] = []

  constructor(pool: ChunkPool) {
    this.#pool = pool
  }

  /** Blocks come in the journal's order, so a chunk once left is not met again. */
  add(chunk: Chunk): void {
    if (this.#chunks[this.#chunks.length - 1] === chunk) return
    this.#pool.hold(chunk)
    this.#chunks.push(chunk)
  }

  /** Takes over what another one holds. */
  addAll(other: HeldChunks): void {
    for (const chunk of other.#chunks) this.#chunks.push(chunk)
    other.#chunks = []
  }

  /** Gives all up; only the first call does something. */
  release(): void {
    for (const chunk of this.#chunks) this.#pool.release(chunk)
    this.#chunks = []
  }
}
