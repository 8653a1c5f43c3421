import { type Derived, derived, derivedOfValues, nullableOf, Underivable } from './derivation.ts'

/**
 * JSON Schema, as vendors other than zod may give it for what comes out of a schema. What it can't say (a Date that
 * became `{}`) has no column.
 */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
}

/** Standard Schema's extension for JSON Schema. */
interface WithJsonSchema {
  readonly '~standard': {
    readonly vendor?: string
    readonly jsonSchema?: {
      readonly output: (options: { readonly target: string; readonly libraryOptions?: object }) => unknown
    }
  }
}

/** What arktype shows for values that JSON Schema has no word for; without it, a Date would be an object. */
const arktypeOptions = {
  fallback: {
    date: () => ({ type: 'string', format: 'js-date' }),
    domain: ({ domain, base }: { readonly domain: string; readonly base: object }) =>
      domain === 'bigint' ? { type: 'integer', format: 'js-bigint' } : { ...base, type: `a ${domain}` },
    proto: ({ base }: { readonly base: object }) => ({ ...base, type: 'an object of a class' }),
    morph: () => ({ type: 'result of a function' }),
    default: ({ base }: { readonly base: object }) => base,
  },
}

/** The JSON Schema of what comes out of a schema, or null if the vendor gives none. */
export function jsonSchemaOf(schema: object): JsonSchema | null {
  const standard = (schema as WithJsonSchema)['~standard']
  if (standard.jsonSchema === undefined) return null
  try {
    const libraryOptions = standard.vendor === 'arktype' ? { libraryOptions: arktypeOptions } : {}
    return standard.jsonSchema.output({ target: 'draft-2020-12', ...libraryOptions }) as JsonSchema
  } catch {
    // The vendor has no words for some field; which one, it doesn't say in a form to rely on.
    return null
  }
}

/** The column for one property. */
export function deriveJsonSchema(schema: JsonSchema, required: boolean): Derived | Underivable {
  const column = derivedProperty(schema)
  return required ? column : nullableOf(column)
}

function derivedProperty(schema: JsonSchema): Derived | Underivable {
  if (schema.const !== undefined && schema.format === undefined) return derivedOfValues([schema.const])
  if (schema.enum !== undefined) return derivedOfValues(schema.enum)
  const options = schema.anyOf ?? schema.oneOf
  if (options !== undefined) return derivedOption(options)
  const given = schema.type ?? (typeof schema.const === 'string' ? 'string' : [])
  const types = typeof given === 'string' ? [given] : given
  const some = types.filter((type) => type !== 'null')
  if (some.length !== 1)
    return new Underivable(some.length === 0 ? 'has no type in its JSON Schema' : 'has several types')
  const column = derivedType(some[0], schema.format)
  return some.length < types.length ? nullableOf(column) : column
}

function derivedOption(options: readonly JsonSchema[]): Derived | Underivable {
  const some = options.filter((option) => option.type !== 'null')
  const columns = some.map(derivedProperty)
  const [first] = columns
  if (first === undefined) return new Underivable('is always null')
  if (first instanceof Underivable) return first
  if (columns.some((column) => JSON.stringify(column) !== JSON.stringify(first))) {
    return new Underivable('has several types')
  }
  return some.length < options.length ? nullableOf(first) : first
}

function derivedType(type: string, format: string | undefined): Derived | Underivable {
  switch (type) {
    case 'string':
      if (format === 'js-date') return derived({ kind: 'timestamptz' }, 'date')
      if (format === 'uuid') return derived({ kind: 'uuid' })
      if (format === 'date') return derived({ kind: 'date' })
      if (format === 'date-time') return derived({ kind: 'timestamptz' }, 'utc')
      return derived({ kind: 'text' })
    case 'number':
      return derived({ kind: 'double' })
    case 'integer':
      return derived({ kind: 'bigint' }, format === 'js-bigint' ? 'bigint' : 'number')
    case 'boolean':
      return derived({ kind: 'boolean' })
    case 'object':
    case 'array':
      return derived({ kind: 'jsonb' })
    default:
      return new Underivable(`has the type ${type}`)
  }
}
