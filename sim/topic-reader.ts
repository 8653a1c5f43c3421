import type { TopicMessage } from '../src/database/live/topic-cursor.ts'
import { Prng } from '../src/io/twin/prng.ts'
import { Follower } from './follower.ts'
import { type History, type LogContent, type LoggedEvent, type TopicName, topicNames, Violation } from './history.ts'
import type { Life } from './life.ts'
import { topicOf } from './program.ts'
import { eventsOf } from './topic-events.ts'

/** Follows one topic from its beginning, pulls when it likes, loses the connection now and then and goes on from there. */
export class TopicReader extends Follower<TopicMessage> {
  readonly name: string
  readonly topic: TopicName
  readonly #index: number
  readonly #seed: number
  readonly #history: History
  /** What it was told to go on from; null: nothing yet. */
  #next: number | null = null
  /** Of a table: by key, the last event that was told. */
  readonly #rows = new Map<string, string>()

  constructor(index: number, seed: number, history: History) {
    super()
    this.name = `reader ${index}`
    this.#index = index
    this.#seed = seed
    this.#history = history
    this.topic = topicNames[(seed + index) % topicNames.length]
  }

  async live(life: Life): Promise<void> {
    const prng = new Prng(Math.imul(this.#seed, 999_979) + this.#index * 37 + life.number * 65_539)
    this.stopped = false
    while (!this.stopped) {
      const resumes = this.#next !== null
      life.trace(this.name, `follows ${this.topic} from ${this.#next ?? 'the start'}`)
      const plain = life.database.liveTopic(this.topic, { from: this.#next ?? 0, resumes })
      const cursor = life.events?.(plain, resumes) ?? plain
      if (!(await this.drain(life, prng, cursor))) return
    }
  }

  protected take(life: Life, message: TopicMessage): void {
    const gone = life.log.starts().get(topicOf(this.topic).id)?.firstOffset ?? 0
    if (message.kind === 'reset') {
      life.trace(this.name, `reset at ${message.next}, gone before ${gone}`)
      if (gone <= (this.#next ?? 0)) throw new Violation('a reset is for what is gone', `${this.name} at ${this.#next}`)
      this.#rows.clear()
      this.#next = message.next
      return
    }
    const events = eventsOf(life.log, this.topic, message.blocks, message.from)
    life.trace(this.name, `${events.length} to ${message.next} at ${message.tick}`)
    for (const event of events) this.#event(event, gone, life)
    this.#next = Math.max(this.#next ?? 0, message.next)
    this.#history.observeEvents(events)
  }

  #event({ offset, tick, text }: LoggedEvent, gone: number, life: Life): void {
    const next = this.#next ?? 0
    if (offset !== next && (offset < next || offset > gone)) {
      throw new Violation('who follows a topic misses nothing', `${this.name}: ${offset} where ${next} is awaited`)
    }
    if (tick > life.database.status().tick) throw new Violation('only what is visible is told', `${this.name}: ${text}`)
    this.#next = offset + 1
    const [kind, key] = JSON.parse(text) as string[]
    if (kind.endsWith('-')) this.#rows.delete(key)
    else this.#rows.set(key, text)
  }

  /** It must have all of a log, and of a table the very rows. @throws Violation */
  check(content: LogContent): void {
    const all = content[this.topic]
    if (this.#next !== all.length) {
      throw new Violation('who follows a topic misses nothing', `${this.name} has ${this.#next} of ${all.length}`)
    }
    if (this.topic !== 'account') return
    const rows = new Map<string, string>()
    for (const { text } of all) {
      const [kind, key] = JSON.parse(text) as string[]
      if (kind.endsWith('-')) rows.delete(key)
      else rows.set(key, text)
    }
    const told = JSON.stringify([...this.#rows].sort())
    const wanted = JSON.stringify([...rows].sort())
    if (told !== wanted) throw new Violation('who follows a table has it', `${this.name}: ${told} instead of ${wanted}`)
  }
}
