import { decimalZero, formatDecimal, parseDecimal, trimDecimal } from './decimal.ts'

/**
 * jsonb as PostgreSQL stores and prints it: keys once (the last wins), shortest first and then by bytes, numbers as
 * numeric, one space behind `:` and `,`.
 */

export type JsonValue =
  | { readonly kind: 'null' | 'true' | 'false' }
  /** `text` as numeric prints it. */
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'array'; readonly items: readonly JsonValue[] }
  | { readonly kind: 'object'; readonly entries: ReadonlyMap<string, JsonValue> }

/** Nesting beyond this is refused, well before the stack ends. */
export const jsonDepthMax = 1000

/** @returns PostgreSQL's output text, or null for text that isn't JSON or has a NUL or half a surrogate pair in it */
export function canonicalJsonb(text: string): string | null {
  const value = parseJson(text)
  return value === null ? null : formatJson(value)
}

/** The form that equal documents share: numbers without trailing zeros. For canonical text only. */
export function jsonbKey(canonical: string): string {
  // Only a number with a point can have another form, and most documents have none.
  if (!/\d\.\d*0/.test(canonical)) return canonical
  const value = parseJson(canonical, jsonDepthMax + 1)
  return value === null ? canonical : formatJson(value, true)
}

/**
 * @param depthMax what was computed may be one deeper than what is taken in: `||` puts an object into an array
 * @returns null for text that isn't JSON as jsonb takes it
 */
export function parseJson(text: string, depthMax = jsonDepthMax): JsonValue | null {
  const reader = new Reader(text, depthMax)
  try {
    return reader.document()
  } catch (error) {
    if (error === malformed) return null
    throw error
  }
}

const malformed = Symbol('malformed')
const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const plainPattern = /[^"\\\u0000-\u001f]*/y
const wordPattern = /true|false|null/y
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

class Reader {
  readonly #text: string
  readonly #depthMax: number
  #at = 0

  constructor(text: string, depthMax: number) {
    this.#text = text
    this.#depthMax = depthMax
  }

  document(): JsonValue {
    const value = this.#value(0)
    this.#space()
    if (this.#at < this.#text.length) throw malformed
    return value
  }

  #space(): void {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at)
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return
      this.#at++
    }
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) throw malformed
    this.#at += match[0].length
    return match[0]
  }

  #take(c: string): boolean {
    this.#space()
    if (this.#text[this.#at] !== c) return false
    this.#at++
    return true
  }

  #value(depth: number): JsonValue {
    if (depth > this.#depthMax) throw malformed
    this.#space()
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#array(depth)
      case '"':
        return { kind: 'string', text: this.#string() }
      case 't':
      case 'f':
      case 'n':
        return { kind: this.#match(wordPattern) as 'true' | 'false' | 'null' }
      default:
        return { kind: 'number', text: this.#number() }
    }
  }

  #number(): string {
    const text = this.#match(numberPattern)
    if (/[\w.]/.test(this.#text[this.#at] ?? '')) throw malformed
    const value = parseDecimal(text)
    if (value === null) throw malformed
    return formatDecimal(value)
  }

  #string(): string {
    this.#at++
    let out = ''
    for (;;) {
      out += this.#match(plainPattern)
      const c = this.#text[this.#at++]
      if (c === '"') break
      if (c !== '\\') throw malformed
      out += this.#escape()
    }
    if (!isWellFormed(out) || out.includes('\0')) throw malformed
    return out
  }

  #escape(): string {
    const c = this.#text[this.#at++]
    if (c === 'u') {
      const digits = this.#text.slice(this.#at, this.#at + 4)
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw malformed
      this.#at += 4
      return String.fromCharCode(Number.parseInt(digits, 16))
    }
    const plain = c === undefined ? undefined : escapes[c]
    if (plain === undefined) throw malformed
    return plain
  }

  #array(depth: number): JsonValue {
    this.#at++
    const items: JsonValue[] = []
    if (this.#take(']')) return { kind: 'array', items }
    for (;;) {
      items.push(this.#value(depth + 1))
      if (this.#take(']')) return { kind: 'array', items }
      if (!this.#take(',')) throw malformed
    }
  }

  #object(depth: number): JsonValue {
    this.#at++
    const entries = new Map<string, JsonValue>()
    if (!this.#take('}')) {
      for (;;) {
        this.#space()
        if (this.#text[this.#at] !== '"') throw malformed
        const key = this.#string()
        if (!this.#take(':')) throw malformed
        entries.set(key, this.#value(depth + 1))
        if (this.#take('}')) break
        if (!this.#take(',')) throw malformed
      }
    }
    return orderedObject([...entries])
  }
}

function isWellFormed(text: string): boolean {
  return !/[\ud800-\udfff]/.test(text) || encodeURIWorks(text)
}

function encodeURIWorks(text: string): boolean {
  try {
    encodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

const encoder = new TextEncoder()

function byKey(a: readonly [string, JsonValue], b: readonly [string, JsonValue]): number {
  const left = encoder.encode(a[0])
  const right = encoder.encode(b[0])
  if (left.length !== right.length) return left.length - right.length
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return left[i] - right[i]
  return 0
}

/** An object with its keys in jsonb's order; of equal keys the last stays. */
export function orderedObject(entries: readonly (readonly [string, JsonValue])[]): JsonValue {
  return { kind: 'object', entries: new Map([...new Map(entries)].sort(byKey)) }
}

/** @param keyed numbers without trailing zeros */
export function formatJson(value: JsonValue, keyed = false): string {
  switch (value.kind) {
    case 'number':
      return keyed ? formatDecimal(trimDecimal(parseDecimal(value.text) ?? decimalZero)) : value.text
    case 'string':
      return quoteJson(value.text)
    case 'array':
      return `[${value.items.map((item) => formatJson(item, keyed)).join(', ')}]`
    case 'object':
      return `{${[...value.entries].map(([key, item]) => `${quoteJson(key)}: ${formatJson(item, keyed)}`).join(', ')}}`
    default:
      return value.kind
  }
}

/** JSON.stringify escapes as PostgreSQL does, once the text has no half of a surrogate pair. */
export function quoteJson(text: string): string {
  return JSON.stringify(text)
}
