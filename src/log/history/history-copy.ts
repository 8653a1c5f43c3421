import { openBlock } from '../../data/block.ts'
import { rowsOfBlock } from '../../data/block-rows.ts'
import { invariant } from '../../data/errors.ts'
import type { DiskFile } from '../../io/io.ts'
import { rememberedMicros } from '../idempotency.ts'
import { encodeAnswers, type TimedAnswer } from './answers.ts'
import { BlockWriter } from './block-writer.ts'
import { type BlockParts, freshMemory, type HistoryFile } from './history-file.ts'
import { type BlockPlace, type Footer, type HistoryName, rewrittenVersion } from './history-format.ts'
import { SectionWriter, type WriterOptions } from './section-writer.ts'

/** Blocks with so many rows are taken over as they are; smaller ones are put together. */
const enoughRows = 4096

/** What goes when files are written anew. */
export interface Removal {
  /** By topic, the tick up to which everything goes. */
  readonly gone: ReadonlyMap<number, number>
  /** By topic, the tick up to which what was replaced goes. */
  readonly compacted: ReadonlyMap<number, number>
  /** Of blocks of those topics, the rows that stay, a bit each; of others all stay. */
  readonly kept: ReadonlyMap<BlockPlace, Uint8Array>
  /** Answers given before are remembered by nobody any more. */
  readonly answersFrom: number
}

/** The commit time before which an answer is forgotten at the end of a history. */
export function forgottenBefore(commitMicros: number): number {
  return commitMicros - Number(rememberedMicros)
}

/** What a topic has in one of the files. */
interface Source {
  readonly file: HistoryFile
  readonly reader: DiskFile
}

/**
 * Writes one file that takes the place of neighbours: the same stretch of the timeline, and of their events those
 * that stay.
 */
export async function copyHistory(
  to: DiskFile,
  name: HistoryName,
  files: readonly HistoryFile[],
  removal: Removal,
  options: WriterOptions,
): Promise<Footer> {
  const sections = new SectionWriter(to, name.number, rewrittenVersion, options)
  const sources: Source[] = []
  try {
    for (const file of files) sources.push({ file, reader: await file.reader() })
    const ids = [...new Set(files.flatMap(({ footer }) => footer.topics.map(({ topic }) => topic)))]
    const topics: Footer['topics'][number][] = []
    const kept = new Map<number, number[]>()
    for (const topic of ids) {
      const copy = new TopicCopy(topic, sections, removal, options)
      for (const source of sources) await copy.add(source)
      kept.set(topic, copy.kept)
      topics.push({ topic, blocks: await copy.finish() })
    }
    const present = topics.filter(({ blocks }) => blocks.length > 0)
    const answers = await answersOf(files, removal.answersFrom)
    const [first, last] = [files[0].footer, files[files.length - 1].footer]
    const footer: Footer = {
      log: first.log,
      ...name,
      trimmed: trimmedOf(files, removal),
      from: first.from,
      to: last.to,
      ...(await copyTimeline(files, present, kept, sections)),
      answers: answers.length === 0 ? null : sections.put(encodeAnswers(answers)),
      keys: answers.length,
      keysMicros: answers.at(-1)?.micros ?? 0,
      topics: present,
    }
    await sections.end(footer)
    return footer
  } finally {
    for (const { reader } of sources) await reader.close()
  }
}

/** One topic's blocks on their way from file to file. */
class TopicCopy {
  /** Of each part, in the order of the timeline, how many rows stayed. */
  readonly kept: number[] = []
  readonly #topic: number
  readonly #removal: Removal
  readonly #writer: BlockWriter
  readonly #options: WriterOptions

  constructor(topic: number, sections: SectionWriter, removal: Removal, options: WriterOptions) {
    this.#topic = topic
    this.#removal = removal
    this.#options = options
    this.#writer = new BlockWriter(sections)
  }

  async add({ file, reader }: Source): Promise<void> {
    const own = file.footer.topics.find(({ topic }) => topic === this.#topic)
    for (const place of own?.blocks ?? []) {
      await this.#addBlock(file, reader, place, await file.parts(reader, place))
      await this.#options.breathe()
    }
  }

  async finish(): Promise<readonly BlockPlace[]> {
    await this.#writer.flush()
    return this.#writer.blocks
  }

  async #addBlock(file: HistoryFile, reader: DiskFile, place: BlockPlace, parts: BlockParts): Promise<void> {
    const rows = this.#rowsOf(place, parts)
    const { rows: partRows, ticks, micros } = parts
    const stays = new Array<number>(partRows.length).fill(0)
    for (let i = 0, part = 0, end = partRows[0]; i < rows.length; i++) {
      while (rows[i] >= end) end += partRows[++part]
      stays[part]++
    }
    for (const count of stays) this.kept.push(count)
    if (rows.length === 0) return
    if (place.opaque !== undefined || (rows.length === place.rows && place.rows >= enoughRows)) {
      invariant(rows.length === place.rows, 'what is no block goes as a whole')
      await this.#writer.copy(place, (each) => file.section(reader, each))
      return
    }
    const block = openBlock(await file.block(reader, place, freshMemory))
    const offsets = await file.offsets(reader, place)
    const written = {
      rows: stays.filter((count) => count > 0),
      ticks: ticks.filter((_, i) => stays[i] > 0),
      micros: micros.filter((_, i) => stays[i] > 0),
    }
    if (rows.length === place.rows) await this.#writer.add(block, written, place.firstOffset, offsets)
    else {
      const left = Float64Array.from(rows, (row) => offsets?.[row] ?? place.firstOffset + row)
      const gaps = left[left.length - 1] - left[0] + 1 > left.length
      await this.#writer.add(openBlock(rowsOfBlock(block, rows)), written, left[0], gaps ? left : undefined)
    }
  }

  /** The rows that stay. */
  #rowsOf(place: BlockPlace, { rows, ticks }: BlockParts): number[] {
    const gone = this.#removal.gone.get(this.#topic) ?? 0
    let first = 0
    for (let i = 0; i < rows.length && ticks[i] <= gone; i++) first += rows[i]
    const bits = this.#removal.kept.get(place)
    const kept: number[] = []
    for (let row = first; row < place.rows; row++) {
      if (bits === undefined || ((bits[row >>> 3] >>> (row & 7)) & 1) === 1) kept.push(row)
    }
    return kept
  }
}

/** The timelines one behind the other; what brought nothing that stayed is left out, unless it is a seal. */
async function copyTimeline(
  files: readonly HistoryFile[],
  topics: Footer['topics'],
  kept: ReadonlyMap<number, readonly number[]>,
  sections: SectionWriter,
): Promise<Pick<Footer, 'commits' | 'times' | 'counts' | 'seals' | 'sealTimes' | 'order' | 'rows'>> {
  const indexes = new Map(topics.map(({ topic }, i) => [topic, i]))
  const next = new Map<number, number>()
  const times: number[] = []
  const counts: number[] = []
  const seals: number[] = []
  const sealTimes: number[] = []
  const order: number[] = []
  const rows: number[] = []
  for (const file of files) {
    const from = await file.timeline()
    const ids = file.footer.topics.map(({ topic }) => topic)
    for (let i = 0, at = 0; i < from.counts.length; i++) {
      const before = order.length
      for (const end = at + from.counts[i]; at < end; at++) {
        const topic = ids[from.order[at]]
        const part = next.get(topic) ?? 0
        next.set(topic, part + 1)
        const stays = kept.get(topic)![part]
        if (stays === 0) continue
        order.push(indexes.get(topic)!)
        rows.push(stays)
      }
      if (order.length === before && from.seals[i] === 0) continue
      times.push(from.times[i])
      counts.push(order.length - before)
      seals.push(from.seals[i])
      sealTimes.push(from.sealTimes[i])
    }
  }
  for (const [topic, parts] of kept) {
    invariant((next.get(topic) ?? 0) === parts.length, 'the timeline names the parts that there are')
  }
  return {
    commits: times.length,
    times: sections.putNumbers('i64', times),
    counts: sections.putNumbers('i32', counts),
    seals: sections.putNumbers('i32', seals),
    sealTimes: sections.putNumbers('i64', sealTimes),
    order: sections.putNumbers('i32', order),
    rows: sections.putNumbers('i32', rows),
  }
}

async function answersOf(files: readonly HistoryFile[], from: number): Promise<TimedAnswer[]> {
  const answers: TimedAnswer[] = []
  for (const file of files) {
    for (const answer of await file.answers()) if (answer.micros >= from) answers.push(answer)
  }
  return answers
}

function trimmedOf(files: readonly HistoryFile[], { gone, compacted }: Removal): [number, number][] {
  const trimmed = new Map<number, number>()
  const all = [...files.flatMap(({ footer }) => footer.trimmed ?? []), ...gone, ...compacted]
  for (const [topic, tick] of all) trimmed.set(topic, Math.max(tick, trimmed.get(topic) ?? 0))
  return [...trimmed].sort(([a], [b]) => a - b)
}
