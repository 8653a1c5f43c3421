import type { GoneTimes } from '../engine/port.ts'
import type { LogReading, TopicStart, Trim } from '../log/log.ts'
import { nodesOf } from '../plan/nodes.ts'
import type { Program, TopicDefinition } from '../plan/program.ts'
import { markAt, markOf, type TimeMark } from './snapshots/marks.ts'

type Starts = ReadonlyMap<number, TopicStart>

/**
 * What of a log's past is gone, and who reads what is left: nothing is thrown away while somebody does who doesn't hold
 * what he reads.
 */
export class LogPast {
  readonly #log: LogReading
  #readers = 0
  /** Set while some of it is thrown away. */
  #trimming: Promise<unknown> | null = null
  /** Of all topics that were trimmed, and maybe others. */
  marks: readonly TimeMark[] = []

  constructor(log: LogReading) {
    this.#log = log
  }

  get starts(): Starts {
    return this.#log.starts()
  }

  /**
   * Runs work that reads the log's past.
   * @param work calls `held` where it has a reader of its own from then on, and reads nothing else of the past: what
   *   goes behind that changes nothing for it
   */
  async reading<T>(work: (held: () => void) => Promise<T>): Promise<T> {
    while (this.#trimming !== null) await this.#trimming
    this.#readers++
    let counts = true
    const held = (): void => {
      if (counts) this.#readers--
      counts = false
    }
    try {
      return await work(held)
    } finally {
      held()
    }
  }

  /** Runs work that throws some of the past away, unless somebody reads it. @returns whether it ran */
  async unread(work: () => Promise<void>): Promise<boolean> {
    if (this.#readers > 0 || this.#trimming !== null) return false
    const trimming = work()
    this.#trimming = trimming.catch(() => {})
    try {
      await trimming
      return true
    } finally {
      this.#trimming = null
    }
  }

  get isRead(): boolean {
    return this.#readers > 0
  }

  /** The marks of a program's topics, as they are once a plan was carried out; those of before stay good until then. */
  async marksFor({ topics }: Program, plan: readonly Trim[]): Promise<readonly TimeMark[]> {
    const marks = new Map<string, TimeMark>()
    const keep = (mark: TimeMark | null): void => {
      if (mark !== null) marks.set(`${mark.topic} ${mark.throughTick} ${mark.column}`, mark)
    }
    for (const topic of topics) {
      const now = markOf(this.marks, topic, this.starts.get(topic.id))
      keep(now)
      const trim = plan.find((one) => one.topic === topic.id)
      if (trim !== undefined) keep(await markAt(this.#log, topic, trim.throughTick, now))
    }
    return [...marks.values()]
  }

  /** The tick up to which something is gone of a topic that the program has, 0: nothing. */
  goneThrough({ topics }: Pick<Program, 'topics'>): number {
    const { starts } = this
    return topics.reduce((most, { id }) => Math.max(most, starts.get(id)?.throughTick ?? 0), 0)
  }

  /** Views that hold events which are gone: the log alone can't make them again. */
  viewsBeyond(program: Program): ReadonlySet<number> {
    const { starts } = this
    const beyond = new Set<number>()
    const topics = new Map(program.topics.map((topic) => [topic.id, topic]))
    for (const { id, plan, starts: own } of program.views) {
      for (const node of nodesOf(plan)) {
        if (node.op !== 'scan') continue
        const topic = topics.get(node.relation)
        const gone = topic === undefined || isTable(topic) ? 0 : (starts.get(topic.id)?.throughTick ?? 0)
        const from = own?.find((one) => one.topic === node.relation)?.throughTick ?? 0
        if (from < gone || beyond.has(node.relation)) beyond.add(id)
      }
    }
    return beyond
  }

  /** Where watermarks begin for who begins at the log's beginning. */
  watermarks({ topics }: Pick<Program, 'topics'>): readonly GoneTimes[] {
    return topics.flatMap((topic) => {
      const mark = markOf(this.marks, topic, this.starts.get(topic.id))
      if (mark === null) return []
      return [{ topic: topic.id, micros: mark.micros === null ? null : BigInt(mark.micros), late: mark.late }]
    })
  }
}

export function isTable({ primaryKey }: TopicDefinition): boolean {
  return primaryKey.length > 0
}
