import { setTimeout as sleep } from 'node:timers/promises'
import { EventStreamParser, type StreamEvent } from '../../src/protocol/event-stream.ts'
import { canonical, type ViewName } from './auction.ts'
import type { Random } from './random.ts'

/** Rows of a view at a tick, as somebody saw them. */
export interface Seen {
  readonly view: ViewName
  readonly tick: number
  readonly rows: readonly string[]
}

/**
 * Follows a view by its stream, breaking off now and then and going on from the last id. What doesn't fit together (a
 * row taken away that isn't there or added twice, a tick that goes back, a snapshot nobody asked for) is an error.
 */
export class Follower {
  readonly seen: Seen[] = []
  resumes = 0
  resets = 0
  readonly #view: ViewName
  readonly #random: Random
  readonly #url: () => string
  readonly #everyChange: number
  #rows = new Set<string>()
  /** Rows of a snapshot that has not ended. */
  #snapshot: string[] | null = null
  #id: string | null = null

  /** @param everyChange the chance that a change is kept in `seen` */
  constructor(view: ViewName, random: Random, url: () => string, everyChange: number) {
    this.#view = view
    this.#random = random
    this.#url = url
    this.#everyChange = everyChange
  }

  get tick(): number {
    return Number(this.#id ?? 0)
  }

  async run(going: () => boolean): Promise<void> {
    while (going()) {
      const breaking = new AbortController()
      const timer = setTimeout(() => breaking.abort(), this.#random.between(50, 800))
      try {
        await this.#follow(going, breaking.signal)
      } finally {
        clearTimeout(timer)
      }
      await sleep(this.#random.below(40))
    }
  }

  async #follow(going: () => boolean, signal: AbortSignal): Promise<void> {
    const headers: Record<string, string> = this.#id === null ? {} : { 'last-event-id': this.#id }
    this.#snapshot = this.#id === null ? [] : null
    let first = this.#id !== null
    const parser = new EventStreamParser()
    const stream = await open(`${this.#url()}/v1/views/${this.#view}/live?numbers=string`, headers, signal)
    if (stream === null) return
    for await (const piece of stream) {
      for (const event of parser.feed(piece)) {
        if (first && event.event === 'change') this.resumes++
        first = false
        this.#take(event)
      }
      if (!going()) return
    }
  }

  #take({ event, data, id }: StreamEvent): void {
    const body = JSON.parse(data)
    if (body.tick < this.tick) this.#fail(`tick ${body.tick} after ${this.tick}`)
    if (event === 'reset') {
      this.resets++
      this.#snapshot = []
      return
    }
    if (event === 'snapshot') {
      if (this.#snapshot === null) this.#fail('a snapshot where changes had to go on')
      for (const row of body.rows) this.#snapshot!.push(JSON.stringify(row))
      if (id === null) return
      this.#rows = new Set(this.#snapshot!)
      if (this.#rows.size !== this.#snapshot!.length) this.#fail('a row twice in a snapshot')
      this.#snapshot = null
    } else if (event === 'change') {
      if (this.#snapshot !== null) this.#fail('a change before the snapshot')
      if (body.tick === this.tick) this.#fail(`tick ${body.tick} twice`)
      this.#change(body.changes)
    } else this.#fail(`${event}: ${data}`)
    if (id !== String(body.tick)) this.#fail(`the id ${id} at tick ${body.tick}`)
    this.#id = id
    if (event === 'snapshot' || this.#random.chance(this.#everyChange)) this.note()
  }

  #change(changes: readonly { readonly row: object; readonly weight: number }[]): void {
    const added: string[] = []
    for (const { row, weight } of changes) {
      const text = JSON.stringify(row)
      if (weight === 1) added.push(text)
      else if (weight !== -1) this.#fail(`weight ${weight}`)
      else if (!this.#rows.delete(text)) this.#fail(`${text} goes and isn't there`)
    }
    for (const text of added) {
      if (this.#rows.has(text)) this.#fail(`${text} comes and is there already`)
      this.#rows.add(text)
    }
  }

  /** Keeps what the rows are now. */
  note(): void {
    this.seen.push({ view: this.#view, tick: this.tick, rows: [...this.#rows].sort() })
  }

  #fail(what: string): never {
    throw new Error(`the stream of ${this.#view} doesn't fit together: ${what}`)
  }
}

/** @returns the stream's pieces up to where it breaks off; null where there is no stream now */
async function open(
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array> | null> {
  try {
    const response = await fetch(url, { headers, signal })
    if (response.status === 200) return untilBroken(response.body as unknown as AsyncIterable<Uint8Array>)
    if (response.status !== 503) throw new Error(`${url} was answered with ${response.status}`)
    await response.text()
    return null
  } catch (error) {
    if (error instanceof TypeError || signal.aborted) return null
    throw error
  }
}

async function* untilBroken(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await pieces.next().catch(() => null)
      if (next === null || next.done === true) return
      yield next.value
    }
  } finally {
    await pieces.return?.()?.catch(() => {})
  }
}

/** Reads a view now and then. */
export async function readNowAndThen(
  views: readonly ViewName[],
  random: Random,
  url: () => string,
  going: () => boolean,
): Promise<Seen[]> {
  const seen: Seen[] = []
  let tick = 0
  while (going()) {
    const view = views[random.below(views.length)]
    const found = await readView(url(), view).catch(() => null)
    if (found !== null) {
      if (found.tick < tick) throw new Error(`${view} was read at tick ${found.tick} after ${tick}`)
      tick = found.tick
      seen.push(found)
    }
    await sleep(random.between(10, 100))
  }
  return seen
}

/** @returns null while the server is not ready */
export async function readView(url: string, view: ViewName, query = ''): Promise<Seen | null> {
  const response = await fetch(`${url}/v1/views/${view}?numbers=string${query}`)
  const text = await response.text()
  if (response.status === 503) return null
  if (response.status !== 200) throw new Error(`${view} was answered with ${response.status}: ${text}`)
  const { tick, rows, errors } = JSON.parse(text)
  if (errors !== 0) throw new Error(`${view} has ${errors} error rows`)
  return { view, tick, rows: canonical(rows) }
}
