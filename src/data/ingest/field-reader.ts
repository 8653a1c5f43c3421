import type { BuilderColumn } from '../block-builder.ts'
import { narrowDigits, type SqlType } from '../sql-type.ts'
import { readBoolean, readDecimal, readF64, readI32, readI64, readReal, readScaled, readText } from './json-readers.ts'
import { failed, type JsonScanner } from './json-scan.ts'
import { readDate, readTime, readTimestamp, readUuid } from './json-time-readers.ts'

/**
 * Generates the function that reads one event's fields. It first tries the schema's own order in straight lines. From
 * the first field that differs it predicts which column comes behind which, by what came there last time, and then
 * only compares the key's bytes, a word at a time; another order costs a look-up per field and is learnt. Names and
 * values of the schema enter the code as integers only.
 */

/** What the generated code leaves to its host: all that is not the usual case. */
export interface FieldHost {
  readonly scanner: JsonScanner
  readonly columns: readonly BuilderColumn[]
  /** Per column the number of the last event that had it. */
  readonly stamps: Int32Array
  /** Where `findKey` ended: behind the colon. */
  at: number
  /** @returns a column, as many as there are columns for an unknown key, or `failed` */
  findKey(at: number): number
  readSlowly(column: number, at: number): number
  readUnknown(at: number): number
  duplicate(column: number, at: number): number
  fillMissing(event: number): void
}

/**
 * @param at behind the opening brace
 * @param event a number that no earlier event had
 * @returns the position behind the closing brace, or `failed` for what is not JSON
 */
export type ReadFields = (s: Uint8Array, d: DataView, at: number, row: number, event: number) => number

export interface Field {
  readonly name: string
  readonly type: SqlType
}

const readers = {
  readBoolean,
  readDate,
  readDecimal,
  readF64,
  readI32,
  readI64,
  readReal,
  readScaled,
  readText,
  readTime,
  readTimestamp,
  readUuid,
}

export function generateFieldReader(fields: readonly Field[], host: FieldHost): ReadFields {
  const count = fields.length
  const wide = count > straightFields * 2
  // By the field before: which one to expect. Two more stand for the start and for unknown fields.
  const follows = Int32Array.from({ length: count + 2 }, (_, i) => (i < count ? i + 1 : i === count ? 0 : count))
  const lines = [
    `const { ${Object.keys(readers).join(', ')} } = readers`,
    'const { scanner, stamps } = host',
    ...fields.map((_, i) => `const c${i} = host.columns[${i}]`),
    ...(wide ? groupFunctions(fields) : []),
    'return function readFields(s, d, at, row, event) {',
    '  let column = 0, next = 0, seen = 0',
    `  let previous = ${count}`,
    ...straightLines(fields),
    '  if (s[at] !== 0x22) {',
    '    at = scanner.space(at)',
    '    if (s[at] === 0x7d) { host.fillMissing(event); return at + 1 }',
    `    if (s[at] !== 0x22) return scanner.expected(at, "a key in double quotes or '}'")`,
    '  }',
    '  for (;;) {',
    '    column = follows[previous]',
    '    found: {',
    ...(wide
      ? [
          `      next = column < ${count} ? keys[column >> ${groupShift}](d, at, column) : 0`,
          '      if (next > 0) { at += next; break found }',
        ]
      : [
          '      switch (column) {',
          ...fields.map(
            ({ name }, i) => `case ${i}: if (${keyTest(name)}) { at += ${keyBytes(name).length}; break found } break`,
          ),
          '      }',
        ]),
    '      column = host.findKey(at)',
    `      if (column < 0) return ${failed}`,
    '      at = host.at',
    `      follows[previous] = column`,
    '    }',
    '    if (s[at] <= 0x20) at = scanner.space(at)',
    `    if (column === ${count}) {`,
    '      next = host.readUnknown(at)',
    `      previous = ${count + 1}`,
    '    } else if (stamps[column] === event) {',
    '      next = host.duplicate(column, at)',
    '    } else {',
    '      stamps[column] = event',
    '      seen++',
    ...(wide
      ? [`      next = values[column >> ${groupShift}](s, d, at, row, column)`]
      : ['      switch (column) {', ...fields.map(({ type }, i) => valueCase(type, i)), '      }']),
    '      if (next < 0) next = host.readSlowly(column, at)',
    '      previous = column',
    '    }',
    `    if (next < 0) return ${failed}`,
    '    at = next',
    '    next = s[at]',
    '    if (next !== 0x2c) {',
    '      if (next <= 0x20) { at = scanner.space(at); next = s[at] }',
    '      if (next === 0x7d) break',
    `      if (next !== 0x2c) return scanner.expected(at, "',' or '}'")`,
    '    }',
    '    at++',
    '    if (s[at] === 0x20) at++',
    '    if (s[at] !== 0x22) {',
    '      at = scanner.space(at)',
    `      if (s[at] !== 0x22) return scanner.expected(at, 'a key in double quotes')`,
    '    }',
    '  }',
    `  if (seen !== ${count}) host.fillMissing(event)`,
    '  return at + 1',
    '}',
  ]
  return new Function('host', 'readers', 'follows', lines.join('\n'))(host, readers, follows)
}

/** V8 leaves a function alone that is too long, so that only so many fields are read in straight lines. */
const straightFields = 48

/**
 * Reads fields as long as they come in the schema's order, in their usual form, without white space but single
 * blanks. Then `at` and `previous` are where the loop goes on, with the field that did not fit.
 */
function straightLines(fields: readonly Field[]): string[] {
  const count = Math.min(fields.length, straightFields)
  const last = (i: number): boolean => i === fields.length - 1
  return [
    '  straight: {',
    '    let value = 0',
    ...fields
      .slice(0, count)
      .flatMap(({ name, type }, i) => [
        `    if (!(${keyTest(name)})) break straight`,
        `    value = at + ${keyBytes(name).length}`,
        '    if (s[value] === 0x20) value++',
        `    next = ${readerCall(type, `c${i}`, 'value')}`,
        `    if (next < 0 || s[next] !== ${last(i) ? '0x7d' : '0x2c'}) break straight`,
        ...(last(i)
          ? ['    return next + 1']
          : ['    at = next + 1', '    if (s[at] === 0x20) at++', `    seen = ${i + 1}`]),
      ]),
    '  }',
    '  for (let i = 0; i < seen; i++) stamps[i] = event',
    '  if (seen > 0) previous = seen - 1',
  ]
}

function keyBytes(name: string): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(name)}:`)
}

/** Compares the key with its quotes and its colon, all as words; the last overlaps the one before it. */
function keyTest(name: string): string {
  const key = keyBytes(name)
  // Only an empty name is shorter than a word, and no column has one.
  if (key.length < 4) return 'false'
  const view = new DataView(key.buffer)
  const tests: string[] = []
  for (let at = 0; at < key.length; at += 4) {
    const start = Math.min(at, key.length - 4)
    const place = start === 0 ? 'at' : `at + ${start}`
    tests.push(`d.getInt32(${place}, true) === ${view.getInt32(start, true)}`)
  }
  return tests.join(' && ')
}

function valueCase(type: SqlType, index: number): string {
  return `case ${index}: next = ${readerCall(type, `c${index}`, 'at')}; break`
}

/** Fields of a group, as a power of two. */
const groupShift = 6

/** For wide schemas the two switches in groups, each of which is short enough to be compiled. */
function groupFunctions(fields: readonly Field[]): string[] {
  const lines = ['const keys = [], values = []']
  for (let start = 0; start < fields.length; start += 1 << groupShift) {
    const group = fields.slice(start, start + (1 << groupShift))
    lines.push(
      'keys.push(function readKey(d, at, column) {',
      '  switch (column) {',
      ...group.map(({ name }, i) => `case ${start + i}: return ${keyTest(name)} ? ${keyBytes(name).length} : 0`),
      '  }',
      '})',
      'values.push(function readValue(s, d, at, row, column) {',
      '  let next = 0',
      '  switch (column) {',
      ...group.map(({ type }, i) => valueCase(type, start + i)),
      '  }',
      '  return next',
      '})',
    )
  }
  return lines
}

function readerCall(type: SqlType, column: string, at: string): string {
  const plain = `(s, ${at}, ${column}, row)`
  switch (type.kind) {
    case 'boolean':
      return `readBoolean${plain}`
    case 'smallint':
      return `readI32(s, ${at}, ${column}, row, -32768, 32767)`
    case 'integer':
      return `readI32(s, ${at}, ${column}, row, -2147483648, 2147483647)`
    case 'bigint':
      return `readI64${plain}`
    case 'double':
      return `readF64(scanner, s, ${at}, ${column}, row)`
    case 'real':
      return `readReal(scanner, s, ${at}, ${column}, row)`
    case 'numeric': {
      const scale = type.precision === undefined ? -1 : (type.scale ?? 0)
      const limit = type.precision === undefined ? 'Infinity' : `1e${Math.trunc(type.precision)}`
      const narrow = type.precision !== undefined && type.precision <= narrowDigits
      return `${narrow ? 'readScaled' : 'readDecimal'}(s, ${at}, ${column}, row, ${Math.trunc(scale)}, ${limit})`
    }
    case 'text':
    case 'varchar': {
      const call = `readText(scanner, s, d, ${at}, ${column}, row)`
      if (type.kind === 'text' || type.length === undefined) return call
      return `${call}; if (${column}.words[row * 2 + 1] > ${Math.trunc(type.length)}) next = ${failed}`
    }
    case 'date':
      return `readDate${plain}`
    case 'time':
      return `readTime${plain}`
    case 'timestamp':
    case 'timestamptz':
      return `readTimestamp${plain}`
    case 'uuid':
      return `readUuid${plain}`
    default:
      return `${failed}`
  }
}
