import { openBlock } from '../data/block.ts'
import { MillraceError } from '../data/errors.ts'
import type { Disk } from '../io/io.ts'
import type { KeyedAnswer } from './commit.ts'
import type { Frame } from './frame.ts'
import { numberOf } from './journal-file.ts'
import type { LoggedBlock } from './log.ts'
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
  const checker = new FrameChecker(visit)
  const found = await recover(disk, folder, checker)
  if (found === null) return null
  return { ...checker.counted, ...(await standing(disk, folder, found)) }
}

async function standing(disk: Disk, folder: string, found: Recovered) {
  let files = 0
  let bytes = 0
  for (const name of await disk.list(folder)) {
    if (numberOf(name) === null) continue
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
  #tick = 0
  #timeMicros = -(2n ** 63n)

  constructor(visit: BlockVisitor) {
    this.#visit = visit
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
      this.#block(block, wrong)
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

  #block(block: LoggedBlock, wrong: (what: string, cause?: unknown) => MillraceError): void {
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

/** Whether a folder holds a log at all. */
export async function holdsLog(disk: Disk, folder: string): Promise<boolean> {
  return (await disk.list(folder)).some((name) => numberOf(name) !== null)
}
