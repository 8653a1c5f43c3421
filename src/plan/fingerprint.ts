import type { Plan } from './plan.ts'
import type { Program, ViewDefinition } from './program.ts'

/**
 * What a view's rows are a function of, as text: its plan down to the topics, with their schemas, and nothing that
 * another order of definitions or another name would change. Two views with one meaning have the same rows at every
 * tick of a log.
 */
export function viewMeaning(program: Program, view: ViewDefinition): string {
  return JSON.stringify([view.columns.map(({ type }) => type), planMeaning(program, view.plan), view.order])
}

/** The same for a part of a plan: two operators with one meaning hold the same state at every tick of a log. */
export function planMeaning(program: Program, plan: Plan): unknown {
  switch (plan.op) {
    case 'scan': {
      const { relation, ...rest } = plan
      return { ...rest, relation: relationMeaning(program, relation) }
    }
    case 'values':
      return plan
    case 'join':
      return { ...plan, left: planMeaning(program, plan.left), right: planMeaning(program, plan.right) }
    case 'unionAll':
      return { ...plan, inputs: plan.inputs.map((input) => planMeaning(program, input)) }
    default:
      return { ...plan, input: planMeaning(program, plan.input) }
  }
}

/** A topic is one by its number in the log; a view is what it is made of. */
function relationMeaning(program: Program, id: number): unknown {
  const view = program.views.find((candidate) => candidate.id === id)
  if (view !== undefined) return { view: planMeaning(program, view.plan) }
  const topic = program.topics.find((candidate) => candidate.id === id)
  if (topic === undefined) return { relation: id }
  const { columns, primaryKey, eventTime, latenessMicros } = topic
  return { topic: id, columns, primaryKey, eventTime, latenessMicros }
}
