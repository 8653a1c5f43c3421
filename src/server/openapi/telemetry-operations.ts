import { listOf, objectOf } from './bodies.ts'
import type { JsonSchema } from './columns.ts'
import { answer, bad, numbers, type Operation, parameter, problem } from './parts.ts'

const text: JsonSchema = { type: 'string' }
const integer: JsonSchema = { type: 'integer' }
const anything: JsonSchema = { type: 'object' }
const change = objectOf({ tick: integer, row: anything, weight: integer })
/** Calls that tell how a server is. */
export const telemetryOperations: Readonly<Record<string, Operation>> = {
  'GET /v1/status': {
    operationId: 'status',
    summary: 'How the server is: a verdict, rates, freshness, sizes, what happened lately',
    tags: ['operation'],
    responses: {
      '200': answer(
        'How it is.',
        objectOf({
          tick: integer,
          sealed_tick: integer,
          time_micros: text,
          state: { type: 'string', enum: ['ready', 'replaying', 'failed'] },
          verdict: objectOf({ ok: { type: 'boolean' }, message: text, problems: listOf(anything) }),
          uptime_seconds: integer,
          version: text,
          data: { type: 'string', enum: ['memory', 'folder'] },
          rates: anything,
          series: anything,
          memory: anything,
          disk: anything,
          tick_ms: anything,
          views: listOf(anything),
          topics: listOf(anything),
          recent: listOf(anything),
        }),
      ),
      '400': bad,
    },
  },
  'GET /v1/topology': {
    operationId: 'topology',
    summary: 'What runs: topics, operators, views, and how much goes through them',
    tags: ['operation'],
    responses: {
      '200': answer('Nodes and edges.', objectOf({ tick: integer, nodes: listOf(anything), edges: listOf(anything) })),
      '400': bad,
    },
  },
  'GET /v1/topology/{node}/sample': {
    operationId: 'sample',
    summary: 'The latest changes that left a node of the topology',
    tags: ['operation'],
    parameters: [numbers],
    responses: {
      '200': answer('Changes.', objectOf({ node: text, columns: listOf(anything), changes: listOf(change) })),
      '400': bad,
      '503': problem('A sample is being taken.'),
    },
  },
  'GET /v1/time': {
    operationId: 'time',
    summary: 'Watermarks, lateness and open windows',
    tags: ['operation'],
    responses: {
      '200': answer('Time.', objectOf({ now_micros: text, topics: listOf(anything), windows: listOf(anything) })),
      '400': bad,
    },
  },
  'GET /v1/views/{view}/changes': {
    operationId: 'changes',
    summary: 'Changes of a view after a tick, tick by tick',
    tags: ['views'],
    parameters: [
      {
        ...parameter('from_tick', { type: 'integer', minimum: 0 }, 'The tick up to which all is known.'),
        required: true,
      },
      parameter('limit', { type: 'integer', minimum: 1 }, 'Changes in one answer at most; whole ticks only.'),
      numbers,
    ],
    responses: {
      '200': answer('Go on with its tick.', objectOf({ tick: integer, changes: listOf(change) })),
      '400': bad,
      '410': problem('The changes after that tick are not retained any more.'),
    },
  },
  'GET /v1/topics/{topic}/volume': {
    operationId: 'volume',
    summary: 'How many events of a topic came when',
    tags: ['topics'],
    parameters: [parameter('buckets', { type: 'integer', minimum: 1 }, 'Stretches of time; 60 by default.')],
    responses: {
      '200': answer('Buckets.', objectOf({ buckets: listOf(anything) })),
      '400': bad,
    },
  },
}
