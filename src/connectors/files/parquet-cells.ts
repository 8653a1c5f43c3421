import type { SchemaElement } from 'hyparquet'
import type { BuilderColumn } from '../../data/block-builder.ts'
import { timestampInRange } from '../../data/datetime.ts'
import { type Decimal, formatDecimal } from '../../data/decimal.ts'
import { readJson, readText, setDecimal, setInteger } from '../../data/ingest/cell-reader.ts'
import { utf8Length } from '../../data/ingest/json-scan.ts'
import { type SqlType, typeName } from '../../data/sql-type.ts'

export type ParquetColumn = SchemaElement

/** Writes a value, as its physical type gives it, into a cell. @returns what is wrong with it, or null */
export type ParquetFiller = (cells: BuilderColumn, row: number, value: unknown) => string | null

/** What a Parquet column holds, by its annotations. */
type Meaning =
  | { readonly kind: 'boolean' | 'integer' | 'float' | 'date' | 'text' | 'json' | 'bytes' | 'uuid' | 'int96' }
  | { readonly kind: 'unsigned'; readonly bits: 32 | 64 }
  | { readonly kind: 'decimal'; readonly scale: number }
  | { readonly kind: 'time' | 'timestamp'; readonly zoned: boolean; readonly perMicro: bigint; readonly micros: bigint }
  | { readonly kind: 'other'; readonly name: string }

/** @returns how to fill a column of the type, or why that cannot be done */
export function parquetFiller(type: SqlType, element: ParquetColumn): ParquetFiller | string {
  if (element.num_children !== undefined && element.num_children > 0) return 'the file has a nested column there'
  if (element.repetition_type === 'REPEATED') return 'the file has a list there'
  const meaning = meaningOf(element)
  return fillerFor(type, meaning) ?? `the file has ${describe(meaning, element)} there, which is no ${typeName(type)}`
}

function describe(meaning: Meaning, element: ParquetColumn): string {
  return meaning.kind === 'other' ? meaning.name : `${meaning.kind} (${element.type})`
}

function meaningOf(element: ParquetColumn): Meaning {
  const { type, converted_type: converted, logical_type: logical } = element
  if (logical?.type === 'DECIMAL' || converted === 'DECIMAL') {
    return { kind: 'decimal', scale: (logical?.type === 'DECIMAL' ? logical.scale : element.scale) ?? 0 }
  }
  if (logical?.type === 'TIMESTAMP' || logical?.type === 'TIME') {
    return temporal(logical.type === 'TIME' ? 'time' : 'timestamp', logical.isAdjustedToUTC, logical.unit)
  }
  if (converted === 'TIMESTAMP_MILLIS' || converted === 'TIMESTAMP_MICROS') {
    return temporal('timestamp', true, converted === 'TIMESTAMP_MILLIS' ? 'MILLIS' : 'MICROS')
  }
  if (converted === 'TIME_MILLIS' || converted === 'TIME_MICROS') {
    return temporal('time', true, converted === 'TIME_MILLIS' ? 'MILLIS' : 'MICROS')
  }
  const unsigned = logical?.type === 'INTEGER' ? !logical.isSigned : converted?.startsWith('UINT_')
  if (unsigned && (type === 'INT32' || type === 'INT64')) return { kind: 'unsigned', bits: type === 'INT32' ? 32 : 64 }
  if (logical?.type === 'DATE' || converted === 'DATE') return { kind: 'date' }
  if (logical?.type === 'UUID') return { kind: 'uuid' }
  if (logical?.type === 'JSON' || converted === 'JSON') return { kind: 'json' }
  if (logical?.type === 'STRING' || logical?.type === 'ENUM' || converted === 'UTF8' || converted === 'ENUM') {
    return { kind: 'text' }
  }
  if ((logical !== undefined && logical.type !== 'INTEGER' && logical.type !== 'NULL') || converted === 'INTERVAL') {
    return { kind: 'other', name: logical?.type ?? 'INTERVAL' }
  }
  switch (type) {
    case 'BOOLEAN':
      return { kind: 'boolean' }
    case 'INT32':
    case 'INT64':
      return { kind: 'integer' }
    case 'INT96':
      return { kind: 'int96' }
    case 'FLOAT':
    case 'DOUBLE':
      return { kind: 'float' }
    default:
      return { kind: 'bytes' }
  }
}

function temporal(kind: 'time' | 'timestamp', zoned: boolean, unit: 'MILLIS' | 'MICROS' | 'NANOS'): Meaning {
  return { kind, zoned, perMicro: unit === 'NANOS' ? 1000n : 1n, micros: unit === 'MILLIS' ? 1000n : 1n }
}

function fillerFor(type: SqlType, meaning: Meaning): ParquetFiller | null {
  switch (type.kind) {
    case 'boolean':
      return meaning.kind === 'boolean' ? fillBoolean : null
    case 'smallint':
    case 'integer':
    case 'bigint':
    case 'numeric':
      return numberFiller(type, meaning)
    case 'real':
    case 'double':
      if (meaning.kind === 'float') return type.kind === 'double' ? fillDouble : fillReal
      return numberFiller(type, meaning)
    case 'text':
    case 'varchar':
      // Older writers leave the annotation out.
      if (meaning.kind === 'uuid') return null
      return meaning.kind === 'text' || meaning.kind === 'json' || meaning.kind === 'bytes' ? textFiller(type) : null
    case 'bytea':
      return meaning.kind === 'bytes' || meaning.kind === 'text' || meaning.kind === 'json' ? fillBytes : null
    case 'jsonb':
      return meaning.kind === 'json' || meaning.kind === 'text' || meaning.kind === 'bytes' ? textFiller(type) : null
    case 'uuid':
      if (meaning.kind === 'uuid') return fillBytes
      return meaning.kind === 'text' ? textFiller(type) : null
    case 'interval':
      return meaning.kind === 'text' ? textFiller(type) : null
    case 'date':
      if (meaning.kind === 'date') return fillDate
      return meaning.kind === 'text' ? textFiller(type) : null
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return timeFiller(type, meaning)
    case 'unknown':
      return null
  }
}

const fillBoolean: ParquetFiller = (cells, row, value) => {
  cells.setI32(row, value === true ? 1 : 0)
  return null
}

const fillDouble: ParquetFiller = (cells, row, value) => {
  cells.setF64(row, value as number)
  return null
}

const fillReal: ParquetFiller = (cells, row, value) => {
  const rounded = Math.fround(value as number)
  if (!Number.isFinite(rounded) && Number.isFinite(value)) return `${value} is out of range for real`
  cells.setF64(row, rounded)
  return null
}

const fillBytes: ParquetFiller = (cells, row, value) => {
  cells.setBytes(row, value as Uint8Array)
  return null
}

const fillDate: ParquetFiller = (cells, row, value) => {
  cells.setI32(row, value as number)
  return null
}

function numberFiller(type: SqlType, meaning: Meaning): ParquetFiller | null {
  switch (meaning.kind) {
    case 'integer':
      return integerFiller(type, (value) => BigInt(value as number | bigint))
    case 'unsigned':
      return integerFiller(type, (value) => BigInt.asUintN(meaning.bits, BigInt(value as number | bigint)))
    case 'decimal':
      return (cells, row, value) => fillDecimal(type, cells, row, unscaled(value), meaning.scale)
    case 'text':
      return textFiller(type)
    case 'float':
      // A numeric of a float would have digits that nobody wrote.
      return null
    default:
      return null
  }
}

function integerFiller(type: SqlType, toBig: (value: unknown) => bigint): ParquetFiller {
  switch (type.kind) {
    case 'bigint':
      return (cells, row, value) => {
        // A signed 64-bit integer as it is; an unsigned one may be too great.
        if (typeof value === 'bigint') {
          const big = toBig(value)
          if (big !== value) return setInteger(type, cells, row, big, String(big))
          cells.setBig(row, value)
        } else cells.setI64(row, Number(toBig(value)))
        return null
      }
    case 'smallint':
    case 'integer': {
      const most = type.kind === 'integer' ? 2147483647 : 32767
      return (cells, row, value) => {
        const number = Number(value)
        // What is negative may be a great unsigned one.
        if (number < 0 || number > most) {
          const big = toBig(value)
          return setInteger(type, cells, row, big, String(big))
        }
        cells.setI32(row, number)
        return null
      }
    }
    case 'double':
    case 'real':
      return (cells, row, value) => readText(type, cells, row, String(toBig(value)))
    default:
      return (cells, row, value) => fillDecimal(type, cells, row, toBig(value), 0)
  }
}

function fillDecimal(
  type: SqlType,
  cells: BuilderColumn,
  row: number,
  coefficient: bigint,
  scale: number,
): string | null {
  const decimal: Decimal = { coefficient, scale, special: '' }
  if (type.kind === 'numeric') return setDecimal(type, cells, row, decimal, formatDecimal(decimal))
  return readJson(type, cells, row, 'number', formatDecimal(decimal))
}

/** A decimal's coefficient: an integer, or big-endian two's complement bytes. */
function unscaled(value: unknown): bigint {
  if (!(value instanceof Uint8Array)) return BigInt(value as number | bigint)
  let coefficient = 0n
  for (const byte of value) coefficient = (coefficient << 8n) | BigInt(byte)
  return BigInt.asIntN(value.length * 8, coefficient)
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function textFiller(type: SqlType): ParquetFiller {
  return (cells, row, value) => {
    const bytes = value as Uint8Array
    if (type.kind === 'text') {
      if (!isCleanText(bytes)) return 'the text is not UTF-8, or has the character U+0000 in it'
      cells.setBytes(row, bytes)
      return null
    }
    try {
      return readText(type, cells, row, decoder.decode(bytes))
    } catch {
      return 'the text is not UTF-8'
    }
  }
}

function isCleanText(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] < 0x80 ? (bytes[at] === 0 ? 0 : 1) : utf8Length(bytes, at)
    if (length === 0) return false
    at += length
  }
  return true
}

function timeFiller(
  type: SqlType & { readonly kind: 'time' | 'timestamp' | 'timestamptz' },
  meaning: Meaning,
): ParquetFiller | null {
  if (meaning.kind === 'text') return textFiller(type)
  if (type.kind === 'time') return meaning.kind === 'time' ? microsFiller(type, meaning) : null
  if (meaning.kind === 'int96') {
    return (cells, row, value) => fillMicros(type, cells, row, int96Micros(value as bigint))
  }
  if (meaning.kind === 'date') {
    return (cells, row, value) => fillMicros(type, cells, row, BigInt(value as number) * 86_400_000_000n)
  }
  return meaning.kind === 'timestamp' ? microsFiller(type, meaning) : null
}

function microsFiller(type: SqlType, meaning: { readonly perMicro: bigint; readonly micros: bigint }): ParquetFiller {
  const { perMicro, micros } = meaning
  if (perMicro === 1n && micros === 1n) return (cells, row, value) => fillMicros(type, cells, row, value as bigint)
  return (cells, row, value) => {
    const scaled = BigInt(value as number | bigint) * micros
    // Nanoseconds are cut off towards the past, so that order is kept.
    const floor = scaled >= 0n || scaled % perMicro === 0n ? scaled / perMicro : scaled / perMicro - 1n
    return fillMicros(type, cells, row, floor)
  }
}

const julianDayOf1970 = 2440588n

/** A Julian day in the upper 32 bits of 96 and the day's nanoseconds below. */
function int96Micros(value: bigint): bigint {
  return ((value >> 64n) - julianDayOf1970) * 86_400_000_000n + (value & 0xffffffffffffffffn) / 1000n
}

const midnight = 86_400_000_000n

function fillMicros(type: SqlType, cells: BuilderColumn, row: number, micros: bigint): string | null {
  const fits = type.kind === 'time' ? micros >= 0n && micros <= midnight : timestampInRange(micros)
  if (!fits) return `${micros} microseconds are out of range for ${typeName(type)}`
  cells.setBig(row, micros)
  return null
}
