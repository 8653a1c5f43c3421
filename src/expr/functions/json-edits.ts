import { cellErrors } from '../../data/cell.ts'
import { formatJson, type JsonValue, orderedObject } from '../../data/jsonb.ts'
import { fault } from '../runtime.ts'
import { define, helper } from './definition.ts'
import { readJson } from './json.ts'

/** jsonb: what makes another document of one, and containment. */

function itemsOf(value: JsonValue): readonly JsonValue[] {
  return value.kind === 'array' ? value.items : [value]
}

function joined(left: JsonValue, right: JsonValue): JsonValue {
  if (left.kind !== 'object' || right.kind !== 'object') {
    return { kind: 'array', items: [...itemsOf(left), ...itemsOf(right)] }
  }
  return orderedObject([...left.entries, ...right.entries])
}

function without(value: JsonValue, key: string): JsonValue {
  if (value.kind === 'object') return orderedObject([...value.entries].filter(([name]) => name !== key))
  if (value.kind === 'array') {
    return { kind: 'array', items: value.items.filter((item) => item.kind !== 'string' || item.text !== key) }
  }
  fault.state = cellErrors.invalidArgument
  return value
}

/** Negative positions count from the end; one that is not there takes nothing out. */
function withoutAt(value: JsonValue, position: number): JsonValue {
  if (value.kind !== 'array') {
    fault.state = cellErrors.invalidArgument
    return value
  }
  const at = position < 0 ? value.items.length + position : position
  return { kind: 'array', items: value.items.filter((_, i) => i !== at) }
}

function isContainer(value: JsonValue): boolean {
  return value.kind === 'array' || value.kind === 'object'
}

/** Numbers are equal whatever their digits behind the point. */
function sameScalar(left: JsonValue, right: JsonValue): boolean {
  return left.kind === right.kind && formatJson(left, true) === formatJson(right, true)
}

/** Is all of `part` in the document, structure by structure? Order and repetition in arrays do not count. */
function holds(whole: JsonValue, part: JsonValue): boolean {
  if (whole.kind === 'object') {
    if (part.kind !== 'object') return false
    return [...part.entries].every(([key, item]) => {
      const own = whole.entries.get(key)
      return own !== undefined && (isContainer(item) ? holds(own, item) : sameScalar(own, item))
    })
  }
  if (whole.kind !== 'array') return sameScalar(whole, part)
  if (part.kind !== 'array') return false
  return part.items.every((item) =>
    whole.items.some((own) => (isContainer(item) ? isContainer(own) && holds(own, item) : sameScalar(own, item))),
  )
}

/** At the top an array also holds the scalars that are in it. */
function contains(whole: string, part: string): boolean {
  const [left, right] = [readJson(whole), readJson(part)]
  const wrapped: JsonValue = left.kind === 'array' && !isContainer(right) ? { kind: 'array', items: [right] } : right
  return holds(left, wrapped)
}

function withoutNulls(value: JsonValue): JsonValue {
  if (value.kind === 'array') return { kind: 'array', items: value.items.map(withoutNulls) }
  if (value.kind !== 'object') return value
  const kept = [...value.entries].filter(([, item]) => item.kind !== 'null')
  return orderedObject(kept.map(([key, item]) => [key, withoutNulls(item)]))
}

define(
  '||',
  'jsonb,jsonb',
  helper((left: string, right: string) => formatJson(joined(readJson(left), readJson(right)))),
)
define(
  '-',
  'jsonb,text',
  helper((text: string, key: string) => formatJson(without(readJson(text), key)), true),
)
define(
  '-',
  'jsonb,integer',
  helper((text: string, position: number) => formatJson(withoutAt(readJson(text), position)), true),
)
define('@> jsonb_contains', 'jsonb,jsonb', helper(contains))
define(
  '<@ jsonb_contained',
  'jsonb,jsonb',
  helper((part: string, whole: string) => contains(whole, part)),
)
define(
  'jsonb_strip_nulls',
  'jsonb',
  helper((text: string) => formatJson(withoutNulls(readJson(text)))),
)
