import type { BlockBuilder, BuilderColumn } from './block-builder.ts'
import { parseDecimal } from './decimal.ts'
import { clip, type JsonKind, readJson, setDecimal, setInteger } from './ingest/cell-reader.ts'
import type { EventError } from './ingest/event-walker.ts'
import { JsonScanner } from './ingest/json-scan.ts'
import { readTimestamp } from './ingest/json-time-readers.ts'
import { type DecoderTopic, isRequired, type Problem, pointerStep, rowBuilder } from './ingest/row-reader.ts'
import { type Decoded, type DecodeOptions, defaultMaxErrors, type EventBlock } from './json-decoder.ts'
import { laneOf, type SqlType, typeName } from './sql-type.ts'

/**
 * Events as JavaScript objects to blocks, with the rules of JSON events; beside JSON's values a column takes what
 * says the same more exactly: bigint, Date, Uint8Array, NaN and infinities. `undefined` is a missing field.
 */
type Fields = Readonly<Record<string, unknown>>

export class ObjectDecoder {
  readonly topic: DecoderTopic
  readonly #builder: BlockBuilder
  readonly #names: readonly string[]
  readonly #types: readonly SqlType[]
  readonly #required: readonly boolean[]
  readonly #byName: ReadonlyMap<string, number>
  readonly #byFolded: ReadonlyMap<string, number>
  readonly #pick: (fields: Fields, values: unknown[]) => void
  /** One row's values by column. */
  readonly #values: unknown[]
  #problems: Problem[] = []

  constructor(topic: DecoderTopic) {
    this.topic = topic
    this.#builder = rowBuilder(topic)
    this.#names = topic.columns.map((column) => column.name)
    this.#types = topic.columns.map((column) => column.type)
    this.#required = topic.columns.map((_, i) => isRequired(topic, i))
    this.#byName = new Map(this.#names.map((name, i) => [name, i]))
    this.#values = this.#names.map(() => undefined)
    this.#pick = generatePick(this.#names)
    const folded = new Map<string, number>()
    for (const [i, name] of this.#names.entries())
      folded.set(name.toLowerCase(), folded.has(name.toLowerCase()) ? -1 : i)
    this.#byFolded = folded
  }

  /**
   * @param rows one object, or an array of them
   * @param operation `delete` reads the key's columns alone
   */
  decode(rows: unknown, operation: 'upsert' | 'delete' = 'upsert', options: DecodeOptions = {}): Decoded {
    const builder = this.#builder
    const deleting = operation === 'delete'
    const maxErrors = options.maxErrors ?? defaultMaxErrors
    const blocks: EventBlock[] = []
    const errors: EventError[] = []
    const list: readonly unknown[] = Array.isArray(rows) ? rows : [rows]
    let badEvents = 0
    const cut = (): void => {
      const count = builder.rows
      if (count > 0) blocks.push({ rows: count, bytes: builder.finish() })
    }
    for (const [index, row] of list.entries()) {
      this.#read(row, deleting)
      if (this.#problems.length === 0) {
        builder.commitRow()
        if (builder.full) cut()
        continue
      }
      builder.rollbackRow()
      badEvents++
      const start = Array.isArray(rows) ? pointerStep(index) : ''
      for (const { pointer, detail, code = 'event/invalid' } of this.#problems) {
        if (errors.length < maxErrors) errors.push({ pointer: start + pointer, detail, code, index })
      }
      this.#problems = []
    }
    cut()
    const kept = badEvents === 0 || options.policy === 'skip' ? blocks : []
    return { blocks: kept, rows: kept.reduce((sum, block) => sum + block.rows, 0), errors, badEvents, malformed: false }
  }

  #problem(pointer: string, detail: string, code?: Problem['code']): void {
    this.#problems.push(code === undefined ? { pointer, detail } : { pointer, detail, code })
  }

  #read(row: unknown, deleting: boolean): void {
    const { topic } = this
    this.#builder.beginRow()
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      this.#problem('', `an event must be an object, not ${describe(row)}`)
      return
    }
    if (deleting) {
      if (topic.primaryKey.length === 0) {
        const detail = `${topic.name} has no primary key, so nothing can be deleted from it`
        this.#problem('', detail, 'event/unsupported-delete')
        return
      }
      this.#builder.setDelete()
    }
    const fields = row as Fields
    const prototype = Object.getPrototypeOf(row)
    const values = this.#values
    // An inherited property is no field; plain objects have none of these names.
    if (prototype === Object.prototype || prototype === null) this.#pick(fields, values)
    else {
      for (const [i, name] of this.#names.entries()) values[i] = Object.hasOwn(fields, name) ? fields[name] : undefined
    }
    let found = 0
    for (let i = 0; i < values.length; i++) {
      if (values[i] !== undefined) found++
      this.#write(i, values[i], deleting, this.#names[i])
    }
    for (const _ in fields) found--
    if (found !== 0) this.#readOthers(fields, deleting)
  }

  /** Fields that are not spelled as a column: in another case, or unknown and kept. */
  #readOthers(values: Fields, deleting: boolean): void {
    const unknown: Record<string, unknown> = {}
    const written = new Set<number>()
    for (const name of Object.keys(values)) {
      const value = values[name]
      if (value === undefined || this.#byName.has(name)) continue
      const column = this.#byFolded.get(name.toLowerCase()) ?? -1
      if (column < 0) Object.defineProperty(unknown, name, { value, enumerable: true })
      else if (written.has(column) || values[this.#names[column]] !== undefined) {
        this.#problem(pointerStep(name), 'the key is there twice')
      } else {
        written.add(column)
        const own = pointerStep(this.#names[column])
        this.#problems = this.#problems.filter(({ pointer }) => pointer !== own)
        this.#builder.columns[column].state[this.#builder.rows] = 0
        this.#write(column, value, deleting, name)
      }
    }
    if (deleting || Object.keys(unknown).length === 0) return
    const text = jsonText(unknown)
    const bytes = text === null ? null : checkedBytes(text)
    if (bytes === null) this.#problem('', 'an unknown field has a value that JSON cannot hold')
    else this.#builder.setRest(bytes, 0, bytes.length)
  }

  #write(i: number, value: unknown, deleting: boolean, name: string): void {
    const { topic } = this
    const column = this.#builder.columns[i]
    const row = this.#builder.rows
    const key = topic.primaryKey.includes(i)
    if (value === undefined || value === null || (deleting && !key)) {
      if (!this.#required[i]) column.setNull(row)
      else if (deleting && !key) column.setNull(row)
      else this.#problem(pointerStep(name), value === null ? 'must not be null' : 'is missing')
      return
    }
    const detail = writeValue(this.#types[i], column, row, value)
    if (detail !== null) this.#problem(pointerStep(name), detail)
  }
}

/** Reads each property at a place of its own in the code, which lets the engine remember where objects have it. */
function generatePick(names: readonly string[]): (fields: Fields, values: unknown[]) => void {
  const lines = names.map((name, i) => {
    const text = JSON.stringify(name)
    const read =
      name in Object.prototype ? `Object.hasOwn(fields, ${text}) ? fields[${text}] : undefined` : `fields[${text}]`
    return `values[${i}] = ${read}`
  })
  return new Function('fields', 'values', lines.join('\n')) as ReturnType<typeof generatePick>
}

/** @returns what is wrong, or null once the cell is written */
function writeValue(type: SqlType, column: BuilderColumn, row: number, value: unknown): string | null {
  if (type.kind === 'jsonb') {
    const text = jsonText(value)
    return text === null ? 'the value is nothing that JSON can hold' : readJson(type, column, row, 'container', text)
  }
  switch (typeof value) {
    case 'number':
      return writeNumber(type, column, row, value)
    case 'bigint':
      return writeBigint(type, column, row, value)
    case 'string':
      return writeString(type, column, row, value)
    case 'boolean':
      return readJson(type, column, row, 'boolean', String(value))
    case 'object':
      return writeObject(type, column, row, value!)
    default:
      return `expected ${typeName(type)}, not ${describe(value)}`
  }
}

function writeNumber(type: SqlType, column: BuilderColumn, row: number, value: number): string | null {
  if (type.kind === 'double') {
    column.setF64(row, value)
    return null
  }
  if (type.kind === 'bigint' && Number.isSafeInteger(value)) {
    column.setI64(row, value + 0)
    return null
  }
  if (type.kind === 'integer' && (value | 0) === value) {
    column.setI32(row, value)
    return null
  }
  if (type.kind === 'numeric' && laneOf(type) === 'i64' && setScaled(type, column, row, value)) return null
  if (Number.isFinite(value)) return readJson(type, column, row, 'number', String(value))
  const kind: JsonKind = type.kind === 'real' || type.kind === 'numeric' ? 'string' : 'number'
  return readJson(type, column, row, kind, String(value))
}

/**
 * A number that has at most the type's digits behind the point: then it is the double nearest to an integer over a
 * power of ten, and with up to 15 digits that integer is the only one.
 */
function setScaled(type: SqlType & { kind: 'numeric' }, column: BuilderColumn, row: number, value: number): boolean {
  const unit = 10 ** (type.scale ?? 0)
  const scaled = Math.round(value * unit)
  if (scaled / unit !== value || Math.abs(scaled) >= Math.min(1e15, 10 ** type.precision!) || unit > 1e15) return false
  column.setI64(row, scaled + 0)
  return true
}

function writeBigint(type: SqlType, column: BuilderColumn, row: number, value: bigint): string | null {
  switch (type.kind) {
    case 'smallint':
    case 'integer':
    case 'bigint':
      return setInteger(type, column, row, value, String(value))
    case 'numeric':
      return setDecimal(type, column, row, parseDecimal(String(value))!, String(value))
    default:
      return readJson(type, column, row, 'number', String(value))
  }
}

/** Text as a timestamp's reader takes it: quotes around it, zeros behind. */
const scratch = new Uint8Array(64)

function writeString(type: SqlType, column: BuilderColumn, row: number, value: string): string | null {
  const isTimestamp = type.kind === 'timestamp' || type.kind === 'timestamptz'
  if (isTimestamp && value.length < scratch.length - 4) {
    scratch[0] = 0x22
    for (let i = 0; i < value.length; i++) scratch[i + 1] = Math.min(value.charCodeAt(i), 255)
    scratch[value.length + 1] = 0x22
    if (readTimestamp(scratch, 0, column, row) === value.length + 2) return null
  }
  return readJson(type, column, row, 'string', value)
}

const microsPerMilli = 1000n

function writeObject(type: SqlType, column: BuilderColumn, row: number, value: object): string | null {
  if (value instanceof Date) {
    const ms = value.getTime()
    if (Number.isNaN(ms)) return 'the Date is invalid'
    if (type.kind === 'timestamp' || type.kind === 'timestamptz') {
      if (Number.isSafeInteger(ms * 1000)) column.setI64(row, ms * 1000)
      else column.setBig(row, BigInt(ms) * microsPerMilli)
      return null
    }
    if (type.kind === 'date') {
      column.setI32(row, Math.floor(ms / 86_400_000))
      return null
    }
  }
  if (value instanceof Uint8Array) {
    if (type.kind === 'bytea' || (type.kind === 'uuid' && value.length === 16)) {
      column.setBytes(row, value)
      return null
    }
  }
  return `expected ${typeName(type)}, not ${describe(value)}`
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Date) return 'a Date'
  if (value instanceof Uint8Array) return `${value.length} bytes`
  return typeof value === 'object' ? 'an object' : `${typeof value} ${clip(String(value), 'string')}`
}

/** @returns null for text with halves of surrogate pairs or U+0000, which stringify lets through */
function checkedBytes(text: string): Uint8Array | null {
  const bytes = new TextEncoder().encode(text)
  const scanner = new JsonScanner()
  scanner.load(bytes)
  return scanner.skip(0) < 0 ? null : bytes
}

/** @returns null for what JSON cannot hold, such as a bigint, a function or a cycle */
function jsonText(value: unknown): string | null {
  try {
    return JSON.stringify(value) ?? null
  } catch {
    return null
  }
}
