import { type Derived, derived, derivedOfValues, nullableOf, Underivable } from './derivation.ts'

/**
 * Zod 4 keeps what a schema was made of under `_zod.def`; reading it needs no import of zod, and unlike zod's own
 * JSON Schema it tells dates and bigints apart. Columns are derived for what comes out of a schema.
 */
interface Zod {
  readonly _zod: { readonly def: ZodDef }
}

/** A format, of the schema itself or added to it by a method. */
interface ZodCheck {
  readonly check?: string
  readonly format?: string
  readonly local?: boolean
}

interface ZodDef extends ZodCheck {
  readonly type: string
  readonly checks?: readonly { readonly _zod?: { readonly def?: ZodCheck } }[]
  readonly innerType?: Zod
  readonly in?: Zod
  readonly out?: Zod
  readonly left?: Zod
  readonly right?: Zod
  readonly element?: Zod
  readonly valueType?: Zod
  readonly items?: readonly Zod[]
  readonly rest?: Zod | null
  readonly options?: readonly Zod[]
  readonly shape?: Readonly<Record<string, Zod>>
  readonly entries?: Readonly<Record<string, string | number>>
  readonly values?: readonly unknown[]
  readonly getter?: () => Zod
}

export function isZod(schema: object): schema is Zod {
  return '_zod' in schema
}

/** The fields of an object schema, or null if it is no object. */
export function zodShape(schema: Zod): Readonly<Record<string, Zod>> | null {
  const { def } = schema._zod
  switch (def.type) {
    case 'object':
      return def.shape ?? null
    case 'readonly':
    case 'nonoptional':
      return def.innerType === undefined ? null : zodShape(def.innerType)
    case 'lazy':
      return def.getter === undefined ? null : zodShape(def.getter())
    case 'pipe':
      return def.out === undefined ? null : zodShape(def.out)
    case 'intersection': {
      const left = def.left === undefined ? null : zodShape(def.left)
      const right = def.right === undefined ? null : zodShape(def.right)
      return left === null || right === null ? null : { ...left, ...right }
    }
    default:
      return null
  }
}

/** A walk over a schema, which may contain itself: what was seen in jsonb, and how many steps are left. */
interface Walk {
  readonly seen: Set<Zod>
  steps: number
}

/** The column for one field. */
export function deriveZod(schema: Zod, walk: Walk = { seen: new Set(), steps: 1000 }): Derived | Underivable {
  const { def } = schema._zod
  if (walk.steps-- <= 0) return new Underivable('contains itself')
  const inner = (of: Zod | undefined): Derived | Underivable =>
    of === undefined ? new Underivable(`is a ${def.type} of nothing`) : deriveZod(of, walk)
  switch (def.type) {
    case 'string':
      return derivedString(def)
    case 'template_literal':
      return derived({ kind: 'text' })
    case 'number':
      return derivedNumber(formatOf(def)?.format)
    case 'bigint':
      return derived(
        formatOf(def)?.format === 'uint64' ? { kind: 'numeric', precision: 20, scale: 0 } : { kind: 'bigint' },
        'bigint',
      )
    case 'boolean':
      return derived({ kind: 'boolean' })
    case 'date':
      return derived({ kind: 'timestamptz' }, 'date')
    case 'enum':
      return derivedOfValues(Object.values(def.entries ?? {}))
    case 'literal':
      return derivedOfValues(def.values ?? [])
    case 'optional':
    case 'nullable':
      return nullableOf(inner(def.innerType))
    case 'nonoptional':
      return withoutNull(inner(def.innerType), def.innerType)
    case 'default':
    case 'prefault':
      return inner(def.innerType)
    case 'catch':
    case 'readonly':
      return inner(def.innerType)
    case 'pipe':
      return def.out?._zod.def.type === 'transform' ? transformed : inner(def.out)
    case 'lazy':
      return inner(def.getter?.())
    case 'null':
    case 'undefined':
    case 'void':
      return new Underivable('is always null')
    case 'union':
      return derivedUnion(def.options ?? [], walk)
    default:
      return derivedJson(schema, walk)
  }
}

const transformed = new Underivable('is transformed by a function, whose result has no schema')

/** `nonoptional` takes back an `optional` right below it, and leaves `nullable` alone. */
function withoutNull(of: Derived | Underivable, below: Zod | undefined): Derived | Underivable {
  if (of instanceof Underivable || below?._zod.def.type !== 'optional') return of
  const innermost = below._zod.def.innerType
  return innermost === undefined ? of : deriveZod(innermost)
}

function formatOf(def: ZodDef): ZodCheck | undefined {
  if (def.format !== undefined) return def
  return def.checks?.map((check) => check._zod?.def).find((check) => check?.check?.endsWith('_format'))
}

function derivedString(def: ZodDef): Derived {
  const check = formatOf(def)
  switch (check?.format) {
    case 'uuid':
    case 'guid':
      return derived({ kind: 'uuid' })
    case 'datetime':
      return check.local ? derived({ kind: 'timestamp' }) : derived({ kind: 'timestamptz' }, 'utc')
    case 'date':
      return derived({ kind: 'date' })
    case 'time':
      return derived({ kind: 'time' })
    default:
      return derived({ kind: 'text' })
  }
}

function derivedNumber(format: string | undefined): Derived {
  switch (format) {
    case 'int32':
      return derived({ kind: 'integer' })
    case 'uint32':
    case 'safeint':
      return derived({ kind: 'bigint' }, 'number')
    case 'float32':
      return derived({ kind: 'real' })
    default:
      return derived({ kind: 'double' })
  }
}

/** One column type for all options, else jsonb if JSON can hold each of them. */
function derivedUnion(options: readonly Zod[], walk: Walk): Derived | Underivable {
  const nullable = options.some(isNull)
  const some = options.filter((option) => !isNull(option))
  const columns = some.map((option) => deriveZod(option, walk))
  const [first] = columns
  if (first === undefined) return new Underivable('is always null')
  const same = columns.every(
    (column) => !(column instanceof Underivable) && JSON.stringify(column) === JSON.stringify(first),
  )
  if (same) return nullable ? nullableOf(first) : first
  for (const option of some) {
    const json = derivedJson(option, walk)
    if (json instanceof Underivable) return json
  }
  return derived({ kind: 'jsonb' }, 'plain', nullable || columns.some((c) => !(c instanceof Underivable) && c.nullable))
}

function isNull(schema: Zod): boolean {
  const { type } = schema._zod.def
  return type === 'null' || type === 'undefined' || type === 'void'
}

/** jsonb, if everything inside is JSON and comes back as it went in. */
function derivedJson(schema: Zod, walk: Walk): Derived | Underivable {
  const { type } = schema._zod.def
  const culprit = notJson(schema, walk)
  if (culprit !== null) return culprit
  return derived({ kind: 'jsonb' }, 'plain', type === 'any' || type === 'unknown')
}

const jsonTypes = new Set('string template_literal number boolean enum literal null any unknown'.split(' '))
const wrappers = new Set('optional nullable nonoptional default prefault catch readonly'.split(' '))

function notJson(schema: Zod, walk: Walk): Underivable | null {
  const { def } = schema._zod
  // A tree contains itself: what was seen once is not looked at again.
  if (jsonTypes.has(def.type) || walk.seen.has(schema) || walk.steps-- <= 0) return null
  walk.seen.add(schema)
  const first = (of: readonly (Zod | null | undefined)[], name?: string): Underivable | null => {
    for (const each of of) {
      const culprit = each ? notJson(each, walk) : null
      if (culprit !== null) return name === undefined ? culprit : culprit.within(name)
    }
    return null
  }
  if (wrappers.has(def.type)) return first([def.innerType])
  switch (def.type) {
    case 'object':
      for (const [name, field] of Object.entries(def.shape ?? {})) {
        const culprit = first([field], name)
        if (culprit !== null) return culprit
      }
      return null
    case 'array':
      return first([def.element])
    case 'record':
      return first([def.valueType])
    case 'tuple':
      return first([...(def.items ?? []), def.rest])
    case 'union':
      return first(def.options ?? [])
    case 'intersection':
      return first([def.left, def.right])
    case 'lazy':
      return first([def.getter?.()])
    case 'pipe':
      return def.out?._zod.def.type === 'transform' ? transformed : first([def.out])
    default:
      return new Underivable(`is a ${def.type}, which JSON can't hold`)
  }
}
