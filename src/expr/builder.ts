import { type CellErrorName, cellErrors } from '../data/cell.ts'
import { Bug } from '../data/errors.ts'
import type { ColumnSchema, SqlType } from '../data/sql-type.ts'
import {
  type BinaryOperator,
  binary,
  convert,
  type Expr,
  f64,
  i32,
  int,
  invoke,
  isSafe,
  isUnsafe,
  type KernelType,
  or,
  type Statement,
  typeOf,
} from './kernel.ts'
import { mergeStates } from './runtime.ts'
import { kernelTypeOf, type Shape, scaleOf, type Value } from './value.ts'

const int64Max = 9223372036854775807n
const safeBound = 9007199254740991

/** Thrown where a constant of the safe variant is unsafe: only the exact variant will do. */
export const onlyExact = Symbol('only the exact variant will do')

/** Where a strict function that may fail puts its result. */
export interface Outcome {
  give(value: Expr, length?: Expr): void
  fail(error: CellErrorName): void
  /** NULL. */
  none(): void
}

/**
 * Collects the statements of one kernel. Functions are lowered through it, in the order of evaluation; what it hands
 * out are atoms, so that an operand may be used as often as needed.
 */
export class Builder {
  readonly exact: boolean
  readonly inputs: readonly ColumnSchema[]
  /** Which input columns have a state lane in this batch. */
  readonly hasState: (column: number) => boolean
  readonly columns: number[] = []
  readonly pool: unknown[] = []
  readonly literals: Uint8Array[] = []
  #body: Statement[] = []
  #scopes: Map<string, Value>[] = [new Map()]
  #locals = 0

  constructor(inputs: readonly ColumnSchema[], hasState: (column: number) => boolean, exact: boolean) {
    this.inputs = inputs
    this.hasState = hasState
    this.exact = exact
  }

  get body(): readonly Statement[] {
    return this.#body
  }

  add(statement: Statement): void {
    this.#body.push(statement)
  }

  name(): string {
    return `v${this.#locals++}`
  }

  /** Collects statements apart; values found in there are forgotten behind it. */
  nested(build: () => void): Statement[] {
    const outer = this.#body
    const inner: Statement[] = []
    this.#body = inner
    this.#scopes.push(new Map())
    build()
    this.#scopes.pop()
    this.#body = outer
    return inner
  }

  /** A value computed before in this scope or one around it. */
  remembered(key: string, compute: () => Value): Value {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const known = this.#scopes[i].get(key)
      if (known !== undefined) return known
    }
    const value = compute()
    this.#scopes[this.#scopes.length - 1].set(key, value)
    return value
  }

  /** Names an expression's result, so that it is computed once. */
  atom(expr: Expr): Expr {
    if (expr.k === 'local' || expr.k === 'number' || expr.k === 'integer' || expr.k === 'flag' || expr.k === 'pool') {
      return expr
    }
    if (expr.k === 'literalAddress' || expr.k === 'now') return expr
    const name = this.name()
    const type = typeOf(expr)
    this.add({ k: 'let', name, type, value: expr })
    return { k: 'local', type, name }
  }

  /** A local that starts as its type's zero and may be set. */
  variable(type: KernelType): Expr & { k: 'local' } {
    const name = this.name()
    this.add({ k: 'let', name, type, value: null })
    return { k: 'local', type, name }
  }

  set(local: Expr & { k: 'local' }, value: Expr): void {
    this.add({ k: 'set', name: local.name, value })
  }

  branch(test: Expr, yes: () => void, no: () => void = () => {}): void {
    if (test.k === 'flag') {
      if (test.value) yes()
      else no()
      return
    }
    this.add({ k: 'if', test, yes: this.nested(yes), no: this.nested(no) })
  }

  pooled(value: unknown): Expr {
    const known = this.pool.indexOf(value)
    return { k: 'pool', type: 'any', index: known >= 0 ? known : this.pool.push(value) - 1 }
  }

  /** Calls a JavaScript function of ours. */
  invoke(target: string | ((...args: never[]) => unknown), type: KernelType, args: readonly Expr[]): Expr {
    if (typeof target === 'string') return this.atom(invoke(target, type, args))
    const pooled = this.pooled(target) as Expr & { k: 'pool' }
    return this.atom(invoke(pooled.index, type, args))
  }

  literalRef(bytes: Uint8Array): Value {
    const index = this.literals.push(bytes) - 1
    return { ...this.plain('ref', { k: 'literalAddress', type: 'i32', index }), length: i32(bytes.length) }
  }

  columnIndex(column: number): number {
    const known = this.columns.indexOf(column)
    return known >= 0 ? known : this.columns.push(column) - 1
  }

  plain(shape: Shape, value: Expr, state: Expr | null = null, bound = Number.POSITIVE_INFINITY): Value {
    const type = typeOf(value)
    const wanted = kernelTypeOf(shape)
    // The type decides what arithmetic is printed. Between i32 and f64 nothing but the type changes.
    const free = (type === 'i32' || type === 'f64') && (wanted === 'i32' || wanted === 'f64')
    if (type !== wanted && !free) throw new Bug(`a ${shape} in a local of type ${type}`)
    return { shape, value: convert(value, wanted), length: null, state, bound }
  }

  constantInt(value: bigint): Value {
    if (!this.exact && !isSafe(value)) throw onlyExact
    return this.plain('int', int(value), null, Math.abs(Number(value)))
  }

  /** The state of a strict function's result; null where every argument is always a value. */
  merged(values: readonly Value[]): Expr | null {
    let state: Expr | null = null
    for (const value of values) {
      if (value.state === null) continue
      state = state === null ? value.state : this.invoke(mergeStates, 'i32', [state, value.state])
    }
    return state
  }

  /** A strict function that never fails: computed whether or not its arguments are values. */
  total(args: readonly Value[], shape: Shape, value: Expr, bound?: number): Value {
    return this.plain(shape, this.atom(value), this.merged(args), bound)
  }

  /** As `total`, but computed only where all arguments are values: for what is dear or makes objects. */
  guarded(args: readonly Value[], shape: Shape, compute: () => Expr): Value {
    return this.partial(args, shape, (out) => out.give(compute()), true)
  }

  /** The error that a result has of two states of which one at least is an error. */
  worst(a: Expr, b: Expr): Expr {
    return this.invoke(mergeStates, 'i32', [a, b])
  }

  /**
   * A strict function that may fail or be NULL, computed only where all arguments are values.
   * @param lossless it fails only in the exact variant, or not at all
   */
  partial(args: readonly Value[], shape: Shape, compute: (out: Outcome) => void, lossless = false): Value {
    const input = this.merged(args)
    const value = this.variable(kernelTypeOf(shape))
    const length = shape === 'ref' ? this.variable('f64') : null
    const state = lossless && input === null ? null : this.variable('i32')
    const fail = (code: number): void => {
      if (state !== null) this.set(state, i32(code))
    }
    const body = this.nested(() => {
      compute({
        give: (result, resultLength) => {
          this.set(value, result)
          if (length !== null && resultLength !== undefined) this.set(length, resultLength)
        },
        fail: (error) => fail(cellErrors[error]),
        none: () => fail(1),
      })
    })
    if (input === null) {
      for (const statement of body) this.add(statement)
    } else {
      this.set(state!, input)
      this.add({ k: 'if', test: binary('==', input, i32(0)), yes: body, no: [] })
    }
    return { shape, value, length, state, bound: Number.POSITIVE_INFINITY }
  }

  /** A strict function that a JavaScript function computes; with `fails` it may leave a fault behind. */
  helper(
    args: readonly Value[],
    shape: Shape,
    target: string | ((...args: never[]) => unknown),
    operands: readonly Expr[],
    fails: boolean,
  ): Value {
    const type = kernelTypeOf(shape)
    if (!fails && this.merged(args) === null) return this.plain(shape, this.invoke(target, type, operands))
    const input = this.merged(args)
    const value = this.variable(type)
    const state = this.variable('i32')
    const body = this.nested(() => {
      this.set(value, this.invoke(target, type, operands))
      if (fails) this.add({ k: 'fault', state: state.name })
    })
    if (input === null) for (const statement of body) this.add(statement)
    else {
      this.set(state, input)
      this.add({ k: 'if', test: binary('==', input, i32(0)), yes: body, no: [] })
    }
    return this.plain(shape, value, state)
  }

  /** The state that the helper called last left behind. */
  takeFault(): Expr {
    const state = this.variable('i32')
    this.add({ k: 'fault', state: state.name })
    return state
  }

  /** Calls one function on doubles in the safe variant, and its twin on BigInts in the exact one. */
  intCall(
    type: KernelType,
    safe: (...args: never[]) => unknown,
    exact: (...args: never[]) => unknown,
    args: readonly Expr[],
  ): Expr {
    return this.invoke(this.exact ? exact : safe, type, args)
  }

  /** Whole-number arithmetic whose result is unbounded: the safe variant gives up where a double can't hold it. */
  intArithmetic(op: '+' | '-' | '*', left: Value, right: Value): Value {
    const bound = op === '*' ? left.bound * right.bound : left.bound + right.bound
    const result = this.atom(binary(op, left.value, right.value))
    this.checkSafe(result, bound)
    return this.plain('int', result, null, bound)
  }

  /** Stops the safe variant at a result that isn't safe; costs nothing where the bound says that it is. */
  checkSafe(result: Expr, bound = Number.POSITIVE_INFINITY): void {
    if (!this.exact && !(bound <= safeBound)) this.add({ k: 'unsafe', test: isUnsafe(result) })
  }

  /** Is the result within 64 bits? Null where it can't but be: in the safe variant always. */
  outside64(result: Expr, bound = Number.POSITIVE_INFINITY): Expr | null {
    if (!this.exact || bound < 9e18) return null
    return or(binary('>', result, int(int64Max)), binary('<', result, int(-int64Max - 1n)))
  }

  compareInt(op: BinaryOperator, left: Value, right: Value): Expr {
    return binary(op, left.value, right.value)
  }

  /** value × 10^digits, for numerics of different scales. */
  scaleUp(value: Value, digits: number): Value {
    if (digits === 0) return value
    const factor = 10n ** BigInt(digits)
    const result = this.intArithmetic('*', value, this.constantInt(factor))
    return { ...result, state: value.state }
  }

  /** Both numerics at the greater of their scales. */
  aligned(left: Value, leftType: SqlType, right: Value, rightType: SqlType): readonly [Value, Value] {
    const scale = Math.max(scaleOf(leftType), scaleOf(rightType))
    return [this.scaleUp(left, scale - scaleOf(leftType)), this.scaleUp(right, scale - scaleOf(rightType))]
  }

  /** i32 → int */
  widen(value: Value): Value {
    return this.plain('int', this.atom(convert(value.value, 'int')), value.state, 2147483648)
  }

  toDouble(value: Expr): Expr {
    return this.atom(convert(value, 'f64'))
  }

  /** As a JavaScript string. */
  string(value: Value): Expr {
    if (value.shape === 'string') return value.value
    const key = `string ${JSON.stringify(value.value)}`
    return this.remembered(key, () => this.plain('string', this.invoke('string', 'any', [value.value, value.length!])))
      .value
  }

  octets(value: Value): Expr {
    return value.shape === 'octets' ? value.value : this.invoke('octets', 'any', [value.value, value.length!])
  }

  /** As bytes in linear memory; what is none yet is written there. */
  ref(value: Value): Value {
    if (value.shape === 'ref') return value
    const put = value.shape === 'string' ? 'putString' : 'putBytes'
    return this.put(value, put, [value.value])
  }

  /** Writes a value's bytes, in states where it is one. */
  put(value: Value, method: string, operands: readonly Expr[]): Value {
    const address = this.variable('f64')
    const length = this.variable('f64')
    const write = (): void => {
      this.set(address, invoke(method, 'f64', operands))
      this.add({ k: 'space', test: binary('<', address, f64(0)) })
      this.set(length, invoke('lastLength', 'f64', []))
    }
    if (value.state === null) write()
    else this.branch(binary('==', value.state, i32(0)), write)
    return { shape: 'ref', value: address, length, state: value.state, bound: Number.POSITIVE_INFINITY }
  }
}
