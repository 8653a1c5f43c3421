import { nodesOf } from './nodes.ts'
import type { Plan } from './plan.ts'
import type { Program } from './program.ts'

/** Up to so many rows an engine in the server's own thread is quicker than starting another one. */
const fewRows = 20_000
/** Steps within which an answer is there at once. */
const fewSteps = 1_000_000

/**
 * Whether it may take long to run a program once over what its topics hold: then it runs beside the server's thread,
 * which it would hold up, and where nothing could stop it. Joins of few rows make many, windows too, and a regular
 * expression or a function of the app may take for ever over one row. In doubt it may.
 * @param rowsOf how many rows a topic has
 */
export function mayTakeLong({ topics, views }: Program, rowsOf: (topic: number) => number): boolean {
  const rows = new Map(topics.map(({ id }) => [id, rowsOf(id)]))
  if ([...rows.values()].reduce((sum, count) => sum + count, 0) > fewRows) return true
  for (const { id, plan } of views) {
    const steps = stepsOf(plan, rows)
    if (steps > fewSteps || mayNeverEnd(plan)) return true
    rows.set(id, steps)
  }
  return false
}

/** At most so many, as far as the plan says. */
function stepsOf(plan: Plan, rows: ReadonlyMap<number, number>): number {
  let steps = 1
  for (const node of nodesOf(plan)) {
    if (node.op === 'scan') steps *= Math.max(1, rows.get(node.relation) ?? 0)
    else if (node.op === 'values') steps *= Math.max(1, node.rows.length)
    else if (node.op === 'hop') steps *= Math.max(1, Number(node.sizeMicros) / Number(node.slideMicros))
  }
  return steps
}

/** Whether a single cell may take for ever: by a regular expression, or by code of the app's. */
export function mayNeverEnd(plan: Plan): boolean {
  return /"fn":"(!?~\*?|regexp_\w+|substring)\(|"body":\{/.test(JSON.stringify(plan))
}
