import { cellErrors } from '../../data/cell.ts'
import {
  absoluteDecimal,
  addDecimal,
  type Decimal,
  decimalInRange,
  decimalZero,
  divideDecimal,
  moduloDecimal,
  multiplyDecimal,
  negateDecimal,
  subtractDecimal,
} from '../../data/decimal.ts'
import type { Builder, Outcome } from '../builder.ts'
import { and, type BinaryOperator, binary, choose, type Expr, f64, i32, int, or } from '../kernel.ts'
import { fault } from '../runtime.ts'
import type { Value } from '../value.ts'
import { define, helper, helperCall, type Implementation } from './definition.ts'

/** + − * / % and signs, over every number type. Overflow and division by zero become error cells. */

type Arithmetic = '+' | '-' | '*'

const ranges = { smallint: [-32768, 32767], integer: [-2147483648, 2147483647] } as const

/** Gives a number computed from 32-bit integers, unless it is outside its type. */
function giveRanged(b: Builder, out: Outcome, kind: 'smallint' | 'integer', computed: Expr): void {
  const result = b.atom(computed)
  const [least, greatest] = ranges[kind]
  const outside =
    kind === 'integer'
      ? binary('!=', binary('|', result, i32(0)), result)
      : or(binary('<', result, i32(least)), binary('>', result, i32(greatest)))
  b.branch(
    outside,
    () => out.fail('integerOutOfRange'),
    () => out.give(binary('|', result, i32(0))),
  )
}

function giveBigint(b: Builder, out: Outcome, result: Value): void {
  const outside = b.outside64(result.value, result.bound)
  if (outside === null) out.give(result.value)
  else
    b.branch(
      outside,
      () => out.fail('integerOutOfRange'),
      () => out.give(result.value),
    )
}

function smallArithmetic(kind: 'smallint' | 'integer', op: Arithmetic): Implementation {
  return (b, args) =>
    b.partial(args, 'i32', (out) => giveRanged(b, out, kind, binary(op, args[0].value, args[1].value)))
}

function bigArithmetic(op: Arithmetic): Implementation {
  return (b, args) =>
    b.partial(args, 'int', (out) => giveBigint(b, out, b.intArithmetic(op, args[0], args[1])), !b.exact)
}

function dividing(b: Builder, out: Outcome, divisor: Expr, zero: Expr, divide: () => void): void {
  if (divisor.k === 'number' || divisor.k === 'integer') {
    if (divisor.value === 0 || divisor.value === 0n) out.fail('divisionByZero')
    else divide()
    return
  }
  b.branch(binary('==', divisor, zero), () => out.fail('divisionByZero'), divide)
}

/** A constant divisor other than 0 and −1 makes division unable to fail. */
function harmless(divisor: Expr): boolean {
  if (divisor.k === 'number') return divisor.value !== 0 && divisor.value !== -1
  return divisor.k === 'integer' && divisor.value !== 0n && divisor.value !== -1n
}

for (const kind of ['smallint', 'integer'] as const) {
  const both = `${kind},${kind}`
  for (const op of ['+', '-', '*'] as const) define(op, both, smallArithmetic(kind, op))
  define('/', both, (b, args) => {
    const [left, right] = args
    const quotient = binary('/', left.value, right.value)
    if (harmless(right.value)) return b.total(args, 'i32', quotient)
    return b.partial(args, 'i32', (out) =>
      dividing(b, out, right.value, i32(0), () => {
        // Only the least value over −1 has a quotient that its type can't hold.
        const overflow = and(binary('==', left.value, i32(ranges[kind][0])), binary('==', right.value, i32(-1)))
        b.branch(
          overflow,
          () => out.fail('integerOutOfRange'),
          () => out.give(quotient),
        )
      }),
    )
  })
  define('% mod', both, (b, args) => {
    const remainder = binary('%', args[0].value, args[1].value)
    if (harmless(args[1].value)) return b.total(args, 'i32', remainder)
    return b.partial(args, 'i32', (out) => dividing(b, out, args[1].value, i32(0), () => out.give(remainder)))
  })
  define('-', kind, (b, args) =>
    b.partial(args, 'i32', (out) => giveRanged(b, out, kind, binary('-', i32(0), args[0].value))),
  )
  define('@ abs', kind, (b, args) =>
    b.partial(args, 'i32', (out) => giveRanged(b, out, kind, magnitude(args[0].value, i32(0)))),
  )
}

function magnitude(value: Expr, zero: Expr): Expr {
  return choose(binary('<', value, zero), binary('-', zero, value), value)
}

for (const op of ['+', '-', '*'] as const) define(op, 'bigint,bigint', bigArithmetic(op))

define('/', 'bigint,bigint', (b, args) => {
  const [left, right] = args
  const quotient = binary('/', left.value, right.value)
  if (harmless(right.value)) return b.total(args, 'int', quotient, left.bound)
  return b.partial(args, 'int', (out) =>
    dividing(b, out, right.value, int(0), () => giveBigint(b, out, b.plain('int', b.atom(quotient)))),
  )
})

define('% mod', 'bigint,bigint', (b, args) => {
  const remainder = binary('%', args[0].value, args[1].value)
  if (harmless(args[1].value)) return b.total(args, 'int', remainder, args[1].bound)
  return b.partial(args, 'int', (out) => dividing(b, out, args[1].value, int(0), () => out.give(remainder)))
})

define('-', 'bigint', (b, args) =>
  b.partial(args, 'int', (out) => giveBigint(b, out, b.intArithmetic('-', b.constantInt(0n), args[0])), !b.exact),
)

define('@ abs', 'bigint', (b, args) =>
  b.partial(
    args,
    'int',
    (out) => giveBigint(b, out, b.plain('int', b.atom(magnitude(args[0].value, int(0))), null, args[0].bound)),
    !b.exact,
  ),
)

for (const kind of ['smallint', 'integer', 'bigint', 'numeric', 'real', 'double']) define('+', kind, (_, [arg]) => arg)

// numeric

function fail(error: keyof typeof cellErrors): Decimal {
  fault.state = cellErrors[error]
  return decimalZero
}

function inRange(d: Decimal): Decimal {
  return d.special !== '' || decimalInRange(d) ? d : fail('numericOutOfRange')
}

function multiply(a: Decimal, b: Decimal): Decimal {
  return inRange(multiplyDecimal(a, b))
}

function divide(a: Decimal, b: Decimal): Decimal {
  return divideDecimal(a, b) ?? fail('divisionByZero')
}

function modulo(a: Decimal, b: Decimal): Decimal {
  return moduloDecimal(a, b) ?? fail('divisionByZero')
}

/** Where both scales and the result's are known, numerics are whole numbers. */
function scaled(exact: Implementation, dynamic: Implementation): Implementation {
  return (b, values, site) =>
    site.type.kind === 'numeric' && site.type.precision !== undefined && values.every(({ shape }) => shape === 'int')
      ? exact(b, values, site)
      : dynamic(b, values, site)
}

function defineNumeric(names: string, args: string, exact: Implementation, dynamic: Implementation): void {
  define(names, args, scaled(exact, dynamic))
}

for (const op of ['+', '-'] as const) {
  const dynamic = op === '+' ? addDecimal : subtractDecimal
  defineNumeric(
    op,
    'numeric,numeric',
    (b, args, site) => {
      const [left, right] = b.aligned(args[0], site.args[0].type, args[1], site.args[1].type)
      return { ...b.intArithmetic(op, left, right), state: b.merged(args) }
    },
    helper(dynamic),
  )
}

defineNumeric(
  '*',
  'numeric,numeric',
  (b, args) => ({ ...b.intArithmetic('*', args[0], args[1]), state: b.merged(args) }),
  helper(multiply, true),
)

define('/', 'numeric,numeric', helper(divide, true))

defineNumeric(
  '% mod',
  'numeric,numeric',
  (b, args, site) => {
    const [left, right] = b.aligned(args[0], site.args[0].type, args[1], site.args[1].type)
    const remainder = binary('%', left.value, right.value)
    if (harmless(right.value)) return b.total(args, 'int', remainder, right.bound)
    return b.partial(args, 'int', (out) => dividing(b, out, right.value, int(0), () => out.give(remainder)))
  },
  helper(modulo, true),
)

defineNumeric(
  '-',
  'numeric',
  (b, args) => ({ ...b.intArithmetic('-', b.constantInt(0n), args[0]), state: args[0].state }),
  helper(negateDecimal),
)

defineNumeric(
  '@ abs',
  'numeric',
  (b, args) => b.total(args, 'int', magnitude(args[0].value, int(0)), args[0].bound),
  helper(absoluteDecimal),
)

// real and double precision

function finite(value: Expr): Expr {
  return binary('==', binary('-', value, value), f64(0))
}

function infinite(value: Expr): Expr {
  return or(binary('==', value, f64(Number.POSITIVE_INFINITY)), binary('==', value, f64(Number.NEGATIVE_INFINITY)))
}

/** An infinite result of finite operands, and a zero that isn't one, are out of range. */
function floatArithmetic(op: BinaryOperator, round: boolean): Implementation {
  return (b, args) =>
    b.partial(args, 'f64', (out) => {
      const [left, right] = args.map(({ value }) => value)
      const compute = (): void => {
        const plain = binary(op, left, right)
        const result = round ? b.invoke(Math.fround, 'f64', [plain]) : b.atom(plain)
        const overflow = and(infinite(result), and(finite(left), op === '/' ? f64Truth(right) : finite(right)))
        const vanished = and(binary('==', result, f64(0)), and(binary('!=', left, f64(0)), nonZero(op, right)))
        b.branch(
          op === '+' || op === '-' ? overflow : or(overflow, vanished),
          () => out.fail('floatOutOfRange'),
          () => out.give(result),
        )
      }
      if (op !== '/') return compute()
      const byZero = and(binary('==', right, f64(0)), binary('==', left, left))
      b.branch(byZero, () => out.fail('divisionByZero'), compute)
    })
}

function f64Truth(value: Expr): Expr {
  return binary('==', value, value)
}

/** May a zero result be an underflow? Dividing by infinity gives a true zero. */
function nonZero(op: BinaryOperator, right: Expr): Expr {
  return op === '/' ? finite(right) : binary('!=', right, f64(0))
}

for (const kind of ['real', 'double'] as const) {
  for (const op of ['+', '-', '*', '/'] as const) define(op, `${kind},${kind}`, floatArithmetic(op, kind === 'real'))
  define('-', kind, (b, args) => b.total(args, 'f64', binary('-', f64(0), args[0].value)))
  define('@ abs', kind, (b, args) => b.total(args, 'f64', magnitude(args[0].value, f64(0))))
}

// Bits

const bitOperators = { '&': '&', '|': '|', '#': '^' } as const

for (const [name, op] of Object.entries(bitOperators)) {
  for (const kind of ['smallint', 'integer']) {
    define(name, `${kind},${kind}`, (b, args) => b.total(args, 'i32', binary(op, args[0].value, args[1].value)))
  }
}

function bigBits(op: '&' | '|' | '#', a: bigint, b: bigint): bigint {
  return op === '&' ? a & b : op === '|' ? a | b : a ^ b
}

define(
  '&',
  'bigint,bigint',
  helper((a: bigint, b: bigint) => bigBits('&', a, b)),
)
define(
  '|',
  'bigint,bigint',
  helper((a: bigint, b: bigint) => bigBits('|', a, b)),
)
define(
  '#',
  'bigint,bigint',
  helper((a: bigint, b: bigint) => bigBits('#', a, b)),
)
define(
  '~',
  'bigint',
  helper((a: bigint) => ~a),
)
for (const kind of ['smallint', 'integer']) {
  define('~', kind, (b, args) => b.total(args, 'i32', { k: 'unary', type: 'i32', op: '~', arg: args[0].value }))
}

/** As a processor shifts: by the count's lowest bits. */
function shift(bits: 16 | 32 | 64, left: boolean): (value: number | bigint, count: number) => number | bigint {
  return (value, count) => {
    const by = BigInt(count & (bits === 64 ? 63 : 31))
    const wide = BigInt(value)
    const result = BigInt.asIntN(bits, left ? wide << by : wide >> by)
    return bits === 64 ? result : Number(result)
  }
}

for (const [kind, bits] of [
  ['smallint', 16],
  ['integer', 32],
  ['bigint', 64],
] as const) {
  define('<<', `${kind},integer`, helper(shift(bits, true) as (...args: never[]) => unknown))
  define('>>', `${kind},integer`, helper(shift(bits, false) as (...args: never[]) => unknown))
}

// Greatest common divisor, least common multiple

function gcd(a: bigint, b: bigint): bigint {
  let left = a < 0n ? -a : a
  let right = b < 0n ? -b : b
  while (right !== 0n) [left, right] = [right, left % right]
  return left
}

function lcm(a: bigint, b: bigint): bigint {
  if (a === 0n || b === 0n) return 0n
  const product = (a / gcd(a, b)) * b
  return product < 0n ? -product : product
}

for (const [kind, greatest] of [
  ['integer', 2147483647n],
  ['bigint', 9223372036854775807n],
] as const) {
  for (const [name, compute] of [
    ['gcd', gcd],
    ['lcm', lcm],
  ] as const) {
    const ranged = (a: number | bigint, b: number | bigint): number | bigint => {
      const result = compute(BigInt(a), BigInt(b))
      if (result > greatest) fault.state = cellErrors.integerOutOfRange
      const kept = result > greatest ? 0n : result
      return kind === 'integer' ? Number(kept) : kept
    }
    define(name, `${kind},${kind}`, (b, args, site) => helperCall(b, args, site, ranged, true))
  }
}
