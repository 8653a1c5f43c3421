import { columnId } from '../data/stored-column.ts'
import { type Plan, type Scan, systemColumn } from './plan.ts'
import type { Program, TopicDefinition, ViewDefinition } from './program.ts'

type Starts = ViewDefinition['starts']

/**
 * What a view's rows are a function of, as text: its plan down to the topics, with what it reads of their schemas and
 * where they begin for it, and nothing that another order of definitions or another name would change. Two views with
 * one meaning have the same rows at every tick of a log.
 */
export function viewMeaning(program: Program, view: ViewDefinition): string {
  const plan = planMeaning(program, view.plan, view.starts)
  return JSON.stringify([view.columns.map(({ type }) => type), plan, view.order])
}

/**
 * The same for a part of a plan: two operators with one meaning hold the same state at every tick of a log.
 * @param starts of the view that the plan is of
 * @param timed whether rows depend on watermarks further up
 */
export function planMeaning(program: Program, plan: Plan, starts: Starts, timed = false): unknown {
  switch (plan.op) {
    case 'scan': {
      const { relation, reads, ...rest } = plan
      const view = program.views.find((candidate) => candidate.id === relation)
      // A view is what it is made of.
      if (view !== undefined) {
        return { ...rest, reads, view: planMeaning(program, view.plan, view.starts, timed) }
      }
      const topic = program.topics.find((candidate) => candidate.id === relation)
      return { ...rest, topic: topic === undefined ? relation : topicMeaning(topic, plan, starts, timed) }
    }
    case 'values':
      return plan
    case 'join': {
      const left = planMeaning(program, plan.left, starts, timed)
      return { ...plan, left, right: planMeaning(program, plan.right, starts, timed) }
    }
    case 'unionAll':
      return { ...plan, inputs: plan.inputs.map((input) => planMeaning(program, input, starts, timed)) }
    default:
      return { ...plan, input: planMeaning(program, plan.input, starts, timed || plan.op === 'final') }
  }
}

/**
 * A topic is one by its number in the log, its columns are by theirs: columns that nobody reads here may come and go.
 */
function topicMeaning(topic: TopicDefinition, { reads, events }: Scan, starts: Starts, timed: boolean): unknown {
  const column = (ordinal: number): unknown =>
    ordinal < 0 ? ordinal : { ...topic.columns[ordinal], id: columnId(topic.columns, ordinal) }
  const late =
    events !== 'all' || reads.includes(systemColumn.watermark) || reads.includes(systemColumn.distance) || timed
  const start = topic.primaryKey.length > 0 ? undefined : starts?.find((one) => one.topic === topic.id)?.throughTick
  return {
    id: topic.id,
    reads: reads.map(column),
    key: topic.primaryKey.map(column),
    ...(late ? { time: timeMeaning(topic) } : {}),
    ...(start === undefined ? {} : { start }),
  }
}

/** What a topic's watermarks are a function of. */
export function timeMeaning({ columns, eventTime, latenessMicros }: TopicDefinition): unknown {
  return eventTime === null ? null : [columnId(columns, eventTime), columns[eventTime].type, latenessMicros]
}
