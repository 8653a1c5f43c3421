import { openBlock } from '../../data/block.ts'
import type { Disk } from '../../io/io.ts'
import type { SettledFile } from '../backup.ts'
import { type Cut, endOf, type ReadBlock, rowFrom, type TickMark, type TickWanted } from '../log.ts'
import type { TimedAnswer } from './answers.ts'
import { type BlockParts, freshMemory, type HistoryFile, type Timeline } from './history-file.ts'
import { beginning, openHistoryFiles } from './history-files.ts'
import { type BlockPlace, bytesOfPlace, endOfPlace, historyName, type Moment, nameOfFooter } from './history-format.ts'
import { sliceBlock } from './topic-stream.ts'
import { isGone, openTrims, type TrimsFile, trimsName, undecided } from './trims.ts'

/** Where a block of a topic is. */
interface Found {
  readonly file: HistoryFile
  readonly place: BlockPlace
}

interface ReadPlace extends Found {
  readonly bytes: Uint8Array
  readonly parts: BlockParts
  readonly offsets: Float64Array | undefined
}

/** All history files of a log: its timeline and events from the beginning up to a tick. */
export class History {
  readonly #files: HistoryFile[]
  /** Each topic's blocks in the order of their offsets. */
  readonly #blocks = new Map<number, Found[]>()
  #timeline: { readonly file: HistoryFile; readonly timeline: Timeline } | null = null
  /** The block read last, for those who read on from there. */
  #last: ReadPlace | null = null

  /** What was decided to go; `replace` takes it away. */
  #trims: TrimsFile
  /** All of it as it was when somebody asked last; null once it has changed. */
  #kept: History | null = null

  private constructor(files: readonly HistoryFile[], trims: TrimsFile) {
    this.#files = []
    this.#trims = trims
    for (const file of files) this.add(file)
  }

  /**
   * @param tidy removes what a writer left behind that was cut short
   * @throws MillraceError log/corrupt, log/version
   */
  static async open(disk: Disk, folder: string, tidy: boolean): Promise<History> {
    const files = await openHistoryFiles(disk, folder, tidy)
    const trims = await openTrims(disk, folder, tidy)
    for (const { path, footer } of files) {
      for (const [topic, throughTick] of footer.trimmed ?? []) {
        if ((trims.topics.get(topic)?.throughTick ?? 0) < throughTick) throw undecided(folder, path)
      }
    }
    return new History(files, trims)
  }

  /** Takes over a file that goes on where the last one ends. */
  add(file: HistoryFile): void {
    this.#kept = null
    this.#files.push(file)
    for (const { topic, blocks } of file.footer.topics) {
      let found = this.#blocks.get(topic)
      if (found === undefined) this.#blocks.set(topic, (found = []))
      for (const place of blocks) found.push({ file, place })
    }
  }

  /** Puts a file in the place of neighbours whose events it holds. */
  replace(files: readonly HistoryFile[], by: HistoryFile): void {
    this.#files.splice(this.#files.indexOf(files[0]), files.length, by)
    const all = this.#files.splice(0)
    // Others may be at work with the lists as they are.
    this.#blocks.clear()
    for (const file of all) this.add(file)
    this.#timeline = null
    this.#last = null
  }

  /** The history as it is, whatever is added, replaced or trimmed from now on. */
  kept(): History {
    this.#kept ??= new History(this.#files, this.#trims)
    return this.#kept
  }

  get trims(): TrimsFile {
    return this.#trims
  }

  set trims(trims: TrimsFile) {
    this.#kept = null
    this.#trims = trims
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
    const files = this.#files.map(({ footer, bytes }) => ({ name: historyName(nameOfFooter(footer)), bytes }))
    const { number, bytes } = this.#trims
    return number === 0 ? files : [...files, { name: trimsName(number), bytes }]
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
  async readTopic(topic: number, wantedOffset: number, limitRows: number): Promise<ReadBlock[]> {
    const blocks = this.#blocks.get(topic) ?? []
    const fromOffset = Math.max(wantedOffset, this.#leastOffset(topic))
    let low = firstOf(blocks, (place) => endOfPlace(place) > fromOffset)
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
      const offsets = await found.file.offsets(reader, found.place)
      let row = 0
      for (let i = 0; parts.micros[i] < micros; i++) row += parts.rows[i]
      const offset = offsets === undefined ? found.place.firstOffset + row : offsets[row]
      return Math.max(offset, this.#leastOffset(topic))
    } finally {
      await reader.close()
    }
  }

  /** @returns how many rows from `fromOffset` on it put into `read` */
  async #readParts(found: Found, topic: number, fromOffset: number, limit: number, read: ReadBlock[]): Promise<number> {
    const { bytes, parts, offsets } = await this.#read(found)
    const { firstOffset } = found.place
    const opened = parts.rows.length > 1 ? openBlock(bytes) : null
    let taken = 0
    for (let i = 0, row = 0; i < parts.rows.length && taken < limit; row += parts.rows[i++]) {
      const rows = parts.rows[i]
      const own = offsets?.subarray(row, row + rows)
      const first = own === undefined ? firstOffset + row : own[0]
      const block = { firstOffset: first, rows, ...(own === undefined ? {} : { offsets: own.slice() }) }
      if (endOf(block) <= fromOffset) continue
      read.push({
        topic,
        partition: 0,
        ...block,
        appendedAtMicros: BigInt(parts.micros[i]),
        bytes: opened === null ? bytes.slice() : sliceBlock(opened, row, rows),
        tick: parts.ticks[i],
      })
      taken += rows - rowFrom(block, fromOffset)
    }
    return taken
  }

  /** Below it a topic has nothing, whatever is still on disk. */
  #leastOffset(topic: number): number {
    const trim = this.#trims.topics.get(topic)
    return trim?.keep === 'nothing' ? trim.firstOffset : 0
  }

  /** The offset behind a topic's events up to a tick of the history. */
  async offsetAt(topic: number, tick: number): Promise<number> {
    const file = this.#files.find(({ footer }) => footer.to.tick >= tick)
    if (file === undefined) return 0
    const { from, to, topics } = file.footer
    const offsetIn = (offsets: Moment['offsets']): number => offsets.find(([id]) => id === topic)?.[1] ?? 0
    if (to.tick === tick) return offsetIn(to.offsets)
    const blocks = topics.find((own) => own.topic === topic)?.blocks ?? []
    let end = offsetIn(from.offsets)
    const reader = await file.reader()
    try {
      for (const place of blocks) {
        if (place.ticks[0] > tick) break
        const { rows, ticks } = await file.parts(reader, place)
        const offsets = await file.offsets(reader, place)
        let row = 0
        for (let i = 0; i < rows.length && ticks[i] <= tick; i++) row += rows[i]
        end = (offsets === undefined ? place.firstOffset + row - 1 : offsets[row - 1]) + 1
      }
      return end
    } finally {
      await reader.close()
    }
  }

  /** As Log.cuts. */
  cuts(): Cut[] {
    const bytes = new Map<number, number>()
    return this.#files.map(({ footer }) => {
      for (const { topic, blocks } of footer.topics) {
        let sum = bytes.get(topic) ?? 0
        for (const place of blocks) if (!isGone(this.#trims, topic, place.ticks[1])) sum += bytesOfPlace(place)
        bytes.set(topic, sum)
      }
      return { tick: footer.to.tick, timeMicros: BigInt(footer.to.tickMicros), bytes: new Map(bytes) }
    })
  }

  async #read(found: Found): Promise<ReadPlace> {
    if (this.#last?.place === found.place) return this.#last
    const { file, place } = found
    const reader = await file.reader()
    try {
      const parts = await file.parts(reader, place)
      const bytes = await file.block(reader, place, freshMemory)
      const offsets = await file.offsets(reader, place)
      const read = { file, place, bytes, parts, offsets }
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
    const files = [...this.#files]
    for (let i = files.length - 1; i >= 0; i--) {
      const file = files[i]
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
