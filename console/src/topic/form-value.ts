/** What somebody typed into a field, as an event's JSON has it. */
import type { ColumnInfo } from '../ask/catalog.ts'

export type FieldKind = 'text' | 'number' | 'boolean' | 'time' | 'json'

export function fieldKind(type: string): FieldKind {
  if (type === 'boolean') return 'boolean'
  if (type === 'jsonb' || type.endsWith('[]')) return 'json'
  if (/^(timestamp|date|time)/.test(type)) return 'time'
  if (/^(smallint|integer|bigint|real|double|numeric)/.test(type)) return 'number'
  return 'text'
}

/** An event of the fields that were filled in; those that may be NULL and were left empty are not in it. */
export function eventOf(
  columns: readonly ColumnInfo[],
  typed: Readonly<Record<string, string>>,
): { readonly event: Readonly<Record<string, unknown>>; readonly errors: Readonly<Record<string, string>> } {
  const event: Record<string, unknown> = {}
  const errors: Record<string, string> = {}
  for (const { name, type, nullable } of columns) {
    const text = typed[name] ?? ''
    const kind = fieldKind(type)
    if (text === '' && (nullable || kind !== 'text')) {
      if (!nullable) errors[name] = 'is missing'
      continue
    }
    try {
      event[name] = typedValue(text, type, kind)
    } catch {
      errors[name] = 'is no JSON'
    }
  }
  return { event, errors }
}

/** What is no number goes as it was typed, so that the server says what it wants there. */
function typedValue(text: string, type: string, kind: FieldKind): unknown {
  if (kind === 'json') return JSON.parse(text)
  if (kind === 'boolean') return text === 'true'
  // bigint and numeric travel as text: no digit is lost.
  if (kind !== 'number' || /^(bigint|numeric)/.test(type)) return text
  const number = Number(text)
  return Number.isFinite(number) && text.trim() !== '' ? number : text
}

/** The present as a column of this type has it. */
export function nowText(type: string): string {
  const iso = new Date().toISOString()
  if (type === 'date') return iso.slice(0, 10)
  if (/^time( |$)/.test(type)) return iso.slice(11, 23)
  return type.startsWith('timestamp with time zone') ? iso : iso.slice(0, 23)
}

/** What a field may look like. */
export function exampleOf(type: string): string {
  switch (fieldKind(type)) {
    case 'number':
      return /^(smallint|integer|bigint)/.test(type) ? '42' : '9.50'
    case 'time':
      return type === 'date' ? '2026-11-22' : type.startsWith('timestamp') ? '2026-11-22T10:00:00' : '10:00:00'
    case 'json':
      return type.endsWith('[]') ? '["a", "b"]' : '{"a": 1}'
    case 'boolean':
      return 'true'
    case 'text':
      return type === 'uuid' ? '6f1c0c9e-2b7a-4c1d-9e55-0a4d1f2b3c4d' : ''
  }
}

/** An event to begin with, for snippets. */
export function exampleEvent(columns: readonly ColumnInfo[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    columns
      .filter(({ nullable }) => !nullable)
      .map(({ name, type }) => {
        const kind = fieldKind(type)
        const example = exampleOf(type)
        if (kind === 'number') return [name, Number(example)]
        if (kind === 'boolean') return [name, true]
        if (kind === 'json') return [name, JSON.parse(example)]
        return [name, example === '' ? '…' : example]
      }),
  )
}
