import { type Derived, derived, derivedOfValues, nullableOf, Underivable } from './derivation.ts'

/** Valibot's schemas are plain objects that say what they are made of. Columns are derived for what comes out of one. */
interface Valibot {
  readonly kind: 'schema' | 'validation' | 'transformation' | 'metadata'
  readonly type: string
  /** The schema again, then what is done with its values, in order. */
  readonly pipe?: readonly Valibot[]
  readonly wrapped?: Valibot
  readonly default?: unknown
  readonly entries?: Readonly<Record<string, Valibot>>
  readonly item?: Valibot
  readonly items?: readonly Valibot[]
  readonly rest?: Valibot
  readonly value?: Valibot
  /** Schemas of a union, values of a list. */
  readonly options?: readonly unknown[]
  readonly literal?: unknown
}

export function isValibot(schema: object): schema is Valibot {
  const { vendor } = (schema as { readonly '~standard'?: { readonly vendor?: unknown } })['~standard'] ?? {}
  return vendor === 'valibot' && 'type' in schema
}

/** The fields of an object schema, or null if it is no object. */
export function valibotShape(schema: Valibot): Readonly<Record<string, Valibot>> | null {
  const last = schema.pipe?.filter(({ kind }) => kind === 'schema').at(-1)
  const { type, entries, options } = last ?? schema
  if (/^(loose_|strict_)?object(_with_rest)?$/.test(type)) return entries ?? null
  if (type !== 'intersect') return null
  const shapes = ((options ?? []) as readonly Valibot[]).map(valibotShape)
  return shapes.includes(null) ? null : Object.assign({}, ...shapes)
}

const transformed = new Underivable('is transformed by a function, whose result has no schema')

/** The column for one field. */
export function deriveValibot(schema: Valibot): Derived | Underivable {
  const { pipe } = schema
  if (pipe === undefined) return derivedSchema(schema)
  let column: Derived | Underivable = transformed
  for (const [i, step] of pipe.entries()) {
    if (step.kind === 'schema') column = i === 0 ? derivedSchema(step) : deriveValibot(step)
    else if (step.kind === 'validation') column = narrowed(column, step.type)
    else if (step.kind === 'transformation') column = changed(column, step.type)
  }
  return column
}

function derivedSchema(schema: Valibot): Derived | Underivable {
  const { type, wrapped, options = [] } = schema
  switch (type) {
    case 'string':
      return derived({ kind: 'text' })
    case 'number':
      return derived({ kind: 'double' })
    case 'bigint':
      return derived({ kind: 'bigint' }, 'bigint')
    case 'boolean':
      return derived({ kind: 'boolean' })
    case 'date':
      return derived({ kind: 'timestamptz' }, 'date')
    case 'literal':
      return derivedOfValues([schema.literal])
    case 'picklist':
    case 'enum':
      return derivedOfValues(options)
    case 'null':
    case 'undefined':
    case 'void':
      return new Underivable('is always null')
    case 'union':
      return derivedUnion(options as readonly Valibot[])
    case 'optional':
    case 'exact_optional':
    case 'undefinedable':
    case 'nullable':
    case 'nullish': {
      const inner = wrapped === undefined ? transformed : deriveValibot(wrapped)
      return schema.default === undefined || schema.default === null ? nullableOf(inner) : inner
    }
    case 'non_optional':
    case 'non_nullable':
    case 'non_nullish': {
      const inner = wrapped === undefined ? transformed : deriveValibot(wrapped)
      return inner instanceof Underivable ? inner : { ...inner, nullable: false }
    }
    default:
      return derivedJson(schema)
  }
}

/** What a check says of the values that pass it. */
function narrowed(column: Derived | Underivable, check: string): Derived | Underivable {
  if (column instanceof Underivable) return column
  const { kind } = column.type
  if (kind === 'double' && (check === 'integer' || check === 'safe_integer'))
    return derived({ kind: 'bigint' }, 'number')
  if (kind !== 'text') return column
  if (check === 'uuid') return derived({ kind: 'uuid' })
  if (check === 'iso_date') return derived({ kind: 'date' })
  return check === 'iso_timestamp' ? derived({ kind: 'timestamptz' }, 'utc') : column
}

const keeping = new Set(
  `brand flavor readonly trim trim_start trim_end to_lower_case to_upper_case normalize to_min_value to_max_value
  filter_items find_item sort_items`.split(/\s+/),
)

function changed(column: Derived | Underivable, action: string): Derived | Underivable {
  if (keeping.has(action)) return column
  switch (action) {
    case 'to_date':
      return derived({ kind: 'timestamptz' }, 'date')
    case 'to_number':
      return derived({ kind: 'double' })
    case 'to_bigint':
      return derived({ kind: 'bigint' }, 'bigint')
    case 'to_string':
      return derived({ kind: 'text' })
    case 'to_boolean':
      return derived({ kind: 'boolean' })
    default:
      return transformed
  }
}

function derivedUnion(options: readonly Valibot[]): Derived | Underivable {
  const some = options.filter(({ type }) => type !== 'null' && type !== 'undefined')
  const columns = some.map(deriveValibot)
  const [first] = columns
  if (first === undefined) return new Underivable('is always null')
  if (columns.some((column) => JSON.stringify(column) !== JSON.stringify(first))) {
    const json = some.map(derivedJson)
    const culprit = json.find((column) => column instanceof Underivable)
    if (culprit !== undefined) return culprit
    return some.length < options.length ? nullableOf(json[0]) : json[0]
  }
  return some.length < options.length ? nullableOf(first) : first
}

function derivedJson(schema: Valibot): Derived | Underivable {
  return notJson(schema, 0) ?? derived({ kind: 'jsonb' }, 'plain', schema.type === 'any' || schema.type === 'unknown')
}

const plainJson = new Set('string number boolean literal picklist enum null undefined any unknown lazy'.split(' '))
/** Deeper than any schema that was written by hand. */
const deepest = 50

/** Why values of a schema would not come back from JSON as they went in; null if they do. */
function notJson(schema: Valibot, depth: number): Underivable | null {
  const { type, pipe = [], entries = {}, items = [], options = [] } = schema
  if (pipe.some(({ kind, type: action }) => kind === 'transformation' && !keeping.has(action))) return transformed
  if (plainJson.has(type) || depth > deepest) return null
  const known = /^((loose_|strict_)?(object|tuple)(_with_rest)?|array|record|union|variant|intersect)$/.test(type)
  if (!known && schema.wrapped === undefined) return new Underivable(`is a ${type}, which JSON can't hold`)
  for (const [name, entry] of Object.entries(entries)) {
    const culprit = notJson(entry, depth + 1)
    if (culprit !== null) return culprit.within(name)
  }
  const inner = [schema.wrapped, schema.item, schema.rest, schema.value, ...items, ...(options as readonly Valibot[])]
  for (const one of inner) {
    const culprit = one === undefined ? null : notJson(one, depth + 1)
    if (culprit !== null) return culprit
  }
  return null
}
