import { type Block, blockColumn, openBlock } from '../../data/block.ts'
import { invariant, MillraceError } from '../../data/errors.ts'
import type { DiskFile } from '../../io/io.ts'
import type { Commit } from '../commit.ts'
import type { LoggedBlock } from '../log.ts'
import { encodeAnswers, type TimedAnswer } from './answers.ts'
import { BlockWriter } from './block-writer.ts'
import { type Footer, historyVersion, type Moment } from './history-format.ts'
import { SectionWriter, type WriterOptions } from './section-writer.ts'

/** A topic's blocks as they fill up. */
interface TopicWriter {
  readonly topic: number
  readonly index: number
  readonly blocks: BlockWriter
}

/** A tick as it is taken over: its commits in order, the last of which seals it. */
export interface WrittenTick {
  readonly tick: number
  readonly timeMicros: bigint
  readonly commits: readonly Pick<Commit, 'timeMicros' | 'blocks' | 'answers'>[]
}

/** Others get a turn, if it is due, behind so many bytes; a block counts for so many more: single events take longer. */
const stretchBytes = 1 << 20
const blockBytes = 4096

/** Writes one history file, tick by tick. */
export class HistoryWriter {
  readonly #sections: SectionWriter
  readonly #number: number
  readonly #log: string
  readonly #from: Moment
  readonly #offsets: Map<number, number>
  readonly #topics = new Map<number, TopicWriter>()
  readonly #times: number[] = []
  readonly #counts: number[] = []
  readonly #seals: number[] = []
  readonly #sealTimes: number[] = []
  readonly #order: number[] = []
  readonly #rows: number[] = []
  readonly #answers: TimedAnswer[] = []
  #tickMicros: number
  #sinceTurn = 0

  constructor(file: DiskFile, log: string, number: number, from: Moment, options: WriterOptions) {
    this.#sections = new SectionWriter(file, number, historyVersion, options)
    this.#number = number
    this.#log = log
    this.#from = from
    this.#offsets = new Map(from.offsets)
    this.#tickMicros = from.tickMicros
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
      for (const block of commit.blocks) {
        await this.#addBlock(block, tick, micros)
        if (this.#turnIsDue(block.bytes.byteLength)) await this.#sections.breathe()
      }
    }
  }

  #turnIsDue(bytes: number): boolean {
    this.#sinceTurn += blockBytes + bytes
    if (this.#sinceTurn < stretchBytes) return false
    this.#sinceTurn = 0
    return true
  }

  async #addBlock(logged: LoggedBlock, tick: number, micros: number): Promise<void> {
    const { topic, firstOffset, rows } = logged
    invariant(firstOffset === (this.#offsets.get(topic) ?? 0), 'offsets have no gap')
    invariant(logged.partition === 0, 'a topic has one partition')
    const writer = this.#topicOf(topic)
    this.#order.push(writer.index)
    this.#rows.push(rows)
    this.#offsets.set(topic, firstOffset + rows)
    const block = takeApart(logged)
    const parts = { rows: [rows], ticks: [tick], micros: [micros] }
    if (block === null) await writer.blocks.addOpaque(logged.bytes.slice(), parts, firstOffset)
    else await writer.blocks.add(block, parts, firstOffset)
  }

  #topicOf(topic: number): TopicWriter {
    let writer = this.#topics.get(topic)
    if (writer === undefined) {
      writer = { topic, index: this.#topics.size, blocks: new BlockWriter(this.#sections) }
      this.#topics.set(topic, writer)
    }
    return writer
  }

  /** Writes what is left and the footer, and makes all of it durable. @returns the footer */
  async finish(to: Moment): Promise<Footer> {
    for (const { blocks } of this.#topics.values()) await blocks.flush()
    const sections = this.#sections
    const answers = this.#answers.length === 0 ? null : sections.put(encodeAnswers(this.#answers))
    const footer: Footer = {
      log: this.#log,
      number: this.#number,
      from: this.#from,
      to,
      commits: this.#times.length,
      times: sections.putNumbers('i64', this.#times),
      counts: sections.putNumbers('i32', this.#counts),
      seals: sections.putNumbers('i32', this.#seals),
      sealTimes: sections.putNumbers('i64', this.#sealTimes),
      order: sections.putNumbers('i32', this.#order),
      rows: sections.putNumbers('i32', this.#rows),
      answers,
      keys: this.#answers.length,
      keysMicros: this.#answers.at(-1)?.micros ?? 0,
      topics: [...this.#topics.values()].map(({ topic, blocks }) => ({ topic, blocks: blocks.blocks })),
    }
    await sections.end(footer)
    return footer
  }

  /** The offsets as they stand behind the last tick added. */
  get offsets(): [number, number][] {
    return [...this.#offsets]
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
