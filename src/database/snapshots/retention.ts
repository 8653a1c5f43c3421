import { columnIds } from '../../data/stored-column.ts'
import type { Cut, Log, Trim } from '../../log/log.ts'
import type { Program, RetentionDefinition, TopicDefinition } from '../../plan/program.ts'
import { isTable, type LogPast } from '../log-past.ts'
import type { Running } from '../running.ts'
import type { Snapshots } from './snapshots.ts'

/**
 * What of the log may go by what its topics say they keep. Ages count in the log's own time, so that the same log is
 * always cut in the same places.
 * @param throughTick state of this tick is durable: nothing behind it goes
 */
export function planTrim(
  { topics }: Program,
  log: Pick<Log, 'starts' | 'cuts' | 'position'>,
  throughTick: number,
): readonly Trim[] {
  const cuts = log.cuts().filter(({ tick }) => tick <= throughTick)
  const all = log.cuts().at(-1)
  if (all === undefined) return []
  const starts = log.starts()
  return topics.flatMap((topic): Trim[] => {
    const { id, retention } = topic
    if (retention === undefined) return []
    const from = starts.get(id)?.throughTick ?? 0
    const bytes = (cut: Cut): number => cut.bytes.get(id) ?? 0
    const mayGo = (cut: Cut): boolean => isSpent(retention, log.position().timeMicros, cut, bytes(all) - bytes(cut))
    const cut = cuts.filter(mayGo).at(-1)
    if (cut === undefined || cut.tick <= from) return []
    const before = cuts.filter(({ tick }) => tick <= from).at(-1)
    const kept = before === undefined ? 0 : bytes(before)
    const more = bytes(cut) - kept
    // What stays of a table is written again: that is worth while once there is as much again.
    if (more <= 0 || (isTable(topic) && more < kept)) return []
    return [{ topic: id, throughTick: cut.tick, keep: isTable(topic) ? { key: keyIds(topic) } : 'nothing' }]
  })
}

/** What letting go needs. */
export interface Keeping {
  readonly log: Log
  readonly past: LogPast
  readonly snapshots: Snapshots
}

/**
 * Throws away what topics don't keep: first the newest snapshot, which has all views, is read and becomes the base, and
 * only when that is durable the log is trimmed. Never while somebody reads the past: then another time.
 * @throws MillraceError state/corrupt where the snapshot is damaged; state/snapshot, log/full: what was not done yet is done another time
 */
export async function letGo({ log, past, snapshots }: Keeping, current: Running): Promise<void> {
  const { program } = current
  const tick = snapshots.newestTick(program)
  if (tick === 0) return
  const plan = planTrim(program, log, tick)
  // Where the base is lost, a snapshot that still has all it had takes its place.
  const lost = snapshots.base === null && past.viewsBeyond(program).size > 0
  if ((plan.length === 0 && !lost) || past.isRead) return
  const based = lost || snapshots.base !== null || plan.some(({ keep }) => keep === 'nothing')
  if (based) await snapshots.check(current)
  const marks = based ? await past.marksFor(program, plan) : []
  await past.unread(async () => {
    if (based) await snapshots.pin(current, marks)
    if (plan.length > 0) await log.trim(plan)
  })
}

/** Whether all before a cut is older than what stays in any case, or so much of the topic lies behind it. */
function isSpent({ micros, bytes }: RetentionDefinition, now: bigint, cut: Cut, behind: number): boolean {
  const aged = micros !== null && cut.timeMicros + BigInt(micros) <= now
  const full = bytes !== null && behind >= bytes
  return aged || full
}

function keyIds({ columns, primaryKey }: TopicDefinition): readonly number[] {
  const ids = columnIds(columns)
  return primaryKey.map((ordinal) => ids[ordinal])
}
