import { type CellErrorName, cellErrors } from '../../data/cell.ts'
import { plainBigint, plainNumeric } from '../../data/plain-number.ts'
import type { TypeKind } from '../../data/sql-type.ts'
import { fault } from '../runtime.ts'
import type { AppFunctionBody } from '../scalar.ts'
import { helperCall, type Implementation } from './definition.ts'

/**
 * Functions that an app brings along. They run as the text that the plan holds, in whatever thread the engine runs:
 * nothing but that text and the arguments decides the result. What they throw, and what is not of their type, becomes
 * an error cell.
 */

type Body = (...values: readonly unknown[]) => unknown

const known = new Map<string, Body>()

export function appFunction(body: AppFunctionBody): Implementation {
  const key = JSON.stringify(body)
  let target = known.get(key)
  if (target === undefined) {
    target = wrapped(body)
    known.set(key, target)
  }
  const helper = target
  return (b, args, site) => helperCall(b, args, site, helper, true)
}

/** Mathematics without chance. */
const math = Object.freeze(
  Object.fromEntries(
    Object.getOwnPropertyNames(Math)
      .filter((name) => name !== 'random')
      .map((name) => [name, Math[name as keyof Math]]),
  ),
)

/** @param source checked by app/function-source.ts */
function evaluated(source: string): Body {
  // A compiler that keeps functions' names wraps those inside into this call.
  const keepName = (inner: unknown): unknown => inner
  return new Function('Math', '__name', `'use strict'; return (${source}\n)`)(math, keepName) as Body
}

function wrapped({ source, args, returns, nullable, nulls }: AppFunctionBody): Body {
  const run = evaluated(source)
  const decoders = args.map(decoderOf)
  const encode = encoderOf(returns)
  const values =
    nulls === 'strict'
      ? (given: readonly unknown[]) => given.map((value, i) => decoders[i](value))
      : (given: readonly unknown[]) => decoders.map((decode, i) => (given[i * 2] ? null : decode(given[i * 2 + 1])))
  return (...given) => {
    let result: unknown
    try {
      result = run(...values(given))
    } catch {
      return failed('userFunction', returns)
    }
    if (result !== null && result !== undefined) return encode(result)
    if (!nullable) return failed('notNull', returns)
    fault.state = 1
    return emptyOf(returns)
  }
}

/** Something of the kind's wire type, at which nobody will look. */
function emptyOf(kind: TypeKind): unknown {
  switch (kind) {
    case 'boolean':
      return false
    case 'smallint':
    case 'integer':
    case 'real':
    case 'double':
      return 0
    case 'bigint':
      return 0n
    case 'bytea':
      return new Uint8Array()
    default:
      return ''
  }
}

function failed(error: CellErrorName, kind: TypeKind): unknown {
  fault.state = cellErrors[error]
  return emptyOf(kind)
}

/** A kernel's value as reads show it. */
function decoderOf(kind: TypeKind): (value: unknown) => unknown {
  switch (kind) {
    case 'boolean':
      return Boolean
    case 'bigint':
      return (value) => plainBigint(String(value))
    case 'numeric':
      return (value) => plainNumeric(value as string)
    case 'timestamp':
      return (value) => (value as string).replace(' ', 'T')
    case 'timestamptz':
      return (value) => (value as string).replace(' ', 'T').replace(/\+00$/, '+00:00')
    case 'jsonb':
      return (value) => JSON.parse(value as string)
    default:
      return (value) => value
  }
}

const leastBigint = -(2n ** 63n)
const greatestBigint = 2n ** 63n - 1n
const greatestInteger: Readonly<Partial<Record<TypeKind, number>>> = { smallint: 2 ** 15 - 1, integer: 2 ** 31 - 1 }

/** A function's result as the kernel takes it. */
function encoderOf(kind: TypeKind): (value: unknown) => unknown {
  const wrong = (): unknown => failed('userFunction', kind)
  switch (kind) {
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? value : wrong())
    case 'smallint':
    case 'integer': {
      const greatest = greatestInteger[kind] as number
      return (value) => {
        if (!Number.isInteger(value)) return wrong()
        const whole = (value as number) + 0
        return whole < -greatest - 1 || whole > greatest ? failed('integerOutOfRange', kind) : whole
      }
    }
    case 'bigint':
      return (value) => {
        if (typeof value !== 'bigint' && !Number.isInteger(value)) return wrong()
        const whole = BigInt(value as bigint | number)
        return whole < leastBigint || whole > greatestBigint ? failed('integerOutOfRange', kind) : whole
      }
    case 'real':
    case 'double':
      // Minus zero is zero.
      return (value) => (typeof value === 'number' ? (kind === 'real' ? Math.fround(value) : value) + 0 : wrong())
    case 'bytea':
      return (value) => (value instanceof Uint8Array ? value : wrong())
    default:
      return (value) => {
        const text = textOf(value, kind)
        return text === null || /[\u0000\ud800-\udfff]/u.test(text) ? wrong() : text
      }
  }
}

/** As PostgreSQL reads it for the kind; null for what is no value of it. */
function textOf(value: unknown, kind: TypeKind): string | null {
  if (kind === 'jsonb') return JSON.stringify(value) ?? null
  if (typeof value === 'string') return value
  if (kind === 'numeric' && (typeof value === 'number' || typeof value === 'bigint')) return String(value)
  return null
}
