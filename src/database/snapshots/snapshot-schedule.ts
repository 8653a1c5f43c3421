import type { MillraceError } from '../../data/errors.ts'
import type { SnapshotOptions } from '../contract.ts'
import type { Running } from '../running.ts'
import type { Snapshots } from './snapshots.ts'

const everyBytesDefault = 64 << 20
const closeBytesDefault = 1 << 20
/** Behind so many ticks a last snapshot takes less time than replaying them one by one. */
const closeTicks = 512
/** What an empty tick counts: it has to be replayed, too. */
const tickBytes = 64
/** What views know of their past goes on behind a restart that has no more ticks to replay than about that. */
const everyTicks = 4096
/** After one that could not be taken, the next attempt waits for so many times as much log, at most. */
const patienceMost = 64

/** Takes a snapshot whenever a restart would have to replay too much, one at a time. */
export class SnapshotSchedule {
  readonly #snapshots: Snapshots
  readonly #running: () => Running
  readonly #options: SnapshotOptions
  readonly #tell: (line: string) => void
  readonly #taken: () => Promise<void>
  /** Bytes of log behind the last snapshot. */
  #bytes = 0
  #ticks = 0
  #patience = 1
  #taking: Promise<void> | null = null
  /** Ends when all that was asked for so far has ended. */
  #turn: Promise<unknown> = Promise.resolve()
  #closed = false
  /** Told of each that was taken. */
  onTaken: () => void = () => {}

  /** @param taken is run behind each, before anything else is */
  constructor(
    snapshots: Snapshots,
    running: () => Running,
    options: SnapshotOptions,
    tell: (line: string) => void,
    taken: () => Promise<void>,
  ) {
    this.#snapshots = snapshots
    this.#running = running
    this.#options = options
    this.#tell = tell
    this.#taken = taken
  }

  /** Counts a tick that went through the engine. */
  count(bytes: number, wanted: boolean): void {
    this.#bytes += tickBytes + bytes
    this.#ticks++
    const enough = (this.#options.everyBytes ?? everyBytesDefault) * this.#patience
    const due = this.#bytes >= enough || this.#ticks >= everyTicks * this.#patience
    if ((wanted || due) && !this.#closed) void this.take()
  }

  /** Takes one now, or waits for the one under way. What goes wrong is told; the snapshots before it stay. */
  take(): Promise<void> {
    this.#taking ??= this.exclusively(() => this.#take()).finally(() => {
      this.#taking = null
    })
    return this.#taking
  }

  /** Runs `work` while no snapshot is taken and no other work is done, in the order in which it was asked for. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const working = this.#turn.then(work)
    this.#turn = working.catch(() => {})
    return working
  }

  async #take(): Promise<void> {
    const [before, ticks] = [this.#bytes, this.#ticks]
    if (this.#running().driver.failure !== null) return
    try {
      await this.#snapshots.take(this.#running())
      this.#bytes -= before
      this.#ticks -= ticks
      this.#patience = 1
      await this.#taken()
      this.onTaken()
    } catch (error) {
      const { code, message } = error as MillraceError
      // A database that is being closed, or whose engine has failed, takes none.
      if (this.#closed || code === 'engine/stopped' || code === 'log/closed') return
      this.#tell(`no snapshot could be taken: ${message}`)
      this.#patience = Math.min(patienceMost, this.#patience * 2)
    }
  }

  /** Takes a last one if it is worth while. */
  async close(): Promise<void> {
    await this.#turn
    if (this.#closed) return
    const { closeBytes } = this.#options
    const many = closeBytes === undefined && this.#ticks >= closeTicks
    if (many || this.#bytes >= (closeBytes ?? closeBytesDefault)) await this.take()
    this.#closed = true
  }
}
