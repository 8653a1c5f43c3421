import path from 'node:path'
import { inChild } from './child.ts'
import { gigabytes, si, table } from './print.ts'
import type { StateFigure, StateTask } from './state-job.ts'

export interface StateRun {
  readonly folder: string
  readonly buckets: number
  readonly smoke: boolean
}

/** Prints what it costs to keep state in runs on disk. */
export async function reportState({ folder, buckets, smoke }: StateRun): Promise<void> {
  const figures = await inChild<StateTask, StateFigure[]>(new URL('./state-job.ts', import.meta.url), {
    folder: path.join(folder, 'state'),
    buckets,
    smoke,
  })
  table(
    ['state on disk', 'rows/s', 'ns of processor a row', 'bytes', ''],
    figures.map(({ what, rows, bytes, took, note }) => [
      what,
      si(rows / took.seconds),
      ((took.cpuSeconds / rows) * 1e9).toFixed(0),
      bytes === 0 ? '' : gigabytes(bytes / took.seconds),
      note,
    ]),
  )
}
