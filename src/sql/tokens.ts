/**
 * PostgreSQL's lexical rules, as far as they decide where a word, a string, a comment or a bracket begins and ends.
 * The parser's tree keeps neither the spelling of a name nor where an alias stands: the tokens do. They also bound
 * the nesting of a text before the parser sees it.
 */
export interface Token {
  readonly kind: TokenKind
  /** Character offsets in the text; `end` is exclusive. */
  readonly start: number
  readonly end: number
}

export type TokenKind = 'word' | 'quoted' | 'string' | 'number' | 'parameter' | 'symbol'

const code = (character: string): number => character.charCodeAt(0)
const quote = code("'")
const doubleQuote = code('"')
const backslash = code('\\')
const dollar = code('$')
const dash = code('-')
const slash = code('/')
const star = code('*')
const colon = code(':')
const point = code('.')
const newline = code('\n')
const carriageReturn = code('\r')
const operators = new Set([...'~!@#^&|`?+-*/%<>='].map(code))

const isSpace = (c: number): boolean => c === 32 || (c >= 9 && c <= 13)
const isDigit = (c: number): boolean => c >= 48 && c <= 57
const isWordStart = (c: number): boolean => (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95 || c >= 128
const isWordPart = (c: number): boolean => isWordStart(c) || isDigit(c) || c === dollar

/** All tokens of a text, comments left out. What is not terminated reaches to the end: the parser refuses it. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    const c = text.charCodeAt(at)
    if (isSpace(c)) at++
    else if (c === dash && text.charCodeAt(at + 1) === dash) at = lineEnd(text, at)
    else if (c === slash && text.charCodeAt(at + 1) === star) at = commentEnd(text, at)
    else {
      const token = tokenAt(text, at, c)
      tokens.push(token)
      at = token.end
    }
  }
  return tokens
}

function tokenAt(text: string, start: number, c: number): Token {
  if (isWordStart(c)) return wordAt(text, start, c)
  if (c === quote) return { kind: 'string', start, end: stringEnd(text, start, 'plain') }
  if (c === doubleQuote) return { kind: 'quoted', start, end: quotedEnd(text, start) }
  if (isDigit(c) || (c === point && isDigit(text.charCodeAt(start + 1)))) return numberAt(text, start)
  if (c === dollar) return dollarAt(text, start)
  let end = start + 1
  if (c === colon) {
    if (text.charCodeAt(end) === colon || text.charCodeAt(end) === code('=')) end++
  } else if (c === point && text.charCodeAt(end) === point) end++
  else if (operators.has(c)) end = operatorEnd(text, start)
  return { kind: 'symbol', start, end }
}

/** PostgreSQL refuses operators that are longer. */
const longestOperator = 63

/** The longest run, but a sign at its end belongs to what follows unless SQL has no such operator anyway: `2*-1`. */
function operatorEnd(text: string, start: number): number {
  let end = start + 1
  const most = start + longestOperator
  while (end < most && operators.has(text.charCodeAt(end)) && !startsComment(text, end)) end++
  if (/[~!@#^&|`?%]/.test(text.slice(start, end))) return end
  while (end > start + 1 && (text.charCodeAt(end - 1) === dash || text.charCodeAt(end - 1) === code('+'))) end--
  return end
}

function startsComment(text: string, at: number): boolean {
  const c = text.charCodeAt(at)
  const next = text.charCodeAt(at + 1)
  return (c === dash && next === dash) || (c === slash && next === star)
}

function wordAt(text: string, start: number, c: number): Token {
  const next = text.charCodeAt(start + 1)
  if (next === quote) {
    const letter = c | 32
    if (letter === code('e')) return { kind: 'string', start, end: stringEnd(text, start + 1, 'escaped') }
    if (letter === code('b') || letter === code('x')) {
      return { kind: 'string', start, end: stringEnd(text, start + 1, 'bits') }
    }
  }
  if ((c | 32) === code('u') && next === code('&')) {
    const mark = text.charCodeAt(start + 2)
    if (mark === quote) return { kind: 'string', start, end: stringEnd(text, start + 2, 'plain') }
    if (mark === doubleQuote) return { kind: 'quoted', start, end: quotedEnd(text, start + 2) }
  }
  let end = start + 1
  while (end < text.length && isWordPart(text.charCodeAt(end))) end++
  return { kind: 'word', start, end }
}

function numberAt(text: string, start: number): Token {
  const number = /(?:0[xob][\da-f_]+|\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:e[+-]?\d+)?/iy
  number.lastIndex = start
  const match = number.exec(text)
  return { kind: 'number', start, end: start + (match === null ? 1 : match[0].length) }
}

function dollarAt(text: string, start: number): Token {
  let end = start + 1
  if (isDigit(text.charCodeAt(end))) {
    while (isDigit(text.charCodeAt(end))) end++
    return { kind: 'parameter', start, end }
  }
  while (end < text.length && isWordPart(text.charCodeAt(end)) && text.charCodeAt(end) !== dollar) end++
  if (text.charCodeAt(end) !== dollar) return { kind: 'symbol', start, end: start + 1 }
  const tag = text.slice(start, end + 1)
  const close = text.indexOf(tag, end + 1)
  return { kind: 'string', start, end: close < 0 ? text.length : close + tag.length }
}

/** From an opening double quote to behind its closing one; a doubled quote stands for itself. */
function quotedEnd(text: string, open: number): number {
  let at = open + 1
  for (;;) {
    const close = text.indexOf('"', at)
    if (close < 0) return text.length
    if (text.charCodeAt(close + 1) !== doubleQuote) return close + 1
    at = close + 2
  }
}

/** In E'…' a backslash escapes; in B'…' and X'…' not even a doubled quote stands for itself. */
type StringRule = 'plain' | 'escaped' | 'bits'

/** From a string's opening quote to behind its last. Pieces on later lines continue it under the same rule. */
function stringEnd(text: string, open: number, rule: StringRule): number {
  let at = open + 1
  while (at < text.length) {
    const c = text.charCodeAt(at)
    if (c === backslash && rule === 'escaped') at += 2
    else if (c !== quote) at++
    else if (text.charCodeAt(at + 1) === quote && rule !== 'bits') at += 2
    else {
      const next = continuation(text, at + 1)
      if (next < 0) return at + 1
      at = next
    }
  }
  return text.length
}

/** Behind the quote that continues a string after at least one line's end, or −1. */
function continuation(text: string, from: number): number {
  let at = from
  let lines = 0
  while (at < text.length) {
    const c = text.charCodeAt(at)
    if (c === newline || c === carriageReturn) lines++
    if (!isSpace(c)) return c === quote && lines > 0 ? at + 1 : -1
    at++
  }
  return -1
}

function lineEnd(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charCodeAt(at) !== newline && text.charCodeAt(at) !== carriageReturn) at++
  return at
}

/** Comments nest. */
function commentEnd(text: string, start: number): number {
  let depth = 0
  let at = start
  while (at < text.length) {
    const c = text.charCodeAt(at)
    const next = text.charCodeAt(at + 1)
    if (c === slash && next === star) {
      depth++
      at += 2
    } else if (c === star && next === slash) {
      depth--
      at += 2
      if (depth === 0) return at
    } else at++
  }
  return text.length
}

/** Letters A to Z in lower case, as PostgreSQL folds names that are not quoted. Names are the same if this is. */
export function fold(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** The name that a word or quoted identifier spells; any other token is spelled as it stands. */
export function spelled(text: string, token: Token): string {
  const raw = text.slice(token.start, token.end)
  if (token.kind !== 'quoted') return raw
  const inner = raw.slice(raw.indexOf('"') + 1, -1).replaceAll('""', '"')
  return raw.startsWith('"') ? inner : unicodeEscapes(inner)
}

function unicodeEscapes(name: string): string {
  return name.replace(/\\(?:([\dA-Fa-f]{4})|\+([\dA-Fa-f]{6})|(\\))/g, (_, short, long, itself) =>
    itself === undefined ? String.fromCodePoint(Number.parseInt(short ?? long, 16)) : '\\',
  )
}
