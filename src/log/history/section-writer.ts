import { crc32 } from '../../data/crc32.ts'
import { align8 } from '../../data/memory.ts'
import type { DiskFile } from '../../io/io.ts'
import { encodeColumn, numberColumn, type PlainColumn } from './column.ts'
import type { Compression } from './compression.ts'
import { type ColumnPlace, encodeFooter, encodeHeader, type Footer, type Place } from './history-format.ts'

/** Gathered before it is written in one go. */
const writeBytes = 1 << 20

export interface WriterOptions {
  readonly compression: Compression
  /** Called after each small piece of work: gives others a turn. What it throws ends the writing. */
  readonly breathe: () => Promise<void>
}

/** Writes a history file section by section, from its header to its footer. */
export class SectionWriter {
  readonly #file: DiskFile
  readonly #options: WriterOptions
  readonly #version: number
  #pending: Uint8Array[]
  #pendingBytes: number
  /** Where the first pending byte goes. */
  #at = 0

  constructor(file: DiskFile, number: number, version: number, options: WriterOptions) {
    this.#file = file
    this.#options = options
    this.#version = version
    const header = encodeHeader(number, version)
    this.#pending = [header]
    this.#pendingBytes = header.byteLength
  }

  put(bytes: Uint8Array): Place {
    const at = this.#at + this.#pendingBytes
    const padding = align8(bytes.byteLength) - bytes.byteLength
    this.#pending.push(bytes)
    if (padding > 0) this.#pending.push(new Uint8Array(padding))
    this.#pendingBytes += bytes.byteLength + padding
    return { at, bytes: bytes.byteLength, crc: crc32(bytes) }
  }

  putNumbers(lane: 'i32' | 'i64', values: readonly number[]): Place {
    return this.put(encodeColumn(numberColumn(lane, values), values.length, this.#options.compression).bytes)
  }

  putColumn(id: number, column: PlainColumn, rows: number): ColumnPlace {
    const { bytes, ...rest } = encodeColumn(column, rows, this.#options.compression)
    return { id, lane: column.lane, ...this.put(bytes), ...rest }
  }

  async breathe(): Promise<void> {
    if (this.#pendingBytes >= writeBytes) await this.#write()
    await this.#options.breathe()
  }

  /** Writes the rest and the footer, and makes all of it durable. */
  async end(footer: Footer): Promise<void> {
    this.put(encodeFooter(footer, this.#at + this.#pendingBytes, this.#version))
    await this.#write()
    await this.#file.sync()
  }

  async #write(): Promise<void> {
    const bytes = new Uint8Array(this.#pendingBytes)
    let at = 0
    for (const part of this.#pending) {
      bytes.set(part, at)
      at += part.byteLength
    }
    await this.#file.write(bytes, this.#at)
    this.#at += at
    this.#pending = []
    this.#pendingBytes = 0
  }
}
