import { openBlock } from '../../data/block.ts'
import { MillraceError } from '../../data/errors.ts'
import type { Disk } from '../../io/io.ts'
import type { SettledFile } from '../backup.ts'
import type { ReadBlock, TickMark, TickWanted } from '../log.ts'
import type { TimedAnswer } from './answers.ts'
import { type BlockParts, freshMemory, HistoryFile, type Timeline } from './history-file.ts'
import {
  type BlockPlace,
  damagedHistory,
  historyName,
  historyNumber,
  isUnfinished,
  type Moment,
} from './history-format.ts'
import { sliceBlock } from './topic-stream.ts'

/** Where every log begins. */
export const beginning: Moment = {
  position: 0,
  sequence: 1,
  previous: 0,
  tick: 0,
  tickMicros: 0,
  commitMicros: 0,
  offsets: [],
}

/** Where a block of a topic is. */
interface Found {
  readonly file: HistoryFile
  readonly place: BlockPlace
}

interface ReadPlace extends Found {
  readonly bytes: Uint8Array
  readonly parts: BlockParts
}

/** All history files of a log: its timeline and events from the beginning up to a tick. */
export class History {
  readonly #files: HistoryFile[]
  /** Each topic's blocks in the order of their offsets. */
  readonly #blocks = new Map<number, Found[]>()
  #timeline: { readonly file: HistoryFile; readonly timeline: Timeline } | null = null
  /** The block read last, for those who read on from there. */
  #last: ReadPlace | null = null

  private constructor(files: readonly HistoryFile[]) {
    this.#files = []
    for (const file of files) this.add(file)
  }

  /**
   * @param tidy removes what a writer left behind that was cut short
   * @throws MillraceError log/corrupt, log/version
   */
  static async open(disk: Disk, folder: string, tidy: boolean): Promise<History> {
    const names = await disk.list(folder)
    if (tidy) for (const name of names) if (isUnfinished(name)) await disk.remove(`${folder}/${name}`)
    const numbers = names.map(historyNumber).filter((number) => number !== null)
    numbers.sort((a, b) => a - b)
    const files: HistoryFile[] = []
    for (const [i, number] of numbers.entries()) {
      if (number !== i + 1) {
        const path = `${folder}/${historyName(i + 1)}`
        throw new MillraceError('log/corrupt', `the history’s file ${path} is missing`, {
          hint: 'restore it from a copy: the files after it continue it',
          place: { file: path },
        })
      }
      const file = await HistoryFile.open(disk, folder, number)
      if (!follows(file, files[i - 1])) throw damagedHistory(file.path, 0)
      files.push(file)
    }
    return new History(files)
  }

  /** Takes over a file that goes on where the last one ends. */
  add(file: HistoryFile): void {
    this.#files.push(file)
    for (const { topic, blocks } of file.footer.topics) {
      let found = this.#blocks.get(topic)
      if (found === undefined) this.#blocks.set(topic, (found = []))
      for (const place of blocks) found.push({ file, place })
    }
  }

  get files(): readonly HistoryFile[] {
    return this.#files
  }

  /** The log's identity, or null while there is no history. */
  get identity(): string | null {
    return this.#files[0]?.footer.log ?? null
  }

  /** Where the history ends and the journal goes on. */
  get end(): Moment {
    return this.#files.at(-1)?.footer.to ?? beginning
  }

  get settled(): readonly SettledFile[] {
    return this.#files.map(({ footer, bytes }) => ({ name: historyName(footer.number), bytes }))
  }

  /** Answers that were given at a commit time or later, with what else their files hold, in their order. */
  async answersSince(micros: number): Promise<TimedAnswer[]> {
    const from = this.#files.findIndex(({ footer }) => footer.keysMicros >= micros)
    const answers: TimedAnswer[] = []
    if (from < 0) return answers
    for (const file of this.#files.slice(from)) for (const answer of await file.answers()) answers.push(answer)
    return answers
  }

  /** As Log.readTopic, for offsets that the history holds. */
  async readTopic(topic: number, fromOffset: number, limitRows: number): Promise<ReadBlock[]> {
    const blocks = this.#blocks.get(topic) ?? []
    let low = firstOf(blocks, ({ firstOffset, rows }) => firstOffset + rows > fromOffset)
    const read: ReadBlock[] = []
    for (let rows = 0; low < blocks.length && rows < limitRows; low++) {
      rows += await this.#readParts(blocks[low], topic, fromOffset, limitRows - rows, read)
    }
    return read
  }

  /** As Log.findOffset; null where only the journal may have such an event. */
  async findOffset(topic: number, micros: number): Promise<number | null> {
    const blocks = this.#blocks.get(topic) ?? []
    const found = blocks[firstOf(blocks, (place) => place.micros[1] >= micros)]
    if (found === undefined) return null
    const reader = await found.file.reader()
    try {
      const parts = await found.file.parts(reader, found.place)
      let offset = found.place.firstOffset
      for (let i = 0; parts.micros[i] < micros; i++) offset += parts.rows[i]
      return offset
    } finally {
      await reader.close()
    }
  }

  /** @returns how many rows from `fromOffset` on it put into `read` */
  async #readParts(found: Found, topic: number, fromOffset: number, limit: number, read: ReadBlock[]): Promise<number> {
    const { bytes, parts } = await this.#read(found)
    const { firstOffset, rows } = found.place
    const opened = parts.rows.length > 1 ? openBlock(bytes) : null
    let taken = 0
    for (let i = 0, row = 0; i < parts.rows.length && taken < limit; row += parts.rows[i++]) {
      const first = firstOffset + row
      if (first + parts.rows[i] <= fromOffset) continue
      read.push({
        topic,
        partition: 0,
        firstOffset: first,
        appendedAtMicros: BigInt(parts.micros[i]),
        rows: parts.rows[i],
        bytes: opened === null ? bytes.slice() : sliceBlock(opened, row, parts.rows[i]),
        tick: parts.ticks[i],
      })
      taken += first + parts.rows[i] - Math.max(fromOffset, first)
    }
    return Math.min(taken, rows)
  }

  async #read(found: Found): Promise<ReadPlace> {
    if (this.#last?.place === found.place) return this.#last
    const { file, place } = found
    const reader = await file.reader()
    try {
      const parts = await file.parts(reader, place)
      const bytes = await file.block(reader, place, freshMemory)
      const read = { file, place, bytes, parts }
      this.#last = read
      return read
    } finally {
      await reader.close()
    }
  }

  /** As Log.findTick; null also where only the journal knows. */
  async findTick(wanted: TickWanted): Promise<TickMark | null> {
    const isUpTo = (tick: number, micros: number): boolean =>
      'tick' in wanted ? tick <= wanted.tick : micros <= Number(wanted.timeMicros)
    for (let i = this.#files.length - 1; i >= 0; i--) {
      const file = this.#files[i]
      const { from, to } = file.footer
      if (i > 0 && !isUpTo(from.tick, from.tickMicros)) continue
      const { seals, sealTimes } = await this.timeline(file)
      let found = from.tick === 0 ? null : { tick: from.tick, timeMicros: BigInt(from.tickMicros) }
      for (let k = 0, tick = from.tick + 1; k < seals.length && isUpTo(tick, sealTimes[k]); k++) {
        if (seals[k] === 1) found = { tick, timeMicros: BigInt(sealTimes[k]) }
        tick += seals[k]
      }
      return 'tick' in wanted && (found?.tick !== wanted.tick || wanted.tick > to.tick) ? null : found
    }
    return null
  }

  /** The timeline of a file; the one asked for last is kept. */
  async timeline(file: HistoryFile): Promise<Timeline> {
    if (this.#timeline?.file === file) return this.#timeline.timeline
    const timeline = await file.timeline()
    this.#timeline = { file, timeline }
    return timeline
  }
}

/** @returns the index of the first block of which something is true that is true of all behind it, too */
function firstOf(blocks: readonly Found[], isTrue: (place: BlockPlace) => boolean): number {
  let low = 0
  for (let high = blocks.length; low < high; ) {
    const middle = (low + high) >>> 1
    if (isTrue(blocks[middle].place)) high = middle
    else low = middle + 1
  }
  return low
}

function follows({ footer }: HistoryFile, before: HistoryFile | undefined): boolean {
  const end = before?.footer.to ?? beginning
  const { from } = footer
  const meets = from.position === end.position && from.sequence === end.sequence && from.tick === end.tick
  return meets && from.previous === end.previous && (before === undefined || before.footer.log === footer.log)
}
