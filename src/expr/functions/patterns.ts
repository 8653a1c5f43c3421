import { cellErrors } from '../../data/cell.ts'
import type { Builder } from '../builder.ts'
import { binary, type Expr, f64, falsehood, not } from '../kernel.ts'
import { fault } from '../runtime.ts'
import type { Value } from '../value.ts'
import { define, helper, helperCall, type Implementation } from './definition.ts'
import { type Regex, RegexProblem, translateRegex } from './regex.ts'
import { lowerCase } from './text.ts'

/** LIKE, ILIKE and regular expressions. */

/** What a LIKE pattern is made of: literal text, `%` as null, `_` as undefined. */
type Part = string | null | undefined

/** @returns null for a pattern that ends in its escape character */
export function parseLike(pattern: string): readonly Part[] | null {
  const parts: Part[] = []
  let text = ''
  const flush = (): void => {
    if (text !== '') parts.push(text)
    text = ''
  }
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]
    if (c === '\\') {
      if (++i === pattern.length) return null
      text += pattern[i]
    } else if (c === '%' || c === '_') {
      flush()
      if (c === '_') parts.push(undefined)
      else if (parts.length === 0 || parts.at(-1) !== null) parts.push(null)
    } else text += c
  }
  flush()
  return parts
}

/**
 * A LIKE pattern at work. What lies between two `%` has a fixed length, so the first place where it fits is the best
 * one: nothing is tried twice, as a regular expression for all of it would, without end.
 */
export class LikePattern {
  /** What is between `%`s, from the first to the last: found where it begins, anywhere …, at the end. */
  readonly #pieces: readonly RegExp[]

  constructor(parts: readonly Part[]) {
    const pieces = ['']
    for (const part of parts) {
      if (part === null) pieces.push('')
      else pieces[pieces.length - 1] += part === undefined ? '.' : part.replace(/[\^$\\.*+?()[\]{}|/]/g, '\\$&')
    }
    const last = pieces.length - 1
    this.#pieces = pieces.map((piece, i) => new RegExp(i === last ? `${piece}$` : piece, i === 0 ? 'suy' : 'sug'))
  }

  test(text: string): boolean {
    let at = 0
    for (const piece of this.#pieces) {
      piece.lastIndex = at
      if (!piece.test(text)) return false
      at = piece.lastIndex
    }
    return true
  }
}

/** What was compiled from patterns that aren't literals, the latest few of each kind. */
class Cache<T> {
  readonly #make: (key: string) => T
  readonly #known = new Map<string, T>()

  constructor(make: (key: string) => T) {
    this.#make = make
  }

  get(key: string): T {
    let value = this.#known.get(key)
    if (value === undefined) {
      value = this.#make(key)
      if (this.#known.size >= 200) this.#known.clear()
      this.#known.set(key, value)
    }
    return value
  }
}

const likes = new Cache((pattern) => {
  const parts = parseLike(pattern)
  return parts === null ? null : new LikePattern(parts)
})

function matchLike(text: string, pattern: string): boolean {
  const compiled = likes.get(pattern)
  if (compiled !== null) return compiled.test(text)
  fault.state = cellErrors.invalidArgument
  return false
}

function matchLikeInsensitive(text: string, pattern: string): boolean {
  return matchLike(lowerCase(text), lowerCase(pattern))
}

const encoder = new TextEncoder()

/** A literal pattern without `_` is matched on bytes: a beginning, parts in between, an end. */
function likeBytes(b: Builder, args: readonly Value[], parts: readonly Part[]): Value {
  const text = b.ref(args[0])
  const place = [text.value, text.length!]
  const literal = (part: string): Expr[] => {
    const ref = b.literalRef(encoder.encode(part))
    return [ref.value, ref.length!]
  }
  const call = (method: string, part: string): Expr => b.invoke(method, 'flag', [...place, ...literal(part)])
  const texts = parts.filter((part): part is string => typeof part === 'string')
  const open = { start: parts[0] === null, end: parts.at(-1) === null }
  if (parts.length === 0) return b.total([args[0]], 'flag', binary('==', text.length!, f64(0)))
  if (texts.length === 0) return b.total([args[0]], 'flag', { k: 'flag', type: 'flag', value: true })
  if (texts.length === 1) {
    const method = open.start ? (open.end ? 'contains' : 'endsWith') : open.end ? 'startsWith' : 'equalBytes'
    return b.total([args[0]], 'flag', call(method, texts[0]))
  }
  const pieces = b.pooled({ parts: texts.map((part) => encoder.encode(part)), ...open })
  return b.total([args[0]], 'flag', b.invoke('likeParts', 'flag', [...place, pieces]))
}

function likeOf(insensitive: boolean): Implementation {
  return (b, args, site) => {
    const [, pattern] = site.args
    if (pattern.op !== 'literal') return helperCall(b, args, site, insensitive ? matchLikeInsensitive : matchLike, true)
    if (pattern.text === null) return { ...b.plain('flag', falsehood), state: b.merged(args) }
    const parts = parseLike(insensitive ? lowerCase(pattern.text) : pattern.text)
    if (parts === null) return helperCall(b, args, site, matchLike, true)
    if (!insensitive && !parts.includes(undefined)) return likeBytes(b, args, parts)
    const like = new LikePattern(parts)
    const test = insensitive ? testInsensitive : testLike
    return helperCall(b, args.slice(0, 1), { ...site, args: site.args.slice(0, 1) }, test, false, [like])
  }
}

function testLike(text: string, like: LikePattern): boolean {
  return like.test(text)
}

function testInsensitive(text: string, like: LikePattern): boolean {
  return like.test(lowerCase(text))
}

function negated(implementation: Implementation): Implementation {
  return (b, args, site) => {
    const value = implementation(b, args, site)
    return { ...value, value: b.atom(not(value.value)) }
  }
}

for (const [name, implementation] of [
  ['~~', likeOf(false)],
  ['~~*', likeOf(true)],
] as const) {
  define(name, 'text,text', implementation)
  define(`!${name}`, 'text,text', negated(implementation))
}

/**
 * A pattern with another escape character, written with a backslash for it.
 * @returns null where the escape is no single character or ends the pattern
 */
export function escapeLike(pattern: string, mark: string): string | null {
  if ([...mark].length > 1) return null
  let out = ''
  const all = [...pattern]
  for (let i = 0; i < all.length; i++) {
    if (all[i] === mark) {
      if (++i === all.length) return null
      out += `\\${all[i]}`
    } else out += all[i] === '\\' ? '\\\\' : all[i]
  }
  return out
}

define(
  'like_escape',
  'text,text',
  helper((pattern: string, mark: string) => {
    const escaped = escapeLike(pattern, mark)
    if (escaped === null) fault.state = cellErrors.invalidArgument
    return escaped ?? ''
  }, true),
)

// Regular expressions

interface Compiled {
  readonly regExp: RegExp
  readonly regex: Regex
}

/** Keyed by flags, a blank and the pattern. */
const regexes = new Cache((key): Compiled | null => {
  const at = key.indexOf(' ')
  try {
    const regex = translateRegex(key.slice(at + 1), key.slice(0, at))
    return { regExp: new RegExp(regex.source, regex.flags), regex }
  } catch (error) {
    if (error instanceof RegexProblem) return null
    throw error
  }
})

function compiled(pattern: string, flags: string, certain: boolean): Compiled | null {
  const known = regexes.get(`${flags} ${pattern}`)
  if (known !== null && (known.regex.certain || !certain)) return known
  fault.state = cellErrors.invalidRegex
  return null
}

function matches(text: string, pattern: string, flags: string): boolean {
  return compiled(pattern, flags, false)?.regExp.test(text) ?? false
}

function matchesOf(flags: string): (text: string, pattern: string) => boolean {
  return (text, pattern) => matches(text, pattern, flags)
}

for (const [name, flags] of [
  ['~', ''],
  ['~*', 'i'],
] as const) {
  const implementation = helper(matchesOf(flags), true)
  define(name, 'text,text', implementation)
  define(`!${name}`, 'text,text', negated(implementation))
}
define('regexp_like', 'text,text', helper(matchesOf(''), true))
define(
  'regexp_like',
  'text,text,text',
  helper((text: string, pattern: string, flags: string): boolean => {
    if (!flags.includes('g')) return matches(text, pattern, flags)
    fault.state = cellErrors.invalidArgument
    return false
  }, true),
)

function replaceRegex(text: string, pattern: string, replacement: string, flags: string): string {
  const known = compiled(pattern, flags.replaceAll('g', ''), true)
  if (known === null) return ''
  const { source, flags: own } = known.regex
  const regExp = flags.includes('g') ? new RegExp(source, `${own}g`) : known.regExp
  return text.replace(regExp, (match: string, ...rest: unknown[]) =>
    replacement.replace(/\\([\\&1-9])/g, (_, what: string) => {
      if (what === '\\') return '\\'
      if (what === '&') return match
      const group = Number(what) <= known.regex.groups ? rest[Number(what) - 1] : undefined
      return typeof group === 'string' ? group : ''
    }),
  )
}

define(
  'regexp_replace',
  'text,text,text',
  helper((text: string, pattern: string, put: string) => replaceRegex(text, pattern, put, ''), true),
)
define('regexp_replace', 'text,text,text,text', helper(replaceRegex, true))

define(
  'regexp_count',
  'text,text',
  helper((text: string, pattern: string) => {
    const known = compiled(pattern, '', true)
    return known === null ? 0 : [...text.matchAll(new RegExp(known.regex.source, `${known.regex.flags}g`))].length
  }, true),
)

function cutOut(text: string, pattern: string, group: boolean): string {
  const known = compiled(pattern, '', true)
  if (known === null) return ''
  const match = known.regExp.exec(text)
  const found = match === null ? undefined : match[group && known.regex.groups > 0 ? 1 : 0]
  if (found === undefined) fault.state = 1
  return found ?? ''
}

define(
  'regexp_substr',
  'text,text',
  helper((text: string, pattern: string) => cutOut(text, pattern, false), true),
)
define(
  'substring',
  'text,text',
  helper((text: string, pattern: string) => cutOut(text, pattern, true), true),
)
