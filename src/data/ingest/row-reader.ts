import { BlockBuilder, type BuilderColumn } from '../block-builder.ts'
import type { ErrorCode } from '../errors.ts'
import type { SqlType } from '../sql-type.ts'
import { columnIds, type StoredColumn } from '../stored-column.ts'
import { type JsonKind, readJson } from './cell-reader.ts'
import { generateFieldReader, type ReadFields } from './field-reader.ts'
import { failed, type JsonScanner, lowest, special } from './json-scan.ts'
import { KeyTable } from './key-table.ts'
import { UnknownFields } from './unknown-fields.ts'

/** What a decoder needs to know of a topic; a program's TopicDefinition is one. */
export interface DecoderTopic {
  readonly name: string
  readonly columns: readonly StoredColumn[]
  /** Ordinals of the primary key; empty for an append-only topic. */
  readonly primaryKey: readonly number[]
  /** Ordinal of the event time, or null. */
  readonly eventTime: number | null
}

/** One thing wrong with an event. The pointer counts from the event: `/price`, or nothing for the event as a whole. */
export interface Problem {
  readonly pointer: string
  readonly detail: string
  readonly code?: ErrorCode
}

/** One step of an RFC 6901 pointer. */
export function pointerStep(key: string | number): string {
  return `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

export function rowBuilder(topic: DecoderTopic): BlockBuilder {
  // A table's deletes leave all but the key NULL, whatever the schema says about upserts.
  const table = topic.primaryKey.length > 0
  return new BlockBuilder(
    topic.columns.map((column, i) => ({
      ...column,
      nullable: table ? !topic.primaryKey.includes(i) : !isRequired(topic, i),
    })),
    columnIds(topic.columns),
  )
}

export function isRequired(topic: DecoderTopic, column: number): boolean {
  return !topic.columns[column].nullable || topic.primaryKey.includes(column) || topic.eventTime === column
}

/** Reads events of one topic out of a scanner's bytes into rows of a builder. */
export class RowReader {
  readonly topic: DecoderTopic
  readonly builder: BlockBuilder
  readonly scanner: JsonScanner
  readonly columns: readonly BuilderColumn[]
  readonly stamps: Int32Array
  at = 0
  /** What is wrong with the event last read. */
  problems: Problem[] = []
  readonly #types: readonly SqlType[]
  readonly #required: readonly boolean[]
  readonly #keys: KeyTable
  readonly #readFields: ReadFields
  #event = 0
  #deleting = false
  /** The last key that `findKey` saw, with its quotes. */
  #keyStart = 0
  #keyEnd = 0
  /** Keys of this event that are not spelled as in the schema, by column. */
  readonly #spellings = new Map<number, string>()
  readonly #unknown: UnknownFields

  constructor(topic: DecoderTopic, scanner: JsonScanner) {
    this.topic = topic
    this.scanner = scanner
    this.builder = rowBuilder(topic)
    this.columns = this.builder.columns
    this.stamps = new Int32Array(topic.columns.length)
    this.#types = topic.columns.map((column) => column.type)
    this.#required = topic.columns.map((_, i) => isRequired(topic, i))
    this.#keys = new KeyTable(topic.columns.map((column) => column.name))
    this.#unknown = new UnknownFields(scanner)
    this.#readFields = generateFieldReader(topic.columns, this)
  }

  /**
   * Reads the object at `at` into the builder's next row, which `commit` or `rollback` must follow.
   * @param deleting only the key's columns count
   * @returns the position behind it, with `problems` for what it says wrongly, or `failed` where it is not JSON
   */
  read(at: number, deleting = false): number {
    const { scanner, builder } = this
    this.#begin(deleting)
    if (scanner.bytes[at] !== 0x7b) return this.#notAnObject(at)
    builder.beginRow()
    return this.#readFields(scanner.bytes, scanner.view, at + 1, builder.rows, this.#event)
  }

  /** The fields of the event last read that are no columns. */
  get unknown(): UnknownFields {
    return this.#unknown
  }

  #begin(deleting: boolean): void {
    if (this.problems.length > 0) this.problems = []
    if (this.#spellings.size > 0) this.#spellings.clear()
    this.#unknown.clear()
    this.#deleting = deleting
    if (++this.#event === 0x7fffffff) {
      this.stamps.fill(0)
      this.#event = 1
    }
  }

  #notAnObject(at: number): number {
    const end = this.scanner.skip(at)
    if (end >= 0) this.problems.push({ pointer: '', detail: 'an event must be a JSON object' })
    return end
  }

  commit(): void {
    const { builder } = this
    if (this.#deleting) this.#makeDelete()
    else if (this.#unknown.length > 0) {
      this.#unknown.close()
      builder.setRest(this.#unknown.bytes, 0, this.#unknown.length)
    }
    builder.commitRow()
  }

  #makeDelete(): void {
    const { builder, topic } = this
    this.columns.forEach((column, i) => {
      if (!topic.primaryKey.includes(i)) column.setNull(builder.rows)
    })
    builder.setDelete()
  }

  rollback(): void {
    this.builder.rollbackRow()
  }

  #problem(column: number, detail: string): void {
    const key = this.#spellings.get(column) ?? this.topic.columns[column].name
    this.problems.push({ pointer: pointerStep(key), detail })
  }

  #setNull(column: number): void {
    if (!this.#required[column]) {
      this.columns[column].setNull(this.builder.rows)
    } else if (!this.#deleting || this.topic.primaryKey.includes(column)) {
      this.#problem(column, `${this.#role(column)} must not be null`)
    }
  }

  #role(column: number): string {
    if (this.topic.primaryKey.includes(column)) return 'the primary key'
    return this.topic.eventTime === column ? 'the event time' : 'a NOT NULL column'
  }

  findKey(at: number): number {
    const { scanner } = this
    const s = scanner.bytes
    const d = scanner.view
    let end = at + 1
    let flags = special(d.getInt32(end, true))
    while (flags === 0) {
      end += 4
      flags = special(d.getInt32(end, true))
    }
    end += lowest(flags)
    let column: number
    if (s[end] === 0x22) {
      column = this.#keys.find(s, d, at + 1, end++)
    } else {
      end = scanner.skipString(at)
      if (end < 0) return failed
      column = this.#keys.findText(scanner.string(at, end))
    }
    this.#keyStart = at
    this.#keyEnd = end
    if (s[end] === 0x3a) {
      this.at = end + 1
    } else {
      this.at = scanner.colon(end)
      if (this.at < 0) return failed
    }
    if (column < 0) return this.columns.length
    if (!this.#keys.exact) this.#spellings.set(column, scanner.string(at, end))
    return column
  }

  readSlowly(column: number, at: number): number {
    const { scanner } = this
    const end = scanner.skip(at)
    if (end < 0) return failed
    if (scanner.bytes[at] === 0x6e) {
      this.#setNull(column)
      return end
    }
    const detail = this.#readToken(column, at, end)
    if (detail !== null) this.#problem(column, detail)
    return end
  }

  #readToken(column: number, at: number, end: number): string | null {
    const { scanner } = this
    const type = this.#types[column]
    const c = scanner.bytes[at]
    let kind: JsonKind = 'number'
    let text: string
    if (c === 0x22) {
      kind = 'string'
      text = scanner.string(at, end)
    } else {
      if (c === 0x7b || c === 0x5b) kind = 'container'
      else if (c === 0x74 || c === 0x66) kind = 'boolean'
      text = scanner.text(at, end)
    }
    return readJson(type, this.columns[column], this.builder.rows, kind, text)
  }

  /** Keeps a field that is no column as it was written. */
  readUnknown(at: number): number {
    const { scanner } = this
    const end = scanner.skip(at)
    if (end < 0) return failed
    if (!this.#unknown.add(this.#keyStart, this.#keyEnd, at, end)) {
      this.problems.push({ pointer: pointerStep(scanner.string(this.#keyStart, this.#keyEnd)), detail: twiceText })
    }
    return end
  }

  duplicate(column: number, at: number): number {
    const end = this.scanner.skip(at)
    if (end >= 0) this.#problem(column, twiceText)
    return end
  }

  /** NULL for the columns that the event does not have. */
  fillMissing(event: number): void {
    const { stamps, columns } = this
    for (let i = 0; i < columns.length; i++) {
      if (stamps[i] === event) continue
      if (!this.#required[i]) columns[i].setNull(this.builder.rows)
      else if (!this.#deleting || this.topic.primaryKey.includes(i)) {
        this.#problem(i, `${this.#role(i)} is missing`)
      }
    }
  }
}

const twiceText = 'the key is there twice'
