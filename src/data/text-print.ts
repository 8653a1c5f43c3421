import type { Column } from './batch.ts'
import {
  bigInteger,
  bytesLength,
  bytesStart,
  type Cells,
  isNull,
  numericText,
  safeInteger,
  utf8Text,
} from './cell-access.ts'
import { civilFromDays, formatDate, formatFraction, formatTime, formatTimestamp, microsPerDay } from './datetime.ts'
import { formatDouble, formatReal } from './float.ts'
import { decodeInterval, formatInterval } from './interval.ts'
import type { MemoryViews } from './memory.ts'
import { type ColumnSchema, laneOf, type SqlType } from './sql-type.ts'
import { formatUuid } from './uuid.ts'

/** Makes text of a cell that is not NULL. */
export type CellPrinter = (memory: MemoryViews, column: Column, row: number) => string

/** A cell as PostgreSQL's output function for its type prints it; null for NULL. */
export function cellText(memory: MemoryViews, column: Cells, row: number, type: SqlType): string | null {
  return isNull(memory, column, row) ? null : cellPrinter(type)(memory, column, row)
}

/** @param separator between a timestamp's date and time, `T` as in JSON @param zone behind a timestamptz */
export function cellPrinter(type: SqlType, separator: ' ' | 'T' = ' ', zone = '+00'): CellPrinter {
  switch (type.kind) {
    case 'boolean':
      return (memory, column, row) => (memory.i32[(column.data >>> 2) + row] === 0 ? 'f' : 't')
    case 'smallint':
    case 'integer':
      return (memory, column, row) => String(memory.i32[(column.data >>> 2) + row])
    case 'bigint':
      return (memory, column, row) => numericText(memory, column, row, 0)
    case 'real':
      return (memory, column, row) => formatReal(memory.f64[column.data / 8 + row])
    case 'double':
      return (memory, column, row) => doubleText(memory.f64[column.data / 8 + row])
    case 'numeric': {
      const scale = laneOf(type) === 'i64' ? (type.scale ?? 0) : null
      return (memory, column, row) => numericText(memory, column, row, scale)
    }
    case 'text':
    case 'varchar':
    case 'jsonb':
    case 'unknown':
      return (memory, column, row) =>
        utf8Text(memory.u8, bytesStart(memory, column, row), bytesLength(memory, column, row))
    case 'bytea':
      return (memory, column, row) =>
        hexText(memory.u8, bytesStart(memory, column, row), bytesLength(memory, column, row))
    case 'date':
      return (memory, column, row) => formatDate(memory.i32[(column.data >>> 2) + row])
    case 'time':
      return (memory, column, row) => formatTime(safeInteger(memory, column, row))
    case 'timestamp':
      return timestampPrinter(separator, '')
    case 'timestamptz':
      return timestampPrinter(separator, zone)
    case 'interval':
      return (memory, column, row) => formatInterval(decodeInterval(memory.u8, bytesStart(memory, column, row)))
    case 'uuid':
      return (memory, column, row) => formatUuid(memory.u8, bytesStart(memory, column, row))
  }
}

/** Between these JavaScript prints plain digits, the same as PostgreSQL; beyond, one of them an exponent. */
function doubleText(value: number): string {
  const size = Math.abs(value)
  return size >= 1e-4 && size < 1e15 ? String(value) : formatDouble(value)
}

/** Remembers the day printed last: neighbouring rows mostly share it. */
function timestampPrinter(separator: ' ' | 'T', zone: string): CellPrinter {
  let day = Number.NaN
  let dayText = ''
  return (memory, column, row) => {
    const micros = safeInteger(memory, column, row)
    const days = Math.floor(micros / microsPerDay)
    if (days !== day) {
      // Beyond safe integers, and for years BC, which print something behind the time.
      if (Number.isNaN(days) || civilFromDays(days).year < 1) {
        return formatTimestamp(bigInteger(memory, column, row), separator, zone)
      }
      day = days
      dayText = formatDate(days) + separator
    }
    const time = micros - days * microsPerDay
    const seconds = Math.floor(time / 1e6)
    const minutes = (seconds / 60) | 0
    const clock = `${two((minutes / 60) | 0)}:${two(minutes % 60)}:${two(seconds % 60)}`
    return dayText + clock + formatFraction(time - seconds * 1e6) + zone
  }
}

const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`)

const hex = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

function hexText(u8: Uint8Array, start: number, length: number): string {
  let text = '\\x'
  for (let i = start; i < start + length; i++) text += hex[u8[i]]
  return text
}

/** Text of one row's cells, NULL as null. */
export type RowTexts = (memory: MemoryViews, columns: readonly Cells[], row: number) => (string | null)[]

export function compileRowTexts(schema: readonly ColumnSchema[]): RowTexts {
  const printers = schema.map((column) => cellPrinter(column.type))
  return (memory, columns, row) =>
    printers.map((print, i) => {
      const column = columns[i]
      return isNull(memory, column, row) ? null : print(memory, column, row)
    })
}

/** CSV's header line, with its line end. */
export function csvHeader(schema: readonly ColumnSchema[]): string {
  return `${schema.map((column) => csvField(column.name)).join(',')}\n`
}

/** One line of CSV (RFC 4180 with a line feed): NULL is nothing, an empty string is `""`. */
export function csvLine(texts: readonly (string | null)[]): string {
  // A line of nothing at all would be read as no row.
  if (texts.length === 1 && texts[0] === null) return '\n'
  return `${texts.map((text) => (text === null ? '' : csvField(text))).join(',')}\n`
}

function csvField(text: string): string {
  return text === '' || /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

const rightAligned = new Set(['smallint', 'integer', 'bigint', 'real', 'double', 'numeric'])

/**
 * An aligned table for terminals, with a line of names and one of dashes.
 * @param rows texts by row, NULL as null
 */
export function textTable(schema: readonly ColumnSchema[], rows: readonly (readonly (string | null)[])[]): string {
  const shown = rows.map((row) => row.map((text) => (text === null ? '' : visible(text))))
  const names = schema.map((column) => visible(column.name))
  const widths = names.map(displayWidth)
  for (const row of shown) {
    row.forEach((text, i) => {
      widths[i] = Math.max(widths[i], displayWidth(text))
    })
  }
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => {
        const blanks = ' '.repeat(widths[i] - displayWidth(cell))
        return rightAligned.has(schema[i].type.kind) ? blanks + cell : cell + blanks
      })
      .join('  ')
      .trimEnd()
  const dashes = widths.map((width) => '─'.repeat(width)).join('  ')
  return `${[line(names), dashes, ...shown.map(line)].join('\n')}\n`
}

/** Control characters would break the table, or the terminal. */
function visible(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => {
    if (c === '\n') return '\\n'
    if (c === '\t') return '\\t'
    return `\\x${hex[c.charCodeAt(0)]}`
  })
}

/** Columns a text takes in a terminal: wide East Asian characters and emoji take two, combining marks none. */
function displayWidth(text: string): number {
  if (/^[\u0020-\u007e]*$/.test(text)) return text.length
  let width = 0
  for (const c of text) {
    const code = c.codePointAt(0)!
    if (/\p{Mark}|\u200d|\ufe0f/u.test(c)) continue
    const wide =
      (code >= 0x1100 && code <= 0x115f) ||
      (code >= 0x2e80 && code <= 0xa4cf) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) ||
      (code >= 0xfe30 && code <= 0xfe6f) ||
      (code >= 0xff00 && code <= 0xff60) ||
      (code >= 0xffe0 && code <= 0xffe6) ||
      (code >= 0x1f300 && code <= 0x1faff) ||
      (code >= 0x20000 && code <= 0x3fffd)
    width += wide ? 2 : 1
  }
  return width
}
