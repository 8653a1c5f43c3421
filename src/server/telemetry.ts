import { ByteWriter } from '../data/byte-writer.ts'
import { compilePrinter } from '../data/json-print.ts'
import { type ColumnSchema, resultTypeName } from '../data/sql-type.ts'
import { SecondRing } from '../database/telemetry/rings.ts'
import type { Database } from '../database.ts'
import type { Clock } from '../io/io.ts'
import { processBytes } from '../io/process-memory.ts'
import { type ApiAnswer, type ApiRequest, jsonAnswer, jsonType, textAnswer } from './exchange.ts'
import type { Gate, Limits } from './limits.ts'
import { Parameters, refused } from './parameters.ts'
import { bounded } from './query-server.ts'
import { on, type Route, route } from './routes.ts'
import { numberForms } from './view-read.ts'

const fresh = { 'cache-control': 'no-store' }
const bucketsDefault = 60
const bucketsMost = 500
const changesDefault = 1000
const changesMost = 10_000

/** Requests as they come: how many a second. */
export class RequestCount {
  readonly #clock: Clock
  readonly #ring = new SecondRing()
  readonly #sinceMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.monotonicMs()
  }

  count(): void {
    this.#ring.add(this.#clock.monotonicMs(), 1)
  }

  get perSecond(): number {
    return this.#ring.rate(this.#clock.monotonicMs(), this.#sinceMs)
  }
}

/** What the server adds to what the database knows. */
export interface TelemetryOptions {
  readonly liveStreams: () => number
  readonly requests: RequestCount
  readonly clock: Clock
  readonly limits: Limits
  /** Samples at a time. */
  readonly samples: Gate
}

/** Routes that tell how it is, what runs and what went through. */
export function telemetryRoutes(database: Database, options: TelemetryOptions): readonly Route[] {
  return [
    route(
      '/v1/status',
      on('GET', 'status', 'read', ({ query }) => status(database, options, query)),
    ),
    route(
      '/v1/topology',
      on('GET', 'status', 'read', async ({ query }) => {
        new Parameters(query).end()
        return jsonAnswer(200, await database.telemetry.topology(), fresh)
      }),
    ),
    route(
      '/v1/time',
      on('GET', 'status', 'read', async ({ query }) => {
        new Parameters(query).end()
        return jsonAnswer(200, await database.telemetry.time(), fresh)
      }),
    ),
    route(
      '/v1/topology/{node}/sample',
      on('GET', 'admin', 'explain', ({ request, name, query }) => sample(database, options, request, name, query)),
    ),
    route(
      '/v1/views/{view}/changes',
      on('GET', 'read view whole', 'read', ({ name, query }) => changes(database, name, query)),
    ),
    route(
      '/v1/topics/{topic}/volume',
      on('GET', 'read topic whole', 'read', ({ name, query }) => volume(database, name, query)),
    ),
  ]
}

async function status(database: Database, { liveStreams, requests }: TelemetryOptions, query: string) {
  new Parameters(query).end()
  const server = { liveStreams: liveStreams(), requestsPerSecond: requests.perSecond, processBytes: processBytes() }
  return jsonAnswer(200, await database.telemetry.status(server), fresh)
}

/** GET /v1/topology/{node}/sample */
async function sample(
  database: Database,
  { clock, limits, samples }: TelemetryOptions,
  { signal }: ApiRequest,
  id: string,
  query: string,
): Promise<ApiAnswer> {
  const parameters = new Parameters(query)
  const numbers = parameters.choice('numbers', numberForms) ?? 'exact'
  parameters.end()
  const { columns, changes } = await bounded({ database, clock, limits, queries: samples }, signal, (ending) =>
    database.telemetry.sample(id, { numbers }, ending),
  )
  return sampled(id, columns, changes)
}

function sampled(node: string, columns: readonly ColumnSchema[], changes: readonly string[]): ApiAnswer {
  const shown = columns.map(({ name, type }) => ({ name, type: resultTypeName(type) }))
  const text = `{"node":${JSON.stringify(node)},"columns":${JSON.stringify(shown)},"changes":[${changes.join(',')}]}\n`
  return textAnswer(200, jsonType, text, fresh)
}

async function volume(database: Database, name: string, query: string): Promise<ApiAnswer> {
  const topic = database.topic(name)
  const parameters = new Parameters(query)
  const buckets = parameters.integer('buckets') ?? bucketsDefault
  parameters.end()
  if (buckets < 1 || buckets > bucketsMost) throw refused('buckets', `is from 1 to ${bucketsMost}`)
  return jsonAnswer(200, await database.telemetry.volume(topic.id, buckets), fresh)
}

/** GET /v1/views/{view}/changes: whole ticks, as many as there is room for. */
async function changes(database: Database, name: string, query: string): Promise<ApiAnswer> {
  const view = database.view(name)
  const parameters = new Parameters(query)
  const numbers = parameters.choice('numbers', numberForms) ?? 'exact'
  const from = parameters.integer('from_tick')
  const limit = parameters.integer('limit') ?? changesDefault
  parameters.end()
  if (from === null) throw refused('from_tick', 'is missing: the tick up to which all is known already')
  if (limit < 1 || limit > changesMost) throw refused('limit', `is from 1 to ${changesMost}`)
  const told = await database.telemetry.changelog(view.id, from, limit)
  const print = compilePrinter(view.columns, { numbers })
  const out = new ByteWriter(4096)
  out.ascii(`{"tick":${told.tick},"changes":[`)
  let first = true
  for (const { tick, rows } of told.ticks) {
    rows.forEach((page, row, weight) => {
      if (!first) out.byte(0x2c)
      first = false
      out.ascii(`{"tick":${tick},"row":`)
      print(page.memory, page.columns, row, out)
      out.ascii(`,"weight":${weight}}`)
    })
  }
  out.ascii(']}\n')
  return { status: 200, headers: { 'content-type': jsonType, ...fresh }, body: out.take() }
}
