import type { BlockBuilder } from '../../data/block-builder.ts'
import { parseTimestampBytes } from '../../data/datetime.ts'
import { readText } from '../../data/ingest/cell-reader.ts'
import type { EventError } from '../../data/ingest/event-walker.ts'
import { readDecimal, readF64, readI32, readI64, readReal, readScaled } from '../../data/ingest/json-readers.ts'
import { failed, JsonScanner, utf8Length } from '../../data/ingest/json-scan.ts'
import { KeyTable } from '../../data/ingest/key-table.ts'
import { type DecoderTopic, isRequired, pointerStep, rowBuilder } from '../../data/ingest/row-reader.ts'
import type { EventBlock } from '../../data/json-decoder.ts'
import { narrowDigits, type SqlType } from '../../data/sql-type.ts'

const quote = 0x22
const comma = 0x2c
const lineFeed = 0x0a
const carriageReturn = 0x0d

/** A column of the file: what it is in the topic, or −1, and its name. */
interface CsvColumn {
  readonly column: number
  readonly name: string
}

/**
 * Reads CSV (RFC 4180) that comes in pieces: a line of column names, then a record a line, where quotes may hold
 * commas, quotes and line ends. Nothing is NULL, `""` an empty string; the texts are what PostgreSQL's input functions
 * take. Columns that the topic lacks are kept as unknown fields. Reading ends at the first bad record.
 */
export class CsvStream {
  readonly errors: EventError[] = []
  readonly #topic: DecoderTopic
  readonly #builder: BlockBuilder
  /** Holds the bytes, with zeros behind them. */
  readonly #buffer = new JsonScanner()
  readonly #keys: KeyTable
  readonly #encoder = new TextEncoder()
  #columns: readonly CsvColumn[] | null = null
  #missing: readonly number[] = []
  #blocks: EventBlock[] = []
  #record = -1
  #line = 1
  /** Lines that began inside the record being read. */
  #innerLines = 0
  /** The record's fields: start, end and 1 where it was quoted. */
  readonly #fields: number[] = []

  constructor(topic: DecoderTopic) {
    this.#topic = topic
    this.#builder = rowBuilder(topic)
    this.#keys = new KeyTable(topic.columns.map((column) => column.name))
  }

  feed(piece: Uint8Array): readonly EventBlock[] {
    this.#buffer.append(piece)
    this.#walk(false)
    return this.#take()
  }

  end(): readonly EventBlock[] {
    this.#walk(true)
    if (this.#columns === null && this.errors.length === 0) this.#error('', 'the line of column names is missing')
    if (this.#builder.rows > 0) this.#cut()
    return this.#take()
  }

  #take(): readonly EventBlock[] {
    const blocks = this.#blocks
    this.#blocks = []
    return blocks
  }

  #cut(): void {
    const { rows } = this.#builder
    this.#blocks.push({ rows, bytes: this.#builder.finish() })
  }

  /** @param record records count from 0; the line of column names is none */
  #error(pointer: string, detail: string, record = this.#record): void {
    const index = Math.max(0, record)
    const start = record < 0 ? '' : pointerStep(index)
    this.errors.push({ pointer: start + pointer, detail, code: 'event/invalid', index, line: this.#line })
  }

  #walk(final: boolean): void {
    let at = 0
    while (at < this.#buffer.end && this.errors.length === 0) {
      const next = this.#split(at, final)
      if (next < 0) break
      this.#takeRecord()
      this.#line += 1 + this.#innerLines
      at = next
    }
    this.#buffer.discard(Math.min(at, this.#buffer.end))
  }

  #splitError(detail: string): void {
    this.#error('', detail, this.#columns === null ? -1 : this.#record + 1)
  }

  /** Finds the fields of the record at `at`. @returns where the next one begins, or `failed` if it is not all here */
  #split(at: number, final: boolean): number {
    const s = this.#buffer.bytes
    const { end } = this.#buffer
    const fields = this.#fields
    fields.length = 0
    this.#innerLines = 0
    for (;;) {
      const start = at
      if (s[at] === quote) {
        at = this.#closingQuote(at + 1)
        if (at < 0) {
          if (final) this.#splitError('a quote is not closed')
          return failed
        }
        fields.push(start, at, 1)
      } else {
        while (s[at] !== comma && s[at] !== lineFeed && s[at] !== carriageReturn && (s[at] !== 0 || at < end)) at++
        fields.push(start, at, 0)
      }
      if (at >= end) return final ? end : failed
      const c = s[at++]
      if (c === comma) continue
      if (c === lineFeed) return at
      if (c === carriageReturn && at >= end) return final ? end : failed
      if (c === carriageReturn && s[at] === lineFeed) return at + 1
      // A lone carriage return ends no line; it belongs to the field, which then needs no quotes.
      if (c !== carriageReturn || fields[fields.length - 1] === 1) {
        this.#splitError('something follows a closing quote')
        return failed
      }
      fields.length -= 3
      while (s[at] !== comma && s[at] !== lineFeed && at < end) at++
      fields.push(start, at, 0)
      if (at >= end) return final ? end : failed
      if (s[at++] === lineFeed) return at
    }
  }

  /** @returns the position behind the closing quote, or `failed` */
  #closingQuote(at: number): number {
    const s = this.#buffer.bytes
    const { end } = this.#buffer
    for (; at < end; at++) {
      if (s[at] === lineFeed) this.#innerLines++
      if (s[at] !== quote) continue
      if (s[at + 1] !== quote) return at + 1
      at++
    }
    return failed
  }

  #takeRecord(): void {
    const fields = this.#fields
    const blank = fields.length === 3 && fields[0] === fields[1]
    if (this.#columns === null) {
      if (!blank) this.#readNames()
      return
    }
    if (blank && this.#columns.length > 1) return
    this.#record++
    if (fields.length !== this.#columns.length * 3) {
      this.#error('', `the record has ${fields.length / 3} fields, the first line has ${this.#columns.length}`)
      return
    }
    this.#builder.beginRow()
    if (this.#readRecord(this.#columns)) {
      this.#builder.commitRow()
      if (this.#builder.full) this.#cut()
    } else this.#builder.rollbackRow()
  }

  #readNames(): void {
    const columns = this.#namedColumns()
    if (columns === null) return
    const missing = this.#topic.columns.map((_, i) => i).filter((i) => !columns.some(({ column }) => column === i))
    const needed = missing.find((i) => isRequired(this.#topic, i))
    if (needed !== undefined) {
      this.#error('', `the column ${this.#topic.columns[needed].name} is missing, and it must not be null`)
      return
    }
    this.#missing = missing
    this.#columns = columns
  }

  #namedColumns(): CsvColumn[] | null {
    const columns: CsvColumn[] = []
    const seen = new Set<string>()
    for (let i = 0; i < this.#fields.length; i += 3) {
      const name = this.#text(i)
      if (name === null) {
        this.#error('', 'the line of column names is not UTF-8')
        return null
      }
      const column = this.#keys.findText(name)
      const key = column < 0 ? `?${name}` : String(column)
      if (seen.has(key)) {
        this.#error('', `the column ${name} is there twice`)
        return null
      }
      seen.add(key)
      columns.push({ column, name })
    }
    return columns
  }

  #readRecord(columns: readonly CsvColumn[]): boolean {
    const builder = this.#builder
    for (const column of this.#missing) builder.columns[column].setNull(builder.rows)
    let unknown: [string, string][] | null = null
    for (let i = 0; i < columns.length; i++) {
      const { column, name } = columns[i]
      const nothing = this.#fields[i * 3] === this.#fields[i * 3 + 1]
      if (column < 0) {
        const text = nothing ? null : this.#text(i * 3)
        if (text !== null) (unknown ??= []).push([name, text])
        continue
      }
      if (nothing && isRequired(this.#topic, column)) {
        this.#error(pointerStep(name), 'must not be null')
        return false
      }
      if (nothing) builder.columns[column].setNull(builder.rows)
      else if (!this.#readField(i * 3, column, name)) return false
    }
    if (unknown !== null) {
      const rest = this.#encoder.encode(JSON.stringify(Object.fromEntries(unknown)))
      builder.setRest(rest, 0, rest.length)
    }
    return true
  }

  #readField(field: number, column: number, name: string): boolean {
    const { type } = this.#topic.columns[column]
    const cells = this.#builder.columns[column]
    const row = this.#builder.rows
    const start = this.#fields[field]
    const end = this.#fields[field + 1]
    const s = this.#buffer.bytes
    if (this.#fields[field + 2] === 0) {
      if (readPlain(this.#buffer, type, s, start, end, cells, row) === end) return true
      if (type.kind === 'text' && isCleanText(s, start, end)) {
        cells.setBytes(row, s, start, end)
        return true
      }
    }
    const text = this.#text(field)
    const detail = text === null ? 'invalid UTF-8' : readText(type, cells, row, text)
    if (detail !== null) this.#error(pointerStep(name), detail)
    return detail === null
  }

  /** A field's characters, or null if they are not UTF-8. */
  #text(field: number): string | null {
    const quoted = this.#fields[field + 2] === 1 ? 1 : 0
    const start = this.#fields[field] + quoted
    const end = this.#fields[field + 1] - quoted
    const s = this.#buffer.bytes
    for (let at = start; at < end; ) {
      const length = s[at] < 0x80 ? 1 : utf8Length(s, at)
      if (length === 0) return null
      at += length
    }
    const text = this.#buffer.text(start, end)
    return quoted === 1 ? text.replaceAll('""', '"') : text
  }
}

type Cells = BlockBuilder['columns'][number]

/** The usual forms, straight from the bytes. @returns where it ended, or `failed` */
function readPlain(
  buffer: JsonScanner,
  type: SqlType,
  s: Uint8Array,
  start: number,
  end: number,
  cells: Cells,
  row: number,
): number {
  switch (type.kind) {
    case 'smallint':
      return readI32(s, start, cells, row, -32768, 32767)
    case 'integer':
      return readI32(s, start, cells, row, -2147483648, 2147483647)
    case 'bigint':
      return readI64(s, start, cells, row)
    case 'double':
      return readF64(buffer, s, start, cells, row)
    case 'real':
      return readReal(buffer, s, start, cells, row)
    case 'numeric': {
      if (type.precision === undefined) return readDecimal(s, start, cells, row, -1, Number.POSITIVE_INFINITY)
      const read = type.precision <= narrowDigits ? readScaled : readDecimal
      return read(s, start, cells, row, type.scale ?? 0, Number(`1e${type.precision}`))
    }
    case 'timestamp':
    case 'timestamptz': {
      const micros = parseTimestampBytes(s, start, end)
      if (Number.isNaN(micros)) return failed
      cells.setI64(row, micros)
      return end
    }
    default:
      return failed
  }
}

/** UTF-8 without U+0000. */
function isCleanText(s: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; ) {
    const length = s[at] < 0x80 ? (s[at] === 0 ? 0 : 1) : utf8Length(s, at)
    if (length === 0) return false
    at += length
  }
  return true
}
