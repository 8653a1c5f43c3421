import { MillraceError } from '../../data/errors.ts'
import type { Disk } from '../../io/io.ts'
import { latestEvents } from './compaction.ts'
import type { Compression } from './compression.ts'
import type { History } from './history.ts'
import { copyHistory, forgottenBefore, type Removal } from './history-copy.ts'
import { HistoryFile } from './history-file.ts'
import { type BlockPlace, type HistoryName, historyName, nameOfFooter, unfinishedName } from './history-format.ts'
import { isGone, type TopicTrim, type TrimsFile } from './trims.ts'

export interface TrimOptions {
  readonly compression: Compression
  /** See CompactionOptions. */
  readonly keyBytes: number
  /** So many small neighbours become one file. */
  readonly mergeFiles: number
  /** The size of a file from which on it is not small. */
  readonly mergeBytes: number
  readonly onNotice: (line: string) => void
}

/** What takes files away needs of who runs it. */
export interface TrimHost {
  readonly disk: Disk
  readonly folder: string
  readonly history: History
  /** Gives others a turn; throws to end the work. */
  readonly breathe: () => Promise<void>
  /** Called between two files: there may be something that is more urgent. */
  readonly between: () => Promise<void>
  /** Gives a whole file its name, which is durable then. */
  readonly publish: (from: string, to: string) => Promise<void>
  readonly drop: (paths: readonly string[]) => Promise<void>
  /** Makes durable what is known of trims. */
  readonly decide: (change: (trims: TrimsFile) => Iterable<TopicTrim>) => Promise<void>
}

/** Of files that are merged, the most commits: a timeline is held in memory while it is written. */
const mergeCommits = 1 << 19

/**
 * Takes what was trimmed out of the history's files, from the oldest file to the newest, so that a delete never goes
 * before what it deletes; and puts neighbours together that have become small.
 */
export class FileTrimmer {
  readonly #host: TrimHost
  readonly #options: TrimOptions
  /** Tables that can't be compacted; said once. */
  readonly #refused = new Set<number>()
  /** What there was when nothing was to be done. */
  #done: { readonly trims: TrimsFile; readonly files: number } | null = null

  constructor(host: TrimHost, options: TrimOptions) {
    this.#host = host
    this.#options = options
  }

  /** Whether there may be something to do. */
  get wanted(): boolean {
    const { trims, files } = this.#host.history
    return this.#done?.trims !== trims || this.#done.files !== files.length
  }

  /** Does what there is to do. What fails is not tried again before there is more. */
  async run(): Promise<void> {
    const { history } = this.#host
    while (this.wanted) {
      const { trims } = history
      this.#done = { trims, files: history.files.length }
      const worked = (await this.#trim(trims)) || (await this.#merge())
      if (worked) this.#done = null
    }
  }

  /** @returns whether anything was done, after which there may be more */
  async #trim(trims: TrimsFile): Promise<boolean> {
    const { history, between, decide } = this.#host
    const tables = [...trims.topics.values()].filter(
      ({ topic, keep, compactedTick, throughTick }) =>
        keep !== 'nothing' && compactedTick < throughTick && !this.#refused.has(topic),
    )
    const stale = (file: HistoryFile): boolean =>
      file.footer.topics.some(({ topic, blocks }) => blocks.some(({ ticks }) => isGone(trims, topic, ticks[0])))
    if (tables.length === 0 && !history.files.some(stale)) return false
    // A decision that was found here may not be durable, and what it lets go could not be brought back.
    if (!trims.sure) {
      await decide(({ topics }) => topics.values())
      return true
    }
    const kept = await this.#latest(tables)
    const compacted = new Map(tables.map(({ topic, throughTick }) => [topic, throughTick]))
    for (const topic of this.#refused) compacted.delete(topic)
    for (const file of [...history.files]) {
      const loses = file.footer.topics.some(({ blocks }) => blocks.some((place) => losesRows(place, kept.get(place))))
      if (!loses && !stale(file)) continue
      await this.#rewrite([file], { gone: goneOf(trims), compacted, kept })
      await between()
      if (history.trims !== trims) return true
    }
    if (compacted.size === 0) return true
    await decide(({ topics }) =>
      [...topics.values()].map((trim) => {
        const compactedTick = Math.max(trim.compactedTick, compacted.get(trim.topic) ?? 0)
        return { ...trim, compactedTick }
      }),
    )
    return true
  }

  async #latest(tables: readonly TopicTrim[]): Promise<Map<BlockPlace, Uint8Array>> {
    const { history, breathe } = this.#host
    const kept = new Map<BlockPlace, Uint8Array>()
    for (const { topic, throughTick, keep } of tables) {
      const options = { keyBytes: this.#options.keyBytes, breathe }
      try {
        const found = await latestEvents(history.files, topic, throughTick, keep as readonly number[], options)
        for (const [place, bits] of found) kept.set(place, bits)
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error
        this.#refused.add(topic)
        this.#options.onNotice(`table ${topic} is not compacted: ${error.message}`)
      }
    }
    return kept
  }

  async #merge(): Promise<boolean> {
    const { history } = this.#host
    // Of what was never trimmed, each file's end is a place for a cut.
    const past = Math.max(0, ...[...history.trims.topics.values()].map(({ throughTick }) => throughTick))
    const files = this.#small(history.files.filter(({ footer }) => footer.to.tick <= past))
    if (files === null) return false
    await this.#rewrite(files, { gone: new Map(), compacted: new Map(), kept: new Map() })
    await this.#host.between()
    return true
  }

  /** Neighbours that are small, and of which none is as large as all others: so a row is rewritten a few times only. */
  #small(files: readonly HistoryFile[]): HistoryFile[] | null {
    const { mergeFiles, mergeBytes } = this.#options
    for (let from = 0; from + mergeFiles <= files.length; from++) {
      let [bytes, commits, largest] = [0, 0, 0]
      let to = from
      for (; to < files.length; to++) {
        const file = files[to]
        if (bytes + file.bytes > mergeBytes || commits + file.footer.commits > mergeCommits) break
        bytes += file.bytes
        commits += file.footer.commits
        largest = Math.max(largest, file.bytes)
      }
      if (to - from >= mergeFiles && largest * 2 <= bytes) return files.slice(from, to)
    }
    return null
  }

  async #rewrite(files: readonly HistoryFile[], removed: Omit<Removal, 'answersFrom'>): Promise<void> {
    const { disk, folder, history, breathe, publish, drop } = this.#host
    const names = files.map(({ footer }) => nameOfFooter(footer))
    const name: HistoryName = {
      number: names[0].number,
      through: names[names.length - 1].through,
      generation: 1 + Math.max(...names.map(({ generation }) => generation)),
    }
    const path = `${folder}/${unfinishedName(name)}`
    const removal = { ...removed, answersFrom: forgottenBefore(history.end.commitMicros) }
    const { compression } = this.#options
    const target = await disk.open(path, { create: true })
    let written = false
    try {
      await target.truncate(0)
      await copyHistory(target, name, files, removal, { compression, breathe })
      written = true
    } finally {
      await target.close()
      if (!written) await disk.remove(path).catch(() => {})
    }
    await publish(path, `${folder}/${historyName(name)}`)
    history.replace(files, await HistoryFile.open(disk, folder, name))
    await drop(files.map((file) => file.path))
  }
}

function goneOf({ topics }: TrimsFile): Map<number, number> {
  const trims = [...topics.values()].filter(({ keep }) => keep === 'nothing')
  return new Map(trims.map(({ topic, throughTick }) => [topic, throughTick]))
}

function losesRows({ rows }: BlockPlace, kept: Uint8Array | undefined): boolean {
  if (kept === undefined) return false
  for (let i = 0; i < kept.length; i++) {
    const all = (i + 1) * 8 <= rows ? 255 : (1 << (rows & 7)) - 1
    if (kept[i] !== all) return true
  }
  return false
}
