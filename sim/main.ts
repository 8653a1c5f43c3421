// `npm run sim`: runs plans made from seeds until the time or the seeds are used up; see README.md.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Counts, noCounts } from './between-lives.ts'
import { checkWithPostgres } from './oracle.ts'
import { everyBoundary, planOf, quietLife, type SimulationPlan, withReaders, withRetention, withTrims } from './plan.ts'
import { type Planted, plantedBugs, plantedPlan } from './planted.ts'
import { shrink } from './shrink.ts'
import { type Outcome, simulate } from './simulate.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    seconds: { type: 'string' },
    plan: { type: 'string' },
    trims: { type: 'boolean', default: false },
    readers: { type: 'boolean', default: false },
    retention: { type: 'boolean', default: false },
    exhaustive: { type: 'boolean', default: false },
    planted: { type: 'string' },
    oracle: { type: 'string' },
    trace: { type: 'boolean', default: false },
    failures: { type: 'string', default: '3' },
  },
})

const start = performance.now()
const elapsed = (): number => (performance.now() - start) / 1000
const total: Counts = noCounts()

let current: SimulationPlan | null = null

async function run(plan: SimulationPlan, planted: Planted | null = null): Promise<Outcome> {
  current = plan
  const outcome = await simulate(plan, planted)
  for (const key of Object.keys(total) as (keyof Counts)[]) total[key] += outcome.counts[key]
  if (values.oracle === 'pglite' && outcome.failure === null) {
    const wrong = await checkWithPostgres(outcome.simulation)
    if (wrong !== null) return { ...outcome, failure: new Error(wrong) }
  }
  return outcome
}

async function report(plan: SimulationPlan, outcome: Outcome): Promise<void> {
  const message = outcome.failure?.message ?? ''
  console.log(`seed ${plan.seed} fails: ${message}\n  trace ${outcome.trace.hash}\n  plan ${JSON.stringify(plan)}`)
  const simple = await shrink(plan, async (simpler) => (await run(simpler)).failure !== null)
  const again = await run(simple)
  console.log(`  simplest: ${again.failure?.message}\n  trace ${again.trace.hash}`)
  console.log(`  npm run sim -- --trace --plan '${JSON.stringify(simple)}'`)
}

function shortPlan(seed: number): SimulationPlan {
  return { ...planOf(seed), clients: 2, subscribers: 1, lives: [{ ...quietLife, operations: 6 }] }
}

async function* plans(): AsyncIterable<SimulationPlan> {
  const first = values.seed === undefined ? Math.floor(Date.now() / 1000) % 1_000_000 : Number(values.seed)
  const onlyOne = values.seed !== undefined && values.seconds === undefined
  const most = values.seeds === undefined ? (onlyOne ? 1 : Number.POSITIVE_INFINITY) : Number(values.seeds)
  const seconds =
    values.seconds === undefined ? (most === Number.POSITIVE_INFINITY ? 60 : most * 60) : Number(values.seconds)
  console.log(`seeds from ${first}`)
  for (let seed = first; seed < first + most && elapsed() < seconds; seed++) {
    if (values.readers) yield withReaders(values.trims ? withTrims(planOf(seed)) : planOf(seed))
    else if (values.trims) yield withTrims(planOf(seed))
    else if (values.retention) yield withRetention(planOf(seed))
    else if (!values.exhaustive) yield planOf(seed)
    else yield* everyBoundary(shortPlan(seed), (await simulate(shortPlan(seed))).boundaries[0])
  }
}

async function main(): Promise<void> {
  if (values.planted !== undefined) return findPlanted(values.planted)
  if (values.plan !== undefined) {
    const text = values.plan.startsWith('{') ? values.plan : readFileSync(values.plan, 'utf8')
    const outcome = await run(JSON.parse(text) as SimulationPlan)
    if (values.trace) console.log(outcome.trace.lines.join('\n'))
    console.log(`trace ${outcome.trace.hash}: ${outcome.failure?.stack ?? 'all is well'}`)
    process.exit(outcome.failure === null ? 0 : 1)
  }
  let ran = 0
  let failed = 0
  for await (const plan of plans()) {
    const outcome = await run(plan)
    ran++
    if (values.trace) console.log(outcome.trace.lines.join('\n'))
    if (outcome.failure !== null) {
      failed++
      await report(plan, outcome)
      if (failed >= Number(values.failures)) break
    } else if (values.seed !== undefined && ran === 1) console.log(`seed ${plan.seed}: trace ${outcome.trace.hash}`)
  }
  console.log(`${ran} plans in ${elapsed().toFixed(1)} s, ${failed} failed; ${JSON.stringify(total)}`)
  process.exit(failed > 0 ? 1 : 0)
}

/** After how many seeds is each planted mistake found? */
async function findPlanted(name: string): Promise<void> {
  let missed = 0
  for (const planted of plantedBugs.filter((one) => name === 'all' || one.name.includes(name))) {
    const most = Number(values.seeds ?? 500)
    let found: string | null = null
    for (let seed = 1; seed <= most && found === null; seed++) {
      const { failure } = await simulate(plantedPlan(seed, planted), planted)
      if (failure !== null) found = `seed ${seed} | ${failure.message.slice(0, 110)}`
    }
    if (found === null) missed++
    console.log(`${planted.name} | ${found ?? `not found in ${most} seeds`}`)
  }
  process.exit(missed > 0 ? 1 : 0)
}

process.on('unhandledRejection', (error) => {
  console.log('somebody fails and nobody listens:', error, JSON.stringify(current))
  process.exit(1)
})
void main()
