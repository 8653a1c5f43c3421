import { MillraceError } from '../../data/errors.ts'
import { endOf, type Log, type LogReader, type ReadBlock, rowFrom } from '../../log/log.ts'
import type { TopicDefinition } from '../../plan/program.ts'
import { isDamaged } from '../../views/stored-page.ts'
import type { ViewSet } from '../../views/view-set.ts'
import type { TopicLiveOptions } from '../contract.ts'
import { topicNamed } from '../names.ts'
import type { Running } from '../running.ts'
import { asDefinedNow } from '../topic-blocks.ts'

/**
 * `reset`: events that the reader was not told are gone; what is left of the topic follows, from `next` on. Who keeps a
 * table's rows forgets them. `events`: the rows of `blocks` from offset `from` on, of which there may be none.
 */
export type TopicMessage = { readonly kind: 'reset'; readonly tick: number; readonly next: number } | TopicEvents

export interface TopicEvents {
  readonly kind: 'events'
  /** Of the last event; where `complete`, the one up to which the reader has been told all. */
  readonly tick: number
  /** As it is defined now. */
  readonly topic: TopicDefinition
  readonly blocks: readonly ReadBlock[]
  readonly from: number
  /** The offset to go on from; beyond the last event where others behind it are gone. */
  readonly next: number
  readonly complete: boolean
}

/** What a cursor over a topic stands on. */
export interface TopicWorld {
  readonly log: Log
  current(): Running
  /** @throws MillraceError log/closed, request/busy, or as the engine failed */
  checkOpen(): void
}

/** About so many bytes and at most so many rows of the log are in a reader's hands at a time. */
const pageBytes = 1024 * 1024
const mostRows = 4096
const firstRows = 256

/** Reads that are under way, by what they read. */
const reads = new WeakMap<Log, Map<string, Promise<readonly ReadBlock[]>>>()

/**
 * Who follows a topic: an offset, not a queue. Each pull reads the log on from there, as far as it is visible, so a
 * slow reader costs a page at most, and there is no seam between what was and what comes.
 */
export class TopicCursor implements AsyncIterableIterator<TopicMessage> {
  readonly #world: TopicWorld
  readonly #topic: number
  readonly #name: string
  readonly #signal: AbortSignal | undefined
  /** The offset behind the last event that was told. */
  #next: number
  /**
   * What is left of a table's compacted past, as it was when the reader began with it: of what he reads in several
   * steps, a deletion may go between two of them. Elsewhere he stands where nothing is gone.
   */
  #past: LogReader | null = null
  /** Nothing was told yet: what is gone by then, nobody misses. */
  #atStart: boolean
  /** Who begins at the end is told the tick of it, once that is visible. */
  #endTick: number | null = null
  #complete = false
  #rows = firstRows
  #views: ViewSet
  #ended = false
  #stopWaiting: () => void = () => {}
  #pulling: Promise<unknown> = Promise.resolve()
  readonly #end = (): void => {
    this.#ended = true
    this.#signal?.removeEventListener('abort', this.#end)
    this.#leavePast()
    this.#stopWaiting()
  }

  /** @throws MillraceError topic/unknown, request/parameter */
  constructor(world: TopicWorld, name: string, { from, resumes = false, signal }: TopicLiveOptions) {
    const { id } = topicNamed(world.current().program, name)
    const { tick } = world.log.position()
    if (from !== undefined && !(Number.isSafeInteger(from) && from >= 0)) {
      throw new MillraceError('request/parameter', `from is an offset, not ${from}`)
    }
    this.#world = world
    this.#topic = id
    this.#name = name
    this.#views = world.current().views
    this.#next = from ?? this.#logEnd
    this.#atStart = from === 0 && !resumes
    if (from === undefined) this.#endTick = tick
    // Nobody was ever told of an offset that the log does not have: it is another log.
    if (resumes && this.#next > this.#logEnd) this.#next = -1
    this.#signal = signal
    if (signal?.aborted) this.#ended = true
    else signal?.addEventListener('abort', this.#end, { once: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Pulls queue up behind each other. */
  next(): Promise<IteratorResult<TopicMessage>> {
    const pull = this.#pulling.then(async (): Promise<IteratorResult<TopicMessage>> => {
      const message = await this.#pull()
      return message === null ? { done: true, value: undefined } : { done: false, value: message }
    })
    this.#pulling = pull.catch(() => this.#end())
    return pull
  }

  /** Ends the stream, a pull that is waiting included. */
  async return(): Promise<IteratorResult<TopicMessage>> {
    this.#end()
    return { done: true, value: undefined }
  }

  /** The next offset of the topic, of events that may not be visible yet. */
  get #logEnd(): number {
    return this.#world.log.position().offsets.get(this.#topic) ?? 0
  }

  /** From here on nothing of the topic is gone. */
  get #firstWhole(): number {
    return this.#world.log.starts().get(this.#topic)?.firstOffset ?? 0
  }

  async #pull(): Promise<TopicMessage | null> {
    while (!this.#ended) {
      this.#world.checkOpen()
      this.#follow()
      // Of a topic that was dropped nothing comes any more, not even a last event.
      this.#definition()
      const message = this.#gone() ?? (await this.#read().catch((error: unknown) => this.#orAnew(error)))
      if (message !== null && !this.#ended) return message
    }
    return null
  }

  /** Whoever stands still for long is not waited for by what goes. */
  #orAnew(error: unknown): TopicMessage | null {
    // What was being read for a reader who has left was taken away under his hands.
    if (this.#ended) return null
    if (error instanceof MillraceError && error.code === 'log/reader-expired') return this.#beginAnew()
    throw error
  }

  /** Goes on with the views that have taken the place of others: their tick says what is visible. */
  #follow(): void {
    for (let next = this.#views.successor; next !== null; next = this.#views.successor) this.#views = next.set
  }

  /** A reset where events are gone that the reader was to be told. */
  #gone(): TopicMessage | null {
    if (this.#next >= this.#firstWhole) {
      this.#leavePast()
      return null
    }
    if (this.#past !== null && this.#next < endIn(this.#past, this.#topic)) return null
    return this.#beginAnew()
  }

  /** With what is left of the topic. @returns null where the reader was told nothing that is wrong now */
  #beginAnew(): TopicMessage | null {
    const { log } = this.#world
    this.#leavePast()
    this.#complete = false
    const isCompacted = log.starts().get(this.#topic)?.keeps === 'latest'
    if (isCompacted) this.#past = log.reader()
    this.#next = isCompacted ? 0 : this.#firstWhole
    return this.#atStart ? null : { kind: 'reset', tick: this.#views.tick, next: this.#next }
  }

  #leavePast(): void {
    void this.#past?.close()
    this.#past = null
  }

  /** What is visible behind the cursor, or null where it has to look again. */
  async #read(): Promise<TopicEvents | null> {
    const { tick } = this.#views
    const from = this.#next
    const end = this.#logEnd
    const past = this.#past
    const logged = from < end ? await this.#readLog(past, from) : []
    // What was thrown away meanwhile may be missing among what was read.
    if (this.#ended || (past === null && from < this.#firstWhole)) return null
    const blocks = logged.filter((block) => block.tick <= tick)
    const next = blocks.length === 0 ? from : Math.max(from, endOf(blocks[blocks.length - 1]))
    if (next === from) {
      if (logged.length > 0) return this.#atEnd(tick)
      // The last events of a table may be gone, and with them nothing that anybody lacks.
      this.#next = Math.max(from, past === null ? end : endIn(past, this.#topic))
      return past === null ? this.#atEnd(tick) : null
    }
    this.#measure(blocks, from)
    this.#next = next
    this.#atStart = false
    this.#complete = next >= end || blocks.length < logged.length
    const topic = this.#definition()
    return {
      kind: 'events',
      tick: this.#complete ? tick : blocks[blocks.length - 1].tick,
      topic,
      blocks: asDefinedNow(topic, blocks),
      from,
      next,
      complete: this.#complete,
    }
  }

  /** Readers at the end all read the same after a tick: they share what is under way. */
  #readLog(past: LogReader | null, from: number): Promise<readonly ReadBlock[]> {
    const rows = this.#rows
    if (past !== null) return past.readTopic(this.#topic, from, rows)
    const { log } = this.#world
    const underWay = reads.get(log) ?? new Map<string, Promise<readonly ReadBlock[]>>()
    reads.set(log, underWay)
    // What a read that began before the tick gives is not all that there is behind it.
    const key = `${this.#topic} ${from} ${rows} ${log.position().tick}`
    const shared = underWay.get(key)
    if (shared !== undefined) return shared
    const read = log.readTopic(this.#topic, from, rows).finally(() => underWay.delete(key))
    underWay.set(key, read)
    return read
  }

  /** Says once that there is no more for now; then waits. */
  async #atEnd(tick: number): Promise<TopicEvents | null> {
    const isBeyond = this.#next > this.#logEnd
    if (this.#complete || isBeyond || tick < (this.#endTick ?? 0)) {
      await this.#wait(tick)
      return null
    }
    this.#complete = true
    this.#endTick = null
    const next = this.#next
    return { kind: 'events', tick, topic: this.#definition(), blocks: [], from: next, next, complete: true }
  }

  #definition(): TopicDefinition {
    const topic = topicNamed(this.#world.current().program, this.#name)
    if (topic.id === this.#topic) return topic
    throw new MillraceError('topic/unknown', `the topic ${this.#name} was dropped, and another one has its name`)
  }

  /** Rows differ in size: the next page has as many as made about `pageBytes` last. */
  #measure(blocks: readonly ReadBlock[], from: number): void {
    let bytes = 0
    let rows = 0
    for (const block of blocks) {
      const unread = block.rows - rowFrom(block, from)
      rows += unread
      bytes += (block.bytes.byteLength * unread) / block.rows
    }
    this.#rows = Math.max(1, Math.min(mostRows, 2 * this.#rows, Math.floor((pageBytes * rows) / Math.max(1, bytes))))
  }

  async #wait(seen: number): Promise<void> {
    const { failure } = this.#world.current().driver
    if (failure !== null && !isDamaged(failure)) throw failure
    // A tick may have come while the log was read.
    if (this.#ended || this.#views.tick !== seen || this.#views.successor !== null) return
    await new Promise<void>((resolve) => {
      const forget = this.#views.onceChanged(resolve)
      this.#stopWaiting = () => {
        forget()
        resolve()
      }
    })
    this.#stopWaiting = () => {}
  }
}

/** The next offset of a topic in what a reader has. */
function endIn(reader: LogReader, topic: number): number {
  return reader.position().offsets.get(topic) ?? 0
}
