import type { Log } from '../log/log.ts'
import { counted } from '../plan/why-words.ts'
import type { Restored, Running } from './running.ts'
import type { Vitals } from './telemetry/vitals.ts'

/** What a start did, in plain words. @param from what it went on from; null: the log's beginning */
function startWords({ driver, views }: Running, from: Restored | null): string {
  const [tick, events] = from === null ? [0, 0] : [from.from.tick, from.events]
  const began = from === null ? 'started' : `started from the snapshot at tick ${tick}`
  const ticks = views.tick - tick
  if (ticks <= 0 || (from === null && driver.events === 0)) return began
  return `${began}: ${counted(ticks, 'tick')} with ${counted(driver.events - events, 'event')} replayed`
}

/** A start is over: what it did is told, and what comes now is counted as it comes. */
export function tellStart(vitals: Vitals, log: Log, running: Running, from: Restored | null): void {
  vitals.replaying = false
  vitals.happened('start', startWords(running, from))
  // Nobody waits for it, and whoever finds the log damaged is told so when he reads there.
  tellLastAppends(vitals, log, running).catch(() => {})
}

/** When each topic's newest event was appended. */
async function tellLastAppends(vitals: Vitals, log: Log, { program }: Running): Promise<void> {
  const { offsets } = log.position()
  for (const { id } of program.topics) {
    const last = (offsets.get(id) ?? 0) - 1
    const [block] = last < 0 ? [] : await log.readTopic(id, last, 1)
    if (block === undefined) continue
    const { commits, appendedAtMicros } = block
    const micros = commits === undefined ? appendedAtMicros : BigInt(commits.micros.at(-1)!)
    vitals.topic(id).lastAppendedMicros ??= micros
  }
}
