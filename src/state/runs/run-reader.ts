import { crc32 } from '../../data/crc32.ts'
import { type Disk, type DiskReader, IoError } from '../../io/io.ts'
import type { BlockView } from './row-store.ts'
import {
  type ArrangementDirectory,
  checkRunHeader,
  damagedRun,
  decodeDirectory,
  decodeRunTail,
  type RunFile,
  type RunIndex,
  runHeaderBytes,
  runTailBytes,
  type SectionDirectory,
} from './run-format.ts'

/** One section of a run, and which of its blocks a cache holds. */
export interface RunSection extends SectionDirectory {
  readonly run: RunReader
  /** Per block its frame in the block cache, or −1. */
  readonly frames: Int32Array
}

/** An arrangement's part of a run. */
export interface RunPart {
  readonly buckets: number
  readonly filter: Uint32Array
  /** The first holds the empty buckets' hashes, then come the arrangement's own. */
  readonly sections: readonly RunSection[]
}

/** A run whose directory and filters are in memory and right; its blocks are checked when they are read. */
export class RunReader {
  readonly file: RunFile
  readonly parts = new Map<string, RunPart>()
  readonly #path: string
  readonly #disk: Disk
  /** Null until the first read, where directory and filters were at hand. */
  #reader: DiskReader | null = null

  private constructor(disk: Disk, path: string, file: RunFile) {
    this.file = file
    this.#disk = disk
    this.#path = path
  }

  /**
   * @param index where whoever wrote the run has handed it on: then the file is not touched before a block is read
   * @throws MillraceError state/corrupt
   */
  static open(disk: Disk, folder: string, file: RunFile, index?: RunIndex): RunReader {
    const run = new RunReader(disk, `${folder}/${file.name}`, file)
    try {
      run.#index(index)
    } catch (error) {
      run.close()
      throw error
    }
    return run
  }

  #index(index: RunIndex | undefined): void {
    const directory = index === undefined ? this.#readDirectory() : decodeDirectory(index.directory)
    for (const [i, { name, buckets, filter, sections }] of directory.entries()) {
      this.parts.set(name, {
        buckets,
        filter: index?.filters[i] ?? this.#readFilter(filter),
        sections: sections.map((section) => ({
          ...section,
          run: this,
          frames: new Int32Array(section.blocks).fill(-1),
        })),
      })
    }
  }

  /**
   * Reads a block and checks it.
   * @param into exactly as long as the block
   * @throws MillraceError state/corrupt
   */
  readBlock(section: SectionDirectory, block: number, into: Uint8Array): void {
    this.#read(section.positions[block], into, section.checksums[block], 'a block')
  }

  close(): void {
    this.#reader?.close()
    this.#reader = null
  }

  #opened(): DiskReader {
    if (this.#reader !== null) return this.#reader
    const reader = readable(this.#path, 0, () => this.#disk.openReader(this.#path))
    this.#reader = reader
    const { size } = reader
    if (size !== this.file.bytes) {
      throw damagedRun(this.#path, Math.min(size, this.file.bytes), `it should have ${this.file.bytes} bytes`)
    }
    return reader
  }

  #readDirectory(): ArrangementDirectory[] {
    const reader = this.#opened()
    const { size } = reader
    const header = new Uint8Array(runHeaderBytes)
    const tailBytes = new Uint8Array(runTailBytes)
    readable(this.#path, 0, () => reader.read(header, 0))
    checkRunHeader(this.#path, header)
    readable(this.#path, size - runTailBytes, () => reader.read(tailBytes, size - runTailBytes))
    const tail = decodeRunTail(this.#path, size, tailBytes)
    if (tail.checksum !== this.file.crc) throw damagedRun(this.#path, size - 20, 'it is not the file it should be')
    const directory = new Uint8Array(tail.bytes)
    this.#read(tail.position, directory, tail.checksum, 'its directory')
    return decodeDirectory(directory)
  }

  #readFilter({ position, words, checksum }: ArrangementDirectory['filter']): Uint32Array {
    const filter = new Uint32Array(words)
    this.#read(position, new Uint8Array(filter.buffer), checksum, 'a filter')
    return filter
  }

  #read(position: number, into: Uint8Array, checksum: number, what: string): void {
    const reader = this.#opened()
    const read = readable(this.#path, position, () => reader.read(into, position))
    if (read !== into.length) throw damagedRun(this.#path, position + read, `${what} is cut off`)
    if (crc32(into) !== checksum) throw damagedRun(this.#path, position, `the checksum of ${what} is wrong`)
  }
}

/** What the disk can't give back, asked twice, is damaged as well. */
function readable<T>(path: string, position: number, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof IoError)) throw error
  }
  try {
    return read()
  } catch (error) {
    throw error instanceof IoError ? damagedRun(path, position, `it can't be read: ${error.message}`) : error
  }
}

/** Reads a block past any cache. */
export function loadBlock(section: RunSection, block: number): BlockView {
  const buffer = new ArrayBuffer(section.bytes[block])
  const u8 = new Uint8Array(buffer)
  section.run.readBlock(section, block, u8)
  return { u8, u32: new Uint32Array(buffer), base: 0, rows: section.rows[block] }
}
