import { Prng } from '../src/io/twin/prng.ts'
import type { LiveMessage } from '../src/views/live.ts'
import type { ViewName } from './app.ts'
import { Follower } from './follower.ts'
import { type History, Violation } from './history.ts'
import { changesOf, type Life } from './life.ts'

type Bag = Map<string, number>

/** Follows one view, pulls when it likes, loses the connection now and then and goes on with its last tick. */
export class Subscriber extends Follower<LiveMessage> {
  readonly name: string
  readonly view: ViewName
  readonly #index: number
  readonly #seed: number
  readonly #history: History
  /** All rows as of the tick it has everything of. */
  rows: Bag = new Map()
  #tick: number | null = null
  #snapshot: Bag | null = null

  constructor(index: number, seed: number, views: readonly ViewName[], history: History) {
    super()
    this.name = `subscriber ${index}`
    this.#index = index
    this.#seed = seed
    this.view = views[(seed + index) % views.length]
    this.#history = history
  }

  /** It goes on from there. */
  get tick(): number | null {
    return this.#tick
  }

  async live(life: Life): Promise<void> {
    const prng = new Prng(Math.imul(this.#seed, 999_983) + this.#index * 31 + life.number * 65_537)
    this.stopped = false
    while (!this.stopped) {
      this.#snapshot = null
      const resume = this.#tick !== null && prng.chance(0.9) ? { fromTick: this.#tick } : {}
      if (resume.fromTick === undefined) this.#tick = null
      life.trace(this.name, `follows ${this.view} from ${this.#tick ?? 'the start'}`)
      const plain = life.database.live(this.view, { ...resume, pieceRows: 1 + prng.below(6) })
      const cursor = life.live?.(plain, resume.fromTick !== undefined) ?? plain
      if (!(await this.drain(life, prng, cursor))) return
    }
  }

  protected take(life: Life, message: LiveMessage): void {
    const { kind, tick } = message
    life.trace(this.name, `${kind} at ${tick}${kind === 'reset' ? '' : ` with ${message.rows.length}`}`)
    if (this.#tick !== null && tick < this.#tick) {
      throw new Violation('ticks never go back', `${this.name}: ${kind} at ${tick} after ${this.#tick}`)
    }
    if (kind === 'reset') {
      this.#tick = null
      this.#snapshot = null
      return
    }
    if (kind === 'snapshot') {
      this.#snapshot ??= new Map()
      this.#add(this.#snapshot, message)
      if (!message.last) return
      this.rows = this.#snapshot
      this.#snapshot = null
    } else {
      if (this.#tick === null) throw new Violation('a snapshot comes first', this.name)
      this.#add(this.rows, message)
    }
    this.#tick = tick
    this.#history.observe({ who: this.name, view: this.view, tick, rows: this.texts() })
  }

  #add(bag: Bag, message: Extract<LiveMessage, { kind: 'snapshot' | 'change' }>): void {
    for (const [text, weight] of changesOf(message.rows)) {
      const sum = (bag.get(text) ?? 0) + weight
      if (sum === 0) bag.delete(text)
      else bag.set(text, sum)
      if (weight === 0 || sum < 0) {
        throw new Violation('changes fit the rows', `${this.name}: ${text} × ${weight} makes ${sum} at ${message.tick}`)
      }
    }
  }

  texts(): string[] {
    const texts: string[] = []
    for (const [text, weight] of this.rows) for (let n = 0; n < weight; n++) texts.push(text)
    return texts.sort()
  }
}
