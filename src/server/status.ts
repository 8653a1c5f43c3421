import { type ColumnSchema, resultTypeName, typeName } from '../data/sql-type.ts'
import type { DatabaseCatalog } from '../database/contract.ts'
import type { Database } from '../database.ts'
import type { CatalogBody, ColumnBody, ReadyBody } from '../protocol/answers.ts'
import { type ApiAnswer, jsonAnswer } from './exchange.ts'

const fresh = { 'cache-control': 'no-store' }

/**
 * GET /livez: the process answers, and a restart would mend nothing.
 * @param guarded a gateway stands in front: everybody may ask, and is told no names and paths
 */
export function livez(database: Database, guarded: boolean): ApiAnswer {
  const { failure } = database.status()
  if (failure === null) return jsonAnswer(200, { status: 'alive' }, fresh)
  return jsonAnswer(503, { status: 'failed', detail: guarded ? failure.code : failure.message }, fresh)
}

/** GET /readyz: reads and appends are taken, and views go on. @param guarded as for `livez` */
export function readyz(database: Database, guarded: boolean): ApiAnswer {
  const { tick, sealedTick, caughtUp, events, eventsPerSecond, failure } = database.status()
  const stuck = failure === null && caughtUp ? database.telemetry.stuck() : null
  const detail = guarded ? (failure?.code ?? null) : (failure?.message ?? stuck)
  const body: ReadyBody = {
    status: failure !== null ? 'failed' : stuck !== null ? 'stuck' : caughtUp ? 'ready' : 'replaying',
    tick,
    sealed_tick: sealedTick,
    events,
    events_per_second: Math.round(eventsPerSecond),
    ...(detail === null ? {} : { detail }),
  }
  const ready = body.status === 'ready'
  return jsonAnswer(ready ? 200 : 503, body, ready ? fresh : { ...fresh, 'retry-after': '1' })
}

/** What is defined, and how it stands. */
export function catalogBody(database: Database): CatalogBody {
  const { topics, views, reads } = database.catalog()
  const status = database.status()
  const topicStatus = new Map(status.topics.map((topic) => [topic.name, topic]))
  const viewStatus = new Map(status.views.map((view) => [view.name, view]))
  return {
    tick: status.tick,
    topics: topics.map(({ name, columns, primaryKey, eventTime, latenessMicros }) => {
      const now = topicStatus.get(name)
      return {
        name,
        kind: primaryKey.length > 0 ? 'table' : 'topic',
        columns: columnBodies(columns, typeName, reads[name]),
        primary_key: primaryKey.map((i) => columns[i].name),
        event_time: eventTime === null ? null : columns[eventTime].name,
        lateness_micros: latenessMicros,
        events: now?.nextOffset ?? 0,
        late: now?.late ?? 0,
        watermark_micros: now?.watermarkMicros == null ? null : String(now.watermarkMicros),
        ...(now?.gone === undefined
          ? {}
          : { first_offset: now.gone.firstOffset, gone_through_tick: now.gone.throughTick }),
      }
    }),
    views: views.map(({ name, columns, emit, order, sql, starts = [] }) => {
      const now = viewStatus.get(name)
      return {
        name,
        columns: columnBodies(columns, resultTypeName, reads[name]),
        emit,
        order: order.map(({ column, descending }) => (descending ? '-' : '') + columns[column].name),
        sql,
        rows: now?.rows ?? 0,
        errors: now?.errors ?? 0,
        oldest_tick: now?.oldestTick ?? 0,
        ...(starts.length === 0 ? {} : { starts_at_tick: 1 + Math.max(...starts.map((start) => start.throughTick)) }),
      }
    }),
  }
}

function columnBodies(
  columns: readonly ColumnSchema[],
  nameOf: (type: ColumnSchema['type']) => string,
  reads: DatabaseCatalog['reads'][string] = {},
): readonly ColumnBody[] {
  return columns.map(({ name, type, nullable }) => {
    const column = { name, type: nameOf(type), nullable }
    return Object.hasOwn(reads, name) ? { ...column, reads: reads[name] } : column
  })
}
