import { MillraceError } from '../data/errors.ts'
import { type ColumnType, isColumnType, type NamedColumn } from './column-type.ts'
import { type Derived, Underivable, unmappable } from './derivation.ts'
import { deriveJsonSchema, jsonSchemaOf } from './derive-json-schema.ts'
import { deriveValibot, isValibot, valibotShape } from './derive-valibot.ts'
import { deriveZod, isZod, zodShape } from './derive-zod.ts'
import { isStandardSchema, type StandardSchema } from './standard-schema.ts'

/** Column types by name, in their order. */
export type ColumnTypes = Readonly<Record<string, ColumnType<never, unknown> | ColumnType>>

/**
 * The columns of a topic.
 * @param schema column types, or a Standard Schema whose output they are derived from
 * @param given columns that are not to be derived
 * @throws MillraceError schema/unmappable with the field that has no column
 */
export function columnsOf(topic: string, schema: ColumnTypes | StandardSchema, given: ColumnTypes = {}): NamedColumn[] {
  // A schema of arktype is a function.
  if ((typeof schema !== 'object' && typeof schema !== 'function') || schema === null) {
    throw new MillraceError('schema/unmappable', `${topic}: its options have no schema`, {
      hint: 'write schema: { id: t.bigint(), … }, or give a Standard Schema such as zod’s',
    })
  }
  const derivedColumns = isStandardSchema(schema) ? derivedFields(topic, schema, given) : writtenFields(topic, schema)
  const columns = new Map(derivedColumns.map((column) => [column.name, column]))
  for (const column of writtenFields(topic, given)) columns.set(column.name, column)
  if (columns.size === 0) {
    throw new MillraceError('schema/unmappable', `${topic}: the schema has no fields`, { hint: 'give it at least one' })
  }
  return [...columns.values()]
}

function writtenFields(topic: string, types: ColumnTypes): NamedColumn[] {
  return Object.entries(types).map(([name, column]) => {
    if (isColumnType(column)) return { name, type: column.type, nullable: column.isNullable, reads: column.reads }
    throw new MillraceError('schema/unmappable', `${topic}: ${name} is no column type`, {
      hint: `write ${name}: t.text(), or another of t's types`,
    })
  })
}

type Field = readonly [name: string, derive: () => Derived | Underivable]

function derivedFields(topic: string, schema: StandardSchema, given: ColumnTypes): NamedColumn[] {
  return fieldsOf(topic, schema, given).flatMap(([name, derive]) => {
    if (Object.hasOwn(given, name)) return []
    const column = derive()
    if (column instanceof Underivable) throw unmappable(topic, name, column)
    return [{ name, ...column }]
  })
}

function fieldsOf(topic: string, schema: StandardSchema, given: ColumnTypes): Field[] {
  if (isZod(schema)) {
    const shape = zodShape(schema)
    if (shape !== null) return Object.entries(shape).map(([name, field]) => [name, () => deriveZod(field)])
    throw noObject(topic, 'zod')
  }
  if (isValibot(schema)) {
    const shape = valibotShape(schema)
    if (shape !== null) return Object.entries(shape).map(([name, field]) => [name, () => deriveValibot(field)])
    throw noObject(topic, 'valibot')
  }
  const { vendor } = schema['~standard']
  const json = jsonSchemaOf(schema)
  if (json?.properties !== undefined) {
    const required = json.required ?? []
    return Object.entries(json.properties).map(([name, field]) => [
      name,
      () => deriveJsonSchema(field, required.includes(name)),
    ])
  }
  // A vendor without a JSON Schema can still check events, if all columns are given.
  if (Object.keys(given).length > 0) return []
  throw vendor === 'zod' ? noObject(topic, 'zod before version 4') : noObject(topic, vendor)
}

function noObject(topic: string, vendor: string): MillraceError {
  return new MillraceError('schema/unmappable', `${topic}: no columns can be derived from this schema of ${vendor}`, {
    hint: 'give an object schema, or its columns beside it: columns: { id: t.bigint(), … }',
  })
}
