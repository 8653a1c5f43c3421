import { objectOf } from './bodies.ts'
import type { JsonSchema } from './columns.ts'
import { answer, type Operation, parameter, problem } from './operations.ts'

const text: JsonSchema = { type: 'string' }
const integer: JsonSchema = { type: 'integer' }
const row: JsonSchema = { type: 'object', additionalProperties: true }
const many = (items: JsonSchema): JsonSchema => ({ type: 'array', items })
const orNull = (schema: JsonSchema): JsonSchema => ({ oneOf: [schema, { type: 'null' }] })
const event = objectOf({
  topic: text,
  partition: integer,
  offset: integer,
  tick: integer,
  op: { type: 'string', enum: ['append', 'upsert', 'delete'] },
  appended_at: text,
  data: row,
})
const step: JsonSchema = {
  ...objectOf(
    { op: text, label: text, detail: text, row: orNull(row), passed: { type: 'boolean' }, inputs: many(row) },
    ['detail', 'passed'],
  ),
  description: 'One operator: what it put out, how, and the steps that it read (`inputs`, each of this shape).',
}
const events = objectOf({
  count: integer,
  first: orNull(event),
  last: orNull(event),
  listed: many(event),
  gone: integer,
})
const which = 'Columns by name say which: `column=value`, `eq.column=value`, `isnull=column`.'
const limit = parameter('limit', { type: 'integer', minimum: 0, maximum: 1000 }, 'Events listed at most.')
const bad = problem('A parameter is wrong, or several rows are like that.')
const busy = problem('Another explanation is being made.')

/** Calls that explain rows and events. */
export const whyOperations: Readonly<Record<string, Operation>> = {
  'GET /v1/views/{view}/why': {
    operationId: 'why',
    summary: 'Why a row is there, down to its events, or why it is not',
    description: which,
    tags: ['views'],
    parameters: [parameter('as_of', text, 'A past tick or time.'), limit],
    responses: {
      '200': answer(
        'The explanation.',
        objectOf(
          {
            tick: integer,
            view: text,
            found: { type: 'boolean' },
            row: orNull(row),
            copies: integer,
            step: orNull(step),
            events,
            absent: objectOf({ reason: text, nearest: orNull(step) }),
          },
          ['absent'],
        ),
      ),
      '400': bad,
      '503': busy,
    },
  },
  'GET /v1/topics/{topic}/events/{offset}/journey': {
    operationId: 'journey',
    summary: 'What an event did at each operator, and which rows it changed',
    tags: ['topics'],
    responses: {
      '200': answer(
        'Its way.',
        objectOf({
          event,
          times: objectOf({ appended_at: text, tick: integer, sealed_at: text }),
          steps: many(
            objectOf({
              node: text,
              views: many(text),
              op: text,
              label: text,
              outcome: text,
              detail: text,
              rows_out: many(row),
            }),
          ),
          changes: many(objectOf({ view: text, key: row, before: orNull(row), after: orNull(row), tick: integer })),
        }),
      ),
      '400': bad,
      '404': problem('There is no such event.'),
      '503': busy,
    },
  },
  'GET /v1/topics/{topic}/find': {
    operationId: 'find',
    summary: 'Events by what is in them, the newest first',
    description: which,
    tags: ['topics'],
    parameters: [
      parameter('_offset', integer, 'The event of this offset.'),
      parameter('before', integer, 'Only events before this offset.'),
      limit,
    ],
    responses: {
      '200': answer('Events.', objectOf({ events: many(event), searched: integer, more: { type: 'boolean' } })),
      '400': bad,
      '503': busy,
    },
  },
}
