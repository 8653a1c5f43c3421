import { MillraceError } from '../data/errors.ts'
import type { SqlType } from '../data/sql-type.ts'
import type { Reads } from './column-type.ts'

/** What a vendor's schema says about one field. */
export interface Derived {
  readonly type: SqlType
  readonly nullable: boolean
  readonly reads: Reads
}

/** Why a field has no column, as the end of the sentence `the field x …`. */
export class Underivable {
  readonly why: string
  /** Names inside the field that lead to the culprit. */
  readonly path: readonly string[]

  constructor(why: string, path: readonly string[] = []) {
    this.why = why
    this.path = path
  }

  within(name: string): Underivable {
    return new Underivable(this.why, [name, ...this.path])
  }
}

export function derived(type: SqlType, reads: Reads = 'plain', nullable = false): Derived {
  return { type, nullable, reads }
}

export function nullableOf(of: Derived | Underivable): Derived | Underivable {
  return of instanceof Underivable ? of : { ...of, nullable: true }
}

/** The column of a closed list of values; null stands for NULL. */
export function derivedOfValues(values: readonly unknown[]): Derived | Underivable {
  const some = values.filter((value) => value !== null && value !== undefined)
  const nullable = some.length < values.length
  if (some.length > 0 && some.every((value) => typeof value === 'string'))
    return derived({ kind: 'text' }, 'plain', nullable)
  if (some.length > 0 && some.every((value) => typeof value === 'boolean')) {
    return derived({ kind: 'boolean' }, 'plain', nullable)
  }
  if (some.length > 0 && some.every((value) => typeof value === 'number')) {
    const whole = some.every((value) => Number.isSafeInteger(value))
    return derived({ kind: whole ? 'bigint' : 'double' }, 'number', nullable)
  }
  return new Underivable('has values of more than one type')
}

/** The refusal that names the field and what to do about it. */
export function unmappable(topic: string, field: string, { why, path }: Underivable): MillraceError {
  const full = [field, ...path].join('.')
  return new MillraceError('schema/unmappable', `${topic}: no column can be derived for the field ${full}: it ${why}`, {
    hint: `give the column yourself: columns: { ${/^[\w$]+$/.test(field) ? field : JSON.stringify(field)}: t.jsonb() }`,
  })
}
