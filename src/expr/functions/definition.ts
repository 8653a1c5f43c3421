import { type Decimal, makeDecimal, powerOfTen } from '../../data/decimal.ts'
import { Bug } from '../../data/errors.ts'
import type { SqlType, TypeKind } from '../../data/sql-type.ts'
import type { Builder } from '../builder.ts'
import { convert, type Expr, f64, i32 } from '../kernel.ts'
import type { Scalar } from '../scalar.ts'
import { kernelTypeOf, type Shape, scaleOf, shapeOf, type Value } from '../value.ts'
import { signatureKey } from './signatures.ts'

/** What a call is, beyond the values of its arguments. */
export interface CallSite {
  readonly args: readonly Scalar[]
  readonly type: SqlType
}

/** Lowers one function: arguments already lowered, in order, to their type's shape (text may also be a string). */
export type Implementation = (b: Builder, args: readonly Value[], site: CallSite) => Value

const implementations = new Map<string, Implementation>()

/** @param args kinds separated by commas; one definition may serve several names */
export function define(names: string, args: string, implementation: Implementation): void {
  const kinds = (args === '' ? [] : args.split(',')) as TypeKind[]
  for (const name of names.split(' ')) {
    const key = signatureKey(name, kinds)
    if (implementations.has(key)) throw new Bug(`${key} is defined twice`)
    implementations.set(key, implementation)
  }
}

export function implementationOf(fn: string): Implementation | undefined {
  return implementations.get(fn)
}

/** How a helper sees an argument: whole numbers beyond 32 bits as BigInt, numerics as Decimal, text as string. */
export function operand(b: Builder, value: Value, type: SqlType): Expr {
  switch (value.shape) {
    case 'int':
      return type.kind === 'numeric' ? decimalOf(b, value, type).value : b.atom(convert(value.value, 'any'))
    case 'ref':
    case 'string':
    case 'octets':
      return type.kind === 'bytea' || type.kind === 'uuid' ? b.octets(value) : b.string(value)
    default:
      return value.value
  }
}

/** The shape of what a helper returns for a type. */
function resultShape(type: SqlType): Shape {
  const shape = shapeOf(type)
  if (shape !== 'ref') return shape
  return type.kind === 'bytea' || type.kind === 'uuid' ? 'octets' : 'string'
}

/**
 * A strict function computed by JavaScript on values as `operand` gives them. A function that fails sets `fault` and
 * returns anything of its type.
 */
export function helper(target: (...args: never[]) => unknown, fails = false): Implementation {
  return (b, args, site) => helperCall(b, args, site, target, fails)
}

export function helperCall(
  b: Builder,
  args: readonly Value[],
  site: CallSite,
  target: (...args: never[]) => unknown,
  fails: boolean,
  constants: readonly unknown[] = [],
): Value {
  const shape = resultShape(site.type)
  const pooled = constants.map((constant) => (typeof constant === 'number' ? f64(constant) : b.pooled(constant)))
  // Strings are made only where all arguments are values: a NULL's slot holds none.
  const input = b.merged(args)
  const raw: Shape = shape === 'int' ? 'decimal' : shape
  const state = input === null && !fails ? null : b.variable('i32')
  const value = b.variable(kernelTypeOf(raw))
  const body = b.nested(() => {
    const operands = args.map((arg, i) => operand(b, arg, site.args[i].type))
    b.set(value, b.invoke(target, kernelTypeOf(raw), [...operands, ...pooled]))
    if (fails) b.add({ k: 'fault', state: state!.name })
  })
  if (input === null) for (const statement of body) b.add(statement)
  else {
    b.set(state!, input)
    b.add({ k: 'if', test: { k: 'binary', type: 'i32', op: '==', left: input, right: i32(0) }, yes: body, no: [] })
  }
  const result = b.plain(raw, value, state)
  return shape === 'int' ? intOf(b, result, site.type) : result
}

/** A helper's BigInt or Decimal as an int. */
function intOf(b: Builder, value: Value, type: SqlType): Value {
  const local = b.variable('int')
  const take = (): void => {
    const big =
      type.kind === 'numeric' ? b.invoke(coefficientAt, 'any', [value.value, f64(scaleOf(type))]) : value.value
    const result = b.atom(convert(big, 'int'))
    b.checkSafe(result)
    b.set(local, result)
  }
  if (value.state === null) take()
  else b.branch({ k: 'binary', type: 'i32', op: '==', left: value.state, right: i32(0) }, take)
  return b.plain('int', local, value.state)
}

function coefficientAt(value: Decimal, scale: number): bigint {
  if (value.special !== '' || value.scale > scale) throw new Bug(`a numeric that isn't of scale ${scale}`)
  return value.coefficient * powerOfTen(scale - value.scale)
}

/** A numeric of any type as Decimal. */
export function decimalOf(b: Builder, value: Value, type: SqlType): Value {
  if (value.shape === 'decimal') return value
  const big = b.atom(convert(value.value, 'any'))
  return b.plain('decimal', b.invoke(makeDecimal, 'any', [big, f64(scaleOf(type))]), value.state)
}
