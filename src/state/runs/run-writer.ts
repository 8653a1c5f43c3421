import { crc32 } from '../../data/crc32.ts'
import { Bug } from '../../data/errors.ts'
import type { Lane } from '../../data/sql-type.ts'
import type { Disk, DiskFile } from '../../io/io.ts'
import { blockCut, writeRows } from './block-rows.ts'
import type { RowStore } from './row-store.ts'
import { addToFilter, filterWords } from './run-filter.ts'
import {
  type ArrangementDirectory,
  encodeDirectory,
  encodeRunHeader,
  encodeRunTail,
  type RunFile,
  type RunIndex,
  runHeaderBytes,
  runTailBytes,
  type SectionDirectory,
  WordWriter,
} from './run-format.ts'

/** How much is gathered before it is written. */
const chunkBytes = 1024 * 1024
/** A sync of more would keep the disk busy for so long that the log's have to wait. */
const syncBytes = 8 * 1024 * 1024

export type OnIndexed = (index: RunIndex) => void

interface Chunk {
  readonly u8: Uint8Array
  readonly u32: Uint32Array
  length: number
}

/** A section's directory under construction. */
class SectionWriter {
  lanes: readonly Lane[] = []
  readonly positions: number[] = []
  readonly bytes = new WordWriter()
  readonly checksums = new WordWriter()
  readonly rows = new WordWriter()
  readonly first = new WordWriter()
  readonly last = new WordWriter()

  directory(): SectionDirectory {
    return {
      lanes: this.lanes,
      blocks: this.positions.length,
      positions: Float64Array.from(this.positions),
      bytes: this.bytes.taken(),
      checksums: this.checksums.taken(),
      rows: this.rows.taken(),
      first: this.first.taken(),
      last: this.last.taken(),
    }
  }
}

/**
 * Writes one run. Rows are put in without waiting; `flush` writes what has gathered, and has to be called now and
 * then. Nothing of the file may be believed before `finish` has resolved.
 */
export class RunWriter {
  readonly #file: DiskFile
  readonly #name: string
  readonly #arrangements: ArrangementDirectory[] = []
  readonly #filters: Uint32Array[] = []
  #chunks: Chunk[] = []
  /** Where in the file the next byte goes that is put in, and the next that is written. */
  #position = 0
  #written = 0
  #synced = 0
  /** Of what was written up to there: goes on beside the writing of what comes next. */
  #syncing: Promise<void> = Promise.resolve()
  #arrangement = ''
  #sections: SectionWriter[] = []
  #filter: Uint32Array = new Uint32Array(0)
  #buckets = 0

  private constructor(file: DiskFile, name: string) {
    this.#file = file
    this.#name = name
    this.#put(encodeRunHeader())
  }

  /** @param name a name that no file has */
  static async create(disk: Disk, folder: string, name: string): Promise<RunWriter> {
    return new RunWriter(await disk.open(`${folder}/${name}`, { create: true }), name)
  }

  /** Bytes put in so far. */
  get bytes(): number {
    return this.#position
  }

  /** @param buckets how many it will have at the most */
  beginArrangement(name: string, sections: number, buckets: number): void {
    this.#arrangement = name
    this.#sections = Array.from({ length: sections }, () => new SectionWriter())
    this.#filter = new Uint32Array(new SharedArrayBuffer(filterWords(buckets) * 4))
    this.#buckets = 0
  }

  /** Hashes of buckets (pairs of words), of every bucket the arrangement has here. */
  addBuckets(hashes: Uint32Array, count: number): void {
    addToFilter(this.#filter, hashes, count)
    this.#buckets += count
  }

  /**
   * Appends the rows `from` to `to` of `order` to a section. Their hashes are sorted, and none is below those that
   * the section has already.
   */
  addRows(section: number, store: RowStore, order: Uint32Array, from: number, to: number): void {
    const writer = this.#sections[section]
    const lanes = store.columns.map(({ lane }) => lane)
    if (writer.lanes.length === 0) writer.lanes = lanes
    else if (writer.lanes.join() !== lanes.join()) throw new Bug('rows of one section differ in their lanes')
    const hashes = store.columns[0].cells
    for (let at = from; at < to; ) {
      const cut = blockCut(store, order, at, to)
      const chunk = this.#room(cut.bytes)
      const base = chunk.length
      const bytes = writeRows(store, order, at, at + cut.rows, chunk, base)
      chunk.length += bytes
      writer.positions.push(this.#position)
      writer.bytes.push(bytes)
      writer.checksums.push(crc32(chunk.u8.subarray(base, base + bytes)))
      writer.rows.push(cut.rows)
      const first = 2 * order[at]
      const last = 2 * order[at + cut.rows - 1]
      writer.first.push(hashes[first], hashes[first + 1])
      writer.last.push(hashes[last], hashes[last + 1])
      this.#position += bytes
      at += cut.rows
    }
  }

  /** An arrangement that has no buckets leaves no trace. */
  endArrangement(): void {
    if (this.#buckets === 0) return
    const filter = new Uint8Array(this.#filter.buffer)
    this.#arrangements.push({
      name: this.#arrangement,
      buckets: this.#buckets,
      filter: { position: this.#position, words: this.#filter.length, checksum: crc32(filter) },
      sections: this.#sections.map((section) => section.directory()),
    })
    this.#filters.push(this.#filter)
    this.#put(filter)
  }

  /** Writes what has gathered, if that is worth a write. */
  async flush(): Promise<void> {
    if (this.#chunks.length > 1) await this.#write()
  }

  /**
   * Ends the file and makes its content durable; its name is not before the folder was synced.
   * @param indexed is told what the file's directory and filters are
   */
  async finish(indexed: OnIndexed = () => {}): Promise<RunFile> {
    const directory = encodeDirectory(this.#arrangements)
    const tail = { position: this.#position, bytes: directory.length, checksum: crc32(directory) }
    this.#put(directory)
    this.#put(encodeRunTail(tail))
    await this.#write()
    await this.#syncing
    await this.#file.sync()
    await this.#file.close()
    const arrangements = this.#arrangements.map(({ name }) => name)
    const shared = new Uint8Array(new SharedArrayBuffer(directory.length))
    shared.set(directory)
    indexed({ name: this.#name, directory: shared, filters: this.#filters })
    return { name: this.#name, bytes: this.#position, crc: tail.checksum, arrangements }
  }

  /** Gives the file up; whoever called removes it. */
  async abandon(): Promise<void> {
    this.#chunks = []
    await this.#syncing.catch(() => {})
    await this.#file.close()
  }

  async #write(): Promise<void> {
    const chunks = this.#chunks
    this.#chunks = []
    for (const { u8, length } of chunks) {
      await this.#file.write(u8.subarray(0, length), this.#written)
      this.#written += length
      if (this.#written - this.#synced < syncBytes) continue
      await this.#syncing
      this.#syncing = this.#file.sync()
      this.#syncing.catch(() => {})
      this.#synced = this.#written
    }
  }

  #put(bytes: Uint8Array): void {
    const chunk = this.#room(bytes.length)
    chunk.u8.set(bytes, chunk.length)
    chunk.length += bytes.length
    this.#position += bytes.length
  }

  #room(bytes: number): Chunk {
    const last = this.#chunks.at(-1)
    if (last !== undefined && last.length + bytes <= last.u8.length) return last
    const buffer = new ArrayBuffer((Math.max(chunkBytes, bytes + runHeaderBytes + runTailBytes) + 7) & ~7)
    const chunk = { u8: new Uint8Array(buffer), u32: new Uint32Array(buffer), length: 0 }
    this.#chunks.push(chunk)
    return chunk
  }
}
