import { type Expr, type GradeIn, levels, type NullIn, type Strict, type Value } from '../expression.ts'
import type { NumberKind, TextKind } from '../kinds.ts'
import { as, bracketed, called, infix, node, nodeOf } from '../node.ts'
import { quotedText } from '../sql-text.ts'
import type { IntegerOperand } from './arithmetic.ts'

/** Text: a column, an expression or a string. */
export type TextOperand = Expr<unknown, TextKind> | string

type BytesOperand = Expr<unknown, 'bytea'> | Uint8Array
type Text<A> = Strict<string, 'text', A>
type Count<A> = Strict<number, 'integer', A>

function text<E>(name: string, operands: readonly unknown[]): E {
  return as(called(name, operands, { type: 'text' }))
}

function count<E>(name: string, operands: readonly unknown[]): E {
  return as(called(name, operands, { type: 'integer' }))
}

/** `a || b || …`: texts one behind the other, NULL if one of them is. */
export function cat<const A extends readonly [Expr | string | number, ...(Expr | string | number)[]]>(
  ...operands: A
): Text<A[number]> {
  const nodes = operands.map(nodeOf)
  if (nodes.length === 1) return as(node(`(${nodes[0].text})::text`, nodes, { type: 'text' }))
  const joined = nodes.map((part) => bracketed(part, levels.operator + 1)).join(' || ')
  return as(node(joined, nodes, { level: levels.operator, type: 'text' }))
}

/** All operands as one text; NULLs are passed over. */
export function concat<const A extends readonly (Expr | Value)[]>(
  ...operands: A
): Expr<string, 'text', GradeIn<A[number]>> {
  return text('concat', operands)
}

/** All operands as one text with a separator between them; NULLs are passed over. */
export function concatWs<const S extends TextOperand, const A extends readonly (Expr | Value)[]>(
  separator: S,
  ...operands: A
): Expr<string | NullIn<S>, 'text', GradeIn<S | A[number]>> {
  return text('concat_ws', [separator, ...operands])
}

/** Characters of a text, bytes of a bytea. */
export function length<A extends TextOperand | BytesOperand>(operand: A): Count<A> {
  return count('length', [operand])
}

/** Characters of a text. */
export function charLength<A extends TextOperand>(operand: A): Count<A> {
  return count('char_length', [operand])
}

/** Bytes of a text in UTF-8, or of a bytea. */
export function octetLength<A extends TextOperand | BytesOperand>(operand: A): Count<A> {
  return count('octet_length', [operand])
}

/** Bits of a text in UTF-8. */
export function bitLength<A extends TextOperand>(operand: A): Count<A> {
  return count('bit_length', [operand])
}

/** In small letters. */
export function lower<A extends TextOperand>(operand: A): Text<A> {
  return text('lower', [operand])
}

/** In capital letters. */
export function upper<A extends TextOperand>(operand: A): Text<A> {
  return text('upper', [operand])
}

/** Each word with a capital letter. */
export function initcap<A extends TextOperand>(operand: A): Text<A> {
  return text('initcap', [operand])
}

/** So many characters from a place on, which counts from 1. */
export function substring<A extends TextOperand>(operand: A, from: IntegerOperand, size?: IntegerOperand): Text<A> {
  return text('substr', size === undefined ? [operand, from] : [operand, from, size])
}

/** The first so many characters; all but the last so many, if negative. */
export function left<A extends TextOperand>(operand: A, size: IntegerOperand): Text<A> {
  return text('"left"', [operand, size])
}

/** The last so many characters; all but the first so many, if negative. */
export function right<A extends TextOperand>(operand: A, size: IntegerOperand): Text<A> {
  return text('"right"', [operand, size])
}

/** The part of this number, from 1, between separators. */
export function splitPart<A extends TextOperand>(operand: A, separator: TextOperand, part: IntegerOperand): Text<A> {
  return text('split_part', [operand, separator, part])
}

/** Puts a text over another from a place on. */
export function overlay<A extends TextOperand, B extends TextOperand>(
  operand: A,
  over: B,
  from: IntegerOperand,
  size?: IntegerOperand,
): Text<A | B> {
  const [a, b, at] = [operand, over, from].map(nodeOf)
  const rest = size === undefined ? [] : [nodeOf(size)]
  const written = `overlay(${a.text} PLACING ${b.text} FROM ${at.text}${rest.map((part) => ` FOR ${part.text}`).join('')})`
  return as(node(written, [a, b, at, ...rest], { type: 'text' }))
}

/** Without spaces, or these characters, at both ends. */
export function trim<A extends TextOperand>(operand: A, characters?: TextOperand): Text<A> {
  return text('btrim', characters === undefined ? [operand] : [operand, characters])
}

/** Without spaces, or these characters, at the beginning. */
export function ltrim<A extends TextOperand>(operand: A, characters?: TextOperand): Text<A> {
  return text('ltrim', characters === undefined ? [operand] : [operand, characters])
}

/** Without spaces, or these characters, at the end. */
export function rtrim<A extends TextOperand>(operand: A, characters?: TextOperand): Text<A> {
  return text('rtrim', characters === undefined ? [operand] : [operand, characters])
}

/** Where a text first is in another, from 1; 0 where it is not. */
export function position<A extends TextOperand, B extends TextOperand>(operand: A, searched: B): Count<A | B> {
  return count('strpos', [operand, searched])
}

/** Whether a text begins with another. */
export function startsWith<A extends TextOperand, B extends TextOperand>(
  operand: A,
  prefix: B,
): Strict<boolean, 'boolean', A | B> {
  return as(called('starts_with', [operand, prefix], { type: 'boolean' }))
}

/** Each occurrence of a text replaced. */
export function replace<A extends TextOperand>(operand: A, searched: TextOperand, by: TextOperand): Text<A> {
  return text('replace', [operand, searched, by])
}

/** Each of these characters replaced by the one at its place. */
export function translate<A extends TextOperand>(operand: A, from: TextOperand, to: TextOperand): Text<A> {
  return text('translate', [operand, from, to])
}

/** Backwards. */
export function reverse<A extends TextOperand>(operand: A): Text<A> {
  return text('reverse', [operand])
}

/** So many times. */
export function repeat<A extends TextOperand>(operand: A, times: IntegerOperand): Text<A> {
  return text('repeat', [operand, times])
}

/** Filled up at the beginning, or cut, to a length. */
export function lpad<A extends TextOperand>(operand: A, size: IntegerOperand, fill?: TextOperand): Text<A> {
  return text('lpad', fill === undefined ? [operand, size] : [operand, size, fill])
}

/** Filled up at the end, or cut, to a length. */
export function rpad<A extends TextOperand>(operand: A, size: IntegerOperand, fill?: TextOperand): Text<A> {
  return text('rpad', fill === undefined ? [operand, size] : [operand, size, fill])
}

/** The first character's code point. */
export function ascii<A extends TextOperand>(operand: A): Count<A> {
  return count('ascii', [operand])
}

/** The character of a code point. */
export function chr<A extends Expr<unknown, NumberKind> | number>(operand: A): Text<A> {
  return text('chr', [operand])
}

/** MD5 in hexadecimal digits: for nothing secret. */
export function md5<A extends TextOperand>(operand: A): Text<A> {
  return text('md5', [operand])
}

/** Bytes as text. */
export function encode<A extends BytesOperand>(operand: A, format: 'hex' | 'base64' | 'escape'): Text<A> {
  return text('encode', [operand, format])
}

/** Text as bytes. */
export function decode<A extends TextOperand>(
  operand: A,
  format: 'hex' | 'base64' | 'escape',
): Strict<Uint8Array, 'bytea', A> {
  return as(called('decode', [operand, format], { type: 'bytea', form: 'bytes' }))
}

/** How LIKE reads its pattern. */
export interface LikeOptions {
  /** The character that takes `%` and `_` their meaning; a backslash if not given. */
  readonly escape?: string
}

type Match<A> = Strict<boolean, 'boolean', A>

function matched<E>(operator: string, operand: unknown, pattern: unknown, options: LikeOptions): E {
  const [a, b] = [operand, pattern].map(nodeOf)
  const mark = options.escape === undefined ? '' : ` ESCAPE ${quotedText(options.escape)}`
  const [subject, wanted] = [a, b].map((part) => bracketed(part, levels.operator))
  return as(node(`${subject} ${operator} ${wanted}${mark}`, [a, b], { level: levels.within, type: 'boolean' }))
}

/** `operand LIKE pattern`: `%` is any characters, `_` is any one. */
export function like<A extends TextOperand, B extends TextOperand>(
  operand: A,
  pattern: B,
  options: LikeOptions = {},
): Match<A | B> {
  return matched('LIKE', operand, pattern, options)
}

/** `operand NOT LIKE pattern` */
export function notLike<A extends TextOperand, B extends TextOperand>(
  operand: A,
  pattern: B,
  options: LikeOptions = {},
): Match<A | B> {
  return matched('NOT LIKE', operand, pattern, options)
}

/** `operand ILIKE pattern`: LIKE that takes capital and small letters for the same. */
export function ilike<A extends TextOperand, B extends TextOperand>(
  operand: A,
  pattern: B,
  options: LikeOptions = {},
): Match<A | B> {
  return matched('ILIKE', operand, pattern, options)
}

/** `operand NOT ILIKE pattern` */
export function notIlike<A extends TextOperand, B extends TextOperand>(
  operand: A,
  pattern: B,
  options: LikeOptions = {},
): Match<A | B> {
  return matched('NOT ILIKE', operand, pattern, options)
}

/** `operand ~ pattern`: whether a regular expression matches somewhere. With `ignoreCase` it is `~*`. */
export function matches<A extends TextOperand>(
  operand: A,
  pattern: string,
  options: { readonly ignoreCase?: boolean } = {},
): Match<A> {
  const operator = options.ignoreCase === true ? '~*' : '~'
  return as(infix(operator, operand, pattern, levels.operator, { type: 'boolean' }))
}

/** The first match of a regular expression replaced; with the flag `g` each. */
export function regexpReplace<A extends TextOperand>(
  operand: A,
  pattern: string,
  by: TextOperand,
  flags?: string,
): Text<A> {
  return text('regexp_replace', flags === undefined ? [operand, pattern, by] : [operand, pattern, by, flags])
}

/** How often a regular expression matches. */
export function regexpCount<A extends TextOperand>(operand: A, pattern: string): Count<A> {
  return count('regexp_count', [operand, pattern])
}

/** What a regular expression matches first; NULL where it doesn't. */
export function regexpSubstr<A extends TextOperand>(
  operand: A,
  pattern: string,
): Expr<string | null, 'text', GradeIn<A>> {
  return text('regexp_substr', [operand, pattern])
}
