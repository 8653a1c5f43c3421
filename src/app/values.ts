import { type ErrorDetail, MillraceError } from '../data/errors.ts'
import { hex } from '../data/hex.ts'
import { plainBigint, plainNumeric } from '../data/plain-number.ts'
import type { SqlType } from '../data/sql-type.ts'
import type { App } from './app.ts'
import type { Json, NamedColumn, Reads } from './column-type.ts'
import type { Definition, Table, Topic } from './definitions.ts'
import type { SqlText } from './sql-text.ts'
import type { Issue } from './standard-schema.ts'

/** An event as JSON shows it. Fields that are missing or undefined are not in it. */
export type EventJson = { readonly [column: string]: Json }

/**
 * Checks events by a topic's schema and puts what comes out of it into JSON: dates as ISO text, bigints as text,
 * bytes as hex. What the columns say is checked where the events are decoded.
 * @param pointer where the events are in the request; each event's number follows it
 * @throws MillraceError event/invalid with one pointer per issue
 */
export async function encodeEvents(
  definition: Topic | Table,
  events: readonly unknown[],
  pointer = '',
): Promise<readonly EventJson[]> {
  const errors: ErrorDetail[] = []
  const encoded: EventJson[] = []
  for (const [index, event] of events.entries()) {
    const at = `${pointer}/${index}`
    const checked = await definition.schema?.['~standard'].validate(event)
    if (checked?.issues !== undefined) {
      errors.push(...checked.issues.map((issue) => ({ pointer: at + pathOf(issue), detail: issue.message })))
      continue
    }
    const value = checked === undefined ? event : checked.value
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      errors.push({ pointer: at, detail: 'an event is an object' })
      continue
    }
    encoded.push(encodeEvent(value, at, errors))
  }
  if (errors.length === 0) return encoded
  const [first] = errors
  throw new MillraceError('event/invalid', `${definition.name}: ${first.detail} (at ${first.pointer})`, {
    place: { topic: definition.name, pointer: first.pointer },
    errors,
  })
}

function pathOf({ path }: Issue): string {
  return (path ?? []).map((step) => pointerStep(typeof step === 'object' ? step.key : step)).join('')
}

/** One step of an RFC 6901 pointer. */
export function pointerStep(key: PropertyKey): string {
  return `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

function encodeEvent(event: object, pointer: string, errors: ErrorDetail[]): EventJson {
  const encoded: Record<string, Json> = {}
  for (const [name, value] of Object.entries(event)) {
    if (value === undefined) continue
    const json = encodeValue(value)
    if (json instanceof Unencodable) {
      errors.push({ pointer: pointer + pointerStep(name) + json.path, detail: json.why })
    }
    // A plain assignment to __proto__ would set the prototype instead.
    else Object.defineProperty(encoded, name, { value: json, enumerable: true, writable: true, configurable: true })
  }
  return encoded
}

class Unencodable {
  readonly why: string
  readonly path: string

  constructor(why: string, path = '') {
    this.why = why
    this.path = path
  }
}

function encodeValue(value: unknown): Json | Unencodable {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'bigint':
      return String(value)
    case 'object':
      if (value === null) return null
      if (value instanceof Date) {
        return Number.isNaN(value.getTime()) ? new Unencodable('an invalid date') : value.toISOString()
      }
      if (value instanceof Uint8Array) return `\\x${hex(value)}`
      return jsonOf(value, new Set()) ?? (value as Json)
    default:
      return new Unencodable(`a ${typeof value} is no value of a column`)
  }
}

/** Why something is not JSON through and through, so that it would come back as something else; null if it is. */
function jsonOf(value: unknown, around: Set<unknown>): Unencodable | null {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || value === undefined) return null
  if (typeof value === 'number') return Number.isFinite(value) ? null : new Unencodable(`JSON has no ${value}`)
  if (typeof value !== 'object') return new Unencodable(`JSON has no ${typeof value}`)
  if (around.has(value)) return new Unencodable('JSON that contains itself')
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) {
    return new Unencodable(`JSON has no ${value.constructor?.name ?? 'object of a class'}`)
  }
  around.add(value)
  for (const [name, child] of Object.entries(value)) {
    const culprit = jsonOf(child, around)
    if (culprit !== null) return new Unencodable(culprit.why, pointerStep(name) + culprit.path)
  }
  around.delete(value)
  return null
}

/** A column as a reader needs it: of a topic, or of a view, whose `reads` nobody states. */
export interface ReadColumn {
  readonly name: string
  readonly type: SqlType
  readonly reads?: Reads
}

/** How a topic's or view's columns are read. */
export function readColumns(
  columns: readonly { readonly name: string; readonly type: SqlType }[],
  written: readonly Pick<NamedColumn, 'name' | 'reads'>[] = [],
): readonly ReadColumn[] {
  return columns.map(({ name, type }) => ({
    name,
    type,
    reads: written.find((column) => column.name === name)?.reads ?? 'plain',
  }))
}

/** How a definition says that its columns are read: a topic's by its schema, a view's by where its values come from. */
export function writtenReads(
  definition: Definition | SqlText | undefined,
): readonly Pick<NamedColumn, 'name' | 'reads'>[] {
  switch (definition?.kind) {
    case 'topic':
    case 'table':
      return definition.columns
    case 'view':
    case 'query':
      return writtenReads(definition.sql)
    case 'sql':
      return (definition.outputs ?? []).map(({ name, form }) => ({ name, reads: form }))
    default:
      return []
  }
}

/** How columns of an app are read, by relation and column, where that is not as JSON shows them. */
export type AppReads = Readonly<Record<string, Readonly<Record<string, Exclude<Reads, 'plain'>>>>>

export function readsOfApp({ definitions }: App): AppReads {
  const reads = Object.entries(definitions).map(([name, definition]) => {
    const columns = writtenReads(definition).filter((column) => column.reads !== 'plain')
    return [name, Object.fromEntries(columns.map((column) => [column.name, column.reads]))] as const
  })
  return Object.fromEntries(reads.filter(([, columns]) => Object.keys(columns).length > 0)) as AppReads
}

/** A row of JSON, with bigint and numeric as text, as TypeScript sees it. */
export function decodeRow(
  columns: readonly ReadColumn[],
  row: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const decoded: Record<string, unknown> = {}
  for (const { name, type, reads } of columns) {
    if (Object.hasOwn(row, name)) decoded[name] = decodeValue(row[name], type, reads)
  }
  return decoded
}

/** A value of JSON, with bigint and numeric as text or as numbers, as TypeScript sees it. */
export function decodeValue(value: unknown, type: SqlType, reads: Reads = 'plain'): unknown {
  if (value === null || value === undefined) return null
  switch (type.kind) {
    case 'bigint':
    case 'numeric':
      return decodeNumber(String(value), reads, type.kind)
    case 'real':
    case 'double':
      return typeof value === 'string' ? Number(value) : value
    case 'timestamp':
    case 'timestamptz':
      if (reads === 'date') return new Date(type.kind === 'timestamp' ? `${String(value)}Z` : String(value))
      return reads === 'utc' ? String(value).replace(/\+00(:00)?$/, 'Z') : value
    case 'bytea':
      return reads === 'bytes' ? bytesOf(String(value)) : value
    default:
      return value
  }
}

function decodeNumber(text: string, reads: Reads, kind: 'bigint' | 'numeric'): unknown {
  switch (reads) {
    case 'number':
      return Number(text)
    case 'bigint':
      return BigInt(text)
    case 'string':
      return text
    default:
      return kind === 'bigint' ? plainBigint(text) : plainNumeric(text)
  }
}

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.max(0, (text.length - 2) >>> 1))
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 + i * 2, 4 + i * 2), 16)
  return bytes
}

/** A value as the text that PostgreSQL reads for it; null is NULL. */
export function parameterText(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return `\\x${hex(value)}`
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
