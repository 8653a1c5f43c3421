import { storedBlockBytes } from './block-rows.ts'
import type { BlockView } from './row-store.ts'
import { loadBlock, type RunReader, type RunSection } from './run-reader.ts'

const framesPerSlab = 64

class Frame implements BlockView {
  readonly u8: Uint8Array
  readonly u32: Uint32Array
  readonly base: number
  rows = 0
  section: RunSection | null = null
  block = 0
  /** Asked for since the hand last passed. */
  used = false

  constructor(u8: Uint8Array, u32: Uint32Array, base: number) {
    this.u8 = u8
    this.u32 = u32
    this.base = base
  }
}

/**
 * Blocks of runs in memory, up to a number of bytes. A full cache takes the place of a block that nobody has asked
 * for since the hand last came by (the clock algorithm). Memory is taken slab by slab as it is needed.
 */
export class BlockCache {
  hits = 0
  misses = 0
  readonly #frames: Frame[] = []
  readonly #most: number
  #hand = 0

  constructor(bytes: number) {
    this.#most = Math.max(4, Math.floor(bytes / storedBlockBytes))
  }

  /**
   * @returns a block, to be read before the next call: its place may then be taken
   * @throws MillraceError state/corrupt
   */
  get(section: RunSection, block: number): BlockView {
    const at = section.frames[block]
    if (at >= 0) {
      this.hits++
      const frame = this.#frames[at]
      frame.used = true
      return frame
    }
    this.misses++
    const bytes = section.bytes[block]
    // A row longer than a block is usually meant to be: it would push out much else.
    if (bytes > storedBlockBytes) return loadBlock(section, block)
    const number = this.#freeFrame()
    const frame = this.#frames[number]
    section.run.readBlock(section, block, frame.u8.subarray(frame.base, frame.base + bytes))
    frame.section = section
    frame.block = block
    frame.rows = section.rows[block]
    frame.used = false
    section.frames[block] = number
    return frame
  }

  /** Forgets the blocks of a run that is closed. */
  drop(run: RunReader): void {
    for (const frame of this.#frames) if (frame.section?.run === run) this.#empty(frame)
  }

  #freeFrame(): number {
    for (;;) {
      if (this.#hand === this.#frames.length) {
        if (this.#frames.length < this.#most) this.#addSlab()
        else this.#hand = 0
      }
      const number = this.#hand++
      const frame = this.#frames[number]
      if (!frame.used) {
        this.#empty(frame)
        return number
      }
      frame.used = false
    }
  }

  #empty(frame: Frame): void {
    if (frame.section !== null) frame.section.frames[frame.block] = -1
    frame.section = null
    frame.used = false
  }

  #addSlab(): void {
    const count = Math.min(framesPerSlab, this.#most - this.#frames.length)
    const buffer = new ArrayBuffer(count * storedBlockBytes)
    const u8 = new Uint8Array(buffer)
    const u32 = new Uint32Array(buffer)
    for (let i = 0; i < count; i++) this.#frames.push(new Frame(u8, u32, i * storedBlockBytes))
  }
}
