import { type SimulationPlan, simplerPlans } from './plan.ts'

/**
 * The simplest plan that still fails, by greedy steps.
 * @param fails runs a plan
 * @param mostRuns gives up there and returns the best so far
 */
export async function shrink(
  plan: SimulationPlan,
  fails: (plan: SimulationPlan) => Promise<boolean>,
  mostRuns = 200,
): Promise<SimulationPlan> {
  let best = plan
  let runs = 0
  for (let found = true; found; ) {
    found = false
    for (const simpler of simplerPlans(best)) {
      if (++runs > mostRuns) return best
      if (!(await fails(simpler))) continue
      best = simpler
      found = true
      break
    }
  }
  return best
}
