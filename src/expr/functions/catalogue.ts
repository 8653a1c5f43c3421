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
import './to-char.ts'
import { extremeOf } from './comparison.ts'
import { implementationOf as defined, type Implementation } from './definition.ts'
import { concatOf, concatWsOf } from './text.ts'

/** All functions there are. Importing this file is what defines them. */

const variadic: Readonly<Record<string, Implementation>> = {
  concat: concatOf,
  concat_ws: concatWsOf,
  greatest: extremeOf('greatest'),
  least: extremeOf('least'),
}

/** @param fn a bound call's name, such as `+(bigint,bigint)` */
export function implementationOf(fn: string): Implementation | undefined {
  return defined(fn) ?? variadic[fn.slice(0, fn.indexOf('('))]
}
