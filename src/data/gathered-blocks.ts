import { batchRows, type Column } from './batch.ts'
import {
  checkHeader,
  checkHeap,
  copyColumn,
  corrupt,
  directoryBytes,
  headerBytes,
  nullColumn,
  openColumn,
  type Section,
} from './block.ts'
import { type Arena, type MemoryViews, viewsOver } from './memory.ts'
import { type Lane, laneWidth } from './sql-type.ts'

/** A block where it lies: nothing but its header was looked at. */
export interface BlockPlace {
  readonly memory: MemoryViews
  /** Address of its first byte. */
  readonly start: number
  readonly rows: number
  /** Where its rows begin among those gathered. */
  row: number
}

/** Gathered blocks stay easy to handle: so many bytes at most, unless a single one is larger. */
const mostBytes = 4 << 20

/**
 * Blocks of one schema behind each other, read as if they were one: an append of one event is a block of its own,
 * and a batch of one row costs every operator as much as a batch of hundreds. Only what is asked for is looked at,
 * and checked before it is followed.
 */
export class GatheredBlocks {
  #blocks: BlockPlace[] = []
  rows = 0
  #bytes = 0
  /** Views over the buffer met last: many blocks lie in one. */
  #memory: MemoryViews = viewsOver(new ArrayBuffer(0))

  /** Looks at a block's header. @throws MillraceError log/corrupt */
  open(bytes: Uint8Array): BlockPlace {
    const whole = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice()
    if (this.#memory.u8.buffer !== whole.buffer) this.#memory = viewsOver(whole.buffer)
    const memory = this.#memory
    const start = whole.byteOffset
    return { memory, start, rows: checkHeader(memory, start, whole.byteLength), row: 0 }
  }

  /** Whether a batch can hold these rows, too. */
  fits({ memory, start, rows }: BlockPlace): boolean {
    return this.rows === 0 || (this.rows + rows <= batchRows && this.#bytes + sizeOf(memory, start) <= mostBytes)
  }

  add(block: BlockPlace): void {
    block.row = this.rows
    this.#blocks.push(block)
    this.rows += block.rows
    this.#bytes += sizeOf(block.memory, block.start)
  }

  get blocks(): readonly BlockPlace[] {
    return this.#blocks
  }

  clear(): void {
    this.#blocks = []
    this.rows = 0
    this.#bytes = 0
  }

  has(id: number): boolean {
    return this.#blocks.some((block) => entryOf(block, id) !== 0)
  }

  /**
   * Copies one column of all blocks into an engine's memory; it is NULL in the rows of blocks that lack it.
   * @throws MillraceError log/corrupt where it does not lie in its block, has another lane, or a text points outside it
   */
  column(arena: Arena, id: number, lane: Lane): Column {
    const sections = this.#blocks.map((block) => sectionOf(block, id, lane))
    if (sections.length === 1) {
      const [section] = sections
      const [{ memory, rows }] = this.#blocks
      return section === null ? nullColumn(arena, lane, rows) : copyColumn(arena, memory, section, rows)
    }
    const width = laneWidth(lane)
    const data = arena.allocateZeroed(this.rows * width)
    const withStates = sections.some((section) => section === null || section.state !== 0)
    const state = withStates ? arena.allocateZeroed(this.rows) : 0
    const texts = lane === 'bytes' ? sections.reduce((sum, section) => sum + (section?.length ?? 0), 0) : 0
    const heap = texts === 0 ? 0 : arena.allocate(texts)
    const { memory } = arena
    let text = 0
    this.#blocks.forEach((block, i) => {
      const { rows, row } = block
      const section = sections[i]
      if (section === null) {
        memory.u8.fill(1, state + row, state + row + rows)
        return
      }
      copy(block.memory, section.data, memory, data + row * width, rows * width)
      if (section.state !== 0) copy(block.memory, section.state, memory, state + row, rows)
      if (lane !== 'bytes') return
      // The section comes whole, cells and all: so its offsets grow alike.
      copy(block.memory, section.data, memory, heap + text, section.length)
      for (let r = row, at = data >>> 2; r < row + rows; r++) memory.u32[at + 2 * r] += text
      text += section.length
    })
    return { lane, data, state, heap }
  }
}

/**
 * A column of a block where it lies, null where the block lacks it.
 * @throws MillraceError log/corrupt
 */
export function sectionOf(block: BlockPlace, id: number, lane: Lane): Section | null {
  const entry = entryOf(block, id)
  if (entry === 0) return null
  const { memory, start, rows } = block
  const section = openColumn(memory, start, entry, rows)
  if (section.lane !== lane) throw corrupt(`its column ${id} is of lane ${section.lane}, not ${lane}`)
  if (lane === 'bytes') checkHeap(memory, section, rows)
  return section
}

/** Where the column's entry stands, in 32-bit words; 0: there is none. */
function entryOf({ memory: { u32 }, start }: BlockPlace, id: number): number {
  const count = u32[(start >>> 2) + 4]
  for (let i = 0, entry = (start + headerBytes) >>> 2; i < count; i++, entry += directoryBytes >>> 2) {
    if ((u32[entry] & 0xffff) === id) return entry
  }
  return 0
}

function sizeOf({ u32 }: MemoryViews, start: number): number {
  return u32[(start >>> 2) + 2]
}

/** Few bytes are copied one by one: making a view of them costs more. */
function copy(from: MemoryViews, start: number, to: MemoryViews, at: number, bytes: number): void {
  if (bytes > 128) {
    to.u8.set(from.u8.subarray(start, start + bytes), at)
    return
  }
  const source = from.u8
  const target = to.u8
  for (let i = 0; i < bytes; i++) target[at + i] = source[start + i]
}
