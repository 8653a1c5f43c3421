import { errorCodes } from '../../data/errors.ts'
import type { JsonSchema } from './columns.ts'

/** Bodies of answers that don't depend on what is defined: protocol/answers.ts as JSON Schema. */

const integer: JsonSchema = { type: 'integer', minimum: 0 }
const text: JsonSchema = { type: 'string' }
const row: JsonSchema = { type: 'object', additionalProperties: true }
const nullable = (type: string): JsonSchema => ({ type: [type, 'null'] })
export const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items })
export const refTo = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` })

/** A relation's name where only letters, digits and some marks may stand; different names stay different. */
export function safeName(name: string): string {
  return name.replace(/[^A-Za-z0-9_]/gu, (mark) => `-${mark.codePointAt(0)!.toString(16)}-`)
}

export function objectOf(properties: Readonly<Record<string, JsonSchema>>, optional: readonly string[] = []) {
  const required = Object.keys(properties).filter((name) => !optional.includes(name))
  return { type: 'object', properties, required } as const
}

const pointed = objectOf({ pointer: text, detail: text })
const offsets = objectOf({ first_offset: integer, last_offset: { type: 'integer', minimum: -1 } })
const position = objectOf({ topic: text, partition: integer, offset: integer })
const reads = { type: 'string', enum: ['number', 'bigint', 'string', 'date', 'utc', 'bytes'] }
const column = objectOf({ name: text, type: text, nullable: { type: 'boolean' }, reads }, ['reads'])

export const bodies: Readonly<Record<string, JsonSchema>> = {
  Problem: {
    ...objectOf(
      {
        type: { ...text, format: 'uri' },
        title: text,
        status: integer,
        detail: { ...text, description: 'What was wrong, for people.' },
        code: { type: 'string', enum: Object.keys(errorCodes).sort() },
        hint: { ...text, description: 'One thing to do.' },
        pointer: { ...text, description: 'Where in the body (RFC 6901).' },
        line: integer,
        column: integer,
        errors: listOf(pointed),
      },
      ['hint', 'pointer', 'line', 'column', 'errors'],
    ),
    description: 'RFC 9457 problem details.',
  },
  Appended: objectOf(
    {
      tick: { ...integer, description: 'The tick at which the events become visible.' },
      first_offset: integer,
      last_offset: { type: 'integer', minimum: -1 },
      skipped: integer,
      errors: listOf(pointed),
    },
    ['skipped', 'errors'],
  ),
  AppendedMixed: objectOf({ tick: integer, offsets: { type: 'object', additionalProperties: offsets } }),
  ErrorRows: objectOf(
    {
      tick: integer,
      errors: integer,
      rows: listOf(
        objectOf({
          reason: text,
          sqlstate: text,
          count: integer,
          positions: listOf(position),
          key: { type: ['object', 'null'], additionalProperties: nullable('string') },
        }),
      ),
      gone: integer,
    },
    ['gone'],
  ),
  SqlRequest: objectOf(
    {
      sql: { ...text, description: 'One SELECT.' },
      params: listOf({ type: ['string', 'number', 'boolean', 'null'] }),
      as_of: { type: ['integer', 'string'], description: 'A tick or a time.' },
    },
    ['params', 'as_of'],
  ),
  SqlAnswer: objectOf({
    tick: integer,
    columns: listOf(objectOf({ name: text, type: text })),
    rows: listOf({ type: 'array' }),
  }),
  LiveSql: objectOf(
    {
      tick: integer,
      columns: listOf(objectOf({ name: text, type: text })),
      order: { ...listOf(text), description: 'Columns, with a minus for descending.' },
      starts_at_tick: { ...integer, description: 'Where events of before are gone: the first tick that counts.' },
      rows: listOf({ type: 'array' }),
      changes: listOf(objectOf({ row: { type: 'array' }, weight: integer })),
    },
    ['columns', 'order', 'starts_at_tick', 'rows', 'changes'],
  ),
  Replaying: objectOf({ status: { const: 'replaying' }, tick: integer, through_tick: integer, events: integer }),
  DiffRequest: objectOf({ definition: { type: 'object' }, rows: integer }, ['rows']),
  Diff: objectOf({
    tick: integer,
    views: listOf(
      objectOf(
        {
          view: text,
          kind: { type: 'string', enum: ['same', 'new', 'dropped', 'changed', 'reshaped'] },
          rows: objectOf({ before: nullable('integer'), after: nullable('integer') }),
          errors: objectOf({ before: nullable('integer'), after: nullable('integer') }),
          added: integer,
          removed: integer,
          changes: listOf(objectOf({ row, weight: { type: 'integer' } })),
        },
        ['added', 'removed', 'changes'],
      ),
    ),
  }),
  Catalog: objectOf({
    tick: integer,
    topics: listOf(
      objectOf(
        {
          name: text,
          kind: { type: 'string', enum: ['topic', 'table'] },
          columns: listOf(column),
          primary_key: listOf(text),
          event_time: nullable('string'),
          lateness_micros: text,
          events: integer,
          late: integer,
          watermark_micros: nullable('string'),
          first_offset: integer,
          gone_through_tick: integer,
        },
        ['first_offset', 'gone_through_tick'],
      ),
    ),
    views: listOf(
      objectOf(
        {
          name: text,
          columns: listOf(column),
          emit: { type: 'string', enum: ['continuous', 'final'] },
          order: listOf(text),
          sql: text,
          rows: integer,
          errors: integer,
          oldest_tick: integer,
          starts_at_tick: integer,
        },
        ['starts_at_tick'],
      ),
    ),
  }),
  Charts: objectOf({
    charts: listOf(
      objectOf(
        {
          name: text,
          view: text,
          x: text,
          y: text,
          series: text,
          mark: { type: 'string', enum: ['line', 'bar', 'map', 'table'] },
          title: text,
          dashboard: text,
        },
        ['series'],
      ),
    ),
  }),
  Alive: objectOf({ status: { type: 'string', enum: ['alive', 'failed'] }, detail: text }, ['detail']),
  Ready: objectOf(
    {
      status: { type: 'string', enum: ['ready', 'replaying', 'stuck', 'failed'] },
      tick: integer,
      sealed_tick: integer,
      events: integer,
      events_per_second: integer,
      detail: text,
    },
    ['detail'],
  ),
}

/** What reading a topic answers, of events with these fields. */
export function pageOf(data: JsonSchema): JsonSchema {
  return objectOf({ events: eventsOf(data), next: { ...integer, description: 'The offset to go on from.' } })
}

function eventsOf(data: JsonSchema): JsonSchema {
  const op = { type: 'string', enum: ['append', 'upsert', 'delete'] }
  return listOf(objectOf({ offset: integer, tick: integer, op, data }))
}

/** The data of a topic's live stream, of events with these fields; of a `reset` the tick alone. */
export function topicLiveOf(data: JsonSchema): JsonSchema {
  const complete = { type: 'boolean', description: 'Whether that is all there is at this tick.' }
  return objectOf({ tick: integer, events: eventsOf(data), complete }, ['events', 'complete'])
}

/** What reading a view answers. */
export function rowsOf(of: JsonSchema): JsonSchema {
  return objectOf({
    tick: integer,
    errors: { ...integer, description: 'Error rows beside these.' },
    rows: listOf(of),
  })
}

/** The data of a live stream's events. */
export function liveOf(of: JsonSchema): JsonSchema {
  const changes = listOf(objectOf({ row: of, weight: { type: 'integer' } }))
  return objectOf({ tick: integer, rows: listOf(of), changes }, ['rows', 'changes'])
}
