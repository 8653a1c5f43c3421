import type { Database } from '../database.ts'
import type { Clock } from '../io/io.ts'
import type { OwnTopic } from '../plan/own-topics.ts'

const flushMs = 500
const flushRows = 1000
/** Beyond so many that the log doesn't take, the newest are given up, and counted. */
const mostRows = 50_000

/** Writes a topic of Millrace's own: a few appends a second, however much there is to tell. */
export class OwnJournal {
  readonly #database: Database
  readonly #clock: Clock
  readonly #topic: OwnTopic
  readonly #onMistake: (error: unknown) => void
  #rows: string[] = []
  #lost = 0
  #failing = false
  #cancel: (() => void) | null = null
  #writing: Promise<void> = Promise.resolve()

  /** @param onMistake told why nothing can be written, once; and how many rows were lost, once it can again */
  constructor(database: Database, clock: Clock, topic: OwnTopic, onMistake: (error: unknown) => void) {
    this.#database = database
    this.#clock = clock
    this.#topic = topic
    this.#onMistake = onMistake
  }

  add(row: Readonly<Record<string, string | number | null>>): void {
    if (this.#rows.length >= mostRows) {
      this.#lost++
      return
    }
    const at = new Date(Number(this.#clock.nowMicros() / 1000n)).toISOString()
    this.#rows.push(JSON.stringify({ at, ...row }, (_, value) => (typeof value === 'string' ? storable(value) : value)))
    if (this.#rows.length >= flushRows) void this.flush()
    else this.#cancel ??= this.#clock.after(flushMs, () => void this.flush())
  }

  /** Resolves when all so far is in the log, or could not be written. */
  flush(): Promise<void> {
    this.#cancel?.()
    this.#cancel = null
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  async #write(): Promise<void> {
    const rows = this.#rows.splice(0, flushRows * 10)
    if (rows.length === 0) return
    try {
      await this.#database.appendText(this.#topic, new TextEncoder().encode(rows.join('\n')), 'ndjson')
      if (this.#lost > 0) this.#onMistake(new Error(`${this.#lost} rows of ${this.#topic} were lost`))
      this.#lost = 0
      this.#failing = false
    } catch (error) {
      if (!this.#failing) this.#onMistake(error)
      this.#failing = true
      const room = Math.max(0, mostRows - this.#rows.length)
      this.#lost += Math.max(0, rows.length - room)
      this.#rows.unshift(...rows.slice(0, room))
    }
  }
}

/** Names come from who asks: one that no text column takes would keep all others out of the log with it. */
function storable(text: string): string {
  return text.replace(/[\0\p{Surrogate}]/gu, '\ufffd')
}
