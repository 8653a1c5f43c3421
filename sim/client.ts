import { digestOf } from '../src/database/digest.ts'
import { Prng } from '../src/io/twin/prng.ts'
import { queries, type ViewName } from './app.ts'
import { type Answer, type History, type TopicName, type Tried, Violation } from './history.ts'
import { codeOf, type Life, rowTexts } from './life.ts'
import { type Event, moneyText, timestampText } from './model.ts'
import type { SimulationPlan } from './plan.ts'
import { eventsOf } from './topic-events.ts'

const encoder = new TextEncoder()
const owners = ['ann', 'bob', 'cid', null]
const adHoc: readonly ViewName[] = ['big', 'per_item', 'owned', 'per_owner', 'best']
/** What each of them reads. */
const readBy: Readonly<Partial<Record<ViewName, readonly TopicName[]>>> = {
  owned: ['bid', 'account'],
  per_owner: ['account'],
}
/** Keys that no row has: a delete of one changes nothing, and tells which append it belongs to. */
const absentKeys = 1_000_000

/** Somebody who outlives the program: sends, forgets nothing, and asks again where no answer came. */
export class Client {
  readonly name: string
  readonly #seed: number
  readonly #history: History
  /** The views that were there from the beginning. */
  readonly #first: readonly ViewName[]
  #prng = new Prng(0)
  #ids = 0
  readonly #index: number
  /** Sent, and nobody knows what became of it. */
  #unanswered: Tried | null = null
  readonly #keyed: Tried[] = []
  #ownTick = 0

  constructor(index: number, { seed, views }: Pick<SimulationPlan, 'seed' | 'views'>, history: History) {
    this.name = `client ${index}`
    this.#index = index
    this.#seed = seed
    this.#first = views
    this.#history = history
  }

  async live(life: Life): Promise<void> {
    this.#prng = new Prng(Math.imul(this.#seed, 1_000_003) + this.#index * 7919 + life.number * 104_729)
    const prng = this.#prng
    const again = this.#unanswered
    this.#unanswered = null
    if (again !== null && again.key !== null && prng.chance(0.8)) await this.#send(life, again)
    for (let i = 0; i < life.plan.operations && !life.over; i++) {
      if (prng.chance(0.7)) await life.sleep(prng.below(prng.chance(0.2) ? 4000 : 200))
      if (life.over) return
      try {
        await this.#operate(life)
      } catch (error) {
        if (codeOf(error) === 'log/full' || !expectedRefusal(life, codeOf(error))) throw error
      }
    }
  }

  async #operate(life: Life): Promise<void> {
    const prng = this.#prng
    const choice = prng.below(100)
    if (choice < 20) await this.#send(life, this.#list('bid', [this.#bid(life)]))
    else if (choice < 32)
      await this.#send(
        life,
        this.#list(
          'bid',
          this.#several(this.#prng.chance(0.2) ? 60 : 8, () => this.#bid(life)),
        ),
      )
    else if (choice < 44)
      await this.#send(
        life,
        this.#list(
          'account',
          this.#several(4, () => this.#upsert()),
        ),
      )
    else if (choice < 60) await this.#send(life, this.#mixed(life))
    else if (choice < 65) await this.#sendInvalid(life)
    else if (choice < 73) await this.#sendAgain(life)
    else if (choice < 76) await this.#sendConflict(life)
    else if (choice < 88) {
      if (prng.chance(0.5)) await this.#lookBack(life)
      else await life.read(this.name, this.#someViews(life), prng.chance(0.5) ? this.#ownTick : 0)
    } else if (choice < 90) await this.#query(life)
    else if (choice < 98) await this.#readTopic(life)
    else await this.#backUp(life)
  }

  #someViews(life: Life): ViewName[] {
    const count = 1 + this.#prng.below(4)
    const { views } = life
    const from = this.#prng.below(views.length)
    return Array.from({ length: count }, (_, i) => views[(from + i * 3) % views.length])
  }

  #several<T>(most: number, make: () => T): T[] {
    return Array.from({ length: 1 + this.#prng.below(most) }, make)
  }

  /** A number that no other client and no other life gives. */
  #id(): number {
    return this.#index * 10_000 + ++this.#ids
  }

  #bid(life: Life): Event {
    const prng = this.#prng
    const nowMs = Number(life.io.clock.nowMicros() / 100_000n) * 100
    const behind = prng.chance(0.3) ? prng.below(40_000) : prng.below(4000)
    const atMs = nowMs - Math.floor(behind / 100) * 100
    const [account, item, price] = [prng.below(6), prng.below(4), prng.below(100)]
    return { topic: 'bid', id: this.#id(), account, item, price, atMs }
  }

  #upsert(): Event {
    const prng = this.#prng
    const cents = prng.below(100_000) - 20_000
    return { topic: 'account', op: 'upsert', id: prng.below(6), owner: owners[prng.below(4)], cents, rev: this.#id() }
  }

  #delete(): Event {
    return { topic: 'account', op: 'delete', id: this.#prng.below(6) }
  }

  #key(): string | null {
    return this.#prng.chance(0.6) ? `k${this.#id()}` : null
  }

  /** Events of one topic, as NDJSON or a list. */
  #list(topic: TopicName, events: readonly Event[]): Tried {
    const rows = events.map((event) => dataOf(event))
    const body = this.#prng.chance(0.5) ? `[${rows.join(',')}]` : rows.join('\n')
    return this.#history.issue({ key: this.#key(), events, topic, body: encoder.encode(body) })
  }

  /** Events of both topics, deletes among them, as one append. */
  #mixed(life: Life): Tried {
    const prng = this.#prng
    const events: Event[] = []
    if (prng.chance(0.8)) events.push(...this.#several(3, () => this.#bid(life)))
    if (prng.chance(0.3)) events.push(this.#upsert())
    else events.push({ topic: 'account', op: 'delete', id: absentKeys + this.#id() })
    events.push(...this.#several(3, () => (prng.chance(0.6) ? this.#delete() : this.#upsert())))
    const list = events.map((event) => {
      const op = event.topic === 'account' && event.op === 'delete' ? '"op":"delete",' : ''
      return `{"topic":"${event.topic}",${op}"data":${dataOf(event)}}`
    })
    const body = encoder.encode(`{"events":[${list.join(',')}]}`)
    return this.#history.issue({ key: this.#key(), events, topic: null, body })
  }

  /** Over a network that loses requests and answers, delays them and delivers them twice. */
  async #send(life: Life, tried: Tried): Promise<void> {
    const prng = this.#prng
    const keyed = tried.key !== null
    const again = keyed && prng.chance(0.1)
    // Counted before it is delivered: whatever is answered first, it isn't the only attempt.
    if (again) tried.attempts++
    if (keyed && prng.chance(0.1)) await Promise.all([this.#attempt(life, tried), this.#attempt(life, tried)])
    else if (prng.chance(0.06)) await this.#sendInVain(life, tried)
    else await this.#attempt(life, tried)
    if (again) this.#deliverLater(life, tried, prng.below(3000))
  }

  /** The request is lost, or comes late and its answer is lost: after a while it is sent once more. */
  async #sendInVain(life: Life, tried: Tried): Promise<void> {
    tried.attempts++
    this.#unanswered = tried
    const arrives = this.#prng.chance(0.7)
    life.trace(this.name, `append ${tried.id}: ${arrives ? 'its answer' : 'it'} is lost`)
    if (arrives) this.#deliverLater(life, tried, this.#prng.below(1500))
    await life.sleep(this.#prng.below(1000))
    if (tried.key !== null && !life.over) await this.#attempt(life, tried)
  }

  /** Nobody hears the answer. */
  #deliverLater(life: Life, tried: Tried, ms: number): void {
    const deliver = async (): Promise<void> => {
      await life.sleep(ms)
      const { answer, repeated } = await submit(life, tried, tried.body)
      life.trace('the network', `append ${tried.id}: tick ${answer.tick}${repeated ? ' again' : ''}`)
      if (tried.answer !== null) this.#history.acknowledge(tried, answer, repeated)
    }
    deliver().catch((error: unknown) => {
      if (!expectedRefusal(life, codeOf(error))) this.#history.tell(error as Violation)
    })
  }

  /** A copy of all up to some tick, which is opened after this life. */
  async #backUp(life: Life): Promise<void> {
    const folder = `backup-${this.#id()}`
    try {
      const { tick, timeMicros } = await life.within(`${this.name} backs up`, life.database.backup(folder))
      this.#history.backups.push({ folder, tick, timeMicros })
      life.trace(this.name, `backup of tick ${tick}`)
    } catch (error) {
      const code = codeOf(error)
      life.trace(this.name, `no backup: ${code}`)
      if (code === 'log/full' && life.full) life.io.disk.forget(folder)
      else if (code !== 'backup/refused' || !life.syncHasFailed) throw error
    }
  }

  async #attempt(life: Life, tried: Tried): Promise<void> {
    tried.attempts++
    this.#unanswered = tried
    const label = `append ${tried.id}${tried.key === null ? '' : ' with a key'}`
    try {
      const { answer, repeated } = await life.within(`${this.name}: ${label}`, submit(life, tried, tried.body))
      if (answer.tick > life.log.position().tick + 1) {
        throw new Violation('answers are true', `${label} names tick ${answer.tick} far ahead`)
      }
      this.#history.acknowledge(tried, answer, repeated)
      if (tried.key !== null) this.#keyed.push(tried)
      this.#unanswered = null
      this.#ownTick = Math.max(this.#ownTick, answer.tick)
      life.trace(this.name, `${label}: tick ${answer.tick}${repeated ? ' again' : ''}`)
    } catch (error) {
      const code = codeOf(error)
      if (!expectedRefusal(life, code)) throw error
      life.trace(this.name, `${label}: ${code}`)
      if (code === 'log/full') {
        this.#unanswered = null
        // An attempt of it may have been committed in an earlier life.
        if (tried.attempts === 1) tried.refused = true
      }
    }
  }

  async #sendInvalid(life: Life): Promise<void> {
    const good = this.#several(3, () => this.#bid(life))
    const rows = good.map((event) => dataOf(event))
    rows.splice(this.#prng.below(rows.length + 1), 0, '{"id":"x","account":1.5}')
    const tried = this.#history.issue({ key: null, events: good, topic: 'bid', body: encoder.encode(`[${rows}]`) })
    tried.refused = true
    const code = await submit(life, tried, tried.body).then(() => 'none', codeOf)
    life.trace(this.name, `invalid append ${tried.id}: ${code}`)
    if (code !== 'event/invalid') throw new Violation('bad events are refused', `append ${tried.id}: ${code}`)
  }

  /** The answer is known, and is asked for once more. */
  async #sendAgain(life: Life): Promise<void> {
    if (this.#keyed.length === 0) return
    await this.#send(life, this.#keyed[this.#prng.below(this.#keyed.length)])
  }

  async #sendConflict(life: Life): Promise<void> {
    if (this.#keyed.length === 0) return
    const tried = this.#keyed[this.#prng.below(this.#keyed.length)]
    const body = encoder.encode(`${new TextDecoder().decode(tried.body)} `)
    const code = await submit(life, tried, body).then(() => 'none', codeOf)
    life.trace(this.name, `another body with the key of append ${tried.id}: ${code}`)
    if (code === 'append/idempotency-conflict' || expectedRefusal(life, code)) return
    throw new Violation('a key belongs to one body', `append ${tried.id}: ${code}`)
  }

  /** What was at a tick is told now, and again later, by another life, and by a replay. */
  async #lookBack(life: Life): Promise<void> {
    const prng = this.#prng
    const newest = life.database.status().tick
    if (newest === 0) return
    const tick = Math.max(1, newest - prng.below(prng.chance(0.5) ? 4 : newest))
    const views = this.#someViews(life)
    const replay = prng.chance(0.4)
    const byTime = prng.chance(0.3)
    try {
      if (replay) await life.replayPast(this.name, views, tick, byTime, this.#first)
      else await life.readPast(this.name, views, tick, byTime, false)
    } catch (error) {
      const code = codeOf(error)
      if (!expectedRefusal(life, code) && code !== (replay ? 'request/busy' : 'tick/expired')) throw error
      life.trace(this.name, `tick ${tick}: ${code}`)
    }
  }

  /** A query answers what the view of the same query holds, as far as the log still has its events. */
  async #query(life: Life): Promise<void> {
    const view = adHoc[this.#prng.below(adHoc.length)]
    const newest = life.database.status().tick
    const past = newest > 0 && this.#prng.chance(0.4) ? 1 + this.#prng.below(newest) : null
    const topics = readBy[view] ?? ['bid']
    const gone = life.goneOf(topics)
    const options = past === null ? {} : { asOf: { at: { tick: past } } }
    try {
      const { tick, rows } = await life.within(`${this.name} asks`, life.database.query(queries[view], options))
      life.trace(this.name, `query ${view} at ${tick}`)
      if (past !== null && past < gone) {
        throw new Violation('what is gone is not told of', `${view} at tick ${past}, gone up to ${gone}`)
      }
      // What went while it was asked may be in the answer or not.
      if (life.goneOf(topics) !== gone) return
      const start = topics.includes('bid') ? life.goneOf(['bid']) : 0
      this.#history.observe({ who: `${this.name}'s query`, view, tick, rows: rowTexts(rows), start })
    } catch (error) {
      if (codeOf(error) === 'tick/expired' && past !== null && past < life.goneOf(topics)) return
      if (!life.closing) throw error
    }
  }

  async #readTopic(life: Life): Promise<void> {
    const topic = this.#prng.chance(0.5) ? 'bid' : 'account'
    const from = this.#prng.below(30)
    const blocks = await life.within(
      `${this.name} reads`,
      life.database.readTopic(topic, from, 1 + this.#prng.below(9)),
    )
    const events = eventsOf(life.log, topic, blocks, from)
    this.#history.observeEvents(events)
    life.trace(this.name, `${topic} from ${from}: ${events.length}`)
  }
}

/** Refusals that the life's plan explains. What becomes of the append is open, except for a full disk. */
function expectedRefusal(life: Life, code: string): boolean {
  if (code === 'log/full') return life.full
  if (code === 'log/closed') return life.closing
  // A database that is being closed says so and no more, whatever fails behind that.
  return code === 'log/poisoned' && (life.poisoned || (life.closing && life.syncHasFailed))
}

async function submit(life: Life, tried: Tried, body: Uint8Array): Promise<{ answer: Answer; repeated: boolean }> {
  const { database } = life
  const { key, topic } = tried
  const idempotency = key === null ? undefined : { scope: '/sim', key, digest: digestOf(body) }
  if (topic !== null) {
    const options = idempotency === undefined ? {} : { idempotency }
    const { tick, firstOffset, lastOffset, repeated } = await database.appendText(topic, body, 'auto', options)
    return { answer: { tick, ranges: [{ topic, first: firstOffset, last: lastOffset }] }, repeated }
  }
  const { tick, offsets, repeated } = await database.appendMixed(body, idempotency)
  const names = new Map((['bid', 'account'] as const).map((name) => [database.topic(name).id, name]))
  const ranges = offsets.map((range) => {
    const name = names.get(range.topic)
    if (name === undefined) throw new Violation('answers are true', `append ${tried.id} went to topic ${range.topic}`)
    return { topic: name, first: range.firstOffset, last: range.lastOffset }
  })
  return { answer: { tick, ranges }, repeated }
}

function dataOf(event: Event): string {
  if (event.topic === 'bid') {
    const { id, account, item, price, atMs } = event
    return JSON.stringify({ id, account, item, price, at: timestampText(atMs).replace(' ', 'T') })
  }
  if (event.op === 'delete') return JSON.stringify({ id: event.id })
  const { id, owner, cents, rev } = event
  return JSON.stringify({ id, owner, balance: moneyText(cents), rev })
}
