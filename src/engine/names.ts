import { sha256 } from '../io/digest.ts'
import type { Plan, Scan } from '../plan/plan.ts'
import type { Program } from '../plan/program.ts'
import type { Dataflow } from './compile.ts'
import type { BaseOperator } from './operator.ts'

/** Raised when an operator writes its state in another form: what was written before is not found any more. */
const stateVersion = 1

/**
 * Names every arrangement by what it holds: the plan that it belongs to, down to the schemas of the topics that it
 * reads, and its part of that. Whatever computes the same has the same name, in every process and whatever views
 * stand beside it; a changed definition has another one.
 */
export function nameArrangements(
  flow: Dataflow,
  program: Program,
  made: ReadonlyMap<Plan, readonly BaseOperator[]>,
  evicted: ReadonlyMap<BaseOperator, number>,
): void {
  for (const source of flow.sources.values()) {
    const { id, columns, primaryKey, eventTime, latenessMicros } = source.topic
    const topic = [id, columns, primaryKey, eventTime, latenessMicros]
    source.watermarks.name = nameOf('topic', topic, 'watermarks')
    flow.arrangements.push(source.watermarks)
    for (const [events, outlet] of source.outlets) {
      for (const [part, arrangement] of outlet.operator.arrangements) {
        arrangement.name = nameOf('table', [topic, events, outlet.columns], part)
        flow.arrangements.push(arrangement)
      }
    }
  }
  const prints = new Map<Plan, string>()
  for (const [plan, operators] of made) {
    operators.forEach((operator, ordinal) => {
      for (const [part, arrangement] of operator.arrangements) {
        const print = printOf(plan, program, prints)
        arrangement.name = nameOf(plan.op, [print, evicted.get(operator) ?? null, ordinal], part)
        flow.arrangements.push(arrangement)
      }
    })
  }
}

function nameOf(kind: string, what: unknown, part: string): string {
  return `${kind}-${fingerprint([stateVersion, what])}-${part}`
}

/** A plan with everything it depends on. */
function printOf(plan: Plan, program: Program, known: Map<Plan, string>): string {
  const print = known.get(plan) ?? fingerprint(expand(plan, program, known))
  known.set(plan, print)
  return print
}

/** Replaces inputs by their fingerprints, and relations by what they are. */
function expand(plan: Plan, program: Program, known: Map<Plan, string>): unknown {
  switch (plan.op) {
    case 'scan':
      return { ...plan, of: relationOf(plan, program, known) }
    case 'values':
      return plan
    case 'join':
      return { ...plan, left: printOf(plan.left, program, known), right: printOf(plan.right, program, known) }
    case 'unionAll':
      return { ...plan, inputs: plan.inputs.map((input) => printOf(input, program, known)) }
    default:
      return { ...plan, input: printOf(plan.input, program, known) }
  }
}

function relationOf({ relation }: Scan, program: Program, known: Map<Plan, string>): unknown {
  const topic = program.topics.find(({ id }) => id === relation)
  if (topic !== undefined) {
    const { columns, primaryKey, eventTime, latenessMicros } = topic
    return [columns, primaryKey, eventTime, latenessMicros]
  }
  const view = program.views.find(({ id }) => id === relation)
  return view === undefined ? null : printOf(view.plan, program, known)
}

function fingerprint(what: unknown): string {
  const digest = sha256(new TextEncoder().encode(JSON.stringify(what)))
  return Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
