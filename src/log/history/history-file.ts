import { blockColumn, blockMagic, blockVersion, directoryBytes, headerBytes } from '../../data/block.ts'
import { crc32 } from '../../data/crc32.ts'
import { MillraceError } from '../../data/errors.ts'
import { align8, viewsOver } from '../../data/memory.ts'
import type { Lane } from '../../data/sql-type.ts'
import type { Disk, DiskFile } from '../../io/io.ts'
import { allocate } from '../frame.ts'
import { decodeAnswers, type TimedAnswer } from './answers.ts'
import { Section } from './column.ts'
import {
  type BlockPlace,
  type ColumnPlace,
  checkHeader,
  damagedHistory,
  decodeTrailer,
  type Footer,
  type HistoryName,
  historyHeaderBytes,
  historyName,
  nameOfFooter,
  type Place,
  trailerBytes,
} from './history-format.ts'

/** What happened when, commit by commit; the last four go by commits, the first two by their blocks. */
export interface Timeline {
  readonly order: Float64Array
  readonly rows: Float64Array
  readonly times: Float64Array
  readonly counts: Float64Array
  readonly seals: Float64Array
  readonly sealTimes: Float64Array
}

/** The commits that a block is made of. */
export interface BlockParts {
  readonly rows: Float64Array
  readonly ticks: Float64Array
  readonly micros: Float64Array
}

/** The end of a file, read in one piece: mostly it holds all of the footer. */
const tailBytes = 64 << 10
const lanes: readonly Lane[] = ['i32', 'i64', 'f64', 'bytes']

/** A history file, read by section. Each one's checksum is checked when it is read. */
export class HistoryFile {
  readonly footer: Footer
  readonly path: string
  readonly bytes: number
  readonly #disk: Disk

  private constructor(disk: Disk, path: string, bytes: number, footer: Footer) {
    this.#disk = disk
    this.path = path
    this.bytes = bytes
    this.footer = footer
  }

  /** @throws MillraceError log/corrupt, log/version */
  static async open(disk: Disk, folder: string, name: HistoryName): Promise<HistoryFile> {
    const path = `${folder}/${historyName(name)}`
    const file = await disk.open(path, { readOnly: true })
    try {
      const header = new Uint8Array(historyHeaderBytes)
      checkHeader(header.subarray(0, await file.read(header, 0)), name.number, path)
      const size = await file.size()
      const start = Math.max(0, size - tailBytes)
      const tail = new Uint8Array(size - start)
      await file.read(tail, start)
      const place = decodeTrailer(tail.subarray(-trailerBytes), size, path)
      const json = place.at >= start ? tail.subarray(place.at - start) : allocate(place.bytes)
      if (place.at < start) await file.read(json, place.at)
      const text = json.subarray(0, place.bytes)
      if (crc32(text) !== place.crc) throw damagedHistory(path, place.at)
      const footer = JSON.parse(new TextDecoder().decode(text)) as Footer
      if (historyName(nameOfFooter(footer)) !== historyName(name)) throw damagedHistory(path, place.at)
      return new HistoryFile(disk, path, size, footer)
    } finally {
      await file.close()
    }
  }

  /** Opens the file for reads by section; the caller closes it. */
  reader(): Promise<DiskFile> {
    return this.#disk.open(this.path, { readOnly: true })
  }

  async timeline(): Promise<Timeline> {
    const { order, rows, times, counts, seals, sealTimes } = this.footer
    return this.#reading(async (file) => ({
      order: await this.#numbers(file, order),
      rows: await this.#numbers(file, rows),
      times: await this.#numbers(file, times),
      counts: await this.#numbers(file, counts),
      seals: await this.#numbers(file, seals),
      sealTimes: await this.#numbers(file, sealTimes),
    }))
  }

  async answers(): Promise<TimedAnswer[]> {
    const { answers } = this.footer
    if (answers === null) return []
    return this.#reading(async (file) => decodeAnswers(await this.#place(file, answers)))
  }

  async parts(file: DiskFile, { partRows, partTicks, partMicros }: BlockPlace): Promise<BlockParts> {
    return {
      rows: await this.#numbers(file, partRows),
      ticks: await this.#numbers(file, partTicks),
      micros: await this.#numbers(file, partMicros),
    }
  }

  /** The offset of each row of a block, where they aren't one behind the other. */
  async offsets(file: DiskFile, { offsets }: BlockPlace): Promise<Float64Array | undefined> {
    return offsets === undefined ? undefined : this.#numbers(file, offsets)
  }

  /** Bytes as they lie in the file. @throws MillraceError log/corrupt */
  section(file: DiskFile, place: Place): Promise<Uint8Array> {
    return this.#place(file, place)
  }

  /** Whether the commits of each block make it up, as its place says. */
  async partsAgree(): Promise<boolean> {
    return this.#reading(async (file) => {
      for (const { blocks } of this.footer.topics) {
        for (const place of blocks) {
          const { rows, ticks, micros } = await this.parts(file, place)
          const ends = [ticks.at(0), ticks.at(-1), micros.at(0), micros.at(-1)].join()
          if (ends !== [...place.ticks, ...place.micros].join()) return false
          if (rows.reduce((sum, each) => sum + each, 0) !== place.rows) return false
          const offsets = await this.offsets(file, place)
          if (offsets === undefined) continue
          if (offsets.length !== place.rows || offsets[0] !== place.firstOffset) return false
          if (offsets[offsets.length - 1] !== place.lastOffset) return false
        }
      }
      return true
    })
  }

  /**
   * Reads a block's columns and puts them together as data/block.ts has them.
   * @param memory gives 8-byte aligned bytes, at least as many as asked for; for the file's bytes, then for the block
   * @param wanted the columns that are read; the others are not there, and nothing of them is looked at
   */
  async block(
    file: DiskFile,
    place: BlockPlace,
    memory: BlockMemory,
    wanted?: ReadonlySet<number>,
  ): Promise<Uint8Array> {
    if (place.opaque !== undefined) {
      const bytes = memory.block(place.opaque.bytes)
      await this.#read(file, place.opaque, bytes)
      return bytes
    }
    const columns =
      wanted === undefined
        ? place.columns
        : place.columns.filter(({ id }) => id === blockColumn.operation || wanted.has(id))
    const stretches = stretchesOf(columns)
    const bytes = memory.file(stretches.reduce((sum, { from, to }) => sum + to - from, 0))
    let start = 0
    const reads: Promise<unknown>[] = []
    const parts = new Map<ColumnPlace, Uint8Array>()
    for (const { from, to, columns } of stretches) {
      const part = bytes.subarray(start, start + to - from)
      // What is read short leaves bytes of before, whose checksum is another.
      reads.push(file.read(part, from))
      for (const column of columns) parts.set(column, part.subarray(column.at - from, column.at - from + column.bytes))
      start += to - from
    }
    // All of them end before the memory may be somebody else's.
    for (const read of await Promise.allSettled(reads)) if (read.status === 'rejected') throw read.reason
    const sections = columns.map((column) => {
      const part = parts.get(column)!
      if (crc32(part) !== column.crc) throw damagedHistory(this.path, column.at)
      return this.#section(part, column.at)
    })
    return assemble(columns, place.rows, sections, memory)
  }

  async #place(file: DiskFile, place: Place): Promise<Uint8Array> {
    const bytes = allocate(place.bytes)
    await this.#read(file, place, bytes)
    return bytes
  }

  async #read(file: DiskFile, place: Place, bytes: Uint8Array): Promise<void> {
    const read = await file.read(bytes, place.at)
    if (read < place.bytes || crc32(bytes) !== place.crc) throw damagedHistory(this.path, place.at)
  }

  async #numbers(file: DiskFile, place: Place): Promise<Float64Array> {
    return this.#section(await this.#place(file, place), place.at).numbers()
  }

  #section(bytes: Uint8Array, at: number): Section {
    try {
      return new Section(bytes)
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'log/corrupt') throw damagedHistory(this.path, at)
      throw error
    }
  }

  async #reading<T>(work: (file: DiskFile) => Promise<T>): Promise<T> {
    const file = await this.reader()
    try {
      return await work(file)
    } finally {
      await file.close()
    }
  }
}

/** Where blocks are read to, and put together. What `file` gave is not needed any more once the block is there. */
export interface BlockMemory {
  file(bytes: number): Uint8Array
  block(bytes: number): Uint8Array
}

export const freshMemory: BlockMemory = { file: allocate, block: allocate }

/** Columns that lie so close are read in one go, with what is between them. */
const gapBytes = 16 << 10

/** Which parts of the file to read for some columns; both ends 8-byte aligned. */
function stretchesOf(columns: readonly ColumnPlace[]): { from: number; to: number; columns: ColumnPlace[] }[] {
  const stretches: { from: number; to: number; columns: ColumnPlace[] }[] = []
  for (const column of columns) {
    const end = align8(column.at + column.bytes)
    const last = stretches.at(-1)
    if (last !== undefined && column.at - last.to <= gapBytes) {
      last.to = end
      last.columns.push(column)
    } else stretches.push({ from: column.at, to: end, columns: [column] })
  }
  return stretches
}

function assemble(
  columns: readonly ColumnPlace[],
  rows: number,
  sections: readonly Section[],
  memory: BlockMemory,
): Uint8Array {
  let size = headerBytes + sections.length * directoryBytes
  for (const { head } of sections) size += align8(head.cellBytes) + (head.hasStates ? align8(rows) : 0)
  const bytes = memory.block(size)
  const out = viewsOver(bytes.buffer, bytes.byteOffset, size)
  out.u32.set([blockMagic, blockVersion, size, rows, sections.length, 0, 0, 0])
  let at = headerBytes + sections.length * directoryBytes
  for (const [i, section] of sections.entries()) {
    const { lane, cellBytes, hasStates } = section.head
    const entry = (headerBytes + i * directoryBytes) >>> 2
    const states = at + align8(cellBytes)
    out.u32.set([columns[i].id | (lanes.indexOf(lane) << 16), at, cellBytes, hasStates ? states : 0, 0, 0], entry)
    // What lies between two parts was somebody else's before.
    out.u8.fill(0, at + cellBytes, states)
    if (hasStates) out.u8.fill(0, states + rows, states + align8(rows))
    section.decode(out, at, states)
    at = hasStates ? states + align8(rows) : states
  }
  return bytes
}
