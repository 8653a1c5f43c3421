import type { SchemaElement } from 'hyparquet'
import { describe, expect, it } from 'vitest'
import { openBlock } from '../../data/block.ts'
import { BlockBuilder } from '../../data/block-builder.ts'
import { blockCells } from '../../data/cell-access.ts'
import type { SqlType } from '../../data/sql-type.ts'
import { cellText } from '../../data/text-print.ts'
import { parquetFiller } from './parquet-cells.ts'

const of = (element: Partial<SchemaElement>): SchemaElement => ({ name: 'c', repetition_type: 'OPTIONAL', ...element })

/** A value of a Parquet column in a column of ours, as text; or why it does not go there. */
function fill(type: SqlType, element: Partial<SchemaElement>, value: unknown): string | null {
  const filler = parquetFiller(type, of(element))
  if (typeof filler === 'string') return filler
  const builder = new BlockBuilder([{ name: 'c', type, nullable: true }])
  builder.beginRow()
  const detail = filler(builder.columns[0], 0, value)
  if (detail !== null) return detail
  builder.commitRow()
  const block = openBlock(builder.finish())
  return cellText(block.memory, blockCells(block, 1)[0], 0, type)
}

const stamp = (unit: 'MILLIS' | 'MICROS' | 'NANOS', type = 'TIMESTAMP' as const): Partial<SchemaElement> => ({
  type: 'INT64',
  logical_type: { type, isAdjustedToUTC: true, unit },
})
const decimal = (type: SchemaElement['type'], scale: number): Partial<SchemaElement> => ({
  type: type!,
  converted_type: 'DECIMAL',
  scale,
  precision: 30,
})
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('a Parquet value', () => {
  it.each<[SqlType, Partial<SchemaElement>, unknown, string]>([
    [{ kind: 'boolean' }, { type: 'BOOLEAN' }, true, 't'],
    [{ kind: 'smallint' }, { type: 'INT32' }, -32768, '-32768'],
    [{ kind: 'smallint' }, { type: 'INT32' }, 32768, '32768 is out of range for smallint'],
    [{ kind: 'integer' }, { type: 'INT64' }, 2147483647n, '2147483647'],
    [{ kind: 'integer' }, { type: 'INT64' }, -2147483649n, '-2147483649 is out of range for integer'],
    [{ kind: 'integer' }, { type: 'INT32', converted_type: 'UINT_32' }, -1, '4294967295 is out of range for integer'],
    [{ kind: 'bigint' }, { type: 'INT32', converted_type: 'UINT_32' }, -1, '4294967295'],
    [{ kind: 'bigint' }, { type: 'INT64' }, -(2n ** 63n), '-9223372036854775808'],
    [
      { kind: 'bigint' },
      { type: 'INT64', converted_type: 'UINT_64' },
      -1n,
      '18446744073709551615 is out of range for bigint',
    ],
    [{ kind: 'bigint' }, decimal('INT64', 2), 150n, '"1.50" is not a bigint'],
    [{ kind: 'bigint' }, decimal('INT64', 2), 100n, '1'],
    [{ kind: 'numeric' }, decimal('INT32', 2), -5, '-0.05'],
    [{ kind: 'numeric' }, decimal('FIXED_LEN_BYTE_ARRAY', 3), Uint8Array.of(0xff, 0xfe), '-0.002'],
    [{ kind: 'numeric', precision: 6, scale: 1 }, decimal('BYTE_ARRAY', 2), Uint8Array.of(0x01, 0x05), '2.6'],
    [{ kind: 'numeric', precision: 2, scale: 1 }, decimal('INT32', 0), 10, '10 does not fit numeric(2,1)'],
    [{ kind: 'numeric' }, { type: 'INT64', converted_type: 'UINT_64' }, -1n, '18446744073709551615'],
    [{ kind: 'numeric' }, { type: 'DOUBLE' }, 0.1, 'the file has float (DOUBLE) there, which is no numeric'],
    [{ kind: 'double' }, { type: 'DOUBLE' }, -0, '0'],
    [{ kind: 'double' }, { type: 'INT64' }, 3n, '3'],
    [{ kind: 'real' }, { type: 'DOUBLE' }, 1e300, '1e+300 is out of range for real'],
    [{ kind: 'real' }, { type: 'FLOAT' }, Math.fround(0.1), '0.1'],
    [{ kind: 'timestamp' }, stamp('MILLIS'), -1n, '1969-12-31 23:59:59.999'],
    [{ kind: 'timestamp' }, stamp('NANOS'), -1n, '1969-12-31 23:59:59.999999'],
    [{ kind: 'timestamp' }, stamp('NANOS'), 1999n, '1970-01-01 00:00:00.000001'],
    [
      { kind: 'timestamptz' },
      { type: 'INT64', converted_type: 'TIMESTAMP_MICROS' },
      1n,
      '1970-01-01 00:00:00.000001+00',
    ],
    [{ kind: 'timestamp' }, { type: 'INT96' }, (2440589n << 64n) | 1_500_000n, '1970-01-02 00:00:00.0015'],
    [{ kind: 'timestamp' }, { type: 'INT32', converted_type: 'DATE' }, 1, '1970-01-02 00:00:00'],
    [
      { kind: 'timestamp' },
      { type: 'INT64' },
      1n,
      'the file has integer (INT64) there, which is no timestamp without time zone',
    ],
    [{ kind: 'date' }, { type: 'INT32', converted_type: 'DATE' }, -1, '1969-12-31'],
    [{ kind: 'time' }, { type: 'INT32', converted_type: 'TIME_MILLIS' }, 1500, '00:00:01.5'],
    [{ kind: 'text' }, { type: 'BYTE_ARRAY', converted_type: 'UTF8' }, bytes('é'), 'é'],
    [
      { kind: 'text' },
      { type: 'BYTE_ARRAY' },
      Uint8Array.of(0xff),
      'the text is not UTF-8, or has the character U+0000 in it',
    ],
    [
      { kind: 'text' },
      { type: 'BYTE_ARRAY' },
      Uint8Array.of(0),
      'the text is not UTF-8, or has the character U+0000 in it',
    ],
    [
      { kind: 'varchar', length: 2 },
      { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
      bytes('abc'),
      '"abc" is longer than 2 characters',
    ],
    [{ kind: 'jsonb' }, { type: 'BYTE_ARRAY', converted_type: 'JSON' }, bytes('{"b":1,"a":2}'), '{"a": 2, "b": 1}'],
    [{ kind: 'bytea' }, { type: 'BYTE_ARRAY' }, Uint8Array.of(0, 255), '\\x00ff'],
    [
      { kind: 'uuid' },
      { type: 'FIXED_LEN_BYTE_ARRAY', logical_type: { type: 'UUID' } },
      new Uint8Array(16),
      '00000000-0000-0000-0000-000000000000',
    ],
    [{ kind: 'text' }, { num_children: 1 }, null, 'the file has a nested column there'],
    [{ kind: 'text' }, { type: 'BYTE_ARRAY', repetition_type: 'REPEATED' }, null, 'the file has a list there'],
  ])('%j from %j', (type, element, value, expected) => {
    expect(fill(type, element, value)).toBe(expected)
  })
})
