import { storedBlockBytes } from './block-rows.ts'
import type { RunReader, RunSection } from './run-reader.ts'

/**
 * Blocks of runs in memory, up to a number of bytes: frames of one buffer, so that rows of many blocks can be copied
 * out in one go. A full cache takes the place of a block that nobody has asked for since the hand last came by (the
 * clock algorithm). The system gives the buffer's memory as it is first written.
 */
export class BlockCache {
  hits = 0
  misses = 0
  readonly u8: Uint8Array
  /** The same bytes. */
  readonly u32: Uint32Array
  readonly #sections: (RunSection | null)[] = []
  readonly #blocks: Uint32Array
  /** Bit 0: asked for since the hand last passed. Bit 1: being read, so that nothing else may take its place. */
  readonly #used: Uint8Array
  readonly #frames: number
  #reading: number[] = []
  #hand = 0

  constructor(bytes: number) {
    this.#frames = Math.max(4, Math.min(131_072, Math.floor(bytes / storedBlockBytes)))
    const buffer = new ArrayBuffer(this.#frames * storedBlockBytes)
    this.u8 = new Uint8Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.#blocks = new Uint32Array(this.#frames)
    this.#used = new Uint8Array(this.#frames)
  }

  /** So many blocks are being read that others would find no place: it is time for `release`. */
  get crowded(): boolean {
    return this.#reading.length * 2 >= this.#frames
  }

  /** @returns where the block starts in the buffer until `release`, or −1: it is not there */
  find(section: RunSection, block: number): number {
    const frame = section.frames[block]
    if (frame < 0) return -1
    this.hits++
    if (this.#used[frame] < 2) this.#reading.push(frame)
    this.#used[frame] = 3
    return frame * storedBlockBytes
  }

  /**
   * Reads a block, of at most `storedBlockBytes`, that was not found; another one's place may be taken.
   * @returns where it starts in the buffer until `release`
   * @throws MillraceError state/corrupt
   */
  load(section: RunSection, block: number): number {
    this.misses++
    const frame = this.#freeFrame()
    const base = frame * storedBlockBytes
    section.run.readBlock(section, block, this.u8.subarray(base, base + section.bytes[block]))
    this.#sections[frame] = section
    this.#blocks[frame] = block
    section.frames[block] = frame
    this.#used[frame] = 2
    this.#reading.push(frame)
    return base
  }

  /** All that was found or loaded has been read. */
  release(): void {
    for (const frame of this.#reading) this.#used[frame] &= 1
    this.#reading = []
  }

  /** Forgets the blocks of a run that is closed. */
  drop(run: RunReader): void {
    for (let frame = 0; frame < this.#sections.length; frame++) {
      if (this.#sections[frame]?.run === run) this.#empty(frame)
    }
  }

  #freeFrame(): number {
    for (;;) {
      if (this.#hand === this.#frames) this.#hand = 0
      const frame = this.#hand++
      if (this.#used[frame] === 0) {
        this.#empty(frame)
        return frame
      }
      if (this.#used[frame] === 1) this.#used[frame] = 0
    }
  }

  #empty(frame: number): void {
    const section = this.#sections[frame] ?? null
    if (section !== null) section.frames[this.#blocks[frame]] = -1
    this.#sections[frame] = null
    this.#used[frame] = 0
  }
}
