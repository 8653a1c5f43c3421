import type { Totals } from '../database/telemetry/telemetry.ts'
import type { StatusBody, TopologyBody } from '../protocol/telemetry.ts'

/** What metrics are made from: one look at the database. */
export interface Seen {
  readonly status: StatusBody
  readonly topology: TopologyBody
  readonly totals: Totals
}

export type Unit = 'seconds' | 'bytes' | 'events' | 'rows' | 'ticks' | 'requests' | 'streams' | 'yes (1) or no (0)'

/** One metric: its name without `millrace_`. Counters begin with the process, unless their help says otherwise. */
export interface MetricDefinition {
  readonly name: string
  readonly kind: 'gauge' | 'counter'
  readonly unit: Unit
  readonly labels: readonly string[]
  readonly help: string
  /** Values with those of the labels, in their order. What isn't known is left out. */
  readonly read: (seen: Seen) => readonly Sample[]
}

export type Sample = readonly [value: number | null, ...labels: string[]]

const metric = (
  kind: MetricDefinition['kind'],
  name: string,
  unit: Unit,
  labels: readonly string[],
  help: string,
  read: MetricDefinition['read'],
): MetricDefinition => ({ name, kind, unit, labels, help, read })

const gauge = (name: string, unit: Unit, help: string, read: (seen: Seen) => number | null): MetricDefinition =>
  metric('gauge', name, unit, [], help, (seen) => [[read(seen)]])

const counter = (name: string, unit: Unit, help: string, read: (seen: Seen) => number): MetricDefinition =>
  metric('counter', name, unit, [], help, (seen) => [[read(seen)]])

const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000)
const timeSeconds = (micros: string | null): number | null => (micros === null ? null : Number(micros) / 1e6)
const quantiles = ({ p50, p99 }: { readonly p50: number | null; readonly p99: number | null }) =>
  [
    ['0.5', seconds(p50)],
    ['0.99', seconds(p99)],
  ] as const

const whole: readonly MetricDefinition[] = [
  gauge('ready', 'yes (1) or no (0)', 'Reads and appends are taken.', ({ status }) => Number(status.state === 'ready')),
  gauge('tick', 'ticks', 'Newest tick that reads see.', ({ status }) => status.tick),
  gauge('sealed_tick', 'ticks', 'Newest tick that is durable.', ({ status }) => status.sealed_tick),
  counter('ticks_total', 'ticks', 'Ticks that became visible, replayed ones included.', ({ totals }) => totals.ticks),
  metric(
    'gauge',
    'tick_seconds',
    'seconds',
    ['quantile'],
    'Time from the engine taking a tick to reads seeing it, over the last minute.',
    ({ status }) => quantiles(status.tick_ms).map(([quantile, value]) => [value, quantile]),
  ),
  gauge('tick_longest_seconds', 'seconds', 'The longest such time of the last minute.', ({ status }) =>
    seconds(status.tick_ms.longest),
  ),
  counter('appends_total', 'requests', 'Appends that became durable.', ({ totals }) => totals.appends),
  counter('appended_events_total', 'events', 'Events of these appends.', ({ totals }) => totals.events),
  counter('reads_total', 'requests', 'Reads of views.', ({ totals }) => totals.reads),
  counter('changes_total', 'rows', 'Changes of all views.', ({ totals }) => totals.changes),
  counter('engine_events_total', 'events', 'Events that went through the engine.', ({ totals }) => totals.engineEvents),
  counter(
    'engine_busy_seconds_total',
    'seconds',
    'Time that the engine was at work, about.',
    ({ totals }) => totals.engineBusySeconds,
  ),
  gauge(
    'engine_memory_bytes',
    'bytes',
    'Linear memory that the engine has taken.',
    ({ status }) => status.memory.engine_bytes,
  ),
  gauge(
    'engine_memory_limit_bytes',
    'bytes',
    'The most that it may take.',
    ({ status }) => status.memory.engine_budget_bytes,
  ),
  gauge('engine_state_bytes', 'bytes', 'State of all operators in memory.', ({ status }) => status.memory.state_bytes),
  gauge('view_bytes', 'bytes', 'Memory of all views.', ({ status }) => status.memory.view_bytes),
  gauge(
    'disk_log_bytes',
    'bytes',
    'Files of the log; none where it is kept in memory.',
    ({ status }) => status.disk.log_bytes,
  ),
  gauge('disk_state_bytes', 'bytes', 'Files of snapshots.', ({ status }) => status.disk.state_bytes),
  gauge('disk_free_bytes', 'bytes', 'Room on the disk of the data.', ({ status }) => status.disk.free_bytes),
  gauge(
    'live_streams',
    'streams',
    'Readers of live views, topics and queries over HTTP.',
    ({ status }) => status.live_streams,
  ),
  metric(
    'gauge',
    'problem',
    'yes (1) or no (0)',
    ['code'],
    'What the verdict of GET /v1/status names; none when all is right.',
    ({ status }) => [...new Set(status.verdict.problems.map(({ code }) => code))].map((code) => [1, code]),
  ),
]

const ofTopics: readonly MetricDefinition[] = [
  metric('counter', 'topic_events_total', 'events', ['topic'], 'Events that a topic ever had.', ({ status }) =>
    status.topics.map(({ name, next_offset }) => [next_offset, name]),
  ),
  metric('counter', 'topic_late_events_total', 'events', ['topic'], 'Events that ever came late.', ({ status }) =>
    status.topics.map(({ name, late }) => [late, name]),
  ),
  metric(
    'counter',
    'topic_dropped_events_total',
    'events',
    ['topic', 'reason'],
    'Events that were refused or left out, by the code of the error.',
    ({ status }) =>
      status.topics.flatMap(({ name, dropped }) =>
        Object.entries(dropped).map(([reason, events]): Sample => [events, name, reason]),
      ),
  ),
  metric(
    'gauge',
    'topic_watermark_seconds',
    'seconds',
    ['topic'],
    'The watermark, in seconds since 1970; none before the first event.',
    ({ status }) => status.topics.map(({ name, watermark_micros }) => [timeSeconds(watermark_micros), name]),
  ),
  metric(
    'gauge',
    'topic_last_append_seconds',
    'seconds',
    ['topic'],
    'When the last append was, in seconds since 1970.',
    ({ status }) => status.topics.map(({ name, last_appended_at_micros: at }) => [timeSeconds(at), name]),
  ),
]

const ofViews: readonly MetricDefinition[] = [
  metric('gauge', 'view_rows', 'rows', ['view'], 'Rows of a view.', ({ status }) =>
    status.views.map(({ name, rows }) => [rows, name]),
  ),
  metric('gauge', 'view_error_rows', 'rows', ['view'], 'Rows of a view that could not be computed.', ({ status }) =>
    status.views.map(({ name, errors }) => [errors, name]),
  ),
  metric('counter', 'view_changes_total', 'rows', ['view'], 'Changes of a view.', ({ totals }) =>
    totals.views.map(({ name, changes }) => [changes, name]),
  ),
  metric(
    'gauge',
    'view_freshness_seconds',
    'seconds',
    ['view', 'quantile'],
    'Time from an append’s arrival to its change being visible, over the last minute.',
    ({ status }) =>
      status.views.flatMap(({ name, freshness_ms }) =>
        quantiles(freshness_ms).map(([quantile, value]): Sample => [value, name, quantile]),
      ),
  ),
  metric('gauge', 'view_last_change_tick', 'ticks', ['view'], 'The tick of a view’s last change.', ({ status }) =>
    status.views.map(({ name, last_change_tick }) => [last_change_tick, name]),
  ),
  metric('gauge', 'view_subscribers', 'streams', ['view'], 'Cursors that follow a view.', ({ status }) =>
    status.views.map(({ name, subscribers }) => [subscribers, name]),
  ),
]

/** Operators have their ids of GET /v1/topology; what they do is said there. */
const ofOperators: readonly MetricDefinition[] = [
  metric('counter', 'operator_rows_total', 'rows', ['operator', 'op'], 'Changes that an operator put out.', (seen) =>
    operators(seen).map(({ id, op = '', rows_out }) => [rows_out, id, op]),
  ),
  metric(
    'counter',
    'operator_busy_seconds_total',
    'seconds',
    ['operator', 'op'],
    'Time that the engine was at work in an operator, about.',
    (seen) => operators(seen).map(({ id, op = '' }) => [seen.totals.operatorBusySeconds.get(id) ?? 0, id, op]),
  ),
  metric(
    'gauge',
    'operator_state_bytes',
    'bytes',
    ['operator', 'op'],
    'State of an operator in memory, about.',
    (seen) => operators(seen).map(({ id, op = '', state_bytes }) => [state_bytes, id, op]),
  ),
]

function operators({ topology }: Seen): TopologyBody['nodes'] {
  return topology.nodes.filter(({ kind }) => kind === 'operator')
}

/** All metrics that are read off the database. */
export const metricCatalogue: readonly MetricDefinition[] = [...whole, ...ofTopics, ...ofViews, ...ofOperators]
