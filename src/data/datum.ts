import { bytesLength, bytesStart, type Cells, isNull, numericText, safeInteger, utf8Text } from './cell-access.ts'
import type { MemoryViews } from './memory.ts'
import { laneOf, type SqlType } from './sql-type.ts'
import { type CellPrinter, cellPrinter } from './text-print.ts'

/**
 * A cell as a JavaScript value: boolean; smallint to double as number; bigint as number while safe, else BigInt;
 * numeric as number up to 15 digits, else string; jsonb parsed; the others as the string that JSON has; NULL as null.
 */
export type Datum = boolean | number | bigint | string | Date | null | JsonDatum

export type JsonDatum = string | number | boolean | null | JsonDatum[] | { [key: string]: JsonDatum }

export interface DatumOptions {
  /** `date` makes timestamps and dates Date objects, which end at the millisecond. Default `text`. */
  readonly times?: 'text' | 'date'
}

export type DatumReader = (memory: MemoryViews, column: Cells, row: number) => Datum

export function cellDatum(
  memory: MemoryViews,
  column: Cells,
  row: number,
  type: SqlType,
  options: DatumOptions = {},
): Datum {
  return compileDatum(type, options)(memory, column, row)
}

/** Makes the reader of a column's cells once, for all its rows. */
export function compileDatum(type: SqlType, options: DatumOptions = {}): DatumReader {
  const read = valueReader(type, options)
  return (memory, column, row) => (isNull(memory, column, row) ? null : read(memory, column, row))
}

type ValueReader = (...cell: Parameters<CellPrinter>) => Datum

function valueReader(type: SqlType, options: DatumOptions): ValueReader {
  switch (type.kind) {
    case 'boolean':
      return (memory, column, row) => memory.i32[(column.data >>> 2) + row] !== 0
    case 'smallint':
    case 'integer':
      return (memory, column, row) => memory.i32[(column.data >>> 2) + row]
    case 'bigint':
      return (memory, column, row) => {
        const value = safeInteger(memory, column, row)
        return Number.isNaN(value) ? memory.i64[column.data / 8 + row] : value
      }
    case 'real': {
      // The shortest digits that make the float, not those of the double it lies in.
      const print = cellPrinter(type)
      return (memory, column, row) => Number(print(memory, column, row))
    }
    case 'double':
      return (memory, column, row) => memory.f64[column.data / 8 + row]
    case 'numeric': {
      const scale = laneOf(type) === 'i64' ? (type.scale ?? 0) : null
      return (memory, column, row) => numericDatum(numericText(memory, column, row, scale))
    }
    case 'jsonb':
      return (memory, column, row) =>
        JSON.parse(utf8Text(memory.u8, bytesStart(memory, column, row), bytesLength(memory, column, row)))
    case 'date':
      if (options.times !== 'date') return cellPrinter(type)
      return (memory, column, row) => new Date(memory.i32[(column.data >>> 2) + row] * 86_400_000)
    case 'timestamp':
    case 'timestamptz':
      if (options.times !== 'date') return cellPrinter(type, 'T', '+00:00')
      return (memory, column, row) => new Date(milliseconds(memory, column, row))
    default:
      return cellPrinter(type)
  }
}

function milliseconds(...[memory, column, row]: Parameters<CellPrinter>): number {
  const value = safeInteger(memory, column, row)
  return Math.floor((Number.isNaN(value) ? Number(memory.i64[column.data / 8 + row]) : value) / 1000)
}

/** Digits that every double keeps. */
const exactDigits = 15

function numericDatum(text: string): number | string {
  const digits = text.replace(/^-?0*\.?0*|\./g, '')
  return digits.length <= exactDigits || /[a-z]/.test(text) ? Number(text) : text
}
