import { openBlock } from '../data/block.ts'
import { MillraceError } from '../data/errors.ts'
import type { Disk } from '../io/io.ts'
import type { KeyedAnswer } from './commit.ts'
import type { Frame } from './frame.ts'
import { History } from './history/history.ts'
import { type Moment, parseHistoryName } from './history/history-format.ts'
import { replayHistory } from './history/history-replay.ts'
import { trimsNumber } from './history/trims.ts'
import { numberOf } from './journal-file.ts'
import { endOf, type LoggedBlock, offsetOf, type SealedTick } from './log.ts'
import { type Recovered, recover } from './recover.ts'

/** What a log on disk holds, once all of it was read and found good. */
export interface LogReport {
  readonly files: number
  readonly bytes: number
  readonly commits: number
  readonly blocks: number
  readonly events: number
  readonly keys: number
  readonly tick: number
  readonly timeMicros: bigint
  /** The next offset per topic, sealed or not. */
  readonly offsets: ReadonlyMap<number, number>
  /** Commits that are durable and in no tick yet: the next start seals them. */
  readonly unsealedCommits: number
  /** Bytes of a commit that nobody was answered for: the next start cuts them. */
  readonly tornBytes: number
}

/** Told each block, in the log's order; what it throws ends the check. */
export type BlockVisitor = (block: LoggedBlock) => void

/**
 * Reads a log from its first byte to its last and changes nothing: checksums, the chain of frames, offsets without a
 * gap, ticks in order of number and time, answers under idempotency keys, the structure of blocks.
 * @returns null where there is no log
 * @throws MillraceError log/corrupt with file and byte, log/version
 */
export async function checkLog(disk: Disk, folder: string, visit: BlockVisitor = () => {}): Promise<LogReport | null> {
  const history = await History.open(disk, folder, false)
  const checker = new FrameChecker(visit, history.end)
  await checkHistory(history, checker)
  const found = await recover(disk, folder, history, checker)
  if (found === null) return null
  return { ...checker.counted, ...(await standing(disk, folder, found)) }
}

async function standing(disk: Disk, folder: string, found: Recovered) {
  let files = 0
  let bytes = 0
  for (const name of await disk.list(folder)) {
    if (numberOf(name) === null && parseHistoryName(name) === null && trimsNumber(name) === null) continue
    const file = await disk.open(`${folder}/${name}`, { readOnly: true })
    try {
      bytes += await file.size()
      files++
    } finally {
      await file.close()
    }
  }
  const { tick, timeMicros, offsets } = found.state
  const { unsealedCommits } = found
  return { files, bytes, tick, timeMicros, offsets, unsealedCommits, tornBytes: found.tornEnd - found.at }
}

/** What recovery takes on trust, because a good checksum vouches for it. */
class FrameChecker {
  readonly counted = { commits: 0, blocks: 0, events: 0, keys: 0 }
  readonly #visit: BlockVisitor
  #tick: number
  #timeMicros: bigint

  constructor(visit: BlockVisitor, from: Moment) {
    this.#visit = visit
    this.#tick = from.tick
    this.#timeMicros = BigInt(from.commitMicros)
  }

  frame(frame: Frame, blocks: readonly LoggedBlock[], answers: readonly KeyedAnswer[], path: string, at: number): void {
    const wrong = (what: string, cause?: unknown): MillraceError =>
      new MillraceError('log/corrupt', `the journal is damaged: ${path}, the commit at byte ${at}: ${what}`, {
        hint: 'restore the folder from a backup',
        place: { file: path, offset: at },
        cause,
      })
    if (frame.timeMicros < this.#timeMicros) throw wrong('its time is before that of the commit before it')
    this.#timeMicros = frame.timeMicros
    const ranges = new Map<number, { first: number; end: number }>()
    for (const block of blocks) {
      const { topic, firstOffset, rows } = block
      const range = ranges.get(topic)
      if (range === undefined) ranges.set(topic, { first: firstOffset, end: firstOffset + rows })
      else range.end = firstOffset + rows
      this.block(block, wrong)
    }
    for (const { tick, offsets } of answers) {
      this.counted.keys++
      if (tick !== this.#tick + 1) throw wrong('an idempotency key’s answer names another tick')
      for (const { topic, firstOffset, lastOffset } of offsets) {
        const range = ranges.get(topic)
        const inside = range !== undefined && range.first <= firstOffset && firstOffset <= lastOffset
        if (!inside || lastOffset >= range.end) throw wrong('an idempotency key’s answer names other events')
      }
    }
    this.counted.commits++
    if (frame.sealTick !== 0) this.#tick = frame.sealTick
  }

  block(block: LoggedBlock, wrong: (what: string, cause?: unknown) => MillraceError): void {
    this.counted.blocks++
    this.counted.events += block.rows
    try {
      const { rows } = openBlock(block.bytes)
      if (rows !== block.rows) throw new MillraceError('log/corrupt', `a block has ${rows} rows, not ${block.rows}`)
      this.#visit(block)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      throw wrong(error.message, error)
    }
  }
}

/** All of the history: its blocks as a replay gives them, and that they make up what the footers say. */
async function checkHistory(history: History, checker: FrameChecker): Promise<void> {
  const starts = history.trims.topics
  const offsets = new Map<number, number>()
  // Where events were thrown away they lack up to the cut, and nowhere else.
  const follows = (topic: number, next: number): boolean => {
    const expected = offsets.get(topic) ?? 0
    return next === expected || (next > expected && next <= (starts.get(topic)?.firstOffset ?? 0))
  }
  let tick = 0
  let timeMicros = 0n
  const wrong = (what: string, cause?: unknown): MillraceError => {
    const file = history.files.find(({ footer }) => footer.to.tick > tick) ?? history.files.at(-1)!
    return new MillraceError('log/corrupt', `the history is damaged: ${file.path}, after tick ${tick}: ${what}`, {
      hint: 'restore the folder from a backup',
      place: { file: file.path, offset: 0 },
      cause,
    })
  }
  const each = (sealed: SealedTick): void => {
    if (sealed.tick !== tick + 1 || sealed.timeMicros < timeMicros) throw wrong('ticks are out of order')
    for (const block of sealed.blocks) {
      for (let row = 0; row < block.rows; row = block.offsets === undefined ? block.rows : row + 1) {
        if (!follows(block.topic, offsetOf(block, row))) throw wrong('offsets have a gap')
        offsets.set(block.topic, offsetOf(block, row) + 1)
      }
      if (block.offsets === undefined) offsets.set(block.topic, endOf(block))
      checker.block(block, wrong)
    }
    tick = sealed.tick
    timeMicros = sealed.timeMicros
    sealed.release?.()
  }
  await replayHistory(history, { each, mergeRows: 0, afterTick: 0, throughTick: Number.POSITIVE_INFINITY })
  for (const file of history.files) {
    checker.counted.commits += file.footer.commits
    checker.counted.keys += (await file.answers()).length
    if (!(await file.partsAgree())) throw wrong('its blocks are not made of the commits that they name')
  }
  const { end } = history
  const agrees = end.tick === tick && end.offsets.every(([topic, next]) => follows(topic, next))
  if (!agrees) throw wrong('it does not end where it says')
}

/** Whether a folder holds a log at all. */
export async function holdsLog(disk: Disk, folder: string): Promise<boolean> {
  return (await disk.list(folder)).some((name) => numberOf(name) !== null)
}
