import { describe, expect, it } from 'vitest'
import { everyBoundary, planOf, quietLife, type SimulationPlan, withReaders, withRetention, withTrims } from './plan.ts'
import { plantedBugs, plantedPlan } from './planted.ts'
import { shrink } from './shrink.ts'
import { simulate } from './simulate.ts'

async function expectNoFailure(plan: SimulationPlan): Promise<void> {
  const { failure } = await simulate(plan)
  expect(failure, `npm run sim -- --plan '${JSON.stringify(plan)}'`).toBe(null)
}

// Seconds on a quiet machine; the limit is for busy ones.
describe('a simulation', { timeout: 600_000 }, () => {
  it('holds for plans of all kinds', async () => {
    for (let seed = 1; seed <= 12; seed++) await expectNoFailure(planOf(seed))
  })

  it('holds where topics keep little', async () => {
    let gone = 0
    let fromBase = 0
    for (let seed = 21; seed <= 30; seed++) {
      const { failure, counts } = await simulate(withRetention(planOf(seed)))
      expect(failure, `npm run sim -- --retention --seed ${seed}`).toBe(null)
      gone += counts.eventsGone
      fromBase += counts.fromBase
    }
    expect(gone).toBeGreaterThan(0)
    expect(fromBase).toBeGreaterThan(0)
  })

  it('holds for who follows topics', async () => {
    for (let seed = 31; seed <= 38; seed++) {
      const plan = withReaders(seed % 2 === 0 ? withTrims(planOf(seed)) : planOf(seed))
      await expectNoFailure(plan)
    }
  })

  it('holds wherever a small workload is cut short', async () => {
    const small: SimulationPlan = { ...planOf(9), clients: 2, subscribers: 1, lives: [{ ...quietLife, operations: 3 }] }
    const { boundaries } = await simulate(small)
    expect(boundaries[0]).toBeGreaterThan(15)
    for (const plan of everyBoundary(small, boundaries[0])) await expectNoFailure(plan)
  })

  it('is the same each time', async () => {
    const [one, two, other] = [await simulate(planOf(5)), await simulate(planOf(5)), await simulate(planOf(6))]
    expect(two.trace.hash).toBe(one.trace.hash)
    expect(two.trace.lines).toEqual(one.trace.lines)
    expect(other.trace.hash).not.toBe(one.trace.hash)
  })
})

describe('a planted mistake', { timeout: 600_000 }, () => {
  const quick = [
    'a sync does nothing',
    'keys are forgotten at a restart',
    'a delta forgets a retraction',
    'a resumed reader is told events twice',
    'a manifest gets its name before it is synced',
    "a snapshot's views are a tick ahead of its state",
    'state that has changed since the snapshot is forgotten',
    'a merge prefers the older run',
    'the replay behind a snapshot begins a tick too early',
    'what is trimmed is not synced before it goes',
    'a compaction forgets a delete',
    'events go before there is a base',
    'a base goes once there is a newer snapshot',
    'a base forgets how many error rows there were',
  ]

  it.each(quick)('%s: is found', async (name) => {
    const planted = plantedBugs.find((one) => one.name === name)!
    let found = false
    for (let seed = 1; seed <= 20 && !found; seed++) {
      found = (await simulate(plantedPlan(seed, planted), planted)).failure !== null
    }
    expect(found).toBe(true)
  })

  it('is shrunk to a plan that still fails', async () => {
    const planted = plantedBugs.find(({ name }) => name === 'a replay loses the last block')!
    const fails = async (plan: SimulationPlan): Promise<boolean> => (await simulate(plan, planted)).failure !== null
    const plan = planOf(1)
    expect(await fails(plan)).toBe(true)
    const simple = await shrink(plan, fails, 25)
    expect(await fails(simple)).toBe(true)
    expect(JSON.stringify(simple).length).toBeLessThan(JSON.stringify(plan).length)
  })
})
