import { mkdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { reportAppend } from './append.ts'
import { calibrate, printCalibration } from './calibrate.ts'
import { reportFlights } from './flights.ts'
import { reportHistory } from './history.ts'
import { reportNexmark } from './nexmark/report.ts'
import { reportScale } from './nexmark/scale.ts'
import { reportRestart } from './restart.ts'
import { reportServe } from './serve.ts'
import { reportSpill } from './spill.ts'
import { reportState } from './state.ts'
import { reportSteady } from './steady.ts'

const usage = `npm run bench -- [nexmark] [append] [flights] [scale] [state] [spill] [history] [restart] [serve] [steady] [options]

Runs the named parts, or the first three.
  --events N      events of Nexmark (default 5000000, for scale 20000000, for spill and restart 2000000), buckets of state (default 4000000)
  --ivm-events N  how many of them db-ivm gets (default 300000)
  --minutes N     how long the steady load lasts (default 2)
  --runs N        runs of each measurement; the median is printed (default 5)
  --only q5,q7    only these queries of Nexmark
  --rate N        events a second of Nexmark's event time (default 10000)
  --seed N        what the events are drawn from (default 1)
  --numbers       Nexmark's events without their texts
  --smoke         everything once over a few events: does it still run?`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    events: { type: 'string' },
    'ivm-events': { type: 'string' },
    runs: { type: 'string' },
    minutes: { type: 'string', default: '2' },
    only: { type: 'string' },
    rate: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    numbers: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) {
  console.log(usage)
} else {
  const smoke = values.smoke
  const parts = new Set(
    positionals.length > 0 ? positionals : values.only ? ['nexmark'] : ['nexmark', 'append', 'flights'],
  )
  // The journal must lie on a disk, not in a temporary folder that may be memory.
  const folder = fileURLToPath(new URL(`.millrace/${process.pid}`, import.meta.url))
  mkdirSync(folder, { recursive: true })
  try {
    printCalibration(calibrate(folder, smoke))
    const runs = Number(values.runs ?? (smoke ? 1 : 5))
    let right = true
    const nexmark = {
      events: Number(values.events ?? (smoke ? 20_000 : 5_000_000)),
      ivmEvents: Number(values['ivm-events'] ?? (smoke ? 5_000 : 300_000)),
      runs,
      only: values.only?.split(',') ?? [],
      rate: Number(values.rate),
      seed: Number(values.seed),
      texts: !values.numbers,
      folder,
      smoke,
    }
    if (parts.has('nexmark')) right = await reportNexmark(nexmark)
    if (parts.has('scale')) {
      await reportScale({ ...nexmark, events: Number(values.events ?? (smoke ? 20_000 : 20_000_000)) })
    }
    if (parts.has('spill')) {
      await reportSpill({ ...nexmark, events: Number(values.events ?? (smoke ? 40_000 : 2_000_000)) })
    }
    if (parts.has('restart')) {
      await reportRestart({ ...nexmark, events: Number(values.events ?? (smoke ? 20_000 : 2_000_000)) })
    }
    if (parts.has('steady')) {
      await reportSteady({ folder, minutes: Number(values.minutes), seed: nexmark.seed, smoke })
    }
    if (parts.has('serve')) await reportServe(folder, smoke)
    if (parts.has('append')) await reportAppend({ folder, runs, smoke })
    if (parts.has('state')) {
      await reportState({ folder, buckets: Number(values.events ?? (smoke ? 20_000 : 4_000_000)), smoke })
    }
    if (parts.has('history')) await reportHistory({ folder, runs, smoke })
    if (parts.has('flights')) await reportFlights({ folder, smoke })
    if (!right) process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
