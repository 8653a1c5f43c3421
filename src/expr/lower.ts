import { parseDate, parseTime, parseTimestamp, parseTimestamptz } from '../data/datetime.ts'
import { parseDecimal } from '../data/decimal.ts'
import { Bug } from '../data/errors.ts'
import { parseDouble } from '../data/float.ts'
import { parseInterval } from '../data/interval.ts'
import type { SqlType } from '../data/sql-type.ts'
import { parseUuid } from '../data/uuid.ts'
import type { Builder } from './builder.ts'
import { appFunction } from './functions/app-function.ts'
import { lowerCast } from './functions/casts.ts'
import { implementationOf } from './functions/catalogue.ts'
import { compare } from './functions/comparison.ts'
import { and, binary, choose, type Expr, f64, falsehood, i32, not, truth } from './kernel.ts'
import { parseBoolean, parseBytea } from './literal.ts'
import type { Scalar } from './scalar.ts'
import { kernelTypeOf, type Shape, scaleOf, shapeOf, type Value } from './value.ts'

/** Lowers an expression: its value and state end up in locals of the kernel that `b` collects. */
export function lower(b: Builder, scalar: Scalar): Value {
  if (scalar.op === 'literal') return lowerLiteral(b, scalar)
  return b.remembered(JSON.stringify(scalar), () => lowerNode(b, scalar))
}

function lowerNode(b: Builder, scalar: Exclude<Scalar, { op: 'literal' }>): Value {
  switch (scalar.op) {
    case 'column':
      return lowerColumn(b, scalar.index)
    case 'now':
      return b.plain('int', { k: 'now', type: 'int' })
    case 'call': {
      const implementation = scalar.body === undefined ? implementationOf(scalar.fn) : appFunction(scalar.body)
      if (implementation === undefined) throw new Bug(`no implementation of ${scalar.fn}`)
      return implementation(
        b,
        scalar.args.map((arg) => lower(b, arg)),
        scalar,
      )
    }
    case 'cast':
      return lowerCast(b, lower(b, scalar.arg), scalar.arg.type, scalar.type)
    case 'and':
    case 'or':
      return lowerConnective(b, scalar.op, scalar.args)
    case 'not': {
      const arg = lower(b, scalar.arg)
      return b.plain('flag', b.atom(not(arg.value)), arg.state)
    }
    case 'isNull':
      return lowerIsNull(b, lower(b, scalar.arg), scalar.negated)
    case 'distinct':
      return lowerDistinct(b, scalar)
    case 'case':
      return lowerCase(b, scalar)
    case 'coalesce':
      return lowerCoalesce(b, scalar)
  }
}

function lowerColumn(b: Builder, index: number): Value {
  const { type } = b.inputs[index]
  const column = b.columnIndex(index)
  const state: Expr | null = b.hasState(index) ? b.atom({ k: 'load', type: 'i32', what: 'state', column }) : null
  const shape = shapeOf(type)
  const address = (): Expr => b.atom({ k: 'load', type: 'f64', what: 'address', column })
  const length = (): Expr => b.atom({ k: 'load', type: 'f64', what: 'length', column })
  switch (shape) {
    case 'flag':
      return b.plain(shape, b.atom(binary('!=', { k: 'load', type: 'i32', what: 'i32', column }, i32(0))), state)
    case 'i32':
    case 'f64':
      return b.plain(shape, b.atom({ k: 'load', type: shape, what: shape, column }), state)
    case 'int': {
      if (type.kind === 'numeric' && type.precision! > 18) return loadWide(b, address(), length(), scaleOf(type), state)
      const name = b.name()
      b.add({ k: 'loadInt', name, column })
      return b.plain('int', { k: 'local', type: 'int', name }, state, b.exact ? 2 ** 63 : 2 ** 53)
    }
    case 'decimal':
    case 'interval':
      return b.plain(shape, b.invoke(shape, 'any', [address(), length()]), state)
    default:
      return { ...b.plain('ref', address(), state), length: length() }
  }
}

function loadWide(b: Builder, address: Expr, length: Expr, scale: number, state: Expr | null): Value {
  const value = b.invoke(b.exact ? 'scaled' : 'small', 'int', [address, length, f64(scale)])
  if (b.exact) return b.plain('int', value, state)
  b.checkSafe(value)
  return b.plain('int', value, state, 2 ** 53)
}

const encoder = new TextEncoder()

function lowerLiteral(b: Builder, scalar: Scalar & { op: 'literal' }): Value {
  const { text, type } = scalar
  const shape = shapeOf(type)
  if (text === null) {
    const zero = zeroOf(b, shape)
    return { ...zero, state: i32(1) }
  }
  switch (type.kind) {
    case 'boolean':
      return b.plain('flag', parseBoolean(text) === true ? truth : falsehood)
    case 'smallint':
    case 'integer':
      return b.plain('i32', i32(Number(text)))
    case 'date':
      return b.plain('i32', i32(given(parseDate(text), scalar)))
    case 'real':
      // Its text is the shortest that names the float: the nearest double is another number.
      return b.plain('f64', f64(Math.fround(given(parseDouble(text), scalar))))
    case 'double':
      return b.plain('f64', f64(given(parseDouble(text), scalar)))
    case 'bytea':
      return b.literalRef(given(parseBytea(text), scalar))
    case 'uuid':
      return b.literalRef(given(parseUuid(text), scalar))
    case 'interval':
      return b.plain('interval', b.pooled(given(parseInterval(text), scalar)))
    case 'numeric':
      if (shape === 'decimal') return b.plain(shape, b.pooled(given(parseDecimal(text), scalar)))
      return b.constantInt(scaledLiteral(text, type, scalar))
    case 'bigint':
      return b.constantInt(BigInt(text))
    case 'time':
      return b.constantInt(given(parseTime(text), scalar))
    case 'timestamp':
      return b.constantInt(given(parseTimestamp(text), scalar))
    case 'timestamptz':
      return b.constantInt(given(parseTimestamptz(text), scalar))
    case 'text':
    case 'varchar':
    case 'jsonb':
    case 'unknown':
      return b.literalRef(encoder.encode(text))
  }
}

function given<T>(value: T | null, scalar: Scalar & { op: 'literal' }): T {
  if (value === null) throw new Bug(`a literal ${scalar.type.kind} of ${scalar.text}`)
  return value
}

function scaledLiteral(text: string, type: SqlType, scalar: Scalar & { op: 'literal' }): bigint {
  const value = given(parseDecimal(text), scalar)
  if (value.special !== '' || value.scale > scaleOf(type)) throw new Bug(`a literal ${type.kind} of ${text}`)
  return value.coefficient * 10n ** BigInt(scaleOf(type) - value.scale)
}

/** A value for cells that are none. */
function zeroOf(b: Builder, shape: Shape): Value {
  switch (shape) {
    case 'flag':
      return b.plain(shape, falsehood)
    case 'i32':
      return b.plain(shape, i32(0))
    case 'f64':
      return b.plain(shape, f64(0))
    case 'int':
      return b.constantInt(0n)
    case 'ref':
      return { ...b.plain(shape, f64(0)), length: f64(0) }
    case 'string':
    case 'octets':
      return b.plain(shape, b.pooled(''))
    case 'decimal':
      return b.plain(shape, b.pooled(parseDecimal('0')))
    case 'interval':
      return b.plain(shape, b.pooled(parseInterval('0')))
  }
}

/**
 * AND: FALSE decides, then the least error, then NULL; OR the same with TRUE. What comes after the deciding value is
 * not computed, and could not change the result.
 */
function lowerConnective(b: Builder, op: 'and' | 'or', args: readonly Scalar[]): Value {
  const label = b.name()
  const value = b.variable('flag')
  const state = b.variable('i32')
  const deciding = op === 'or'
  let stateful = false
  const body = b.nested(() => {
    b.set(value, deciding ? truth : falsehood)
    for (const arg of args) {
      const each = lower(b, arg)
      const isDeciding = deciding ? each.value : not(each.value)
      const decides = each.state === null ? isDeciding : and(binary('==', each.state, i32(0)), isDeciding)
      b.branch(decides, () => {
        if (stateful) b.set(state, i32(0))
        b.add({ k: 'leave', label })
      })
      if (each.state !== null) {
        b.set(state, stateful ? b.worst(state, each.state) : each.state)
        stateful = true
      }
    }
    b.set(value, deciding ? falsehood : truth)
  })
  b.add({ k: 'block', label, body })
  return b.plain('flag', value, stateful ? state : null)
}

/** An error is neither NULL nor not. */
function lowerIsNull(b: Builder, arg: Value, negated: boolean): Value {
  if (arg.state === null) return b.plain('flag', negated ? truth : falsehood)
  const value = b.atom(binary(negated ? '!=' : '==', arg.state, i32(1)))
  return b.plain('flag', value, b.atom(choose(binary('>', arg.state, i32(1)), arg.state, i32(0))))
}

function lowerDistinct(b: Builder, scalar: Scalar & { op: 'distinct' }): Value {
  const left = lower(b, scalar.left)
  const right = lower(b, scalar.right)
  const differ = (): Expr => compare(b, '<>', left, scalar.left.type, right, scalar.right.type)
  const flip = (value: Expr): Expr => (scalar.negated ? not(value) : value)
  const [a, c] = [left.state ?? i32(0), right.state ?? i32(0)]
  if (left.state === null && right.state === null) return b.plain('flag', b.atom(flip(differ())))
  const value = b.variable('flag')
  const state = b.variable('i32')
  const states = b.atom(binary('|', a, c))
  b.branch(
    binary('==', states, i32(0)),
    () => b.set(value, flip(differ())),
    () =>
      b.branch(
        and(binary('<=', a, i32(1)), binary('<=', c, i32(1))),
        () => b.set(value, flip(binary('!=', a, c))),
        () => b.set(state, b.worst(a, c)),
      ),
  )
  return b.plain('flag', value, state)
}

/** Where the branches of a choice put their results: all in one shape. */
class Choice {
  readonly #b: Builder
  readonly #value: Expr & { k: 'local' }
  readonly #length: (Expr & { k: 'local' }) | null
  readonly #state: Expr & { k: 'local' }
  readonly #shape: Shape
  #stateful = false
  #bound = 0

  constructor(b: Builder, type: SqlType) {
    this.#b = b
    this.#shape = shapeOf(type)
    this.#value = b.variable(kernelTypeOf(this.#shape))
    this.#length = this.#shape === 'ref' ? b.variable('f64') : null
    this.#state = b.variable('i32')
  }

  take(result: Value): void {
    const value = this.#shape === 'ref' ? this.#b.ref(result) : result
    this.#b.set(this.#value, value.value)
    if (this.#length !== null) this.#b.set(this.#length, value.length!)
    if (value.state !== null) this.takeState(value.state)
    this.#bound = Math.max(this.#bound, value.bound)
  }

  takeState(state: Expr): void {
    this.#stateful = true
    this.#b.set(this.#state, state)
  }

  result(): Value {
    const state = this.#stateful ? this.#state : null
    return { shape: this.#shape, value: this.#value, length: this.#length, state, bound: this.#bound }
  }
}

/** Only the branch that is taken is computed. */
function lowerCase(b: Builder, scalar: Scalar & { op: 'case' }): Value {
  const choice = new Choice(b, scalar.type)
  const from = (i: number): void => {
    if (i === scalar.whens.length) {
      if (scalar.otherwise === null) choice.takeState(i32(1))
      else choice.take(lower(b, scalar.otherwise))
      return
    }
    const when = lower(b, scalar.whens[i].when)
    const holds = when.state === null ? when.value : and(binary('==', when.state, i32(0)), when.value)
    const otherwise = (): void => {
      if (when.state === null) from(i + 1)
      else
        b.branch(
          binary('>', when.state, i32(1)),
          () => choice.takeState(when.state!),
          () => from(i + 1),
        )
    }
    b.branch(holds, () => choice.take(lower(b, scalar.whens[i].result)), otherwise)
  }
  from(0)
  return choice.result()
}

/** The first argument that isn't NULL; an error is one. */
function lowerCoalesce(b: Builder, scalar: Scalar & { op: 'coalesce' }): Value {
  const choice = new Choice(b, scalar.type)
  const from = (i: number): void => {
    const arg = lower(b, scalar.args[i])
    if (arg.state === null || i === scalar.args.length - 1) choice.take(arg)
    else
      b.branch(
        binary('!=', arg.state, i32(1)),
        () => choice.take(arg),
        () => from(i + 1),
      )
  }
  from(0)
  return choice.result()
}

/** Does the row pass? False for NULL; the second result is its state where that may be an error. */
export function lowerPredicate(b: Builder, scalar: Scalar): { readonly test: Expr; readonly state: Expr | null } {
  const value = lower(b, scalar)
  if (value.state === null) return { test: value.value, state: null }
  return { test: and(binary('==', value.state, i32(0)), value.value), state: value.state }
}
