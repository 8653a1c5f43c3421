import type { Node } from '../expression.ts'
import {
  type Expr,
  type GradeIn,
  type KindIn,
  levels,
  type NullIn,
  type Problem,
  type Strict,
  type ValueIn,
} from '../expression.ts'
import {
  type IntegerKind,
  type Kind,
  type KindValues,
  type NumberKind,
  readsOfKind,
  type WiderKind,
  widerKind,
} from '../kinds.ts'
import { as, bracketed, called, infix, node, nodeOf, type Shape } from '../node.ts'

/** A number: a column, an expression or a value. */
export type NumberOperand = Expr<unknown, NumberKind> | number | bigint
/** A whole number. */
export type IntegerOperand = Expr<unknown, IntegerKind> | number | bigint

type Calculated = NumberOperand | Expr<unknown, 'date' | 'time' | 'timestamp' | 'interval' | 'string'>

/** What `+` makes of kinds that are not both numbers. */
interface Added {
  readonly 'timestamp interval': 'timestamp'
  readonly 'interval timestamp': 'timestamp'
  readonly 'string interval': 'string'
  readonly 'interval string': 'string'
  readonly 'date interval': 'timestamp'
  readonly 'interval date': 'timestamp'
  readonly 'time interval': 'time'
  readonly 'interval time': 'time'
  readonly 'interval interval': 'interval'
  readonly 'date integer': 'date'
  readonly 'integer date': 'date'
  readonly 'date time': 'timestamp'
  readonly 'time date': 'timestamp'
}

interface Subtracted {
  readonly 'timestamp interval': 'timestamp'
  readonly 'string interval': 'string'
  readonly 'date interval': 'timestamp'
  readonly 'time interval': 'time'
  readonly 'interval interval': 'interval'
  readonly 'timestamp timestamp': 'interval'
  readonly 'string string': 'interval'
  readonly 'timestamp string': 'interval'
  readonly 'string timestamp': 'interval'
  readonly 'time time': 'interval'
  readonly 'date integer': 'date'
  readonly 'date date': 'integer'
}

/** A moment that is moved shows what it showed; all else what its kind shows. */
type Moved<A, K extends Kind> = K extends 'timestamp'
  ? KindIn<A> extends 'timestamp'
    ? ValueIn<A>
    : string
  : KindValues[K]

type Pair<A, B> = `${KindIn<A> & string} ${KindIn<B> & string}`

type NumbersOf<A, B> = Expr<
  KindValues[WiderKind<KindIn<A | B>>] | NullIn<A | B>,
  WiderKind<KindIn<A | B>>,
  GradeIn<A | B>
>

type Sum<A, B> = [KindIn<A | B>] extends [NumberKind]
  ? NumbersOf<A, B>
  : Pair<A, B> extends keyof Added
    ? Expr<Moved<A | B, Added[Pair<A, B>]> | NullIn<A | B>, Added[Pair<A, B>], GradeIn<A | B>>
    : Problem<`${KindIn<A> & string} + ${KindIn<B> & string} has no meaning`>

type Difference<A, B> = [KindIn<A | B>] extends [NumberKind]
  ? NumbersOf<A, B>
  : Pair<A, B> extends keyof Subtracted
    ? Expr<Moved<A, Subtracted[Pair<A, B>]> | NullIn<A | B>, Subtracted[Pair<A, B>], GradeIn<A | B>>
    : Problem<`${KindIn<A> & string} - ${KindIn<B> & string} has no meaning`>

type Product<A, B> =
  'interval' extends KindIn<A | B> ? Expr<string | NullIn<A | B>, 'interval', GradeIn<A | B>> : NumbersOf<A, B>

const timeKinds: readonly (Kind | null)[] = ['timestamp', 'string', 'date', 'time', 'interval']

/** What arithmetic makes of its operands: see the types above. */
function shapeOf(operator: string, a: Node, b: Node): Shape {
  const kinds = [a.type, b.type]
  if (!kinds.some((kind) => timeKinds.includes(kind))) {
    const type = widerKind(kinds)
    return { type, form: readsOfKind(type) }
  }
  const moment = [a, b].find(({ type }) => type === 'timestamp')
  if (moment === undefined) return {}
  const isDifference = operator === '-' && b.type !== 'interval'
  return isDifference ? { type: 'interval' } : { type: 'timestamp', form: moment.form }
}

function calculated<E>(operator: string, left: unknown, right: unknown, level: number): E {
  return as(infix(operator, left, right, level, shapeOf(operator, nodeOf(left), nodeOf(right))))
}

/** `left + right`: numbers, or a time and an interval. */
export function add<A extends Calculated, const B extends Calculated>(left: A, right: B): Sum<A, B> {
  return calculated('+', left, right, levels.sum)
}

/** `left - right`: numbers, or a time and an interval, or two times. */
export function sub<A extends Calculated, const B extends Calculated>(left: A, right: B): Difference<A, B> {
  return calculated('-', left, right, levels.sum)
}

/** `left * right`: numbers, or an interval and a number. */
export function mul<
  A extends NumberOperand | Expr<unknown, 'interval'>,
  const B extends NumberOperand | Expr<unknown, 'interval'>,
>(left: A, right: B): Product<A, B> {
  return calculated('*', left, right, levels.product)
}

/** `left / right`: of integers the whole part, as in SQL. By 0 it is an error, which becomes an error row. */
export function div<A extends NumberOperand | Expr<unknown, 'interval'>, const B extends NumberOperand>(
  left: A,
  right: B,
): Product<A, B> {
  return calculated('/', left, right, levels.product)
}

/** `left % right`: the remainder, with the sign of the left. */
export function mod<A extends NumberOperand, const B extends NumberOperand>(left: A, right: B): NumbersOf<A, B> {
  return calculated('%', left, right, levels.product)
}

/** `-operand` */
export function neg<A extends Expr<unknown, NumberKind | 'interval'>>(operand: A): Strict<ValueIn<A>, KindIn<A>, A> {
  const subject = nodeOf(operand)
  // In brackets, so that two of them are no comment.
  return as(node(`(-${bracketed(subject, levels.cast)})`, [subject], { type: subject.type, form: subject.form }))
}

function same<E>(name: string, operand: unknown): E {
  const { type, form } = nodeOf(operand)
  return as(called(name, [operand], { type, form }))
}

/** The value without its sign. */
export function abs<A extends Expr<unknown, NumberKind>>(operand: A): Strict<ValueIn<A>, KindIn<A>, A> {
  return same('abs', operand)
}

/** What rounding and its like make: PostgreSQL has them of numeric and double precision only. */
type Rounded<A> =
  'number' extends KindIn<A>
    ? Strict<number, 'number', A>
    : 'numeric' extends KindIn<A>
      ? Strict<number | string, 'numeric', A>
      : Strict<number, 'double', A>

function rounded<E>(name: string, operands: readonly unknown[]): E {
  const { type } = nodeOf(operands[0])
  const kind = type === 'number' || type === 'numeric' || type === null ? type : 'double'
  return as(called(name, operands, { type: kind, form: readsOfKind(kind) }))
}

/** −1, 0 or 1. */
export function sign<A extends NumberOperand>(operand: A): Rounded<A> {
  return rounded('sign', [operand])
}

/** The nearest whole number; with places, of numeric only, that many digits behind the point. */
export function round<A extends NumberOperand>(
  operand: A,
  places?: A extends Expr<unknown, 'numeric'> ? IntegerOperand : never,
): Rounded<A> {
  return rounded('round', places === undefined ? [operand] : [operand, places])
}

/** Cuts off what is behind the point, or behind so many places of a numeric. */
export function trunc<A extends NumberOperand>(
  operand: A,
  places?: A extends Expr<unknown, 'numeric'> ? IntegerOperand : never,
): Rounded<A> {
  return rounded('trunc', places === undefined ? [operand] : [operand, places])
}

/** The least whole number that is not less. */
export function ceil<A extends NumberOperand>(operand: A): Rounded<A> {
  return rounded('ceil', [operand])
}

/** The greatest whole number that is not greater. */
export function floor<A extends NumberOperand>(operand: A): Rounded<A> {
  return rounded('floor', [operand])
}

/** The square root. Of a negative number it is an error. */
export function sqrt<A extends NumberOperand>(operand: A): Rounded<A> {
  return rounded('sqrt', [operand])
}

/** e to the power. */
export function exp<A extends NumberOperand>(operand: A): Rounded<A> {
  return rounded('exp', [operand])
}

/** The natural logarithm. */
export function ln<A extends NumberOperand>(operand: A): Rounded<A> {
  return rounded('ln', [operand])
}

/** The logarithm to base 10. */
export function log10<A extends NumberOperand>(operand: A): Rounded<A> {
  return rounded('log10', [operand])
}

/** The logarithm of a numeric to a base. */
export function log<A extends NumberOperand, const B extends NumberOperand>(
  base: A,
  operand: B,
): Strict<number | string, 'numeric', A | B> {
  return as(called('log', [base, operand], { type: 'numeric' }))
}

/** `base ^ exponent` */
export function power<A extends NumberOperand, const B extends NumberOperand>(base: A, exponent: B): Rounded<A | B> {
  const kinds = [nodeOf(base).type, nodeOf(exponent).type]
  const type = kinds.includes('number') ? 'number' : kinds.includes('numeric') || kinds.includes(null) ? null : 'double'
  return as(called('power', [base, exponent], { type, form: readsOfKind(type) }))
}

/** How often the right goes into the left, as a whole number: `div` of numerics. */
export function quotient<A extends NumberOperand, const B extends NumberOperand>(
  left: A,
  right: B,
): Strict<number | string, 'numeric', A | B> {
  return as(called('div', [left, right], { type: 'numeric' }))
}

type Integers<A> = Strict<KindValues[WiderKind<KindIn<A>>], WiderKind<KindIn<A>>, A>

function integers<E>(name: string, operands: readonly unknown[]): E {
  const type = widerKind(operands.map((operand) => nodeOf(operand).type))
  return as(called(name, operands, { type, form: readsOfKind(type) }))
}

/** The greatest common divisor. */
export function gcd<A extends IntegerOperand, const B extends IntegerOperand>(left: A, right: B): Integers<A | B> {
  return integers('gcd', [left, right])
}

/** The least common multiple. */
export function lcm<A extends IntegerOperand, const B extends IntegerOperand>(left: A, right: B): Integers<A | B> {
  return integers('lcm', [left, right])
}

function bits<E>(operator: string, left: unknown, right: unknown): E {
  const type = widerKind([nodeOf(left).type, nodeOf(right).type])
  return as(infix(operator, left, right, levels.operator, { type, form: readsOfKind(type) }))
}

/** `left & right`, bit by bit. */
export function bitAnd<A extends IntegerOperand, const B extends IntegerOperand>(left: A, right: B): Integers<A | B> {
  return bits('&', left, right)
}

/** `left | right`, bit by bit. */
export function bitOr<A extends IntegerOperand, const B extends IntegerOperand>(left: A, right: B): Integers<A | B> {
  return bits('|', left, right)
}

/** `left # right`: the bits in which they differ. */
export function bitXor<A extends IntegerOperand, const B extends IntegerOperand>(left: A, right: B): Integers<A | B> {
  return bits('#', left, right)
}

/** `~operand`: all bits turned. */
export function bitNot<A extends Expr<unknown, IntegerKind>>(operand: A): Strict<ValueIn<A>, KindIn<A>, A> {
  const subject = nodeOf(operand)
  const { type, form } = subject
  return as(node(`(~${bracketed(subject, levels.cast)})`, [subject], { type, form }))
}

/** `operand << places` */
export function shiftLeft<A extends Expr<unknown, IntegerKind>>(
  operand: A,
  places: IntegerOperand,
): Strict<ValueIn<A>, KindIn<A>, A> {
  const { type, form } = nodeOf(operand)
  return as(infix('<<', operand, places, levels.operator, { type, form }))
}

/** `operand >> places` */
export function shiftRight<A extends Expr<unknown, IntegerKind>>(
  operand: A,
  places: IntegerOperand,
): Strict<ValueIn<A>, KindIn<A>, A> {
  const { type, form } = nodeOf(operand)
  return as(infix('>>', operand, places, levels.operator, { type, form }))
}

/** Hexadecimal digits. */
export function toHex<A extends IntegerOperand>(operand: A): Strict<string, 'text', A> {
  return as(called('to_hex', [operand], { type: 'text' }))
}

type Double<A> = Strict<number, 'double', A>

function double<E>(name: string, operands: readonly unknown[]): E {
  return as(called(name, operands, { type: 'double' }))
}

/** The cube root. */
export function cbrt<A extends NumberOperand>(operand: A): Double<A> {
  return double('cbrt', [operand])
}

/** Radians as degrees. */
export function degrees<A extends NumberOperand>(operand: A): Double<A> {
  return double('degrees', [operand])
}

/** Degrees as radians. */
export function radians<A extends NumberOperand>(operand: A): Double<A> {
  return double('radians', [operand])
}

/** The sine of radians. */
export function sin<A extends NumberOperand>(operand: A): Double<A> {
  return double('sin', [operand])
}

/** The cosine of radians. */
export function cos<A extends NumberOperand>(operand: A): Double<A> {
  return double('cos', [operand])
}

/** The tangent of radians. */
export function tan<A extends NumberOperand>(operand: A): Double<A> {
  return double('tan', [operand])
}

/** The arc sine, in radians. */
export function asin<A extends NumberOperand>(operand: A): Double<A> {
  return double('asin', [operand])
}

/** The arc cosine, in radians. */
export function acos<A extends NumberOperand>(operand: A): Double<A> {
  return double('acos', [operand])
}

/** The arc tangent, in radians. */
export function atan<A extends NumberOperand>(operand: A): Double<A> {
  return double('atan', [operand])
}

/** The angle of the point (x, y), in radians. */
export function atan2<A extends NumberOperand, const B extends NumberOperand>(y: A, x: B): Double<A | B> {
  return double('atan2', [y, x])
}

/** π */
export function pi(): Expr<number, 'double', never> {
  return double('pi', [])
}
