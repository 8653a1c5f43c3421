/**
 * The kernel language: what an expression is lowered to before a printer turns it into code. One counted loop runs
 * `body` once per row; everything in it is typed, and no value comes from anywhere but the nodes below.
 *
 * Types: `flag` a truth value, `i32`, `f64`, `int` a whole number that is a double in the safe variant and a BigInt in
 * the exact one, `any` a JavaScript object or string.
 */
export type KernelType = 'flag' | 'i32' | 'f64' | 'int' | 'any'

export type BinaryOperator =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '&'
  | '|'
  | '^'
  | '<<'
  | '>>'
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'and'
  | 'or'

export type Expr =
  | { readonly k: 'number'; readonly type: 'i32' | 'f64'; readonly value: number }
  | { readonly k: 'integer'; readonly type: 'int'; readonly value: bigint }
  | { readonly k: 'flag'; readonly type: 'flag'; readonly value: boolean }
  /** A JavaScript value from the kernel's pool. */
  | { readonly k: 'pool'; readonly type: 'any'; readonly index: number }
  /** Where the bytes of a text literal lie during this run. */
  | { readonly k: 'literalAddress'; readonly type: 'i32'; readonly index: number }
  | { readonly k: 'now'; readonly type: 'int' }
  | { readonly k: 'local'; readonly type: KernelType; readonly name: string }
  | {
      readonly k: 'load'
      readonly type: 'i32' | 'f64'
      readonly what: 'i32' | 'f64' | 'address' | 'length' | 'state'
      readonly column: number
    }
  | { readonly k: 'unary'; readonly type: KernelType; readonly op: '-' | '~' | '!'; readonly arg: Expr }
  /** `type` is the operands'; comparisons and connectives yield a flag. i32 arithmetic yields a double, unchecked. */
  | {
      readonly k: 'binary'
      readonly type: KernelType
      readonly op: BinaryOperator
      readonly left: Expr
      readonly right: Expr
    }
  | { readonly k: 'convert'; readonly type: KernelType; readonly from: KernelType; readonly arg: Expr }
  | { readonly k: 'choose'; readonly type: KernelType; readonly test: Expr; readonly yes: Expr; readonly no: Expr }
  /** A function from the pool (a number) or a method of the runtime (a name). */
  | {
      readonly k: 'invoke'
      readonly type: KernelType
      readonly target: number | string
      readonly args: readonly Expr[]
    }

export type Statement =
  /** Without a value the local starts as its type's zero. */
  | { readonly k: 'let'; readonly name: string; readonly type: KernelType; readonly value: Expr | null }
  | { readonly k: 'set'; readonly name: string; readonly value: Expr }
  /** Reads an i64 cell into a new local; the safe variant stops at one that a double can't hold. */
  | { readonly k: 'loadInt'; readonly name: string; readonly column: number }
  | { readonly k: 'if'; readonly test: Expr; readonly yes: readonly Statement[]; readonly no: readonly Statement[] }
  | { readonly k: 'block'; readonly label: string; readonly body: readonly Statement[] }
  | { readonly k: 'leave'; readonly label: string }
  /** Safe variant: gives the batch up where the test holds, for the exact variant to go on from this row. */
  | { readonly k: 'unsafe'; readonly test: Expr }
  /** Gives back this row where the test holds: it needs more space for bytes. */
  | { readonly k: 'space'; readonly test: Expr }
  /** Takes the state that a helper left behind, if it did. */
  | { readonly k: 'fault'; readonly state: string }
  | { readonly k: 'store'; readonly what: 'i32' | 'f64' | 'int'; readonly value: Expr }
  | { readonly k: 'storeBytes'; readonly address: Expr; readonly length: Expr }
  | { readonly k: 'storeState'; readonly value: Expr }
  /** Filter: keeps the row where the test holds. */
  | { readonly k: 'keep'; readonly test: Expr }
  /** Filter: reports the row as an error where the state is one. */
  | { readonly k: 'report'; readonly state: Expr }

export interface Kernel {
  /** Does `int` mean BigInt? */
  readonly exact: boolean
  readonly body: readonly Statement[]
  /** The batch's columns that the kernel reads; `load.column` is an index into these. */
  readonly columns: readonly number[]
  readonly pool: readonly unknown[]
  readonly literals: readonly Uint8Array[]
  /** Can a cell come out as NULL or an error? */
  readonly writesState: boolean
}

const safeMax = 9007199254740991

export const truth: Expr = { k: 'flag', type: 'flag', value: true }
export const falsehood: Expr = { k: 'flag', type: 'flag', value: false }

export function i32(value: number): Expr {
  return { k: 'number', type: 'i32', value }
}

export function f64(value: number): Expr {
  return { k: 'number', type: 'f64', value }
}

export function int(value: bigint | number): Expr {
  return { k: 'integer', type: 'int', value: BigInt(value) }
}

const flagOperators: ReadonlySet<BinaryOperator> = new Set(['==', '!=', '<', '<=', '>', '>=', 'and', 'or'])

export function typeOf(expr: Expr): KernelType {
  return expr.k === 'binary' && flagOperators.has(expr.op) ? 'flag' : expr.type
}

export function binary(op: BinaryOperator, left: Expr, right: Expr): Expr {
  return { k: 'binary', type: typeOf(left), op, left, right }
}

export function not(arg: Expr): Expr {
  return arg.k === 'flag' ? { ...arg, value: !arg.value } : { k: 'unary', type: 'flag', op: '!', arg }
}

export function convert(arg: Expr, type: KernelType): Expr {
  const from = typeOf(arg)
  return from === type ? arg : { k: 'convert', type, from, arg }
}

export function choose(test: Expr, yes: Expr, no: Expr): Expr {
  if (test.k === 'flag') return test.value ? yes : no
  return { k: 'choose', type: typeOf(yes), test, yes, no }
}

export function invoke(target: number | string, type: KernelType, args: readonly Expr[]): Expr {
  return { k: 'invoke', type, target, args }
}

export function and(left: Expr, right: Expr): Expr {
  if (left.k === 'flag') return left.value ? right : left
  return right.k === 'flag' && right.value ? left : binary('and', left, right)
}

export function or(left: Expr, right: Expr): Expr {
  if (left.k === 'flag') return left.value ? left : right
  return right.k === 'flag' && !right.value ? left : binary('or', left, right)
}

/** May the constant be written as a double? */
export function isSafe(value: bigint): boolean {
  return value >= BigInt(-safeMax) && value <= BigInt(safeMax)
}

/** Beyond what doubles hold exactly; written so that NaN counts as unsafe. */
export function isUnsafe(value: Expr): Expr {
  return not(and(binary('>=', value, f64(-safeMax)), binary('<=', value, f64(safeMax))))
}
