// What clients did and saw over all lives of the program, and what the log must therefore hold.
import type { ViewName } from './app.ts'
import { type Event, eventText, Model, sortedTexts } from './model.ts'
import { Trims } from './trims.ts'

/** Something that must never be so, was. */
export class Violation extends Error {
  override readonly name = 'Violation'
  readonly invariant: string

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`)
    this.invariant = invariant
  }
}

export type TopicName = Event['topic']

export interface Answer {
  readonly tick: number
  readonly ranges: readonly { readonly topic: TopicName; readonly first: number; readonly last: number }[]
}

/** One append, over all its attempts. */
export interface Tried {
  readonly id: number
  readonly key: string | null
  readonly events: readonly Event[]
  readonly body: Uint8Array
  /** Its topic where it goes to one alone. */
  readonly topic: TopicName | null
  /** When it was first sent, counted over everything that happened. */
  readonly issued: number
  attempts: number
  /** Answers that did not say that they repeat an earlier one. */
  freshAnswers: number
  acknowledged: number | null
  answer: Answer | null
  /** It was answered that nothing of it is there. */
  refused: boolean
}

export interface LoggedEvent {
  readonly topic: TopicName
  readonly offset: number
  readonly tick: number
  readonly text: string
}

export type LogContent = Readonly<Record<TopicName, readonly LoggedEvent[]>>

export interface Observation {
  readonly who: string
  readonly view: ViewName
  readonly tick: number
  /** Each row as text, sorted. */
  readonly rows: readonly string[]
  /** Error rows beside them; absent: nobody was told. */
  readonly errors?: number
  /** Bids up to and with this tick are left out; absent: none are. */
  readonly start?: number
}

/** A copy that somebody was told is whole, as of a tick. */
export interface Backup {
  readonly folder: string
  readonly tick: number
  readonly timeMicros: bigint
}

interface Placed {
  readonly tried: Tried
  readonly ranges: Answer['ranges'][number][]
  readonly tick: number
}

export const topicNames: readonly TopicName[] = ['bid', 'account']

export class History {
  readonly tried: Tried[] = []
  /** Those that nobody has looked into yet. */
  backups: Backup[] = []
  #readEvents: LoggedEvent[] = []
  /** The first event of each append in each topic, which no other append has. */
  readonly #byFirst = new Map<string, Tried>()
  readonly tickTimes = new Map<number, bigint>()
  #observations: Observation[] = []
  #content: LogContent = { bid: [], account: [] }
  #contentTick = 0
  readonly #last = new Map<ViewName, readonly string[]>()
  #moments = 0
  /** Rejects with the first violation that was found where nobody may throw. */
  readonly broken: Promise<never>
  #tell!: (violation: Violation) => void
  /** The newest tick that anybody saw. */
  seenTick = 0
  readonly trims: Trims
  /** Files of snapshots, or of the base, were damaged on purpose. */
  damaged = false

  /** @param trims of the log that this one is a copy of */
  constructor(trims = new Trims()) {
    this.trims = trims
    this.broken = new Promise((_, reject) => {
      this.#tell = reject
    })
    this.broken.catch(() => {})
  }

  /** Notes a violation without disturbing the code under test. */
  tell(violation: Violation): void {
    this.#tell(violation)
  }

  /** The same, for who stops there. */
  broke(invariant: string, detail: string): Violation {
    const violation = new Violation(invariant, detail)
    this.#tell(violation)
    return violation
  }

  moment(): number {
    return ++this.#moments
  }

  issue(tried: Pick<Tried, 'key' | 'events' | 'body' | 'topic'>): Tried {
    const state = { attempts: 0, freshAnswers: 0, acknowledged: null, answer: null, refused: false }
    const full: Tried = { ...tried, id: this.tried.length, issued: this.moment(), ...state }
    this.tried.push(full)
    for (const topic of topicNames) {
      const first = full.events.find((event) => event.topic === topic)
      if (first !== undefined) this.#byFirst.set(eventText(first), full)
    }
    return full
  }

  acknowledge(tried: Tried, answer: Answer, repeated: boolean): void {
    if (!repeated) tried.freshAnswers++
    if (tried.freshAnswers > 1 || (repeated && tried.attempts === 1)) {
      throw new Violation(
        'the same key appends once',
        `append ${tried.id} was answered ${tried.freshAnswers} times as if it were new`,
      )
    }
    if (tried.answer !== null && JSON.stringify(tried.answer) !== JSON.stringify(answer)) {
      const both = `${JSON.stringify(tried.answer)}, then ${JSON.stringify(answer)}`
      throw new Violation('the same key gets the same answer', `append ${tried.id}: ${both}`)
    }
    tried.answer = answer
    tried.acknowledged ??= this.moment()
  }

  sawTick(tick: number, timeMicros: bigint): void {
    const known = this.tickTimes.get(tick)
    if (known !== undefined && known !== timeMicros) {
      throw new Violation('a tick has one time', `tick ${tick} was at ${known} and is at ${timeMicros}`)
    }
    this.tickTimes.set(tick, timeMicros)
  }

  observe(observation: Observation): void {
    this.#observations.push(observation)
    this.seenTick = Math.max(this.seenTick, observation.tick)
  }

  /** Somebody read events of a topic. */
  observeEvents(events: readonly LoggedEvent[]): void {
    for (const event of events) this.#readEvents.push(event)
  }

  /** The log was read from its beginning, up to a tick: it owes all that was promised and shown so far. */
  check(content: LogContent, tick: number): void {
    if (tick < this.seenTick || tick < this.#contentTick) {
      const seen = Math.max(this.seenTick, this.#contentTick)
      throw new Violation('what was visible stays', `tick ${seen} was visible, the log ends with tick ${tick}`)
    }
    this.#checkPrefix(content)
    const placed = new Map<Tried, Placed>()
    for (const topic of topicNames) this.#checkTopic(topic, content[topic], placed)
    for (const one of placed.values()) checkWhole(one)
    for (const tried of this.tried) this.#checkAnswer(tried, placed.get(tried), tick)
    this.#content = content
    this.#contentTick = tick
    for (const { topic, offset, text, tick: at } of this.#readEvents.splice(0)) {
      const found = content[topic][offset]
      if (found?.text !== text || found.tick !== at) {
        throw new Violation('a topic reads the same', `${topic} ${offset} was ${text} at ${at}, is ${found?.text}`)
      }
    }
    const observations = this.#observations.splice(0)
    checkObservations(observations, content, this.#eventsByText(), this.tickTimes)
    for (const { view, rows, start = 0 } of observations) if (start === 0) this.#last.set(view, rows)
  }

  /** A log apart, such as a copy: it owes nobody anything but whole appends, and what was seen of it follows from it. */
  checkApart(content: LogContent, seen: History): void {
    const placed = new Map<Tried, Placed>()
    for (const topic of topicNames) this.#checkTopic(topic, content[topic], placed)
    for (const one of placed.values()) checkWhole(one)
    checkObservations(seen.#observations, content, this.#eventsByText(), seen.tickTimes)
  }

  /** All events in the log's order, each topic for itself, and what each view was seen to be last. */
  end(): { readonly events: readonly Event[]; readonly last: ReadonlyMap<ViewName, readonly string[]> } {
    const byText = this.#eventsByText()
    const events = topicNames.flatMap((topic) => this.#content[topic].map(({ text }) => byText.get(text)!))
    return { events, last: this.#last }
  }

  #eventsByText(): Map<string, Event> {
    const byText = new Map<string, Event>()
    for (const { events } of this.tried) for (const event of events) byText.set(eventText(event), event)
    return byText
  }

  #checkPrefix(content: LogContent): void {
    for (const topic of topicNames) {
      for (const [i, before] of this.#content[topic].entries()) {
        const now = content[topic][i]
        if (now === undefined || now.text !== before.text || now.tick !== before.tick) {
          const what = now === undefined ? 'gone' : `${now.text} at tick ${now.tick}`
          throw new Violation('history never changes', `${before.text} at tick ${before.tick} is now ${what}`)
        }
      }
    }
  }

  /** Cuts a topic into appends. */
  #checkTopic(topic: TopicName, events: readonly LoggedEvent[], placed: Map<Tried, Placed>): void {
    let newestIssued = 0
    for (let at = 0; at < events.length; ) {
      const { text, tick, offset } = events[at]
      const tried = this.#byFirst.get(text)
      if (tried === undefined) throw new Violation('only what was sent is there', `${topic} ${at}: ${text}`)
      if (tried.refused) throw new Violation('what was refused is not there', `append ${tried.id}: ${text}`)
      const own = tried.events.filter((event) => event.topic === topic)
      for (const [k, event] of own.entries()) {
        const found = events[at + k]
        if (found?.text !== eventText(event) || found.tick !== tick) {
          const what = found === undefined ? 'nothing' : `${found.text} at tick ${found.tick}`
          throw new Violation('appends are whole', `append ${tried.id}, ${eventText(event)} at tick ${tick}: ${what}`)
        }
      }
      const known = placed.get(tried) ?? { tried, ranges: [], tick }
      if (known.ranges.some((range) => range.topic === topic)) {
        throw new Violation('an append is there once', `append ${tried.id} is there again at ${topic} ${offset}`)
      }
      if (known.tick !== tick) {
        throw new Violation('an append lies in one tick', `append ${tried.id} lies in ${known.tick} and ${tick}`)
      }
      known.ranges.push({ topic, first: offset, last: offset + own.length - 1 })
      placed.set(tried, known)
      if (tried.acknowledged !== null && tried.acknowledged < newestIssued) {
        throw new Violation('order of acknowledgement', `append ${tried.id} stands behind one that was sent after it`)
      }
      newestIssued = Math.max(newestIssued, tried.issued)
      at += own.length
    }
  }

  #checkAnswer(tried: Tried, placed: Placed | undefined, tick: number): void {
    const { answer } = tried
    if (answer === null || answer.tick > tick) {
      if (answer !== null)
        throw new Violation('acknowledged is kept', `append ${tried.id}: tick ${answer.tick} is gone`)
      return
    }
    if (placed === undefined) throw new Violation('acknowledged is kept', `append ${tried.id} is not there`)
    const order = (a: Answer['ranges'][number], b: Answer['ranges'][number]): number => (a.topic < b.topic ? -1 : 1)
    const found = JSON.stringify([placed.tick, [...placed.ranges].sort(order)])
    const told = JSON.stringify([answer.tick, [...answer.ranges].sort(order)])
    if (found !== told)
      throw new Violation('answers are true', `append ${tried.id} was told ${told} and lies at ${found}`)
  }
}

/** Sorts them by tick, and holds each against the model. */
function checkObservations(
  observations: Observation[],
  content: LogContent,
  byText: ReadonlyMap<string, Event>,
  tickTimes: ReadonlyMap<number, bigint>,
): void {
  observations.sort((a, b) => a.tick - b.tick)
  const models = new Map(observations.map(({ start = 0 }) => [start, new Model(start)]))
  const next = { bid: 0, account: 0 }
  let cached = new Map<string, string>()
  let cachedTick = -1
  for (const { who, view, tick, rows, errors, start = 0 } of observations) {
    if (tick !== cachedTick) {
      for (const topic of topicNames) {
        const events = content[topic]
        for (; next[topic] < events.length && events[next[topic]].tick <= tick; next[topic]++) {
          const event = byText.get(events[next[topic]].text)!
          for (const model of models.values()) model.apply(event, events[next[topic]].tick)
        }
      }
      cachedTick = tick
      cached = new Map()
    }
    const time = tickTimes.get(tick)
    if (time === undefined && tick > 0) throw new Violation('ticks are sealed before they are seen', `${who}: ${tick}`)
    const model = models.get(start)!
    const expected = cached.get(`${view} ${start}`) ?? sortedTexts(model.rows(view, time ?? 0n)).join('\n')
    cached.set(`${view} ${start}`, expected)
    const from = start === 0 ? '' : `, which begins behind tick ${start},`
    if (rows.join('\n') !== expected)
      throw new Violation('view(n) = query(log[0..n])', differs(who, `${view}${from}`, tick, rows, expected))
    if (errors !== undefined && errors !== model.errors(view)) {
      const told = `${who} saw ${errors} at tick ${tick} of ${view}${from} not ${model.errors(view)}`
      throw new Violation('error rows are counted', told)
    }
  }
}

function checkWhole({ tried, ranges }: Placed): void {
  const topics = new Set(tried.events.map(({ topic }) => topic))
  if (ranges.length < topics.size) {
    const there = ranges.map(({ topic }) => topic).join()
    throw new Violation(
      'appends are whole',
      `append ${tried.id} wrote to ${[...topics].join()}, only ${there} is there`,
    )
  }
}

function differs(who: string, view: string, tick: number, rows: readonly string[], expected: string): string {
  const wanted = expected === '' ? [] : expected.split('\n')
  const missing = wanted.filter((row) => !rows.includes(row))
  const wrong = rows.filter((row) => !wanted.includes(row))
  const sizes = `${rows.length} rows instead of ${wanted.length}`
  return `${who} saw ${view} at tick ${tick}: ${sizes}; missing ${missing.slice(0, 5)}; wrong ${wrong.slice(0, 5)}`
}
