import { inChild } from './child.ts'
import { Generator } from './nexmark/generator.ts'
import { writeJournal } from './nexmark/ours.ts'
import { millraceSql } from './nexmark/queries.ts'
import type { NexmarkRun } from './nexmark/report.ts'
import { topicsSql } from './nexmark/topics.ts'
import { megabytes, milliseconds, si, table, times } from './print.ts'
import type { SpillAnswer, SpillTask } from './spill-job.ts'

/** How much larger than the budget the state is. */
const excess = 4

/** Keys that come back at random, all of them at any time: what spilling likes least. */
const random = `CREATE MATERIALIZED VIEW random AS SELECT price, count(*) AS n, max(bidder) AS bidder FROM bid
  GROUP BY price;`

/** What does it cost to capture state, and to have four times as much of it as may stay in memory? */
export async function reportSpill({ events, seed, rate, texts, folder }: NexmarkRun): Promise<void> {
  const journal = `${folder}/spill-journal`
  await writeJournal(journal, new Generator({ seed, rate, texts }), events)
  const measure = (sql: string, mode: SpillTask['mode'], budgetBytes: number): Promise<SpillAnswer> =>
    inChild<SpillTask, SpillAnswer>(new URL('./spill-job.ts', import.meta.url), {
      journal,
      folder: `${folder}/spill`,
      sql,
      mode,
      budgetBytes,
    })
  const rows: string[][] = []
  for (const [name, sql] of [
    ['q4', millraceSql('q4')],
    ['q18', millraceSql('q18')],
    ['random keys', topicsSql() + random],
  ]) {
    const memory = await measure(sql, 'memory', 0)
    for (const mode of ['memory', 'captured', 'spilled'] as const) {
      const found = mode === 'memory' ? memory : await measure(sql, mode, memory.stateBytes / excess)
      if (found.changes !== memory.changes) throw new Error(`${name}: ${mode} puts out other changes`)
      rows.push([
        name,
        mode === 'spilled' ? `budget ${megabytes(memory.stateBytes / excess)}` : mode,
        si(events / found.took.cpuSeconds),
        times(found.took.cpuSeconds / memory.took.cpuSeconds),
        times(found.took.seconds / memory.took.seconds),
        megabytes(found.stateBytes),
        String(found.captures),
        megabytes(found.writtenBytes),
        `${milliseconds(found.sliceMs.p99)} / ${milliseconds(found.sliceMs.longest)}`,
        `${milliseconds(found.tickMs.p99)} / ${milliseconds(found.tickMs.longest)}`,
      ])
    }
  }
  const spread = 'p99 / longest'
  const head = ['events/s of processor', 'processor', 'wall', 'state at most', 'captures', 'written']
  table(['state', 'kept', ...head, `slice, ${spread}`, `tick, ${spread}`], rows)
}
