import { type ByteKernels, byteKernels } from './byte-kernels.ts'
import { Bug, MillraceError } from './errors.ts'

/**
 * Typed views over one stretch of bytes. Addresses are byte offsets; `u32[address >>> 2]` and so on. Kernels take
 * the views anew at each call: when shared memory grows, older views keep their length and lose writes beyond it.
 */
export interface MemoryViews {
  readonly u8: Uint8Array
  readonly i32: Int32Array
  readonly u32: Uint32Array
  readonly f64: Float64Array
  readonly i64: BigInt64Array
}

/** Views over a buffer that never grows, such as a block read from disk. The length is rounded down to 8. */
export function viewsOver(
  buffer: ArrayBufferLike,
  byteOffset = 0,
  byteLength = buffer.byteLength - byteOffset,
): MemoryViews {
  if (byteOffset % 8 !== 0) throw new Bug('views need an 8-byte aligned start')
  const words = byteLength >>> 3
  return {
    u8: new Uint8Array(buffer, byteOffset, byteLength),
    i32: new Int32Array(buffer, byteOffset, words * 2),
    u32: new Uint32Array(buffer, byteOffset, words * 2),
    f64: new Float64Array(buffer, byteOffset, words),
    i64: new BigInt64Array(buffer, byteOffset, words),
  }
}

/** WebAssembly's page. */
export const pageBytes = 65536

/** The next multiple of 8: where 64-bit cells may begin. */
export function align8(bytes: number): number {
  return (bytes + 7) & ~7
}

/**
 * One engine's linear memory: a shared `WebAssembly.Memory` cut into pages. Only the engine's thread allocates.
 * Address 0 is never handed out, so 0 can mean "none".
 */
export class LinearMemory implements MemoryViews {
  u8!: Uint8Array
  i32!: Int32Array
  u32!: Uint32Array
  f64!: Float64Array
  i64!: BigInt64Array
  /** Work on bytes, always over the whole memory: unlike views, they need no refreshing. */
  readonly kernels: ByteKernels
  readonly #memory: WebAssembly.Memory
  readonly #maximumPages: number
  #pages: number
  /** Next page never handed out. */
  #top = 1
  /** Freed stretches by their length in pages. */
  readonly #free = new Map<number, number[]>()
  #usedPages = 0

  /** @param maximumBytes the most this engine may ever use, up to 4 GiB; only address space is taken at once */
  constructor(maximumBytes = 4 * 1024 ** 3) {
    this.#maximumPages = Math.min(65536, Math.ceil(maximumBytes / pageBytes))
    this.#pages = Math.min(16, this.#maximumPages)
    this.#memory = new WebAssembly.Memory({ initial: this.#pages, maximum: this.#maximumPages, shared: true })
    this.kernels = byteKernels(this.#memory)
    this.#refresh()
  }

  /** Bytes handed out and not given back. */
  get usedBytes(): number {
    return this.#usedPages * pageBytes
  }

  /** What a module of `wasmModule` exports, over this memory. */
  instance(module: WebAssembly.Module): WebAssembly.Instance['exports'] {
    return new WebAssembly.Instance(module, { engine: { memory: this.#memory } }).exports
  }

  /** @returns the address of `count` adjacent pages; their content is undefined */
  allocatePages(count: number): number {
    this.#usedPages += count
    const free = this.#free.get(count)?.pop()
    if (free !== undefined) return free
    if (this.#top + count > this.#pages) this.#grow(this.#top + count)
    const address = this.#top * pageBytes
    this.#top += count
    return address
  }

  freePages(address: number, count: number): void {
    this.#usedPages -= count
    const list = this.#free.get(count)
    if (list === undefined) this.#free.set(count, [address])
    else list.push(address)
  }

  #grow(needed: number): void {
    if (needed > this.#maximumPages) {
      this.#usedPages -= needed - this.#top
      throw new MillraceError(
        'engine/memory',
        `the engine needs more than its ${Math.floor((this.#maximumPages * pageBytes) / 1048576)} MiB of memory`,
        {
          hint: 'raise the memory limit, or keep less state: narrower views, final windows, fewer groups',
        },
      )
    }
    // Doubling up to 256 MiB a step keeps the number of grows small without taking what is not needed.
    const wanted = Math.min(this.#maximumPages, Math.max(needed, this.#pages + Math.min(this.#pages, 4096)))
    this.#memory.grow(wanted - this.#pages)
    this.#pages = wanted
    this.#refresh()
  }

  #refresh(): void {
    const buffer = this.#memory.buffer
    this.u8 = new Uint8Array(buffer)
    this.i32 = new Int32Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.f64 = new Float64Array(buffer)
    this.i64 = new BigInt64Array(buffer)
  }
}

/** Bump allocation for what lives no longer than a tick: batches and their strings. `reset` at `endTick`. */
export class Arena {
  readonly memory: LinearMemory
  #chunks: { address: number; pages: number }[] = []
  #chunk = 0
  #next = 0
  #end = 0

  constructor(memory: LinearMemory) {
    this.memory = memory
  }

  /** @returns an 8-byte aligned address; the bytes are not cleared */
  allocate(bytes: number): number {
    const size = (bytes + 7) & ~7
    if (this.#next + size > this.#end) this.#open(size)
    const address = this.#next
    this.#next += size
    return address
  }

  allocateZeroed(bytes: number): number {
    const address = this.allocate(bytes)
    this.memory.kernels.clearBytes(address, bytes)
    return address
  }

  /** Where the arena stands; `release` goes back to it. */
  mark(): ArenaMark {
    return { chunk: this.#chunk, next: this.#next, end: this.#end }
  }

  /**
   * Frees what was handed out since the mark, and nothing older: marks are released in the reverse of their order.
   * Whoever releases knows that nobody kept an address: operators copy what they keep.
   */
  release(mark: ArenaMark): void {
    this.#chunk = mark.chunk
    this.#next = mark.next
    this.#end = mark.end
  }

  /** Everything handed out becomes free; chunks of usual size are kept for the next tick. */
  reset(): void {
    const kept: { address: number; pages: number }[] = []
    for (const chunk of this.#chunks) {
      if (chunk.pages === chunkPages && kept.length < keptChunks) kept.push(chunk)
      else this.memory.freePages(chunk.address, chunk.pages)
    }
    this.#chunks = kept
    this.#chunk = 0
    this.#next = 0
    this.#end = 0
  }

  #open(size: number): void {
    while (this.#chunk < this.#chunks.length) {
      const chunk = this.#chunks[this.#chunk++]
      if (chunk.pages * pageBytes >= size) {
        this.#use(chunk)
        return
      }
    }
    // Powers of two, so that what one tick gave back fits the next one's needs.
    let pages = chunkPages
    while (pages * pageBytes < size) pages *= 2
    const chunk = { address: this.memory.allocatePages(pages), pages }
    this.#chunks.push(chunk)
    this.#chunk = this.#chunks.length
    this.#use(chunk)
  }

  #use(chunk: { address: number; pages: number }): void {
    this.#next = chunk.address
    this.#end = chunk.address + chunk.pages * pageBytes
  }
}

export interface ArenaMark {
  readonly chunk: number
  readonly next: number
  readonly end: number
}

const chunkPages = 16
const keptChunks = 64
