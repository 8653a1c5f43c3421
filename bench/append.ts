import path from 'node:path'
import { inChild } from './child.ts'
import { measureIngest, printIngest } from './ingest.ts'
import { reportLatency } from './latency.ts'
import type { LogAnswer, LogTask } from './log-job.ts'
import { gigabytes, milliseconds, percent, si, table } from './print.ts'

export interface AppendRun {
  readonly folder: string
  readonly runs: number
  readonly smoke: boolean
}

/** Prints what the log, the decoders and the way from an append to a view cost. */
export async function reportAppend({ folder, runs, smoke }: AppendRun): Promise<void> {
  const script = new URL('./log-job.ts', import.meta.url)
  const ask = (job: LogTask['job']): Promise<LogAnswer> =>
    inChild<LogTask, LogAnswer>(script, { job, folder: path.join(folder, job), runs, smoke })
  const batches = await ask('batches')
  const read = await ask('read')
  const single = await ask('appenders')
  const whole = await ask('whole')
  table(
    ['the log', 'events/s', '', 'floor / goal'],
    [
      [
        'durable append of 1 MiB batches',
        si(batches.eventsPerSecond),
        `${gigabytes(batches.bytesPerSecond)}, ${percent(batches.shareOfFresh)} of raw writes to a fresh file, ${percent(batches.shareOfRecycled)} to a recycled one`,
        '33 % / 60 %',
      ],
      ['1024 appenders of one event each', si(single.eventsPerSecond), latencies(single), '0.5 M / 1 M, p99 3 ms'],
      ['replay: read, checksum, decode', si(read.eventsPerSecond), gigabytes(read.bytesPerSecond), '5 M / 10 M'],
      [
        'NDJSON → decode → durable → view',
        si(whole.eventsPerSecond),
        `${si(whole.eventsPerCoreSecond)} per core`,
        '1 M / 3 M',
      ],
    ],
  )
  printIngest(await measureIngest(runs, smoke))
  await reportLatency(folder, smoke)
}

function latencies({ p50, p99 }: LogAnswer): string {
  return `p50 ${milliseconds(p50)}, p99 ${milliseconds(p99)}`
}
