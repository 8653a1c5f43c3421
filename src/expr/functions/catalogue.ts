import './arithmetic.ts'
import './comparison.ts'
import './casts.ts'
import './text.ts'
import './encoding.ts'
import './datetime.ts'
import './extract.ts'
import './interval.ts'
import './math.ts'
import './patterns.ts'
import './json.ts'
import './json-edits.ts'
import './to-char.ts'
import { binary, choose, i32 } from '../kernel.ts'
import { extremeOf } from './comparison.ts'
import { implementationOf as defined, type Implementation } from './definition.ts'
import { concatOf, concatWsOf } from './text.ts'

/** All functions there are. Importing this file is what defines them. */

/** The code of the least error among the arguments, 0 if there is none. Plans use it; SQL cannot name it. */
const errorOf: Implementation = (b, args) => {
  const state = b.merged(args)
  if (state === null) return b.plain('i32', i32(0))
  return b.plain('i32', b.atom(choose(binary('>', state, i32(1)), state, i32(0))))
}

const variadic: Readonly<Record<string, Implementation>> = {
  $error: errorOf,
  concat: concatOf,
  concat_ws: concatWsOf,
  greatest: extremeOf('greatest'),
  least: extremeOf('least'),
}

/** @param fn a bound call's name, such as `+(bigint,bigint)` */
export function implementationOf(fn: string): Implementation | undefined {
  return defined(fn) ?? variadic[fn.slice(0, fn.indexOf('('))]
}
