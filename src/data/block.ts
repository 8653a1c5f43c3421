import { type Batch, batchRows, type Column } from './batch.ts'
import type { ByteKernels } from './byte-kernels.ts'
import { MillraceError } from './errors.ts'
import { type Arena, align8, type MemoryViews, viewsOver } from './memory.ts'
import { type Lane, laneWidth } from './sql-type.ts'

/**
 * A block is a batch's bytes behind a directory: what the log stores, what crosses threads and what snapshots hold.
 * Reading one is a copy. Little-endian; every section starts 8-byte aligned:
 *
 *     u32 magic · u32 version · u32 bytes in all · u32 rows · u32 columns · u32 0 · u64 0
 *     per column: u16 id · u8 lane · u8 0 · u32 data · u32 data length · u32 state (0: none) · u64 0
 *     sections
 *
 * `id` is the column's ordinal in its schema, or one of `blockColumn`. A bytes column's data are its cells followed
 * by its heap; offsets count from the data's start. A column that is not there is NULL in every row.
 */
export interface Block {
  readonly bytes: Uint8Array
  /** Views over `bytes`: addresses in `columns` count from the block's start. */
  readonly memory: MemoryViews
  readonly rows: number
  readonly columns: ReadonlyMap<number, Section>
}

export const blockColumn = { weight: 65535, operation: 65534, rest: 65533 } as const

export const blockMagic = 0x4b4c424d
export const blockVersion = 1
export const headerBytes = 32
export const directoryBytes = 24
const lanes: readonly Lane[] = ['i32', 'i64', 'f64', 'bytes']

/** How many rows a block has, by its header. */
export function blockRows({ buffer, byteOffset }: Uint8Array): number {
  return new DataView(buffer, byteOffset, headerBytes).getUint32(12, true)
}

export interface NumberedColumn {
  readonly id: number
  readonly column: Column
}

/** Serialises rows of a batch, strings compacted. The result owns its buffer and can be handed to another thread. */
export function writeBlock(memory: MemoryViews, batch: Batch, ids?: readonly number[], shared = false): Uint8Array {
  const shape = shapeOf(memory, batch, ids)
  const out = viewsOver(shared ? new SharedArrayBuffer(shape.size) : new ArrayBuffer(shape.size))
  fillBlock(memory, shape, out, 0, null)
  return out.u8
}

/** Smaller blocks are put together in the engine's memory: views over a new buffer cost more than a second copy. */
const leastStraight = 16384

/**
 * As `writeBlock`, of a batch in an engine's memory: put together there by the kernels, and copied out at once; or
 * copied straight to where it stays, if its strings lie one behind the other.
 */
export function copyOutBlock(arena: Arena, batch: Batch): Uint8Array {
  const { memory } = arena
  const shape = shapeOf(memory, batch)
  if (shape.size >= leastStraight && shape.joined.every((joined) => joined)) {
    const out = viewsOver(new ArrayBuffer(shape.size))
    fillBlock(memory, shape, out, 0, null)
    return out.u8
  }
  const mark = arena.mark()
  const base = arena.allocate(shape.size)
  fillBlock(memory, shape, memory, base, memory.kernels)
  const bytes = memory.u8.slice(base, base + shape.size)
  arena.release(mark)
  return bytes
}

/** What a block of a batch will hold, and how long each column's data are. */
interface BlockShape {
  readonly rows: number
  readonly columns: readonly NumberedColumn[]
  readonly lengths: readonly number[]
  /** Of each column: does each string begin where the one before it ends? */
  readonly joined: readonly boolean[]
  readonly size: number
}

function shapeOf(memory: MemoryViews, batch: Batch, ids?: readonly number[]): BlockShape {
  const columns: NumberedColumn[] = batch.columns.map((column, i) => ({ id: ids === undefined ? i : ids[i], column }))
  if (batch.weights !== 0) {
    columns.push({ id: blockColumn.weight, column: { lane: 'i32', data: batch.weights, state: 0, heap: 0 } })
  }
  const rows = batch.rows
  const lengths: number[] = []
  const joined: boolean[] = []
  let size = headerBytes + columns.length * directoryBytes
  for (const { column } of columns) {
    const heap = column.lane === 'bytes' ? heapOf(memory, column, rows) : noHeap
    const length = cellBytes(column, rows) + heap.bytes
    lengths.push(length)
    joined.push(heap.joined)
    size += align8(length) + (column.state === 0 ? 0 : align8(rows))
  }
  return { rows, columns, lengths, joined, size }
}

/** Writes a block at address `base` of `out`; with kernels, `out` is `memory` itself. */
function fillBlock(
  memory: MemoryViews,
  { rows, columns, lengths, joined, size }: BlockShape,
  out: MemoryViews,
  base: number,
  kernels: ByteKernels | null,
): void {
  out.u32.set([blockMagic, blockVersion, size, rows, columns.length, 0, 0, 0], base >>> 2)
  let at = headerBytes + columns.length * directoryBytes
  for (let i = 0; i < columns.length; i++) {
    const { id, column } = columns[i]
    const entry = (base + headerBytes + i * directoryBytes) >>> 2
    const state = column.state === 0 ? 0 : at + align8(lengths[i])
    out.u32.set([id | (lanes.indexOf(column.lane) << 16), at, lengths[i], state, 0, 0], entry)
    if (joined[i]) writeJoined(memory, column, rows, lengths[i], out, base + at)
    else writeCells(memory, column, rows, out, base + at, kernels)
    // A block's bytes are a function of its rows: what lies between sections too.
    out.u8.fill(0, base + at + lengths[i], base + at + align8(lengths[i]))
    at += align8(lengths[i])
    if (state === 0) continue
    out.u8.set(memory.u8.subarray(column.state, column.state + rows), base + at)
    out.u8.fill(0, base + at + rows, base + at + align8(rows))
    at += align8(rows)
  }
}

function cellBytes(column: Column, rows: number): number {
  return rows * laneWidth(column.lane)
}

const noHeap = { bytes: 0, joined: true }

/** How long a column's strings are together, and whether each begins where the one before it ends. */
function heapOf(
  { u32 }: MemoryViews,
  column: Column,
  rows: number,
): { readonly bytes: number; readonly joined: boolean } {
  if (rows === 0) return noHeap
  const read = column.data >>> 2
  const first = u32[read]
  let bytes = 0
  let joined = true
  for (let i = 0, at = read; i < rows; i++, at += 2) {
    joined &&= u32[at] === first + bytes
    bytes += u32[at + 1]
  }
  return { bytes, joined }
}

/** Cells as they lie; strings, as they came from a block, with one copy of all of them. */
function writeJoined(
  memory: MemoryViews,
  column: Column,
  rows: number,
  length: number,
  out: MemoryViews,
  at: number,
): void {
  const { u8, u32 } = memory
  const cells = cellBytes(column, rows)
  const read = column.data >>> 2
  const first = column.lane !== 'bytes' || rows === 0 ? 0 : u32[read]
  if (column.lane !== 'bytes' || (column.heap === column.data && first === cells)) {
    out.u8.set(u8.subarray(column.data, column.data + length), at)
    return
  }
  out.u8.set(u8.subarray(column.heap + first, column.heap + first + length - cells), at + cells)
  const write = at >>> 2
  for (let i = 0; i < rows; i++) {
    out.u32[write + 2 * i] = u32[read + 2 * i] - first + cells
    out.u32[write + 2 * i + 1] = u32[read + 2 * i + 1]
  }
}

/** Strings that lie anywhere, one by one. */
function writeCells(
  memory: MemoryViews,
  column: Column,
  rows: number,
  out: MemoryViews,
  at: number,
  kernels: ByteKernels | null,
): void {
  if (kernels !== null) {
    kernels.packStrings(column.data, column.heap, rows, at)
    return
  }
  const { u8, u32 } = memory
  const read = column.data >>> 2
  const write = at >>> 2
  let heap = rows * 8
  for (let i = 0; i < rows; i++) {
    const length = u32[read + 2 * i + 1]
    out.u32[write + 2 * i] = heap
    out.u32[write + 2 * i + 1] = length
    const start = column.heap + u32[read + 2 * i]
    if (length < 32) for (let k = 0; k < length; k++) out.u8[at + heap + k] = u8[start + k]
    else out.u8.set(u8.subarray(start, start + length), at + heap)
    heap += length
  }
}

/**
 * Reads a block's directory and checks that every section lies inside it and every text inside its section, so that
 * a damaged block is refused by name and never read out of bounds.
 * @param checked its checksum was found right: then its texts are as they were written
 * @throws MillraceError log/corrupt
 */
export function openBlock(bytes: Uint8Array, checked = false): Block {
  const whole = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice()
  const memory = viewsOver(whole.buffer, whole.byteOffset, whole.byteLength)
  const rows = checkHeader(memory, 0, whole.byteLength)
  const columns = new Map<number, Section>()
  for (let i = 0; i < memory.u32[4]; i++) {
    const entry = (headerBytes + i * directoryBytes) >>> 2
    const column = openColumn(memory, 0, entry, rows)
    if (column.lane === 'bytes' && !checked) checkHeap(memory, column, rows)
    columns.set(memory.u32[entry] & 0xffff, column)
  }
  return { bytes: whole, memory, rows, columns }
}

/**
 * Checks the header of the block that begins at `start`.
 * @returns its rows
 * @throws MillraceError log/corrupt
 */
export function checkHeader({ u32 }: MemoryViews, start: number, length: number): number {
  if (length < headerBytes) throw corrupt('it ends inside its header')
  const at = start >>> 2
  if (u32[at] !== blockMagic) throw corrupt('it does not begin with a block header')
  if (u32[at + 1] !== blockVersion) throw corrupt(`its version is ${u32[at + 1]}, this program reads ${blockVersion}`)
  const rows = u32[at + 3]
  if (u32[at + 2] !== length || rows > batchRows || headerBytes + u32[at + 4] * directoryBytes > length)
    throw corrupt('its header does not fit its length')
  return rows
}

/** A column as it lies in its block: `length` bytes of cells and heap. */
export interface Section extends Column {
  readonly length: number
}

/** @param entry where its entry stands, in 32-bit words. @throws MillraceError log/corrupt */
export function openColumn({ u32 }: MemoryViews, start: number, entry: number, rows: number): Section {
  const size = u32[(start >>> 2) + 2]
  const lane = lanes[(u32[entry] >>> 16) & 0xff]
  const data = u32[entry + 1]
  const length = u32[entry + 2]
  const state = u32[entry + 3]
  if (
    lane === undefined ||
    data % 8 !== 0 ||
    data + length > size ||
    length < rows * laneWidth(lane) ||
    state + (state === 0 ? 0 : rows) > size
  ) {
    throw corrupt(`its column ${u32[entry] & 0xffff} does not lie inside it`)
  }
  const at = start + data
  return { lane, data: at, state: state === 0 ? 0 : start + state, heap: lane === 'bytes' ? at : 0, length }
}

/** @throws MillraceError log/corrupt where a text points outside its section */
export function checkHeap(memory: MemoryViews, column: Section, rows: number): void {
  for (let i = 0, at = column.data >>> 2; i < rows; i++, at += 2) {
    if (memory.u32[at] + memory.u32[at + 1] > column.length) throw corrupt('a cell points outside its heap')
  }
}

export function corrupt(what: string): MillraceError {
  return new MillraceError('log/corrupt', `a block is damaged: ${what}`)
}

/**
 * Copies the wanted columns of a block into an engine's memory, in the order asked for.
 * @param wanted the columns' ids and lanes; one that the block lacks comes as all NULL
 */
export function readBlock(
  arena: Arena,
  block: Block,
  wanted: readonly { readonly id: number; readonly lane: Lane }[],
): Batch {
  const columns = wanted.map(({ id, lane }) => {
    const column = block.columns.get(id)
    return column === undefined
      ? nullColumn(arena, lane, block.rows)
      : copyColumn(arena, block.memory, column, block.rows)
  })
  const weights = block.columns.get(blockColumn.weight)
  return {
    rows: block.rows,
    columns,
    weights: weights === undefined ? 0 : copyColumn(arena, block.memory, weights, block.rows).data,
  }
}

/** Copies a column of `rows` cells into an engine's memory. */
export function copyColumn(arena: Arena, from: MemoryViews, column: Section, rows: number): Column {
  const data = arena.allocate(column.length)
  arena.memory.u8.set(from.u8.subarray(column.data, column.data + column.length), data)
  let state = 0
  if (column.state !== 0) {
    state = arena.allocate(rows)
    arena.memory.u8.set(from.u8.subarray(column.state, column.state + rows), state)
  }
  return { lane: column.lane, data, state, heap: column.lane === 'bytes' ? data : 0 }
}

/** A column whose every cell is NULL. */
export function nullColumn(arena: Arena, lane: Lane, rows: number): Column {
  const data = arena.allocateZeroed(rows * laneWidth(lane))
  const state = arena.allocate(rows)
  arena.memory.u8.fill(1, state, state + rows)
  return { lane, data, state, heap: 0 }
}
