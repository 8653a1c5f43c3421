import { refTo } from './bodies.ts'
import type { JsonSchema } from './columns.ts'
import { answer, asOf, bad, busy, jsonContent, limit, type Operation, parameter, problem, replay } from './parts.ts'

/** Calls that tell why a row says what it says, what a query would do, and who asks; by method and pattern. */

function told(operationId: string, summary: string, body: string, parameters: readonly JsonSchema[] = []): Operation {
  return {
    operationId,
    summary,
    tags: ['operation'],
    ...(parameters.length === 0 ? {} : { parameters }),
    responses: { '200': answer(`See ${body}.`, refTo(body)), '400': bad, '503': busy },
  }
}

const key: JsonSchema = {
  name: 'key',
  in: 'query',
  required: false,
  style: 'form',
  explode: true,
  schema: { type: 'object', additionalProperties: { type: 'string' } },
  description: 'Columns and their values: column=value.',
}

const body = (schema: JsonSchema): JsonSchema => ({ required: true, content: jsonContent(schema) })

export const whyOperations: Readonly<Record<string, Operation>> = {
  'GET /v1/views/{view}/why': {
    ...told('why', 'Why a row is there, or is not: down to the events', 'Why', [
      key,
      limit('Events listed at most.'),
      asOf,
      replay,
    ]),
    tags: ['views'],
  },
  'GET /v1/topics/{topic}/find': {
    ...told('find', 'Events by what is in them, the newest first', 'Found', [
      key,
      parameter('_offset', { type: 'integer', minimum: 0 }, 'The event at this offset.'),
      parameter('before', { type: 'integer', minimum: 0 }, 'Goes on before this offset.'),
      limit('Events listed at most.'),
    ]),
    tags: ['topics'],
  },
  'GET /v1/topics/{topic}/events/{offset}/journey': {
    ...told('journey', 'What one event did at each operator, and which rows it changed', 'Journey'),
    tags: ['topics'],
  },
  'POST /v1/explain': {
    ...told('explain', 'How a SELECT would be computed', 'Explained'),
    tags: ['sql'],
    requestBody: body(refTo('SqlRequest')),
  },
  'GET /v1/project': told('project', 'The app that dev runs, and whether what was saved last runs', 'Project'),
  'POST /v1/project/views': {
    ...told('saveView', 'Keep a query as a view of the project that dev runs', 'SavedView'),
    requestBody: body(refTo('ViewRequest')),
  },
  'GET /v1/whoami': told('whoami', 'Who the caller is taken for', 'Caller'),
  'POST /v1/ticket': {
    ...told('ticket', 'A ticket for one live stream, for callers that can send no header', 'Ticket'),
    responses: {
      '201': answer('Valid once, and not for long.', refTo('Ticket')),
      '400': problem('There is no gateway.'),
      '401': problem('Nobody is known by that.'),
    },
  },
}
