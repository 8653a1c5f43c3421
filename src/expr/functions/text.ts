import type { Builder, Outcome } from '../builder.ts'
import { binary, type Expr, f64, i32 } from '../kernel.ts'
import type { Value } from '../value.ts'
import { failing } from './cast-table.ts'
import { define, helper } from './definition.ts'
import { md5 } from './md5.ts'

/** Text functions. Positions and lengths count characters, which are code points. */

/** Characters as an array that can be indexed; a string without surrogate pairs is one already. */
export function characters(text: string): string | readonly string[] {
  return /[\ud800-\udfff]/.test(text) ? [...text] : text
}

function slice(text: string | readonly string[], from: number, to?: number): string {
  const part = text.slice(from, to)
  return typeof part === 'string' ? part : part.join('')
}

// Lengths

define('length char_length character_length', 'text', (b, args) => {
  const text = b.ref(args[0])
  return b.total(args, 'i32', b.invoke('countCharacters', 'i32', [text.value, text.length!]))
})
define('octet_length', 'text', (b, args) => b.total(args, 'i32', b.ref(args[0]).length!))
define('length octet_length', 'bytea', (b, args) => b.total(args, 'i32', b.ref(args[0]).length!))
define('bit_length', 'text', (b, args) => b.total(args, 'i32', binary('*', b.ref(args[0]).length!, f64(8))))

// Parts, cut out in place

/** Bytes that an invocation of the runtime found, as a ref. */
function part(b: Builder, out: Outcome, method: string, operands: readonly Expr[]): void {
  const address = b.invoke(method, 'f64', operands)
  out.give(address, b.invoke('lastLength', 'f64', []))
}

function substring(method: string) {
  return (b: Builder, args: readonly Value[]): Value => {
    const text = b.ref(args[0])
    const place = [text.value, text.length!, args[1].value]
    if (args.length === 2) return b.partial(args, 'ref', (out) => part(b, out, method, [...place, f64(2 ** 40)]), true)
    const count = args[2].value
    return b.partial(args, 'ref', (out) =>
      b.branch(
        binary('<', count, i32(0)),
        () => out.fail('negativeLength'),
        () => part(b, out, method, [...place, count]),
      ),
    )
  }
}

for (const kind of ['text', 'bytea'] as const) {
  const method = kind === 'text' ? 'substring' : 'subbytes'
  define('substring substr', `${kind},integer`, substring(method))
  define('substring substr', `${kind},integer,integer`, substring(method))
}

define('left', 'text,integer', (b, args) => {
  const text = b.ref(args[0])
  return b.partial(args, 'ref', (out) => part(b, out, 'left', [text.value, text.length!, args[1].value]), true)
})
define('right', 'text,integer', (b, args) => {
  const text = b.ref(args[0])
  return b.partial(args, 'ref', (out) => part(b, out, 'right', [text.value, text.length!, args[1].value]), true)
})

for (const [name, left, right] of [
  ['btrim', true, true],
  ['ltrim', true, false],
  ['rtrim', false, true],
] as const) {
  const flags: Expr[] = [left, right].map((value) => ({ k: 'flag', type: 'flag', value }))
  define(name, 'text', (b, args) => {
    const text = b.ref(args[0])
    return b.partial(args, 'ref', (out) => part(b, out, 'trimSpaces', [text.value, text.length!, ...flags]), true)
  })
  define(
    name,
    'text,text',
    helper((text: string, set: string) => trim(text, set, left, right)),
  )
}

function trim(text: string, set: string, left: boolean, right: boolean): string {
  const removed = new Set(characters(set))
  const all = characters(text)
  let from = 0
  let to = all.length
  if (left) while (from < to && removed.has(all[from])) from++
  if (right) while (to > from && removed.has(all[to - 1])) to--
  return slice(all, from, to)
}

define(
  'split_part',
  'text,text,integer',
  helper((text: string, separator: string, n: number) => {
    if (n === 0) return failing('invalidArgument', '')
    if (text === '') return ''
    if (separator === '') return n === 1 || n === -1 ? text : ''
    const parts = text.split(separator)
    return parts[n > 0 ? n - 1 : parts.length + n] ?? ''
  }, true),
)

// Case, by single characters as C.UTF-8 does it: a letter whose other case is several letters stays as it is.

function mapCase(text: string, change: (text: string) => string): string {
  const changed = change(text)
  // Beyond ASCII, lengths tell cheaply of most letters that must stay; the rest is looked at one by one.
  if (/^[\0-\x7f]*$/.test(text)) return changed
  let out = ''
  for (const c of text) {
    const other = change(c)
    out += [...other].length === 1 ? other : c
  }
  return out
}

export function lowerCase(text: string): string {
  return mapCase(text, toLower)
}

function toLower(text: string): string {
  // İ has one lower-case letter of its own in Unicode's table, with a dot that JavaScript keeps.
  return text === '\u0130' ? 'i' : text.toLowerCase()
}

function toUpper(text: string): string {
  return text.toUpperCase()
}

define('lower', 'text', helper(lowerCase))
define(
  'upper',
  'text',
  helper((text: string) => mapCase(text, toUpper)),
)
define(
  'initcap',
  'text',
  helper((text: string) => {
    let out = ''
    let inside = false
    for (const c of text) {
      out += mapCase(c, inside ? toLower : toUpper)
      inside = /[\p{L}\p{N}]/u.test(c)
    }
    return out
  }),
)

// Searching and replacing

define(
  'strpos position',
  'text,text',
  helper((text: string, part: string) => {
    const at = text.indexOf(part)
    return at <= 0 ? at + 1 : [...text.slice(0, at)].length + 1
  }),
)

define('starts_with ^@', 'text,text', (b, args) => {
  const [text, start] = [b.ref(args[0]), b.ref(args[1])]
  const operands = [text.value, text.length!, start.value, start.length!]
  return b.total(args, 'flag', b.invoke('startsWith', 'flag', operands))
})

define(
  'replace',
  'text,text,text',
  helper((text: string, from: string, to: string) => (from === '' ? text : text.replaceAll(from, () => to))),
)

define(
  'translate',
  'text,text,text',
  helper((text: string, from: string, to: string) => {
    const [source, target] = [[...from], [...to]]
    const map = new Map<string, string>()
    for (let i = source.length - 1; i >= 0; i--) map.set(source[i], target[i] ?? '')
    let out = ''
    for (const c of text) out += map.get(c) ?? c
    return out
  }),
)

const overlay = (text: string, put: string, from: number, count: number): string => {
  if (from <= 0) return failing('negativeLength', '')
  const all = characters(text)
  return slice(all, 0, from - 1) + put + slice(all, Math.max(from - 1 + count, 0))
}
define(
  'overlay',
  'text,text,integer',
  helper((text: string, put: string, from: number) => overlay(text, put, from, [...put].length), true),
)
define('overlay', 'text,text,integer,integer', helper(overlay, true))

// Building

/** PostgreSQL's limit on one value; ours keeps a batch of such values within memory. */
const lengthMax = 16 * 1024 * 1024

function pad(text: string, length: number, fill: string, before: boolean): string {
  const all = characters(text)
  if (all.length >= length) return slice(all, 0, Math.max(length, 0))
  if (length > lengthMax) return failing('valueTooLong', '')
  const with_ = characters(fill)
  if (with_.length === 0) return text
  const missing = length - all.length
  const filling = fill.repeat(Math.floor(missing / with_.length)) + slice(with_, 0, missing % with_.length)
  return before ? filling + text : text + filling
}

for (const [name, before] of [
  ['lpad', true],
  ['rpad', false],
] as const) {
  define(
    name,
    'text,integer',
    helper((text: string, length: number) => pad(text, length, ' ', before), true),
  )
  define(
    name,
    'text,integer,text',
    helper((text: string, length: number, fill: string) => pad(text, length, fill, before), true),
  )
}

define(
  'repeat',
  'text,integer',
  helper((text: string, times: number) => {
    if (times <= 0) return ''
    return text.length * times > lengthMax ? failing('valueTooLong', '') : text.repeat(times)
  }, true),
)

define(
  'reverse',
  'text',
  helper((text: string) => [...text].reverse().join('')),
)

define(
  '||',
  'text,text',
  helper((a: string, b: string) => a + b),
)
define(
  '||',
  'bytea,bytea',
  helper((a: Uint8Array, b: Uint8Array) => {
    const out = new Uint8Array(a.length + b.length)
    out.set(a)
    out.set(b, a.length)
    return out
  }),
)

// Characters, numbers, digests

define(
  'ascii',
  'text',
  helper((text: string) => text.codePointAt(0) ?? 0),
)
define(
  'chr',
  'integer',
  helper((code: number) => {
    if (code <= 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return failing('invalidArgument', '')
    return String.fromCodePoint(code)
  }, true),
)
define(
  'to_hex',
  'integer',
  helper((value: number) => (value >>> 0).toString(16)),
)
define(
  'to_hex',
  'bigint',
  helper((value: bigint) => BigInt.asUintN(64, value).toString(16)),
)
define('md5', 'text', helper(md5))

// Variadic: the catalogue looks these up by name.

/** NULLs count as nothing. */
export function concatOf(b: Builder, args: readonly Value[]): Value {
  return joined(b, args, null)
}

/** The first argument stands between the others; NULLs are left out with their separator. */
export function concatWsOf(b: Builder, args: readonly Value[]): Value {
  return joined(b, args.slice(1), args[0])
}

function joined(b: Builder, args: readonly Value[], separator: Value | null): Value {
  const text = b.variable('any')
  const state = b.variable('i32')
  const any = separator === null ? null : b.variable('flag')
  const errors = b.nested(() => {
    b.set(text, b.pooled(''))
    // Each argument's error counts, NULL doesn't.
    for (const arg of args) {
      if (arg.state === null) continue
      b.branch(binary('>', arg.state, i32(1)), () => b.set(state, b.worst(state, arg.state!)))
    }
    if (separator !== null && separator.state !== null) b.set(state, b.worst(state, separator.state))
    b.branch(binary('==', state, i32(0)), () => {
      for (const arg of args) {
        const append = (): void => {
          const piece = b.string(arg)
          if (any === null) b.set(text, binary('+', text, piece))
          else {
            b.branch(
              any,
              () => b.set(text, binary('+', binary('+', text, b.string(separator!)), piece)),
              () => b.set(text, piece),
            )
            b.set(any, { k: 'flag', type: 'flag', value: true })
          }
        }
        if (arg.state === null) append()
        else b.branch(binary('==', arg.state, i32(0)), append)
      }
    })
  })
  for (const statement of errors) b.add(statement)
  const stateful = args.some((arg) => arg.state !== null) || (separator !== null && separator.state !== null)
  return b.plain('string', text, stateful ? state : null)
}
