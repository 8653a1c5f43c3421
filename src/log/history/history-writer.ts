import { type Block, blockColumn, openBlock } from '../../data/block.ts'
import { crc32 } from '../../data/crc32.ts'
import { invariant, MillraceError } from '../../data/errors.ts'
import { align8 } from '../../data/memory.ts'
import type { DiskFile } from '../../io/io.ts'
import type { Commit } from '../commit.ts'
import type { LoggedBlock } from '../log.ts'
import { encodeAnswers, type TimedAnswer } from './answers.ts'
import { encodeColumn, numberColumn } from './column.ts'
import type { Compression } from './compression.ts'
import { Gatherer } from './gather.ts'
import {
  type BlockPlace,
  type ColumnPlace,
  encodeFooter,
  encodeHeader,
  type Footer,
  historyHeaderBytes,
  type Moment,
  type Place,
} from './history-format.ts'

/** Gathered before it is written in one go. */
const writeBytes = 1 << 20

export interface WriterOptions {
  readonly compression: Compression
  /** Called after each small piece of work: gives others a turn. What it throws ends the writing. */
  readonly breathe: () => Promise<void>
}

/** A topic's blocks as they fill up. */
interface TopicWriter {
  readonly topic: number
  readonly index: number
  readonly gatherer: Gatherer
  readonly blocks: BlockPlace[]
  next: number
  rows: number[]
  ticks: number[]
  micros: number[]
}

/** A tick as it is taken over: its commits in order, the last of which seals it. */
export interface WrittenTick {
  readonly tick: number
  readonly timeMicros: bigint
  readonly commits: readonly Pick<Commit, 'timeMicros' | 'blocks' | 'answers'>[]
}

/** Writes one history file, tick by tick. */
export class HistoryWriter {
  readonly #file: DiskFile
  readonly #number: number
  readonly #log: string
  readonly #from: Moment
  readonly #options: WriterOptions
  readonly #offsets: Map<number, number>
  readonly #topics = new Map<number, TopicWriter>()
  readonly #times: number[] = []
  readonly #counts: number[] = []
  readonly #seals: number[] = []
  readonly #sealTimes: number[] = []
  readonly #order: number[] = []
  readonly #rows: number[] = []
  readonly #answers: TimedAnswer[] = []
  #pending: Uint8Array[] = [encodeHeader(0)]
  #pendingBytes = historyHeaderBytes
  /** Where the first pending byte goes. */
  #at = 0
  #tickMicros: number

  constructor(file: DiskFile, log: string, number: number, from: Moment, options: WriterOptions) {
    this.#file = file
    this.#number = number
    this.#log = log
    this.#from = from
    this.#options = options
    this.#offsets = new Map(from.offsets)
    this.#tickMicros = from.tickMicros
    this.#pending = [encodeHeader(number)]
  }

  /** Takes a tick over; its blocks are not needed any more when this resolves. */
  async add({ tick, timeMicros, commits }: WrittenTick): Promise<void> {
    for (const [i, commit] of commits.entries()) {
      const micros = whole(commit.timeMicros)
      const seals = i === commits.length - 1
      if (seals) this.#tickMicros = whole(timeMicros)
      this.#times.push(micros)
      this.#counts.push(commit.blocks.length)
      this.#seals.push(seals ? 1 : 0)
      this.#sealTimes.push(this.#tickMicros)
      for (const answer of commit.answers) this.#answers.push({ answer, micros })
      for (const block of commit.blocks) await this.#addBlock(block, tick, micros)
    }
  }

  async #addBlock(logged: LoggedBlock, tick: number, micros: number): Promise<void> {
    const { topic, firstOffset, rows } = logged
    invariant(firstOffset === (this.#offsets.get(topic) ?? 0), 'offsets have no gap')
    invariant(logged.partition === 0, 'a topic has one partition')
    const writer = this.#topicOf(topic, firstOffset)
    this.#order.push(writer.index)
    this.#rows.push(rows)
    this.#offsets.set(topic, firstOffset + rows)
    const block = takeApart(logged)
    if (block === null || !writer.gatherer.fits(block)) await this.#flush(writer)
    writer.rows.push(rows)
    writer.ticks.push(tick)
    writer.micros.push(micros)
    if (block === null) await this.#writeOpaque(writer, logged)
    else writer.gatherer.add(block)
  }

  #topicOf(topic: number, firstOffset: number): TopicWriter {
    let writer = this.#topics.get(topic)
    if (writer === undefined) {
      const index = this.#topics.size
      const gatherer = new Gatherer()
      writer = { topic, index, gatherer, blocks: [], next: firstOffset, rows: [], ticks: [], micros: [] }
      this.#topics.set(topic, writer)
    }
    return writer
  }

  async #flush(writer: TopicWriter): Promise<void> {
    if (writer.gatherer.rows === 0) return
    const { rows, columns } = writer.gatherer.take()
    const places: ColumnPlace[] = []
    for (const [id, column] of columns) {
      const { bytes, ...rest } = encodeColumn(column, rows, this.#options.compression)
      places.push({ id, lane: column.lane, ...this.#put(bytes), ...rest })
      await this.#breathe()
    }
    this.#close(writer, rows, places)
  }

  async #writeOpaque(writer: TopicWriter, { rows, bytes }: LoggedBlock): Promise<void> {
    this.#close(writer, rows, [], this.#put(bytes.slice()))
    await this.#breathe()
  }

  #close(writer: TopicWriter, rows: number, columns: readonly ColumnPlace[], opaque?: Place): void {
    const { ticks, micros } = writer
    const last = ticks.length - 1
    writer.blocks.push({
      firstOffset: writer.next,
      rows,
      ticks: [ticks[0], ticks[last]],
      micros: [micros[0], micros[last]],
      parts: ticks.length,
      partRows: this.#putNumbers('i32', writer.rows),
      partTicks: this.#putNumbers('i64', ticks),
      partMicros: this.#putNumbers('i64', micros),
      columns,
      ...(opaque === undefined ? {} : { opaque }),
    })
    writer.next += rows
    writer.rows = []
    writer.ticks = []
    writer.micros = []
  }

  /** Writes what is left and the footer, and makes all of it durable. @returns the footer */
  async finish(to: Moment): Promise<Footer> {
    for (const writer of this.#topics.values()) await this.#flush(writer)
    const answers = this.#answers.length === 0 ? null : this.#put(encodeAnswers(this.#answers))
    const footer: Footer = {
      log: this.#log,
      number: this.#number,
      from: this.#from,
      to,
      commits: this.#times.length,
      times: this.#putNumbers('i64', this.#times),
      counts: this.#putNumbers('i32', this.#counts),
      seals: this.#putNumbers('i32', this.#seals),
      sealTimes: this.#putNumbers('i64', this.#sealTimes),
      order: this.#putNumbers('i32', this.#order),
      rows: this.#putNumbers('i32', this.#rows),
      answers,
      keys: this.#answers.length,
      keysMicros: this.#answers.at(-1)?.micros ?? 0,
      topics: [...this.#topics.values()].map(({ topic, blocks }) => ({ topic, blocks })),
    }
    this.#put(encodeFooter(footer, this.#at + this.#pendingBytes))
    await this.#write()
    await this.#file.sync()
    return footer
  }

  /** The offsets as they stand behind the last tick added. */
  get offsets(): [number, number][] {
    return [...this.#offsets]
  }

  #putNumbers(lane: 'i32' | 'i64', values: readonly number[]): Place {
    return this.#put(encodeColumn(numberColumn(lane, values), values.length, this.#options.compression).bytes)
  }

  #put(bytes: Uint8Array): Place {
    const at = this.#at + this.#pendingBytes
    const padding = align8(bytes.byteLength) - bytes.byteLength
    this.#pending.push(bytes)
    if (padding > 0) this.#pending.push(new Uint8Array(padding))
    this.#pendingBytes += bytes.byteLength + padding
    return { at, bytes: bytes.byteLength, crc: crc32(bytes) }
  }

  async #breathe(): Promise<void> {
    if (this.#pendingBytes >= writeBytes) await this.#write()
    await this.#options.breathe()
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

/** @returns null for what is no block, or one that can't be put together with others */
function takeApart({ bytes, rows }: LoggedBlock): Block | null {
  try {
    const block = openBlock(bytes)
    return block.rows === rows && !block.columns.has(blockColumn.weight) ? block : null
  } catch (error) {
    if (error instanceof MillraceError) return null
    throw error
  }
}

function whole(micros: bigint): number {
  const number = Number(micros)
  invariant(Number.isSafeInteger(number), 'a time that doubles hold exactly')
  return number
}
