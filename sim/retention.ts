// What may go of the log, said once more: what a topic keeps in any case, and where views begin that come later.
import type { Log, Trim } from '../src/log/log.ts'
import type { RetentionDefinition, ViewDefinition } from '../src/plan/program.ts'
import type { ViewName } from './app.ts'
import { type History, type TopicName, topicNames, Violation } from './history.ts'
import type { SimulationPlan } from './plan.ts'
import { definitionOf, topicOf } from './program.ts'
import { readWholeTopic } from './topic-events.ts'

/** Where a log could be cut, with the most bytes of each topic that lay behind it when somebody asked. */
type Cuts = Map<number, { readonly timeMicros: bigint; readonly behind: Map<number, number> }>

/** A log that notes all that goes of it before it does, and that none of it had to stay. */
export function trimNoted(log: Log, history: History, plan: SimulationPlan): Pick<Log, 'cuts' | 'trim'> {
  // Files that are merged take their cuts along, which are good all the same.
  const known: Cuts = new Map()
  return {
    cuts: () => {
      const cuts = log.cuts()
      for (const { tick, timeMicros, bytes } of cuts) {
        const behind = known.get(tick)?.behind ?? new Map<number, number>()
        for (const [topic, all] of cuts.at(-1)!.bytes) {
          behind.set(topic, Math.max(behind.get(topic) ?? 0, all - (bytes.get(topic) ?? 0)))
        }
        known.set(tick, { timeMicros, behind })
      }
      return cuts
    },
    trim: async (trims) => {
      for (const trim of trims) {
        const topic = nameOf(trim)
        if (plan.retention !== null) await checkSpent(log, history, plan, trim, known)
        history.trims.asks(topic, await readWholeTopic(log, topic), trim.throughTick)
      }
      await log.trim(trims)
      for (const trim of trims) history.trims.answered(nameOf(trim), trim.throughTick)
    },
  }
}

function nameOf({ topic }: Trim): TopicName {
  return topicNames.find((name) => topicOf(name).id === topic)!
}

/** Nothing goes that is younger than what the topic keeps, or too little for its size. */
async function checkSpent(log: Log, history: History, plan: SimulationPlan, trim: Trim, known: Cuts): Promise<void> {
  const name = nameOf(trim)
  const keeps: (RetentionDefinition | undefined)[] = []
  for (const retention of [plan.retention, plan.laterRetention]) {
    const { program } = await definitionOf([], retention).plan({ topics: [], views: [] })
    if (retention !== null) keeps.push(program.topics.find((topic) => topic.name === name)?.retention)
  }
  const cut = known.get(trim.throughTick)
  const behind = cut?.behind.get(trim.topic) ?? 0
  const time = history.tickTimes.get(trim.throughTick) ?? cut?.timeMicros
  const { timeMicros } = log.position()
  const isSpent = keeps.some((retention) => {
    if (retention === undefined) return false
    const { micros, bytes } = retention
    const isAged = micros !== null && time !== undefined && time + BigInt(micros) <= timeMicros
    return isAged || (bytes !== null && behind >= bytes)
  })
  const told = `${name} up to ${trim.throughTick}, of ${time}, with ${behind} bytes behind it at ${timeMicros}`
  if (cut === undefined || !isSpent) throw history.broke('what a topic keeps stays', told)
  if ((name === 'bid') !== (trim.keep === 'nothing')) throw history.broke('rows of a table stay', told)
}

/** Where each view begins: from tick 0 on what was there first, behind what was gone what came later. */
export class Starts {
  readonly #first: ReadonlySet<ViewName>
  readonly #known = new Map<ViewName, number>()
  /** Up to where bids were gone when a view was asked for first. */
  readonly #asked = new Map<ViewName, number>()

  constructor(first: readonly ViewName[]) {
    this.#first = new Set(first)
  }

  /** A view may be there from now on. */
  asks(view: ViewName, history: History): void {
    if (!this.#asked.has(view)) this.#asked.set(view, history.trims.bidsTold)
  }

  /**
   * @param views the catalog's
   * @returns how many begin behind something that nobody knew of
   * @throws Violation
   */
  check(views: readonly ViewDefinition[], history: History): number {
    const names = new Set(views.map(({ name }) => name))
    for (const name of [...this.#asked.keys()]) if (!names.has(name)) this.#asked.delete(name)
    for (const name of [...this.#known.keys()]) if (!names.has(name)) this.#known.delete(name)
    let begun = 0
    for (const view of views) {
      const name = view.name as ViewName
      const start = startOf(views, name)
      const known = this.#first.has(name) ? 0 : this.#known.get(name)
      const possible = history.trims.bidCuts.has(start) && start >= (readsBids(view) ? (this.#asked.get(name) ?? 0) : 0)
      if (known === undefined ? !possible : start !== known) {
        throw new Violation(
          'a view begins where the log did',
          `${name} at ${start}, not ${known ?? this.#asked.get(name)}`,
        )
      }
      if (known === undefined && start > 0) begun++
      this.#known.set(name, start)
    }
    return begun
  }
}

function readsBids(view: ViewDefinition): boolean {
  return JSON.stringify(view.plan).includes(`"relation":${topicOf('bid').id},`)
}

/** The tick up to which bids are left out for a view: its own, or that of the view it reads. */
export function startOf(views: readonly ViewDefinition[], name: ViewName): number {
  const own = name === 'rich_items' ? 'per_item' : name
  const starts = views.find((view) => view.name === own)?.starts ?? []
  return starts.find(({ topic }) => topic === topicOf('bid').id)?.throughTick ?? 0
}
