import type { Log } from '../../log/log.ts'
import type { DatabaseStatus } from '../contract.ts'
import type { Running } from '../running.ts'

/** How a database stands. */
export function standingOf({ driver, views, program }: Running, log: Log, caughtUp: boolean): DatabaseStatus {
  const { last, failure, events, eventsPerSecond } = driver
  const { tick, offsets, starts } = { ...log.position(), starts: log.starts() }
  const watermarks = new Map(last?.watermarks.map((entry) => [entry.topic, entry.micros]))
  const late = new Map(last?.late.map((entry) => [entry.topic, entry.events]))
  return {
    tick: views.tick,
    timeMicros: views.timeMicros,
    sealedTick: tick,
    caughtUp,
    events,
    eventsPerSecond,
    stateBytes: last?.stateBytes ?? 0,
    viewBytes: views.views.reduce((sum, view) => sum + view.bytes, 0),
    topics: program.topics.map(({ id, name }) => ({
      name,
      nextOffset: offsets.get(id) ?? 0,
      watermarkMicros: watermarks.get(id) ?? null,
      late: late.get(id) ?? 0,
      ...(starts.has(id) ? { gone: starts.get(id)! } : {}),
    })),
    views: views.views.map(({ definition, version, retained }) => ({
      name: definition.name,
      rows: version.rows,
      errors: version.errors,
      oldestTick: retained.knownTick,
    })),
    failure,
  }
}
