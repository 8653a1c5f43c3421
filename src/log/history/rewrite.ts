import type { Io } from '../../io/io.ts'
import { IoError } from '../../io/io.ts'
import { ChunkPool, HeldChunks } from '../chunks.ts'
import type { KeyedAnswer } from '../commit.ts'
import type { Frame } from '../frame.ts'
import type { FrameReader } from '../frame-reader.ts'
import type { Journal } from '../journal.ts'
import type { LoggedBlock } from '../log.ts'
import type { Compression } from './compression.ts'
import type { History } from './history.ts'
import { HistoryFile } from './history-file.ts'
import { type HistoryName, historyName, type Moment, nameOfFooter, unfinishedName } from './history-format.ts'
import { HistoryWriter } from './history-writer.ts'
import { FileTrimmer, type TrimHost } from './trim-files.ts'

export interface RewriteOptions {
  /** Whether closed journal files become history at all (default: yes). */
  readonly rewrite: boolean
  /** Closed journal files that stay as they are (default: none, only the one that is written to). */
  readonly keepFiles: number
  readonly compression: Compression
  /** Of a processor's time while there is something to rewrite, at most so much goes into it (default: half). */
  readonly share: number
  /** The same while commits are coming in and few files wait (default: an eighth). */
  readonly busyShare: number
  /** Each further file that waits adds the same again, up to so much (default: nine tenths). */
  readonly mostShare: number
  /** The most memory for a table's keys while it is compacted (default: 64 MiB). */
  readonly keyBytes: number
  /** So many small neighbours in the history become one file (default: 8) … */
  readonly mergeFiles: number
  /** … of at most so many bytes (default: 4 MiB). */
  readonly mergeBytes: number
  /** Told why it gave up. */
  readonly onNotice: (line: string) => void
}

export const usualRewrite: RewriteOptions = {
  rewrite: true,
  keepFiles: 0,
  compression: 'auto',
  share: 0.5,
  busyShare: 0.125,
  mostShare: 0.9,
  keyBytes: 64 << 20,
  mergeFiles: 8,
  mergeBytes: 4 << 20,
  onNotice: () => {},
}

/** Work for so long, then others get a turn. */
const sliceMs = 4
const longestSliceMs = 10
/** Where more files wait, commits are held back: with twice as many, for as long as it takes to rewrite them. */
const mostWaiting = 8
/** So many may wait as after a burst; from then on more is done. */
const burstFiles = 4
const longestWaitMs = 500
/** Files smaller than that are no backlog. */
const leastFileBytes = 16 << 20

/** Nobody wants the file any more that is being written. */
class Stopped extends Error {}

/**
 * Turns closed journal files into history in the background, one at a time. A journal file is taken away only after
 * the history that holds all of it is durable under its own name; whatever stops it in between, the journal is still
 * there, or both are.
 */
export class Rewriter {
  /** Why it gave up, if so: what is there is whole, and the next start tries again. */
  failure: Error | null = null
  /** A failed sync after which the journal must not be written to either. */
  poison: Error | null = null
  readonly #io: Io
  readonly #folder: string
  readonly #journal: Journal
  readonly #history: History
  readonly #options: RewriteOptions
  readonly #drop: (paths: readonly string[]) => Promise<void>
  readonly #trimmer: FileTrimmer
  #stopped: boolean
  #work: Promise<void> | null = null
  #sliceStart = 0
  #endPause: (() => void) | null = null
  /** How fast the last file was rewritten. */
  #bytesPerMs = 0
  /** Commits were made since the last pause. */
  #busy = false

  constructor(
    io: Io,
    folder: string,
    journal: Journal,
    history: History,
    options: RewriteOptions,
    drop: (paths: readonly string[]) => Promise<void>,
    decide: TrimHost['decide'],
  ) {
    this.#io = io
    this.#folder = folder
    this.#journal = journal
    this.#history = history
    this.#options = options
    this.#drop = drop
    this.#stopped = !options.rewrite
    const host: TrimHost = {
      disk: io.disk,
      folder,
      history,
      breathe: () => this.#breathe(),
      between: () => this.#rewriteJournal(),
      publish: (from, to) => this.#publish(from, to),
      drop,
      decide,
    }
    this.#trimmer = new FileTrimmer(host, options)
  }

  /** A commit was made: looks whether there is something to do. */
  wake(): void {
    this.#busy = true
    this.look()
  }

  /** Looks whether there is something to do. */
  look(): void {
    if (this.#stopped || this.#work !== null || (this.#target() === null && !this.#trimmer.wanted)) return
    this.#work = this.#run().finally(() => {
      this.#work = null
    })
  }

  /** Ends it, at once. */
  stop(): void {
    this.#stopped = true
    this.#endPause?.()
  }

  /** Ends it because of a sync that failed: the journal must not be written to any more. */
  giveUp(failure: Error): void {
    this.poison ??= failure
    this.stop()
  }

  async idle(): Promise<void> {
    await this.#work
  }

  /** Where the closed journal files end, if there are some that the history lacks. */
  #target(): number | null {
    const end = this.#journal.closedEnd(this.#options.keepFiles)
    return end === null || end <= Math.max(this.#tried, this.#history.end.position) ? null : end
  }

  /** Up to here everything is in the history, or belongs to a tick that goes on beyond. */
  #tried = 0

  async #run(): Promise<void> {
    try {
      await this.#rewriteJournal()
      this.#sliceStart = this.#io.clock.monotonicMs()
      if (!this.#stopped) await this.#trimmer.run()
    } catch (error) {
      // There may be room by the time that the next file is closed.
      if (error instanceof IoError && error.failure === 'full') return this.#journal.spares.free().catch(() => {})
      if (error instanceof Stopped) return
      this.failure = error as Error
      this.#options.onNotice(`the journal is kept as it is until the next start: ${this.failure.message}`)
      this.#stopped = true
    }
  }

  async #rewriteJournal(): Promise<void> {
    for (let end = this.#target(); end !== null && !this.#stopped; end = this.#target()) {
      this.#tried = end
      await this.#rewrite(end)
    }
  }

  async #rewrite(end: number): Promise<void> {
    const { disk } = this.#io
    const number = 1 + (this.#history.files.map(({ footer }) => nameOfFooter(footer).through).at(-1) ?? 0)
    const name: HistoryName = { number, through: number, generation: 0 }
    const path = `${this.#folder}/${unfinishedName(name)}`
    const start = this.#io.clock.monotonicMs()
    this.#sliceStart = start
    const file = await disk.open(path, { create: true })
    const from = this.#history.end
    let written = false
    try {
      await file.truncate(0)
      const { compression } = this.#options
      const options = { compression, breathe: () => this.#breathe() }
      const writer = new HistoryWriter(file, this.#journal.identity, number, from, options)
      const to = await this.#copy(writer, from, end)
      if (to !== null) {
        await writer.finish(to)
        written = true
      }
    } finally {
      await file.close()
      if (!written) await disk.remove(path).catch(() => {})
    }
    if (!written) return
    await this.#publish(path, `${this.#folder}/${historyName(name)}`)
    this.#history.add(await HistoryFile.open(disk, this.#folder, name))
    const took = this.#io.clock.monotonicMs() - start
    this.#bytesPerMs = (this.#history.end.position - from.position) / Math.max(1, took)
    await this.#drop(this.#journal.forget(this.#history.end))
  }

  /**
   * A sync of the folder that fails may have been about names of the journal as well; and one of the journal's that
   * failed, about ours.
   */
  async #publish(from: string, to: string): Promise<void> {
    if (this.#stopped) throw new Stopped()
    await this.#io.disk.rename(from, to)
    try {
      await this.#io.disk.syncFolder(this.#folder)
    } catch (error) {
      this.poison = error as Error
      throw error
    }
    if (this.#stopped) throw new Stopped()
  }

  /** Writes all ticks that end in the journal's files up to a position. @returns where the last one ends */
  async #copy(writer: HistoryWriter, from: Moment, end: number): Promise<Moment | null> {
    const pool = new ChunkPool()
    const held = new HeldChunks(pool)
    let commits: { timeMicros: bigint; blocks: LoggedBlock[]; answers: KeyedAnswer[] }[] = []
    let to: Moment | null = null
    try {
      for await (const reader of this.#journal.reader().read(from.position, end, pool)) {
        for (let frame = reader.take(); frame !== null; frame = reader.take()) {
          if (frame.blocks > 0) held.add(reader.chunk)
          commits.push({ timeMicros: frame.timeMicros, blocks: reader.blocks(), answers: reader.answers() })
          if (frame.sealTick === 0) continue
          await writer.add({ tick: frame.sealTick, timeMicros: frame.sealTimeMicros, commits })
          to = this.#momentBehind(frame, reader, writer)
          commits = []
          held.release()
        }
        await this.#breathe()
      }
    } finally {
      held.release()
    }
    return to
  }

  #momentBehind(frame: Frame, reader: FrameReader, writer: HistoryWriter): Moment {
    return {
      position: reader.position,
      sequence: frame.sequence + 1,
      previous: frame.checksum,
      tick: frame.sealTick,
      tickMicros: Number(frame.sealTimeMicros),
      commitMicros: Number(frame.timeMicros),
      offsets: writer.offsets,
    }
  }

  /**
   * The share of the processor that the work takes: little, as long as it keeps up. Commits that come faster than they
   * are rewritten leave more and more files behind, until what is left to them slows them down.
   */
  #share(): number {
    const { busyShare, share, mostShare } = this.#options
    const least = this.#busy ? busyShare : share
    return Math.max(least, Math.min(mostShare, least * (this.#waiting + 1 - burstFiles)))
  }

  /** How many files are closed and not rewritten. */
  get #waiting(): number {
    const closed = this.#journal.closedEnd(this.#options.keepFiles) ?? 0
    return (closed - this.#history.end.position) / Math.max(leastFileBytes, this.#journal.fileBytes)
  }

  /**
   * Lets a commit wait where commits have come faster than they are rewritten for long: the longer the more files wait,
   * so that their number does not grow without end.
   */
  async holdBack(blocks: readonly { readonly bytes: Uint8Array }[]): Promise<void> {
    const tooMany = this.#waiting - mostWaiting
    if (tooMany <= 0 || this.#work === null || this.#bytesPerMs === 0 || this.#stopped) return
    let bytes = 0
    for (const block of blocks) bytes += block.bytes.byteLength
    const ms = ((bytes / this.#bytesPerMs) * tooMany) / mostWaiting
    await new Promise<void>((resolve) => this.#io.clock.after(Math.ceil(Math.min(ms, longestWaitMs)), () => resolve()))
  }

  /** Gives others a turn when there was work for a while, and leaves them their share of the processor. */
  async #breathe(): Promise<void> {
    if (this.#stopped) throw new Stopped()
    const { clock } = this.#io
    const worked = clock.monotonicMs() - this.#sliceStart
    const share = this.#share()
    // A pause is a millisecond at least: for a large share it must be earned.
    if (worked < Math.max(sliceMs, Math.min(longestSliceMs, share / (1 - share)))) return
    this.#busy = false
    await new Promise<void>((resolve) => {
      const cancel = clock.after(Math.ceil((worked * (1 - share)) / share), () => resolve())
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
    this.#endPause = null
    if (this.#stopped) throw new Stopped()
    this.#sliceStart = clock.monotonicMs()
  }
}
