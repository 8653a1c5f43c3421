import { type BodyFormat, type EventError, type EventReader, EventWalker } from './ingest/event-walker.ts'
import { failed, JsonScanner } from './ingest/json-scan.ts'
import { type Problem, pointerStep } from './ingest/row-reader.ts'
import { defaultMaxErrors } from './json-decoder.ts'

/**
 * CloudEvents 1.0 as bodies of plain events: an event is the `data`, and beside its fields stand the attributes, each
 * under `ce_` and its name (`ce_id`, `ce_source`, …). So a topic that wants them has columns of these names, and one
 * that doesn't keeps them as it keeps all fields that it doesn't know. Values are copied as they were written.
 *
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 */
export interface OpenedCloudEvents {
  /** The events as a body of plain JSON. */
  readonly body: Uint8Array
  readonly errors: readonly EventError[]
  readonly badEvents: number
  readonly malformed: boolean
}

/** Reads the JSON event format: one envelope, or an array of them. */
export function openCloudEvents(body: Uint8Array, batch: boolean): OpenedCloudEvents {
  const scanner = new JsonScanner()
  const reader = new EnvelopeReader(scanner)
  const format: BodyFormat = batch ? 'array' : 'object'
  const walker = new EventWalker(scanner, reader, format, { maxErrors: defaultMaxErrors })
  walker.walkAll(body)
  if (batch) walker.expectEnd()
  const { errors, badEvents, malformed } = walker
  // One after the other makes an array; a body of one event is that event.
  const joined = batch ? `[${reader.events.join(',')}]` : reader.events.join('')
  return { body: encoder.encode(joined), errors, badEvents, malformed }
}

/**
 * Puts attributes that came beside an event's data, such as in headers, among its fields.
 * @param body one JSON object; anything else stays as it is, for the decoder to refuse
 */
export function withAttributes(body: Uint8Array, attributes: ReadonlyMap<string, string>): Uint8Array {
  const text = decoder.decode(body).trimEnd()
  if (!text.endsWith('}')) return body
  const fields = [...attributes].map(([name, value]) => `"ce_${name}":${JSON.stringify(value)}`)
  const inner = text.slice(0, -1)
  return encoder.encode(`${inner}${isOpening(inner) ? '' : ','}${fields.join(',')}}`)
}

/**
 * Where a mistake in an opened event is in the event as it came.
 * @param pointer into what was opened
 * @param mode where attributes stand beside the data (`envelope`), or in headers
 */
export function cloudEventPointer(pointer: string, mode: 'batch' | 'structured' | 'binary'): string {
  const index = mode === 'batch' ? (/^\/\d+/.exec(pointer)?.[0] ?? '') : ''
  const field = pointer.slice(index.length)
  const attribute = /^\/ce_([a-z0-9]+)$/.exec(field)?.[1]
  if (mode === 'binary') return attribute === undefined ? field : ''
  return `${index}${attribute === undefined ? `/data${field}` : `/${attribute}`}`
}

/** Names of attributes: lower-case letters and digits. */
export const isAttributeName = (name: string): boolean => /^[a-z0-9]+$/.test(name)

/** What is wrong with an envelope's attributes, or with what of them came in headers. */
export function attributeProblems(attributes: ReadonlyMap<string, string>): readonly Problem[] {
  const problems: Problem[] = []
  for (const name of ['specversion', 'id', 'source', 'type']) {
    const value = attributes.get(name)
    if (value === undefined) problems.push({ pointer: '', detail: `the attribute ${name} is missing` })
    else if (value === '') problems.push({ pointer: `/${name}`, detail: `the attribute ${name} must not be empty` })
  }
  const version = attributes.get('specversion')
  if (version !== undefined && version !== '' && version !== '1.0') {
    problems.push({ pointer: '/specversion', detail: `CloudEvents ${version} are not supported, only 1.0` })
  }
  const type = attributes.get('datacontenttype')
  if (type !== undefined && !isJsonType(type)) {
    problems.push({ pointer: '/datacontenttype', detail: `an event's data must be JSON, not ${type}` })
  }
  return problems
}

function isJsonType(type: string): boolean {
  return /^[\w.+-]+\/(?:json|[\w.+-]+\+json)\s*(?:;.*)?$/i.test(type.trim())
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Composes each envelope's event as text. */
class EnvelopeReader implements EventReader {
  problems: Problem[] = []
  readonly events: string[] = []
  readonly #scanner: JsonScanner
  readonly #attributes = new Map<string, string>()
  /** Attributes as they were written. */
  #fields: string[] = []
  /** The data's fields as they were written, without the braces; null before they were met. */
  #data: string | null = null
  #event = ''

  constructor(scanner: JsonScanner) {
    this.#scanner = scanner
  }

  read(at: number): number {
    const scanner = this.#scanner
    this.problems = []
    this.#attributes.clear()
    this.#fields = []
    this.#data = null
    if (scanner.bytes[at] !== 0x7b) {
      this.problems.push({ pointer: '', detail: 'a CloudEvent must be a JSON object' })
      return scanner.skip(at)
    }
    const end = this.#members(scanner.space(at + 1))
    if (end >= 0) this.#finish()
    return end
  }

  #members(at: number): number {
    const scanner = this.#scanner
    if (scanner.bytes[at] === 0x7d) return at + 1
    for (;;) {
      if (scanner.bytes[at] !== 0x22) return scanner.expected(at, 'a key in double quotes')
      const keyEnd = scanner.skipString(at)
      const colon = keyEnd < 0 ? failed : scanner.colon(keyEnd)
      if (colon < 0) return failed
      const start = scanner.space(colon)
      const end = scanner.skip(start)
      if (end < 0) return failed
      this.#member(scanner.string(at, keyEnd), start, end)
      at = scanner.space(end)
      const c = scanner.bytes[at++]
      if (c === 0x7d) return at
      if (c !== 0x2c) return scanner.expected(at - 1, "',' or '}'")
      at = scanner.space(at)
    }
  }

  #member(name: string, start: number, end: number): void {
    const scanner = this.#scanner
    const first = scanner.bytes[start]
    const pointer = pointerStep(name)
    if (name === 'data' || name === 'data_base64') {
      if (this.#data !== null) this.problems.push({ pointer, detail: 'the data are there twice' })
      else if (name === 'data_base64') this.#decode(first === 0x22 ? scanner.string(start, end) : '')
      else this.#take(scanner.text(start, end), pointer)
      return
    }
    if (!isAttributeName(name)) {
      this.problems.push({ pointer, detail: 'an attribute has a name of lower-case letters and digits' })
    } else if (this.#attributes.has(name)) this.problems.push({ pointer, detail: 'the key is there twice' })
    else if (first === 0x7b || first === 0x5b) {
      this.problems.push({ pointer, detail: 'an attribute is a string, a number or a boolean' })
    } else {
      const text = first === 0x22 ? scanner.string(start, end) : scanner.text(start, end)
      if (text === 'null' && first === 0x6e) return
      this.#attributes.set(name, text)
      this.#fields.push(`"ce_${name}":${scanner.text(start, end)}`)
    }
  }

  /** @param text JSON that has been checked */
  #take(text: string, pointer: string): void {
    if (text.startsWith('{')) this.#data = text.slice(1, -1)
    else {
      this.#data = ''
      this.problems.push({ pointer, detail: 'the data must be a JSON object' })
    }
  }

  #decode(base64: string): void {
    const inner = new JsonScanner()
    if (/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
      inner.load(Buffer.from(base64, 'base64'))
      const start = inner.space(0)
      const end = inner.skip(start)
      if (end >= 0 && inner.space(end) >= inner.end) {
        this.#take(inner.text(start, end), '/data_base64')
        return
      }
    }
    this.#data = ''
    this.problems.push({ pointer: '/data_base64', detail: 'the data must be a JSON object in base64' })
  }

  #finish(): void {
    this.problems.push(...attributeProblems(this.#attributes))
    if (this.#data === null) this.problems.push({ pointer: '', detail: 'the data are missing' })
    const data = (this.#data ?? '').trim()
    this.#event = `{${data}${data === '' ? '' : ','}${this.#fields.join(',')}}`
  }

  commit(): void {
    this.events.push(this.#event)
  }

  rollback(): void {}
}

/** Does nothing stand in an object that begins so? */
function isOpening(text: string): boolean {
  return text.trim() === '{'
}
