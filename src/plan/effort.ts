import { nodesOf } from './nodes.ts'
import type { Plan } from './plan.ts'

/** Steps within which an answer is there at once. */
const fewSteps = 1_000_000

/**
 * Whether computing a plan may take long: joins of few rows make many, windows too, and a regular expression may take
 * for ever over one text. In doubt it may.
 * @param rowsOf how many rows a relation has
 */
export function mayTakeLong(plan: Plan, rowsOf: (relation: number) => number): boolean {
  let steps = 1
  for (const node of nodesOf(plan)) {
    if (node.op === 'scan') steps *= Math.max(1, rowsOf(node.relation))
    else if (node.op === 'values') steps *= Math.max(1, node.rows.length)
    else if (node.op === 'hop') steps *= Math.max(1, Number(node.sizeMicros) / Number(node.slideMicros))
  }
  return steps > fewSteps || /"fn":"(!?~\*?|regexp_\w+|substring)\(/.test(JSON.stringify(plan))
}
