import { formatTimestamp, parseTimestamp } from '../../data/datetime.ts'
import { aggregate, nodesOf, scan } from '../../plan/nodes.ts'
import type { Plan } from '../../plan/plan.ts'
import type { Program, TopicDefinition } from '../../plan/program.ts'
import type { WhyRun } from './run.ts'

/** The topics whose events a plan reads, through views. */
export function topicsOf(program: Program, plan: Plan): TopicDefinition[] {
  const topics = new Set<TopicDefinition>()
  for (const node of nodesOf(plan)) {
    if (node.op !== 'scan') continue
    const topic = program.topics.find(({ id }) => id === node.relation)
    if (topic !== undefined) topics.add(topic)
    const view = program.views.find(({ id }) => id === node.relation)
    if (view !== undefined) for (const each of topicsOf(program, view.plan)) topics.add(each)
  }
  return [...topics]
}

/** The least watermark of the topics below, and whose it is; null: there is none yet. */
export interface LeastWatermark {
  readonly topic: string
  readonly micros: bigint | null
}

/** As it was at the moment: the greatest event time less the topic's lateness. */
export async function leastWatermark(run: WhyRun, plan: Plan): Promise<LeastWatermark | null> {
  const topics = topicsOf(run.program, plan).filter(({ eventTime }) => eventTime !== null)
  const marks = await Promise.all(
    topics.map(async (topic): Promise<LeastWatermark> => {
      const column = topic.columns[topic.eventTime!]
      const call = { fn: 'max', argument: 0, distinct: false, filter: null } as const
      const greatest = aggregate(
        scan(topic.id, [topic.eventTime!], [column]),
        [],
        [call],
        [{ ...column, nullable: true }],
      )
      const [{ cells }] = await run.rows(greatest)
      const left = cells[0] === null ? null : parseTimestamp(cells[0].replace(/\+00$/, ''))
      const before = run.source.gone.find((each) => each.topic === topic.id)?.micros ?? null
      const micros = left === null || (before !== null && before > left) ? before : left
      return { topic: topic.name, micros: micros === null ? null : micros - BigInt(topic.latenessMicros) }
    }),
  )
  return marks.reduce<LeastWatermark | null>(
    (least, mark) => (least === null || isLess(mark, least) ? mark : least),
    null,
  )
}

function isLess(a: LeastWatermark, b: LeastWatermark): boolean {
  if (a.micros === null || b.micros === null) return a.micros === null
  return a.micros < b.micros
}

export function watermarkText(mark: LeastWatermark | null): string {
  if (mark === null) return 'no topic below has a watermark'
  if (mark.micros === null) return `${mark.topic} has no event yet, and so no watermark`
  return `the watermark of ${mark.topic} is ${formatTimestamp(mark.micros, ' ')}`
}
