// `npm run law`: all cases, then random ones for as long as asked.
//   --seconds N   how long to fuzz (60)      --seed N      where to start (the clock's)
//   --cases TEXT  only cases with TEXT in their name       --failures N  stop after so many (5)
//   --mode MODE   only this one of the modes: reopen, incremental, spill, disk, trimmed, live
import { parseArgs } from 'node:util'
import { readCases, writeRegression } from './cases.ts'
import { EngineSubject } from './engine-subject.ts'
import { fuzz } from './fuzz/fuzz.ts'
import { sharedOracle } from './oracle.ts'
import { allRuns, runCase } from './run-case.ts'
import type { Mode } from './subject.ts'
import { trimmedCounts } from './trimmed-mode.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    cases: { type: 'string' },
    mode: { type: 'string' },
    failures: { type: 'string', default: '5' },
  },
})

async function main(): Promise<void> {
  const oracle = await sharedOracle()
  const subject = await EngineSubject.load()
  let failed = 0
  const mode = values.mode as Mode | undefined
  const runs = allRuns.filter(({ state }) => mode === undefined || state === mode)
  if (runs.length === 0) throw new Error(`there is no mode ${mode}`)
  const cases = readCases().filter(({ name }) => name.includes(values.cases ?? ''))
  for (const item of cases) {
    const message = await runCase(oracle, subject, item, runs)
    if (message === null) continue
    failed++
    console.log(message)
  }
  console.log(`${cases.length - failed} of ${cases.length} cases hold`)
  const { runs: tried, trimmed, whole } = trimmedCounts
  console.log(`${trimmed} of ${tried} runs threw their past away; ${JSON.stringify([...whole])}`)
  const seed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed)
  const seconds = Number(values.seconds)
  if (seconds > 0) {
    console.log(`fuzzing for ${seconds} s from seed ${seed}`)
    const report = await fuzz(oracle, subject, {
      seed,
      seconds,
      failures: Number(values.failures),
      ...(mode === undefined ? {} : { mode }),
      onFailure: (failure) => console.log(`${failure.message}\nkept as ${writeRegression(failure.item)}`),
    })
    console.log(`${report.scenarios} scenarios, ${report.failures.length} failures`)
    for (const [message, count] of [...report.refused].sort((a, b) => b[1] - a[1])) {
      console.log(`refused ${count} × ${message}`)
    }
    failed += report.failures.length
  }
  await oracle.stop()
  process.exit(failed > 0 ? 1 : 0)
}

void main()
