import { listOf, objectOf, refTo } from './bodies.ts'
import type { JsonSchema } from './columns.ts'

/** Bodies that tell why a row says what it says, and about queries: protocol/why.ts and protocol/query.ts. */

const count: JsonSchema = { type: 'integer', minimum: 0 }
const number: JsonSchema = { type: 'number' }
const text: JsonSchema = { type: 'string' }
const flag: JsonSchema = { type: 'boolean' }
const row: JsonSchema = { type: 'object', additionalProperties: true }
const orNull = (type: string): JsonSchema => ({ type: [type, 'null'] })
const rowOrNull: JsonSchema = { type: ['object', 'null'], additionalProperties: true }
const eventOrNull: JsonSchema = { anyOf: [refTo('Event'), { type: 'null' }] }
const stepOrNull: JsonSchema = { anyOf: [refTo('Step'), { type: 'null' }] }

const why: Readonly<Record<string, JsonSchema>> = {
  Event: objectOf({
    topic: text,
    partition: count,
    offset: count,
    tick: count,
    op: { type: 'string', enum: ['append', 'upsert', 'delete'] },
    appended_at: text,
    data: row,
  }),
  Step: objectOf(
    {
      op: text,
      label: text,
      detail: text,
      row: rowOrNull,
      arithmetic: listOf(
        objectOf({
          column: text,
          expression: text,
          value: {},
          terms: listOf(objectOf({ value: {}, weight: { type: 'integer' }, event: refTo('Event') }, ['event'])),
          count,
          shown: text,
        }),
      ),
      passed: flag,
      condition: objectOf({ text, values: row }),
      inputs: listOf(refTo('Step')),
      more: count,
      events: listOf(refTo('Event')),
    },
    ['detail', 'arithmetic', 'passed', 'condition', 'more', 'events'],
  ),
  Why: objectOf(
    {
      tick: count,
      view: text,
      found: flag,
      row: rowOrNull,
      copies: count,
      step: stepOrNull,
      events: objectOf({ count, first: eventOrNull, last: eventOrNull, listed: listOf(refTo('Event')), gone: count }),
      absent: objectOf({ reason: text, nearest: stepOrNull }),
    },
    ['absent'],
  ),
  Journey: objectOf(
    {
      event: refTo('Event'),
      times: objectOf({ appended_at: text, tick: count, sealed_at: text, visible_at: text, pushed_at: text }, [
        'visible_at',
        'pushed_at',
      ]),
      steps: listOf(
        objectOf({
          node: text,
          views: listOf(text),
          op: text,
          label: text,
          outcome: text,
          detail: text,
          rows_out: listOf(objectOf({ row, weight: { type: 'integer' } })),
        }),
      ),
      changes: listOf(objectOf({ view: text, key: row, before: rowOrNull, after: rowOrNull, tick: count })),
      beyond: listOf(text),
    },
    ['beyond'],
  ),
  Found: objectOf({ events: listOf(refTo('Event')), searched: count, more: flag }),
}

const query: Readonly<Record<string, JsonSchema>> = {
  ViewRequest: objectOf({ name: text, sql: text, write: flag }, ['write']),
  Explained: objectOf({
    columns: listOf(objectOf({ name: text, type: text })),
    text,
    nodes: listOf(objectOf({ depth: count, text })),
  }),
  Ticket: objectOf({ ticket: text, expires_in: number }),
  Caller: objectOf({ gateway: flag, id: orNull('string'), role: orNull('string'), admin: flag, actor: {} }, ['actor']),
  Project: objectOf({ file: orNull('string'), problem: { anyOf: [refTo('Problem'), { type: 'null' }] } }),
  SavedView: objectOf({ file: text, text, definition: text, written: flag, note: text }, ['note']),
}

export const whyBodies = { ...why, ...query }
