import type { ChartsBody } from '../protocol/answers.ts'
import type { ChangesBody, SampleBody, StatusBody, TimeBody, TopologyBody, VolumeBody } from '../protocol/telemetry.ts'
import { Connection, type Fetch } from './connection.ts'
import { type ExplainCalls, explainCalls } from './explain.ts'
import { Relations } from './relations.ts'

export interface InspectorOptions {
  /** Where the server is, such as `http://127.0.0.1:4280`. */
  readonly url: string
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  /** In the place of the environment's own. */
  readonly fetch?: Fetch
}

/**
 * Looks at a running server: what a console or a script of an operator wants to know. Calls throw MillraceError with
 * what the server refuses, or server/unreachable.
 */
export interface Inspector extends ExplainCalls {
  /** Topics, views and queries, by name and as the wire has them. */
  readonly relations: Relations
  /** GET /v1/status: how it is. */
  status(options?: InspectOptions): Promise<StatusBody>
  /** GET /v1/topology: what runs, and how much goes through it. */
  topology(options?: InspectOptions): Promise<TopologyBody>
  /** GET /v1/topology/{node}/sample: the latest changes that left a node of the topology. */
  sample(node: string, options?: InspectOptions): Promise<SampleBody>
  /** GET /v1/charts: what the app wants drawn. */
  charts(options?: InspectOptions): Promise<ChartsBody>
  /** GET /v1/time: watermarks, lateness, open windows. */
  time(options?: InspectOptions): Promise<TimeBody>
  /** GET /v1/views/{view}/changes: each tick's changes after a tick, as far as the view remembers. */
  changes(view: string, fromTick: number, options?: InspectOptions & { readonly limit?: number }): Promise<ChangesBody>
  /** GET /v1/topics/{topic}/volume: how many events came when. */
  volume(topic: string, options?: InspectOptions & { readonly buckets?: number }): Promise<VolumeBody>
}

export interface InspectOptions {
  readonly signal?: AbortSignal
}

/**
 * An inspector of a running server. In rows, bigint and numeric are text, so that none is rounded. Nothing is asked
 * before it is used. Runs in browsers and in Node.
 */
export function createInspector(options: InspectorOptions): Inspector {
  const { url, headers = {}, fetch: fetcher = (input, init) => fetch(input, init) } = options
  const connection = new Connection(url, fetcher, headers)
  return { relations: new Relations(connection), ...telemetryCalls(connection), ...explainCalls(connection) }
}

function telemetryCalls(connection: Connection): Omit<Inspector, 'relations' | keyof ExplainCalls> {
  const part = encodeURIComponent
  return {
    status: ({ signal } = {}) => connection.get('/v1/status', signal),
    topology: ({ signal } = {}) => connection.get('/v1/topology', signal),
    sample: (node, { signal } = {}) => connection.get(`/v1/topology/${part(node)}/sample?numbers=string`, signal),
    charts: ({ signal } = {}) => connection.get('/v1/charts', signal),
    time: ({ signal } = {}) => connection.get('/v1/time', signal),
    changes(view, fromTick, { limit, signal } = {}) {
      const most = limit === undefined ? '' : `&limit=${limit}`
      return connection.get(`/v1/views/${part(view)}/changes?from_tick=${fromTick}&numbers=string${most}`, signal)
    },
    volume(topic, { buckets, signal } = {}) {
      const query = buckets === undefined ? '' : `?buckets=${buckets}`
      return connection.get(`/v1/topics/${part(topic)}/volume${query}`, signal)
    },
  }
}
