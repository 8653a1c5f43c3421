import { liveOf, objectOf, refTo, rowsOf, safeName } from './bodies.ts'
import type { JsonSchema, rowSchema } from './columns.ts'
import {
  answer,
  asOf,
  bad,
  busy,
  jsonContent,
  lastEventId,
  limit,
  numbers,
  type Operation,
  parameter,
  problem,
  replay,
  replaying,
  streamed,
} from './parts.ts'

const idempotencyKey: JsonSchema = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  schema: { type: 'string', minLength: 1, maxLength: 255 },
  description: 'The same key with the same body gets the same answer, and appends once.',
}

const many = (schema: JsonSchema): JsonSchema => ({ oneOf: [schema, { type: 'array', items: schema }] })

export function appendOperation(topic: string, event: JsonSchema): Operation {
  const envelope: JsonSchema = {
    type: 'object',
    properties: {
      specversion: { const: '1.0' },
      id: { type: 'string' },
      source: { type: 'string' },
      type: { type: 'string' },
      data: event,
    },
    required: ['specversion', 'id', 'source', 'type', 'data'],
  }
  return {
    operationId: `append_${safeName(topic)}`,
    summary: `Append to ${topic}`,
    description: 'Answers once the events are durable. All or nothing, unless on_invalid=skip.',
    tags: ['topics'],
    parameters: [
      parameter(
        'on_invalid',
        { type: 'string', enum: ['reject', 'skip'] },
        'skip appends the good events and lists the others.',
      ),
      idempotencyKey,
    ],
    requestBody: {
      required: true,
      content: {
        ...jsonContent(many(event)),
        'application/x-ndjson': { schema: { type: 'string', description: 'One event a line.' } },
        'application/cloudevents+json': { schema: envelope },
        'application/cloudevents-batch+json': { schema: { type: 'array', items: envelope } },
      },
    },
    responses: {
      '201': answer('Durable.', refTo('Appended')),
      '400': problem('The body is no JSON, or a parameter is wrong.'),
      '415': problem('Events do not come in this media type.'),
      '422': problem('Events that do not fit, each with a JSON pointer; or an idempotency key of another body.'),
      '503': busy,
    },
  }
}

export function readTopicOperation(topic: string, page: JsonSchema): Operation {
  return {
    operationId: `events_${safeName(topic)}`,
    summary: `Read events of ${topic}`,
    tags: ['topics'],
    parameters: [
      parameter('from', { type: 'integer', minimum: 0 }, 'The offset to begin with; 0 by default.'),
      parameter('from_time', { type: 'string' }, 'Begins with the first event appended at a time or later.'),
      limit('Events in one answer at most.'),
      numbers,
    ],
    responses: { '200': answer('Events in the order of their offsets.', page), '400': bad, '503': busy },
  }
}

export function liveTopicOperation(topic: string, message: JsonSchema): Operation {
  return {
    operationId: `live_events_${safeName(topic)}`,
    summary: `Follow ${topic}`,
    description:
      'Server-sent events: `events`, whose id is the offset to go on from, each once it is visible; `reset` where events are gone that were not told: what is left follows from its id on. Goes on from Last-Event-ID without gap or duplicate; a `problem` says why the stream ends.',
    tags: ['topics'],
    parameters: [
      parameter('from', { type: 'integer', minimum: 0 }, 'The offset to begin with; the end by default.'),
      parameter('from_time', { type: 'string' }, 'Begins with the first event appended at a time or later.'),
      numbers,
      lastEventId,
    ],
    responses: { '200': streamed(message), '400': bad, '503': busy },
  }
}

export function readViewOperation(view: string, columns: Parameters<typeof rowSchema>[0], row: JsonSchema): Operation {
  const taken = ['order', 'limit', 'min_tick', 'as_of', 'replay', 'numbers', 'isnull']
  const equalities = columns.map(({ name }) =>
    parameter(taken.includes(name.toLowerCase()) ? `eq.${name}` : name, { type: 'string' }, `Rows with this ${name}.`),
  )
  return {
    operationId: `read_${safeName(view)}`,
    summary: `Rows of ${view} at one tick`,
    tags: ['views'],
    parameters: [
      ...equalities,
      parameter('isnull', { type: 'string' }, 'Rows in which this column is NULL.'),
      parameter('order', { type: 'string' }, 'Columns, with a minus for descending: -at,id.'),
      limit('Rows in the answer at most.'),
      parameter('min_tick', { type: 'integer', minimum: 0 }, 'Waits for a tick, ten seconds at most.'),
      asOf,
      replay,
      numbers,
    ],
    responses: {
      '200': { ...answer('The rows.', rowsOf(row)), headers: viewHeaders },
      ...replaying,
      '304': { description: 'As If-None-Match says.' },
      '400': bad,
      '410': problem('That past is not known any more.'),
      '504': problem('The tick was not reached in time.'),
    },
  }
}

const viewHeaders: JsonSchema = {
  'Millrace-Tick': { schema: { type: 'integer' }, description: 'The tick of the rows.' },
  ETag: { schema: { type: 'string' } },
}

export function liveOperation(view: string, row: JsonSchema): Operation {
  return {
    operationId: `live_${safeName(view)}`,
    summary: `Follow ${view}`,
    description:
      'Server-sent events: `snapshot` events with rows (only the last has an id), then `change` events; `reset` where an older place is not known any more. Goes on behind Last-Event-ID without gap or duplicate.',
    tags: ['views'],
    parameters: [
      parameter('from_tick', { type: 'integer', minimum: 0 }, 'The changes after this tick, without a snapshot.'),
      numbers,
      lastEventId,
    ],
    responses: {
      '200': streamed(liveOf(row)),
      '400': bad,
      '410': problem('The changes after that tick are not retained any more.'),
      '503': busy,
    },
  }
}

/** Calls whose bodies don't depend on what is defined, by method and pattern. */
export const operations: Readonly<Record<string, Operation>> = {
  'POST /v1/append': {
    operationId: 'append',
    summary: 'Append to several topics atomically',
    tags: ['topics'],
    parameters: [idempotencyKey],
    requestBody: { required: true, content: jsonContent(refTo('MixedEvents')) },
    responses: { '201': answer('Durable.', refTo('AppendedMixed')), '400': bad, '422': problem('Bad events.') },
  },
  'GET /v1/views/{view}/errors': {
    operationId: 'errors',
    summary: 'Rows of a view that could not be computed, with the events that they come from',
    tags: ['views'],
    parameters: [limit('Kinds of error rows listed at most.')],
    responses: { '200': answer('Error rows.', refTo('ErrorRows')), '400': bad, '503': busy },
  },
  'POST /v1/sql': {
    operationId: 'sql',
    summary: 'One SELECT over all relations at one tick',
    tags: ['sql'],
    parameters: [numbers, replay],
    requestBody: { required: true, content: jsonContent(refTo('SqlRequest')) },
    responses: {
      '200': answer('The rows.', refTo('SqlAnswer')),
      ...replaying,
      '400': problem('Bad SQL.'),
      '503': busy,
    },
  },
  'POST /v1/sql/live': {
    operationId: 'live_sql',
    summary: 'Follow a SELECT',
    description:
      'Server-sent events as of a view: `snapshot` events (the first has the columns, only the last an id), then `change` events, one per tick; `reset` where it begins anew, as for who comes with a Last-Event-ID; a `problem` where it ends. Rows are arrays.',
    tags: ['sql'],
    parameters: [numbers, lastEventId],
    requestBody: { required: true, content: jsonContent(refTo('SqlRequest')) },
    responses: {
      '200': streamed(refTo('LiveSql')),
      '400': problem('Bad SQL, or too many rows.'),
      '422': problem('Some rows cannot be computed.'),
      '503': busy,
      '504': problem('The first rows took too long.'),
    },
  },
  'POST /v1/backup': {
    operationId: 'backup',
    summary: 'Copy all data into an empty folder of the server’s machine',
    description: 'Only for callers on that machine.',
    tags: ['operation'],
    requestBody: {
      required: true,
      content: jsonContent(objectOf({ folder: { type: 'string' }, token: { type: 'string' } })),
    },
    responses: {
      '200': {
        description: 'One object a line: how far it is, then what was copied, or a problem.',
        content: { 'application/x-ndjson': { schema: { type: 'string' } } },
      },
      '400': bad,
      '409': problem('Refused.'),
    },
  },
  'POST /v1/diff': {
    operationId: 'diff',
    summary: 'Which rows other definitions would change',
    description: 'Only for callers on the server’s machine.',
    tags: ['operation'],
    requestBody: { required: true, content: jsonContent(refTo('DiffRequest')) },
    responses: { '200': answer('By view.', refTo('Diff')), '400': bad, '503': busy },
  },
  'GET /v1/catalog': {
    operationId: 'catalog',
    summary: 'What is defined',
    tags: ['operation'],
    responses: { '200': answer('Topics and views.', refTo('Catalog')), '400': bad },
  },
  'GET /v1/charts': {
    operationId: 'charts',
    summary: 'Charts that the app declares, of views that the caller may read',
    tags: ['operation'],
    responses: { '200': answer('Charts.', refTo('Charts')), '400': bad },
  },
  'GET /livez': {
    operationId: 'livez',
    summary: 'Whether the process is well',
    tags: ['operation'],
    responses: {
      '200': answer('Well.', refTo('Alive')),
      '503': answer('A restart may mend it.', refTo('Alive')),
      '400': bad,
    },
  },
  'GET /readyz': {
    operationId: 'readyz',
    summary: 'Whether reads and appends are taken',
    tags: ['operation'],
    responses: { '200': answer('Ready.', refTo('Ready')), '503': answer('Not yet.', refTo('Ready')), '400': bad },
  },
  'GET /metrics': {
    operationId: 'metrics',
    summary: 'Figures for Prometheus',
    tags: ['operation'],
    responses: {
      '200': { description: 'Prometheus’ text format.', content: { 'text/plain': { schema: { type: 'string' } } } },
      '400': bad,
    },
  },
  'GET /openapi.json': {
    operationId: 'openapi',
    summary: 'This description',
    tags: ['operation'],
    responses: { '200': answer('OpenAPI 3.1.', { type: 'object' }), '400': bad },
  },
}
