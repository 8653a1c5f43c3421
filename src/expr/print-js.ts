import { Bug } from '../data/errors.ts'
import { type Expr, isSafe, type Kernel, type KernelType, type Statement, typeOf } from './kernel.ts'
import type { Runtime } from './runtime.ts'

/**
 * Runs rows from `start` to before `end` and returns the first row not done: `end`, or where the runtime says that it
 * stopped (unsafe, or out of space).
 * @param frame what `frameOf` lays out: addresses of columns, outputs and literals
 */
export type CompiledKernel = (runtime: Runtime, frame: readonly number[], start: number, end: number) => number

/** Addresses before the columns' in a frame: cells put out, states put out, selection. */
export const frameHeader = 3

/**
 * Prints a kernel as JavaScript and compiles it. Values never become part of the text, but for numbers that the
 * printer itself writes; strings and objects come from the pool.
 */
export function compileKernel(kernel: Kernel, selected: boolean): CompiledKernel {
  return new Function('pool', printKernel(kernel, selected))(kernel.pool) as CompiledKernel
}

export function printKernel(kernel: Kernel, selected: boolean): string {
  const printer = new Printer(kernel)
  const body = printer.block(kernel.body, '    ')
  return [
    `'use strict'`,
    ...kernel.pool.map((_, i) => `const p${i} = pool[${i}]`),
    'return function kernel(rt, frame, start, end) {',
    '  const u8 = rt.u8, i32 = rt.i32, u32 = rt.u32, f64 = rt.f64, i64 = rt.i64',
    '  const out = frame[0], outState = frame[1], sel = frame[2] / 4',
    ...kernel.columns.map((_, i) => `  const c${i} = frame[${frameHeader + i * 3}], ${printer.bases(i)}`),
    ...kernel.literals.map((_, i) => `  const q${i} = frame[${frameHeader + kernel.columns.length * 3 + i}]`),
    `  const now = ${kernel.exact ? 'rt.now' : 'Number(rt.now)'}`,
    '  const out4 = out / 4, out8 = out / 8',
    '  let flags = 0, kept = rt.kept',
    '  for (let i = start; i < end; i++) {',
    `    const r = ${selected ? 'u32[sel + i]' : 'i'}`,
    body,
    '  }',
    '  rt.flags |= flags; rt.kept = kept',
    '  return end',
    '}',
  ].join('\n')
}

const zeros: Readonly<Record<KernelType, string>> = { flag: 'false', i32: '0', f64: '0', int: '0', any: 'null' }
const operators: Readonly<Record<string, string>> = { and: '&&', or: '||', '==': '===', '!=': '!==' }
const leave = 'rt.flags |= flags; rt.kept = kept; return i'

class Printer {
  readonly #kernel: Kernel

  constructor(kernel: Kernel) {
    this.#kernel = kernel
  }

  bases(i: number): string {
    const frame = frameHeader + i * 3
    return `c${i}d = c${i} / 4, c${i}e = c${i} / 8, c${i}s = frame[${frame + 1}], c${i}h = frame[${frame + 2}]`
  }

  block(statements: readonly Statement[], indent: string): string {
    return statements.map((statement) => indent + this.#statement(statement, indent)).join('\n')
  }

  #braces(statements: readonly Statement[], indent: string): string {
    return `{\n${this.block(statements, `${indent}  `)}\n${indent}}`
  }

  #statement(s: Statement, indent: string): string {
    switch (s.k) {
      case 'let':
        return `let ${s.name} = ${s.value === null ? this.#zero(s.type) : this.expr(s.value)}`
      case 'set':
        return `${s.name} = ${this.expr(s.value)}`
      case 'loadInt':
        return this.#loadInt(s.name, s.column)
      case 'if':
        return `if (${this.expr(s.test)}) ${this.#braces(s.yes, indent)}${s.no.length === 0 ? '' : ` else ${this.#braces(s.no, indent)}`}`
      case 'block':
        return `${s.label}: ${this.#braces(s.body, indent)}`
      case 'leave':
        return `break ${s.label}`
      case 'unsafe':
        return `if (${this.expr(s.test)}) { rt.unsafe = true; ${leave} }`
      case 'space':
        return `if (${this.expr(s.test)}) { ${leave} }`
      case 'fault':
        return `if (rt.fault.state !== 0) { ${s.state} = rt.fault.state; rt.fault.state = 0 }`
      case 'store':
        return this.#store(s.what, s.value)
      case 'storeBytes':
        return `u32[out4 + i * 2] = ${this.expr(s.address)}; u32[out4 + i * 2 + 1] = ${this.expr(s.length)}`
      case 'storeState':
        return `{ const s = ${this.expr(s.value)}; u8[outState + i] = s; flags |= s }`
      case 'keep':
        return `u32[out4 + kept] = r; kept += ${this.expr(s.test)} ? 1 : 0`
      case 'report':
        return `if (${this.expr(s.state)} > 1) rt.report(r, ${this.expr(s.state)})`
    }
  }

  #zero(type: KernelType): string {
    return type === 'int' && this.#kernel.exact ? '0n' : zeros[type]
  }

  #loadInt(name: string, column: number): string {
    if (this.#kernel.exact) return `const ${name} = i64[c${column}e + r]`
    const at = `c${column}d + r * 2`
    // The high half of a safe integer lies within 22 bits.
    return (
      `const ${name}h = i32[${at} + 1]; ` +
      `if (${name}h < -2097152 || ${name}h >= 2097152) { rt.unsafe = true; ${leave} } ` +
      `const ${name} = ${name}h * 4294967296 + u32[${at}]`
    )
  }

  #store(what: 'i32' | 'f64' | 'int', value: Expr): string {
    const printed = this.expr(value)
    if (what === 'i32') return `i32[out4 + i] = ${typeOf(value) === 'flag' ? `${printed} ? 1 : 0` : printed}`
    // One NaN and one zero, whatever the processor made.
    if (what === 'f64') return `{ const x = ${printed}; f64[out8 + i] = x === x ? x + 0 : NaN }`
    if (this.#kernel.exact) return `i64[out8 + i] = ${printed}`
    return `{ const x = ${printed}; u32[out4 + i * 2] = x; i32[out4 + i * 2 + 1] = Math.floor(x / 4294967296) }`
  }

  expr(e: Expr): string {
    switch (e.k) {
      case 'number':
        return number(e.value)
      case 'integer':
        return this.#integer(e.value)
      case 'flag':
        return String(e.value)
      case 'pool':
        return `p${e.index}`
      case 'literalAddress':
        return `q${e.index}`
      case 'now':
        return 'now'
      case 'local':
        return e.name
      case 'load':
        return load(e.what, e.column)
      case 'unary':
        return `(${e.op}${this.expr(e.arg)})`
      case 'binary':
        return this.#binary(e)
      case 'convert':
        return this.#convert(e)
      case 'choose':
        return `(${this.expr(e.test)} ? ${this.expr(e.yes)} : ${this.expr(e.no)})`
      case 'invoke': {
        const target = typeof e.target === 'number' ? `p${e.target}` : `rt.${e.target}`
        return `${target}(${e.args.map((arg) => this.expr(arg)).join(', ')})`
      }
    }
  }

  #integer(value: bigint): string {
    if (this.#kernel.exact) return value < 0n ? `(${value}n)` : `${value}n`
    if (!isSafe(value)) throw new Bug(`${value} in a safe kernel`)
    return number(Number(value))
  }

  #binary(e: Expr & { k: 'binary' }): string {
    const left = this.expr(e.left)
    const right = this.expr(e.right)
    if (e.type === 'int' && !this.#kernel.exact) {
      // Exact for safe integers: their quotient never rounds up to the next whole number.
      if (e.op === '/') return `(Math.trunc(${left} / ${right}) + 0)`
      if (e.op === '%') return `(${left} - Math.trunc(${left} / ${right}) * ${right})`
    }
    if (e.type === 'i32' && (e.op === '/' || e.op === '%')) return `(${left} ${e.op} ${right} | 0)`
    return `(${left} ${operators[e.op] ?? e.op} ${right})`
  }

  #convert(e: Expr & { k: 'convert' }): string {
    const arg = this.expr(e.arg)
    const exact = this.#kernel.exact
    if (e.type === 'int') {
      if (e.from === 'any') return exact ? arg : `Number(${arg})`
      return exact ? `BigInt(${arg})` : arg
    }
    if (e.type === 'any') return exact ? arg : `BigInt(${arg})`
    if (e.from === 'int') return exact ? `Number(${arg})` : arg
    if (e.type === 'flag') return `(${arg} !== 0)`
    if (e.from === 'flag') return `(${arg} ? 1 : 0)`
    return arg
  }
}

function load(what: 'i32' | 'f64' | 'address' | 'length' | 'state', column: number): string {
  switch (what) {
    case 'i32':
      return `i32[c${column}d + r]`
    case 'f64':
      return `f64[c${column}e + r]`
    case 'address':
      return `(c${column}h + u32[c${column}d + r * 2])`
    case 'length':
      return `u32[c${column}d + r * 2 + 1]`
    case 'state':
      return `u8[c${column}s + r]`
  }
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  return value < 0 || Object.is(value, -0) ? `(${value})` : String(value)
}
