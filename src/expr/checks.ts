import { MillraceError } from '../data/errors.ts'
import { parseInterval } from '../data/interval.ts'
import { typeName } from '../data/sql-type.ts'
import { fieldName, isExtractable, isTruncatable } from './functions/fields.ts'
import { parsePath } from './functions/json.ts'
import { parseLike } from './functions/patterns.ts'
import { RegexProblem, readFlags, translateRegex } from './functions/regex.ts'
import type { Signature } from './functions/signatures.ts'
import { parseTemplate } from './functions/to-char.ts'
import type { Scalar } from './scalar.ts'

/** What is refused of a call beyond its types: unknown fields, other zones, patterns we can't promise to match alike. */

/** @returns the arguments, with field names in one spelling. @throws MillraceError sql/type, sql/unsupported */
export function checkCall(signature: Signature, args: readonly Scalar[]): readonly Scalar[] {
  switch (signature.name) {
    case 'extract':
    case 'date_part':
      return checkField(signature, args, isExtractable)
    case 'date_trunc':
      if (args.length === 3) checkZone(args[2])
      return checkField(signature, args, isTruncatable)
    case 'timezone':
      checkZone(args[0])
      return args
    case 'date_bin':
      checkStride(args[0])
      return args
    case '~':
    case '!~':
    case '~*':
    case '!~*':
    case 'regexp_like':
      checkRegex(args[1], args[2], false, false)
      return args
    case 'regexp_replace':
      checkRegex(args[1], args[3], true, true)
      return args
    case 'regexp_count':
    case 'regexp_substr':
      checkRegex(args[1], undefined, true)
      return args
    case 'substring':
      if (signature.args[1] === 'text') checkRegex(args[1], undefined, true)
      return args
    case '~~':
    case '!~~':
    case '~~*':
    case '!~~*':
      checkLike(args[1])
      return args
    case 'to_char':
      checkTemplate(args[1])
      return args
    case '#>':
    case '#>>':
      checkPath(args[1])
      return args
  }
  return args
}

/** The text of a literal argument, null for NULL. */
function literalText(arg: Scalar, what: string): string | null {
  if (arg.op === 'literal') return arg.text
  throw new MillraceError('sql/unsupported', `${what} must be a literal`, { hint: 'write it in quotes' })
}

function checkField(
  signature: Signature,
  args: readonly Scalar[],
  allowed: (field: string, kind: Signature['result']) => boolean,
): readonly Scalar[] {
  const text = literalText(args[0], `the field of ${signature.name}`)
  if (text === null) return args
  const field = fieldName(text)
  const kind = args[1].type.kind
  if (field === null || !allowed(field, kind)) {
    const problem = field === null ? 'not recognized' : 'not supported'
    throw new MillraceError('sql/type', `unit "${text}" ${problem} for type ${typeName(args[1].type)}`)
  }
  return [{ ...args[0], text: field } as Scalar, ...args.slice(1)]
}

const utcNames = new Set([
  'utc',
  'gmt',
  'z',
  'zulu',
  'etc/utc',
  'etc/gmt',
  'uct',
  'etc/uct',
  'universal',
  '+00',
  '+00:00',
])

function checkZone(arg: Scalar): void {
  const text = literalText(arg, 'a time zone')
  if (text === null || utcNames.has(text.trim().toLowerCase())) return
  throw new MillraceError('sql/unsupported', `the time zone "${text}" is not supported`, {
    hint: "use AT TIME ZONE 'UTC'; other zones' rules change with the years",
  })
}

function checkStride(arg: Scalar): void {
  if (arg.op !== 'literal' || arg.text === null) return
  const stride = parseInterval(arg.text)
  if (stride === null) return
  if (stride.months !== 0) {
    throw new MillraceError('sql/type', 'timestamps cannot be binned into intervals containing months or years', {
      hint: "use date_trunc('month', …)",
    })
  }
  if (BigInt(stride.days) * 86_400_000_000n + stride.micros <= 0n) {
    throw new MillraceError('sql/type', 'stride must be greater than zero')
  }
}

/**
 * @param cutsOut is the match itself asked for, not only whether there is one?
 * @param global may it be asked for more than once?
 */
function checkRegex(pattern: Scalar | undefined, flags: Scalar | undefined, cutsOut: boolean, global = false): void {
  try {
    if (flags?.op === 'literal') readFlags(flags.text ?? '', global)
    if (pattern?.op !== 'literal' || pattern.text === null) return
    if (flags !== undefined && flags.op !== 'literal') return
    const { certain } = translateRegex(pattern.text, flags?.text ?? '')
    if (certain || !cutsOut) return
  } catch (error) {
    if (!(error instanceof RegexProblem)) throw error
    if (error.kind === 'invalid') throw new MillraceError('sql/type', `invalid regular expression: ${error.message}`)
    throw new MillraceError('sql/unsupported', `${error.message} is not supported`)
  }
  throw new MillraceError(
    'sql/unsupported',
    `cutting out or replacing what "${pattern.text}" matches is not supported`,
    {
      hint: 'use a pattern without |, repeated groups and repetitions that overlap: which match is longest must be certain',
    },
  )
}

function checkLike(pattern: Scalar): void {
  if (pattern.op !== 'literal' || pattern.text === null || parseLike(pattern.text) !== null) return
  throw new MillraceError('sql/type', 'LIKE pattern must not end with escape character', {
    hint: 'write \\\\ for a backslash',
  })
}

function checkPath(path: Scalar): void {
  if (path.op !== 'literal' || path.text === null || parsePath(path.text) !== null) return
  throw new MillraceError('sql/type', `malformed array literal: "${path.text}"`, {
    hint: "write a path as '{key,0,key}'",
  })
}

function checkTemplate(template: Scalar): void {
  const text = literalText(template, 'the template of to_char')
  const parsed = text === null ? [] : parseTemplate(text)
  if (typeof parsed !== 'string') return
  throw new MillraceError('sql/unsupported', `the template pattern ${parsed} of to_char is not supported`, {
    hint: 'put text that is meant as it is into double quotes',
  })
}
