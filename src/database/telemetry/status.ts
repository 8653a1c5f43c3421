import { version } from '../../data/version.ts'
import type { Io } from '../../io/io.ts'
import type { StatusBody, TopicStatusBody, ViewStatusBody } from '../../protocol/telemetry.ts'
import type { DatabaseStatus } from '../contract.ts'
import type { Programs } from '../programs.ts'
import { quantileSeconds, rateSeconds, ringSeconds } from './rings.ts'
import { stuckMs, stuckWords } from './stuck.ts'
import { verdictOf } from './verdict.ts'
import type { Vitals } from './vitals.ts'

/** What only the server knows. */
export interface ServerFigures {
  readonly liveStreams: number
  readonly requestsPerSecond: number
  readonly processBytes: number
}

export interface DiskFigures {
  readonly logBytes: number
  readonly stateBytes: number
  readonly space: { readonly freeBytes: number; readonly totalBytes: number } | null
}

export interface StatusSources {
  readonly io: Io
  readonly programs: Programs
  readonly status: DatabaseStatus
  readonly memoryBytes: number
  /** What the engine has taken of it. */
  readonly engineBytes: number
  /** Null where everything is kept in memory. */
  readonly disk: DiskFigures | null
  readonly server: ServerFigures
}

/** What is known of an engine that is stuck; null: it isn't. */
export function stuckNow({ vitals, current }: Programs, nowMs: number): string | null {
  const waitingMs = vitals.waitingSinceMs === null ? 0 : nowMs - vitals.waitingSinceMs
  return waitingMs < stuckMs ? null : stuckWords(current.program, current.views.tick, waitingMs)
}

/** GET /v1/status */
export function statusBody(sources: StatusSources): StatusBody {
  const { io, programs, status, memoryBytes, engineBytes, disk, server } = sources
  const { vitals } = programs
  const { clock } = io
  const ms = clock.monotonicMs()
  const since = vitals.startedMs
  const stuck = stuckNow(programs, ms)
  const lastEvent = status.topics.reduce((sum, { nextOffset }) => sum + nextOffset, 0)
  const lately = programs.current.program.topics.map(({ id, name }) => ({ topic: name, ...vitals.lately(id) }))
  const window = Math.min(quantileSeconds, Math.ceil((ms - since) / 1000))
  const ticks = vitals.ticks.summary(ms, quantileSeconds * 1000)
  return {
    tick: status.tick,
    time_micros: String(status.timeMicros),
    sealed_tick: status.sealedTick,
    state: status.failure !== null ? 'failed' : status.caughtUp ? 'ready' : 'replaying',
    ...(status.failure === null ? {} : { detail: status.failure.message }),
    verdict: verdictOf({ status, lastEvent, stuck, lately, disk: disk?.space ?? null, memoryBytes }),
    uptime_seconds: Math.floor((ms - since) / 1000),
    version,
    data: disk === null ? 'memory' : 'folder',
    rates: {
      events_per_second: rounded(vitals.events.rate(ms, since)),
      changes_per_second: rounded(vitals.changes.rate(ms, since)),
      appends_per_second: rounded(vitals.appends.rate(ms, since)),
      reads_per_second: rounded(vitals.reads.rate(ms, since)),
      window_seconds: rateSeconds,
    },
    series: seriesOf(vitals, ms, clock.nowMicros()),
    memory: {
      engine_bytes: engineBytes,
      engine_budget_bytes: memoryBytes,
      state_bytes: status.stateBytes,
      view_bytes: status.viewBytes,
      process_bytes: server.processBytes,
    },
    disk: {
      log_bytes: disk?.logBytes ?? null,
      state_bytes: disk?.stateBytes ?? null,
      free_bytes: disk?.space?.freeBytes ?? null,
    },
    tick_ms: { ...durations(ticks), longest: fine(ticks.longest), window_seconds: window },
    live_streams: server.liveStreams,
    requests_per_second: rounded(server.requestsPerSecond),
    views: viewBodies(programs, status, ms),
    topics: topicBodies(programs, status, ms),
    recent: vitals.recent.map(({ atMicros, kind, message }) => ({ at_micros: String(atMicros), kind, message })),
  }
}

/** The last two minutes second by second; the one that has only begun is left out. */
function seriesOf(vitals: Vitals, ms: number, nowMicros: bigint): StatusBody['series'] {
  const now = Math.floor(ms / 1000)
  const first = Math.max(Math.floor(vitals.startedMs / 1000), now - ringSeconds + 1)
  const steady = Array.from({ length: now - first }, (_, i) => first + i)
  const ahead = Math.floor(Number(nowMicros / 1000n) / 1000 - ms / 1000)
  return {
    second: steady.map((second) => second + ahead),
    events: steady.map((second) => vitals.events.at(second)),
    changes: steady.map((second) => vitals.changes.at(second)),
    appends: steady.map((second) => vitals.appends.at(second)),
    tick_ms_p99: steady.map((second) => fine(vitals.ticks.quantileOf(second, 0.99))),
  }
}

function viewBodies({ current, vitals }: Programs, status: DatabaseStatus, ms: number): readonly ViewStatusBody[] {
  return current.views.views.map((view, i): ViewStatusBody => {
    const { definition, changedTick, subscribers } = view
    const { name, rows, errors } = status.views[i]
    const { starts = [] } = definition
    const { changes, freshness, lastFreshnessMs } = vitals.view(definition.id)
    return {
      name,
      rows,
      errors,
      freshness_ms: { ...durations(freshness.summary(ms, quantileSeconds * 1000)), last: fine(lastFreshnessMs) },
      changes_per_second: rounded(changes.rate(ms, vitals.startedMs)),
      last_change_tick: changedTick,
      subscribers,
      starts_at_tick: 1 + Math.max(0, ...starts.map(({ throughTick }) => throughTick)),
    }
  })
}

function topicBodies({ current, vitals }: Programs, status: DatabaseStatus, ms: number): readonly TopicStatusBody[] {
  return current.program.topics.map(({ id }, i): TopicStatusBody => {
    const { name, nextOffset, late, watermarkMicros } = status.topics[i]
    const { events, dropped, lastAppendedMicros } = vitals.topic(id)
    return {
      name,
      next_offset: nextOffset,
      events_per_second: rounded(events.rate(ms, vitals.startedMs)),
      late,
      dropped: Object.fromEntries(dropped),
      watermark_micros: watermarkMicros === null ? null : String(watermarkMicros),
      last_appended_at_micros: lastAppendedMicros === null ? null : String(lastAppendedMicros),
    }
  })
}

function durations({ p50, p99 }: { readonly p50: number | null; readonly p99: number | null }) {
  return { p50: fine(p50), p99: fine(p99) }
}

/** To a hundredth: rates below one a second are rates, too. */
export function rounded(rate: number): number {
  return Math.round(rate * 100) / 100
}

/** To the microsecond. */
function fine(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 1000) / 1000
}
