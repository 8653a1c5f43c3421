// One case of the law: a title, a schema, events in the order of the log, views, and what PostgreSQL is asked instead
// where it cannot run a view's text itself. README.md beside this file describes the format.

/** An event as it stands in a case file. The data stay text, so that numbers reach both sides as they were written. */
export interface CaseEvent {
  /** null: nothing arrives, but time goes on. */
  readonly topic: string | null
  readonly operation: 'upsert' | 'delete'
  /** The event's fields: name as written, and the value's JSON text. */
  readonly fields: readonly (readonly [string, string])[]
  /** The time of the tick that takes this event, for views with now(). */
  readonly at: string | null
}

export interface LawCase {
  readonly name: string
  readonly title: string
  readonly schema: string
  readonly events: readonly CaseEvent[]
  readonly views: string
  /** SELECTs for PostgreSQL by view, where it cannot run the view's own text or leaves its order open. */
  readonly oracles: ReadonlyMap<string, string>
  /** SELECTs that count a view's error rows; without one there must be none. */
  readonly errors: ReadonlyMap<string, string>
  /** Set where Millrace must refuse the definition, with words its message must hold. */
  readonly refused: { readonly code: string; readonly fragment: string } | null
}

export class CaseError extends Error {
  override readonly name = 'CaseError'
}

const mark = /^-- (schema|events|view|oracle|errors|refused)\b:? ?(.*)$/

export function parseCase(name: string, text: string): LawCase {
  const sections: { kind: string; argument: string; lines: string[] }[] = [{ kind: 'title', argument: '', lines: [] }]
  for (const line of text.split('\n')) {
    const match = mark.exec(line.trimEnd())
    if (match) sections.push({ kind: match[1], argument: match[2].trim(), lines: [] })
    else sections[sections.length - 1].lines.push(line)
  }
  const one = (kind: string): string =>
    sections
      .filter((section) => section.kind === kind)
      .map((section) => section.lines.join('\n').trim())
      .join('\n')
  const named = (kind: string): Map<string, string> =>
    new Map(
      sections
        .filter((section) => section.kind === kind)
        .map((section) => [section.argument, section.lines.join('\n').trim().replace(/;$/, '')]),
    )
  const refusal = sections.find((section) => section.kind === 'refused')
  const parsed: LawCase = {
    name,
    title: one('title').replace(/^-- ?/gm, ''),
    schema: one('schema'),
    events: one('events')
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => parseEvent(name, line)),
    views: one('view'),
    oracles: named('oracle'),
    errors: named('errors'),
    refused: refusal ? splitRefusal(refusal.argument) : null,
  }
  if (parsed.title === '') throw new CaseError(`${name} has no title`)
  if (parsed.views === '') throw new CaseError(`${name} has no view`)
  return parsed
}

function splitRefusal(argument: string): { code: string; fragment: string } {
  const space = argument.indexOf(' ')
  return space < 0
    ? { code: argument, fragment: '' }
    : { code: argument.slice(0, space), fragment: argument.slice(space + 1) }
}

function parseEvent(name: string, line: string): CaseEvent {
  const parts = new Map(jsonFields(line))
  for (const key of parts.keys()) {
    if (!['topic', 'op', 'data', 'at'].includes(key)) throw new CaseError(`${name}: an event with '${key}': ${line}`)
  }
  const text = (key: string): string | null => {
    const value = parts.get(key)
    return value === undefined ? null : (JSON.parse(value) as string)
  }
  const operation = text('op') ?? 'upsert'
  if (operation !== 'upsert' && operation !== 'delete') throw new CaseError(`${name}: op ${operation}`)
  return { topic: text('topic'), operation, fields: jsonFields(parts.get('data') ?? '{}'), at: text('at') }
}

/** An object's members with each value's own text. */
export function jsonFields(text: string): [string, string][] {
  JSON.parse(text)
  const fields: [string, string][] = []
  let at = text.indexOf('{') + 1
  for (;;) {
    at = skip(text, at, /[\s,]/)
    if (text[at] === '}') return fields
    const keyEnd = valueEnd(text, at)
    const key = JSON.parse(text.slice(at, keyEnd)) as string
    at = skip(text, text.indexOf(':', keyEnd) + 1, /\s/)
    const end = valueEnd(text, at)
    fields.push([key, text.slice(at, end)])
    at = end
  }
}

function skip(text: string, from: number, what: RegExp): number {
  let at = from
  while (what.test(text[at] ?? '')) at++
  return at
}

function valueEnd(text: string, from: number): number {
  if (text[from] === '"') {
    let at = from + 1
    while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
    return at + 1
  }
  if (text[from] !== '{' && text[from] !== '[') {
    let at = from
    while (at < text.length && !/[\s,}\]]/.test(text[at])) at++
    return at
  }
  let depth = 0
  let at = from
  do {
    if (text[at] === '"') {
      at = valueEnd(text, at)
      continue
    }
    if (text[at] === '{' || text[at] === '[') depth++
    if (text[at] === '}' || text[at] === ']') depth--
    at++
  } while (depth > 0)
  return at
}

export function eventData(event: CaseEvent): string {
  return `{${event.fields.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`
}

export function printEvent(event: CaseEvent): string {
  const parts: string[] = []
  if (event.topic !== null) parts.push(`"topic":${JSON.stringify(event.topic)}`)
  if (event.operation === 'delete') parts.push('"op":"delete"')
  if (event.topic !== null) parts.push(`"data":${eventData(event)}`)
  if (event.at !== null) parts.push(`"at":${JSON.stringify(event.at)}`)
  return `{${parts.join(',')}}`
}

export function printCase(item: LawCase): string {
  const parts = [
    item.title.replace(/^/gm, '-- '),
    `-- schema\n${item.schema}`,
    `-- events\n${item.events.map(printEvent).join('\n')}`,
    `-- view\n${item.views}`,
    ...[...item.oracles].map(([view, sql]) => `-- oracle ${view}\n${sql}`),
    ...[...item.errors].map(([view, sql]) => `-- errors ${view}\n${sql}`),
  ]
  if (item.refused) parts.push(`-- refused: ${item.refused.code} ${item.refused.fragment}`.trimEnd())
  return `${parts.join('\n\n')}\n`
}
