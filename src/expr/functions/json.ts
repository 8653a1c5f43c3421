import { cellErrors } from '../../data/cell.ts'
import { type Decimal, decimalZero, parseDecimal } from '../../data/decimal.ts'
import { Bug } from '../../data/errors.ts'
import { formatJson, type JsonValue, jsonDepthMax, parseJson } from '../../data/jsonb.ts'
import { fault } from '../runtime.ts'
import { failing } from './cast-table.ts'
import { define, helper } from './definition.ts'

/** jsonb: steps into a document, as jsonb again or as text. A step that leads nowhere is NULL. */

// Several steps into one document come one after the other, and then read it once.
let lastText = ''
let lastValue: JsonValue | null = null

export function readJson(text: string): JsonValue {
  if (lastValue === null || lastText !== text) {
    lastValue = parseJson(text, jsonDepthMax + 1)
    lastText = text
    if (lastValue === null) throw new Bug('a jsonb that is no JSON')
  }
  return lastValue
}

function member(value: JsonValue, key: string): JsonValue | undefined {
  return value.kind === 'object' ? value.entries.get(key) : undefined
}

/** Negative positions count from the end. A scalar counts as an array of itself, as PostgreSQL stores one. */
function element(value: JsonValue, position: number): JsonValue | undefined {
  if (value.kind === 'array') return value.items.at(position)
  return value.kind !== 'object' && (position === 0 || position === -1) ? value : undefined
}

/** A path is an array's text, `{a,0,b}`: each step a key, or a position where there is an array. */
export function parsePath(path: string): readonly string[] | null {
  const match = /^\s*\{(.*)\}\s*$/s.exec(path)
  if (match === null) return null
  if (match[1].trim() === '') return []
  const steps: string[] = []
  const step = /\s*(?:"((?:[^"\\]|\\.)*)"|([^,{}"\\]*[^,{}"\\\s]))\s*(?:,|$)/sy
  let at = 0
  while (at < match[1].length) {
    step.lastIndex = at
    const found = step.exec(match[1])
    if (found === null) return null
    if (found[1] === undefined && found[2].toLowerCase() === 'null') return null
    steps.push(found[1] === undefined ? found[2] : found[1].replace(/\\(.)/gs, '$1'))
    at = step.lastIndex
  }
  return match[1].endsWith(',') ? null : steps
}

function follow(value: JsonValue, path: string): JsonValue | undefined {
  const steps = parsePath(path)
  if (steps === null) {
    fault.state = cellErrors.invalidText
    return value
  }
  let at: JsonValue | undefined = value
  for (const step of steps) {
    if (at === undefined) return undefined
    if (at.kind === 'array') at = /^\s*[+-]?\d+$/.test(step) ? element(at, Number(step)) : undefined
    else at = member(at, step)
  }
  return at
}

function asJson(value: JsonValue | undefined): string {
  if (value !== undefined) return formatJson(value)
  fault.state = 1
  return ''
}

/** A string without its quotes; JSON's null is NULL. */
function asText(value: JsonValue | undefined): string {
  if (value === undefined || value.kind === 'null') {
    if (fault.state === 0) fault.state = 1
    return ''
  }
  return value.kind === 'string' ? value.text : formatJson(value)
}

for (const [name, write] of [
  ['->', asJson],
  ['->>', asText],
] as const) {
  define(
    name,
    'jsonb,text',
    helper((text: string, key: string) => write(member(readJson(text), key)), true),
  )
  define(
    name,
    'jsonb,integer',
    helper((text: string, position: number) => write(element(readJson(text), position)), true),
  )
}
define(
  '#>',
  'jsonb,text',
  helper((text: string, path: string) => asJson(follow(readJson(text), path)), true),
)
define(
  '#>>',
  'jsonb,text',
  helper((text: string, path: string) => asText(follow(readJson(text), path)), true),
)

define(
  '?',
  'jsonb,text',
  helper((text: string, key: string) => {
    const value = readJson(text)
    if (value.kind === 'array') return value.items.some((item) => item.kind === 'string' && item.text === key)
    return value.kind === 'string' ? value.text === key : member(value, key) !== undefined
  }),
)

define(
  'jsonb_typeof',
  'jsonb',
  helper((text: string) => {
    const { kind } = readJson(text)
    return kind === 'true' || kind === 'false' ? 'boolean' : kind
  }),
)

define(
  'jsonb_array_length',
  'jsonb',
  helper((text: string) => {
    const value = readJson(text)
    if (value.kind === 'array') return value.items.length
    fault.state = cellErrors.invalidArgument
    return 0
  }, true),
)

// Casts take only the kind of value that is asked for; null is NULL.

function jsonOf(text: string): JsonValue {
  const value = readJson(text)
  if (value.kind === 'null') fault.state = 1
  return value
}

export function numberOfJson(text: string): Decimal {
  const value = jsonOf(text)
  if (value.kind === 'number') return parseDecimal(value.text)!
  return value.kind === 'null' ? decimalZero : failing('invalidArgument', decimalZero)
}

export function booleanOfJson(text: string): boolean {
  const value = jsonOf(text)
  if (value.kind === 'true') return true
  return value.kind === 'false' || value.kind === 'null' ? false : failing('invalidArgument', false)
}
