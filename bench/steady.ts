import { inChild } from './child.ts'
import { quantile } from './measure.ts'
import { millraceSql } from './nexmark/queries.ts'
import { megabytes, milliseconds, si, table } from './print.ts'
import type { SteadyAnswer, SteadyTask } from './steady-job.ts'

export interface SteadyRun {
  readonly folder: string
  readonly minutes: number
  readonly seed: number
  readonly smoke: boolean
}

const eventsPerSecond = 20_000
/** So small that a snapshot is under way, or is merged, most of the time. */
const snapshotBytes = 16 << 20

/** A join, a GROUP BY over it, the last bid of each bidder in each auction, and counts per bidder. */
const views = `${millraceSql('q4')}
CREATE MATERIALIZED VIEW last_bids AS
  SELECT auction, bidder, price, channel, date_time FROM (
    SELECT *, row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC) AS place FROM bid) ranked
  WHERE place <= 1;
CREATE MATERIALIZED VIEW per_bidder AS
  SELECT bidder, count(*) AS bids, sum(price) AS total, max(price) AS highest FROM bid GROUP BY bidder;
`

/**
 * An append every 10 ms, at a rate that leaves the machine half idle, while snapshots are taken and merged: how long
 * ticks take, how long it is until an append is durable and visible, and who is held up for how long.
 */
export async function reportSteady({ folder, minutes, seed, smoke }: SteadyRun): Promise<void> {
  const found = await inChild<SteadyTask, SteadyAnswer>(new URL('./steady-job.ts', import.meta.url), {
    folder: `${folder}/steady`,
    sql: views,
    seconds: smoke ? 2 : minutes * 60,
    warmUpSeconds: smoke ? 1 : 20,
    eventsPerSecond,
    snapshotBytes: smoke ? 1 << 20 : snapshotBytes,
    seed,
  })
  const row = (name: string, ms: readonly number[]): string[] => {
    if (ms.length === 0) return [name, '0', '–', '–', '–', '–']
    const at = (q: number): string => milliseconds(quantile(ms, q))
    return [name, si(ms.length), at(0.5), at(0.99), at(0.999), at(1)]
  }
  table(
    [
      `${si(found.events / found.took.seconds)} events/s for ${found.took.seconds.toFixed(0)} s`,
      'times',
      'p50',
      'p99',
      'p99.9',
      'longest',
    ],
    [
      row('a tick, from the engine’s door to the views’', found.tickMs),
      row('append → durable', found.durableMs),
      row('append → visible', found.visibleMs),
      row('engine held up by a slice of a capture', found.sliceMs),
      row('by the beginning of one', found.beginMs),
      row('by taking over new files', found.adoptMs),
      row('the beginning of one, its turn behind ticks waited for', found.beginTurnMs),
      row('taking over new files, its turn behind ticks waited for', found.adoptTurnMs),
    ],
  )
  const { longest, p999, garbage } = found.loopMs
  table(
    [
      'processor',
      'snapshots',
      'merges',
      'merged',
      'state',
      'views',
      'log’s thread held up: p99.9, longest',
      'by garbage',
    ],
    [
      [
        `${((found.took.cpuSeconds / found.took.seconds) * 100).toFixed(0)} %`,
        String(found.snapshots),
        String(found.merges),
        megabytes(found.mergedBytes),
        megabytes(found.stateBytes),
        megabytes(found.viewBytes),
        `${milliseconds(p999)}, ${milliseconds(longest)}`,
        milliseconds(garbage),
      ],
    ],
  )
}
