import { refTo } from './bodies.ts'
import type { JsonSchema } from './columns.ts'

/** What one call is for, beside its path. */
export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly parameters?: readonly JsonSchema[]
  readonly requestBody?: JsonSchema
  readonly responses: Readonly<Record<string, JsonSchema>>
}

export const jsonContent = (schema: JsonSchema): JsonSchema => ({ 'application/json': { schema } })

/** An answer with a JSON body. */
export const answer = (description: string, schema: JsonSchema): JsonSchema => ({
  description,
  content: jsonContent(schema),
})

export const problem = (description: string): JsonSchema => ({
  description,
  content: { 'application/problem+json': { schema: refTo('Problem') } },
})

export const parameter = (name: string, schema: JsonSchema, description: string): JsonSchema => ({
  name,
  in: 'query',
  required: false,
  schema,
  description,
})

export const numbers = parameter(
  'numbers',
  { type: 'string', enum: ['exact', 'string'] },
  'How bigint and numeric are written: as numbers (default), or as strings for readers that would round them.',
)
export const limit = (what: string): JsonSchema => parameter('limit', { type: 'integer', minimum: 0 }, what)
export const asOf = parameter('as_of', { type: 'string' }, 'A past tick or time.')
export const replay = parameter(
  'replay',
  { type: 'boolean' },
  'Reads the log again where the view does not know that past any more; 202 says how far it is.',
)
export const replaying = { '202': answer('A past tick is being made anew: ask again.', refTo('Replaying')) }
export const bad = problem('A parameter or the body is wrong.')
export const busy = problem('Too much at once, or the log is still being replayed.')
export const lastEventId: JsonSchema = {
  name: 'Last-Event-ID',
  in: 'header',
  required: false,
  schema: { type: 'string' },
}

/** @param data of the stream's events */
export const streamed = (data: JsonSchema): JsonSchema => ({
  description: 'The stream; its data are JSON.',
  content: { 'text/event-stream': { schema: data } },
})
