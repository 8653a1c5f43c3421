import type { Column } from './batch.ts'
import { ByteWriter } from './byte-writer.ts'
import { bytesLength, bytesStart, type Cells, isNull, numericText, safeInteger } from './cell-access.ts'
import { civilFromDays, formatDate, microsPerDay } from './datetime.ts'
import type { MemoryViews } from './memory.ts'
import { type ColumnSchema, laneOf, narrowDigits, type SqlType } from './sql-type.ts'
import { cellPrinter } from './text-print.ts'

export interface PrintOptions {
  /** `string` puts bigint and numeric into quotes, for readers whose numbers would round them. Default `exact`. */
  readonly numbers?: 'exact' | 'string'
  /** Rows as objects by column name, or as arrays. Default `object`. */
  readonly shape?: 'object' | 'array'
}

/** Writes a cell that is not NULL as a JSON value. */
type CellWriter = (memory: MemoryViews, column: Column, row: number, out: ByteWriter) => void

/** Writes one row as JSON, without a line end. */
export type RowWriter = (memory: MemoryViews, columns: readonly Cells[], row: number, out: ByteWriter) => void

/**
 * Prints rows straight from lanes, values as PostgreSQL's `to_json` writes them: bigint and numeric exact, timestamps
 * with a `T`, bytea in hex, jsonb as JSON, NaN and infinities as strings.
 */
export function compilePrinter(schema: readonly ColumnSchema[], options: PrintOptions = {}): RowWriter {
  const writers = schema.map((column) => cellWriter(column.type, options.numbers === 'string'))
  const asArray = options.shape === 'array'
  const [open, close] = asArray ? [0x5b, 0x5d] : [0x7b, 0x7d]
  const leads = schema.map(({ name }, i) =>
    encoder.encode((i === 0 ? '' : ',') + (asArray ? '' : `${JSON.stringify(name)}:`)),
  )
  return (memory, columns, row, out) => {
    out.byte(open)
    for (let i = 0; i < writers.length; i++) {
      const lead = leads[i]
      out.copy(lead, 0, lead.length)
      const column = columns[i]
      if (isNull(memory, column, row)) out.ascii('null')
      else writers[i](memory, column, row, out)
    }
    out.byte(close)
  }
}

const encoder = new TextEncoder()

/** Rows as JSON text, for tests and small answers. */
export function printRow(
  schema: readonly ColumnSchema[],
  memory: MemoryViews,
  columns: readonly Cells[],
  row: number,
  options: PrintOptions = {},
): string {
  const out = new ByteWriter(256)
  compilePrinter(schema, options)(memory, columns, row, out)
  return out.takeText()
}

function cellWriter(type: SqlType, quoted: boolean): CellWriter {
  switch (type.kind) {
    case 'boolean':
      return (memory, column, row, out) => out.ascii(memory.i32[(column.data >>> 2) + row] === 0 ? 'false' : 'true')
    case 'smallint':
    case 'integer':
      return (memory, column, row, out) => out.integer(memory.i32[(column.data >>> 2) + row])
    case 'bigint':
      return quoted ? inQuotes(writeBigint) : writeBigint
    case 'numeric': {
      if (laneOf(type) === 'bytes') return quoted ? inQuotes(plain(type)) : number(type)
      const write = scaledWriter(type.scale ?? 0)
      return quoted ? inQuotes(write) : write
    }
    case 'real':
    case 'double':
      return number(type)
    case 'text':
    case 'varchar':
    case 'unknown':
      return writeString
    case 'jsonb':
      return (memory, column, row, out) => {
        const start = bytesStart(memory, column, row)
        out.copy(memory.u8, start, start + bytesLength(memory, column, row))
      }
    case 'bytea': {
      const print = cellPrinter(type)
      return (memory, column, row, out) => out.ascii(`"\\${print(memory, column, row)}"`)
    }
    case 'timestamp':
      return timestampWriter(type, '')
    case 'timestamptz':
      return timestampWriter(type, '+00:00')
    case 'date':
    case 'time':
    case 'interval':
    case 'uuid':
      return inQuotes(plain(type))
  }
}

function plain(type: SqlType): CellWriter {
  const print = cellPrinter(type)
  return (memory, column, row, out) => out.ascii(print(memory, column, row))
}

function inQuotes(write: CellWriter): CellWriter {
  return (memory, column, row, out) => {
    out.byte(0x22)
    write(memory, column, row, out)
    out.byte(0x22)
  }
}

function writeBigint(memory: MemoryViews, column: Column, row: number, out: ByteWriter): void {
  const value = safeInteger(memory, column, row)
  if (Number.isNaN(value)) out.ascii(numericText(memory, column, row, 0))
  else out.integer(value)
}

function scaledWriter(scale: number): CellWriter {
  return (memory, column, row, out) => {
    const value = safeInteger(memory, column, row)
    if (Number.isNaN(value) || scale > narrowDigits) out.ascii(numericText(memory, column, row, scale))
    else out.decimal(value, scale)
  }
}

/** NaN and infinities are no JSON numbers. */
function number(type: SqlType): CellWriter {
  const print = cellPrinter(type)
  return (memory, column, row, out) => {
    const text = print(memory, column, row)
    const last = text.charCodeAt(text.length - 1)
    out.ascii(last >= 0x30 && last <= 0x39 ? text : `"${text}"`)
  }
}

function timestampWriter(type: SqlType, zone: string): CellWriter {
  const unusual = inQuotes((memory, column, row, out) => out.ascii(cellPrinter(type, 'T', zone)(memory, column, row)))
  let day = Number.NaN
  // Neighbouring rows mostly share their day.
  let dayText = ''
  return (memory, column, row, out) => {
    const micros = safeInteger(memory, column, row)
    const days = Math.floor(micros / microsPerDay)
    if (days !== day) {
      if (Number.isNaN(days) || civilFromDays(days).year < 1) {
        unusual(memory, column, row, out)
        return
      }
      day = days
      dayText = `"${formatDate(days)}T`
    }
    out.ascii(dayText)
    writeClock(micros - days * microsPerDay, out)
    out.ascii(zone)
    out.byte(0x22)
  }
}

function writeClock(micros: number, out: ByteWriter): void {
  const seconds = Math.floor(micros / 1e6)
  const minutes = (seconds / 60) | 0
  out.digits((minutes / 60) | 0, 2)
  out.byte(0x3a)
  out.digits(minutes % 60, 2)
  out.byte(0x3a)
  out.digits(seconds % 60, 2)
  const fraction = micros - seconds * 1e6
  if (fraction === 0) return
  out.byte(0x2e)
  out.digits(fraction, 6)
  while (out.bytes[out.length - 1] === 0x30) out.length--
}

/** 1 for the bytes that a JSON string must escape. */
const escaped = new Uint8Array(256).fill(1, 0, 0x20)
escaped[0x22] = 1
escaped[0x5c] = 1

const shortEscapes = new Map([
  [0x22, '\\"'],
  [0x5c, '\\\\'],
  [0x08, '\\b'],
  [0x0c, '\\f'],
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [0x09, '\\t'],
])

function writeString(memory: MemoryViews, column: Column, row: number, out: ByteWriter): void {
  const from = memory.u8
  const start = bytesStart(memory, column, row)
  const end = start + bytesLength(memory, column, row)
  out.reserve(end - start + 2)
  out.byte(0x22)
  let clean = start
  for (let i = start; i < end; i++) {
    if (escaped[from[i]] === 0) continue
    out.copy(from, clean, i)
    out.ascii(shortEscapes.get(from[i]) ?? `\\u${from[i].toString(16).padStart(4, '0')}`)
    clean = i + 1
  }
  out.copy(from, clean, end)
  out.byte(0x22)
}
