import { type LinearMemory, pageBytes } from '../data/memory.ts'

/**
 * Allocation for what outlives a tick: entries, slots and strings of arrangements. Size classes with free lists
 * threaded through the freed bytes; what is larger than half a page takes whole pages.
 */
export class Heap {
  readonly memory: LinearMemory
  /** Whether arrangements over it keep track of what changes, so that it can be captured. */
  readonly tracked: boolean
  /** Test mode: hashes of few bits, so that several keys meet in a bucket. */
  readonly weakHash: boolean
  /** First free block per size class, 0: none. */
  readonly #free = new Uint32Array(classCount)
  #next = 0
  #end = 0
  readonly #pages: number[] = []
  readonly #large = new Map<number, number>()
  #later: number[] = []
  #usedBytes = 0
  #scratch = 0
  #scratchPages = 0

  constructor(memory: LinearMemory, { tracked = false, weakHash = false } = {}) {
    this.memory = memory
    this.tracked = tracked
    this.weakHash = weakHash
  }

  /** Bytes handed out and not given back, by size class. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  /** @returns a 16-byte aligned address, never 0; the bytes are not cleared */
  allocate(bytes: number): number {
    if (bytes > largestClass) return this.#allocateLarge(bytes)
    const index = classOf(bytes)
    const size = classBytes[index]
    this.#usedBytes += size
    const free = this.#free[index]
    if (free !== 0) {
      this.#free[index] = this.memory.u32[free >>> 2]
      return free
    }
    if (this.#next + size > this.#end) this.#refill()
    const address = this.#next
    this.#next += size
    return address
  }

  /** @param bytes what was asked for when it was allocated */
  free(address: number, bytes: number): void {
    if (bytes > largestClass) {
      const pages = Math.ceil(bytes / pageBytes)
      this.#usedBytes -= pages * pageBytes
      this.#large.delete(address)
      this.memory.freePages(address, pages)
      return
    }
    const index = classOf(bytes)
    this.#usedBytes -= classBytes[index]
    this.memory.u32[address >>> 2] = this.#free[index]
    this.#free[index] = address
  }

  /** Frees at the end of the tick: batches under way may still point to the bytes. */
  freeLater(address: number, bytes: number): void {
    this.#later.push(address, bytes)
  }

  endTick(): void {
    const later = this.#later
    if (later.length === 0) return
    for (let i = 0; i < later.length; i += 2) this.free(later[i], later[i + 1])
    this.#later = []
  }

  /** @returns an 8-byte aligned address of so many bytes, which are whoever's who asks next */
  scratch(bytes: number): number {
    const pages = Math.ceil(bytes / pageBytes)
    if (pages > this.#scratchPages) {
      this.#freeScratch()
      this.#scratch = this.memory.allocatePages(pages)
      this.#scratchPages = pages
    }
    return this.#scratch
  }

  #freeScratch(): void {
    if (this.#scratchPages > 0) this.memory.freePages(this.#scratch, this.#scratchPages)
    this.#scratchPages = 0
  }

  /** Gives every page back; whatever was allocated is gone. */
  destroy(): void {
    for (const address of this.#pages) this.memory.freePages(address, 1)
    for (const [address, pages] of this.#large) this.memory.freePages(address, pages)
    this.#freeScratch()
    this.#pages.length = 0
    this.#large.clear()
    this.#free.fill(0)
    this.#later = []
    this.#next = this.#end = this.#usedBytes = 0
  }

  #refill(): void {
    // The rest of the old page is lost to this class; smaller classes will not miss it.
    const address = this.memory.allocatePages(1)
    this.#pages.push(address)
    this.#next = address
    this.#end = address + pageBytes
  }

  #allocateLarge(bytes: number): number {
    const pages = Math.ceil(bytes / pageBytes)
    const address = this.memory.allocatePages(pages)
    this.#large.set(address, pages)
    this.#usedBytes += pages * pageBytes
    return address
  }
}

const largestClass = 32768

/** 16-byte steps up to 128, then four steps per doubling: at most a fifth is wasted. */
const classBytes: Uint16Array = (() => {
  const sizes: number[] = []
  for (let size = 16; size <= 128; size += 16) sizes.push(size)
  for (let base = 128; base < largestClass; base *= 2) for (let k = 1; k <= 4; k++) sizes.push(base + (base / 4) * k)
  return Uint16Array.from(sizes)
})()

const classCount = classBytes.length

/** Class by size in steps of 16 bytes. */
const classBySize: Uint8Array = (() => {
  const classes = new Uint8Array(largestClass / 16 + 1)
  for (let step = 0, index = 0; step < classes.length; step++) {
    while (classBytes[index] < step * 16) index++
    classes[step] = index
  }
  return classes
})()

function classOf(bytes: number): number {
  return classBySize[(bytes + 15) >>> 4]
}
