import type { CatalogBody, ColumnBody } from '../../protocol/answers.ts'
import { typeOfName } from '../../protocol/type-names.ts'

/** JSON Schema of 2020-12, as OpenAPI 3.1 has it. */
export type JsonSchema = { readonly [key: string]: unknown }

const kinds: Readonly<Record<string, JsonSchema>> = {
  boolean: { type: 'boolean' },
  smallint: { type: 'integer', format: 'int16' },
  integer: { type: 'integer', format: 'int32' },
  bigint: { type: 'integer', format: 'int64' },
  numeric: { type: 'number', format: 'decimal' },
  text: { type: 'string' },
  varchar: { type: 'string' },
  bytea: { type: 'string', pattern: '^\\\\x([0-9a-f]{2})*$' },
  date: { type: 'string', format: 'date' },
  time: { type: 'string', pattern: '^\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,6})?$' },
  timestamp: { type: 'string', pattern: '^\\d{4,6}-\\d{2}-\\d{2}T' },
  timestamptz: { type: 'string', format: 'date-time' },
  interval: { type: 'string', format: 'interval' },
  uuid: { type: 'string', format: 'uuid' },
}

/** Doubles that JSON has no number for. */
const float: JsonSchema = {
  anyOf: [{ type: 'number' }, { type: 'string', enum: ['NaN', 'Infinity', '-Infinity'] }],
}

/** How a column's values look in answers. */
export function answeredColumn({ type, nullable }: ColumnBody): JsonSchema {
  return { ...withNull(schemaOf(type), nullable), description: type }
}

/** What an event may have for a column: numbers that JSON parsers round may come as text. */
function acceptedColumn({ type, nullable }: ColumnBody): JsonSchema {
  const { kind } = typeOfName(type)
  const isExact = kind === 'bigint' || kind === 'numeric'
  const schema = isExact ? { anyOf: [schemaOf(type), { type: 'string', pattern: '^-?[0-9]' }] } : looseTime(kind, type)
  return { ...withNull(schema, nullable), description: type }
}

/** Times come in more spellings than the one that they are told in. */
function looseTime(kind: string, type: string): JsonSchema {
  return kind === 'timestamp' || kind === 'timestamptz' ? { type: 'string' } : schemaOf(type)
}

function schemaOf(type: string): JsonSchema {
  const { kind } = typeOfName(type)
  if (kind === 'real' || kind === 'double') return float
  return kinds[kind] ?? {}
}

function withNull(schema: JsonSchema, nullable: boolean): JsonSchema {
  if (!nullable || Object.keys(schema).length === 0) return schema
  if (typeof schema.type === 'string') return { ...schema, type: [schema.type, 'null'] }
  return { anyOf: [...((schema.anyOf as JsonSchema[] | undefined) ?? [schema]), { type: 'null' }] }
}

/** A view's row, whole. */
export function rowSchema(columns: readonly ColumnBody[]): JsonSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(columns.map((column) => [column.name, answeredColumn(column)])),
    required: columns.map(({ name }) => name),
  }
}

/** An event as it is appended. Fields that no column has are kept. */
export function eventSchema({ name, columns, primary_key, kind }: CatalogBody['topics'][number]): JsonSchema {
  return {
    type: 'object',
    description: kind === 'table' ? `A row of ${name}: it replaces the one with the same key.` : `An event of ${name}.`,
    properties: Object.fromEntries(columns.map((column) => [column.name, acceptedColumn(column)])),
    required: columns.filter((column) => !column.nullable || primary_key.includes(column.name)).map((c) => c.name),
    additionalProperties: true,
  }
}
