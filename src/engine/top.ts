import type { TopN as TopNPlan } from '../plan/plan.ts'
import type { BaseOperator, Step } from './operator.ts'
import { FirstFew, fewRows } from './operators/first-few.ts'
import { FirstRow } from './operators/first-row.ts'
import { TopN } from './operators/top-n.ts'

/** The operator that keeps the least state for a top-N. */
export function topOf(step: Step, plan: TopNPlan, appendOnly: boolean): BaseOperator {
  const { columns } = plan.input
  const { limit, offset } = plan
  if (!appendOnly || limit === null || limit === 0 || offset + limit > fewRows)
    return new TopN(step, columns, { ...plan, appendOnly })
  return limit === 1 && offset === 0
    ? new FirstRow(step, columns, plan)
    : new FirstFew(step, columns, { ...plan, limit })
}
