import { laneOf, type SqlType } from '../data/sql-type.ts'
import type { Expr, KernelType } from './kernel.ts'

/**
 * What a value looks like inside a kernel.
 * - `flag`, `i32`, `f64`: booleans; smallint, integer and date; real and double
 * - `int`: bigint, times, timestamps, and numerics with a known scale as value × 10^scale, however wide
 * - `ref`: bytes in linear memory, address and length: text, jsonb, bytea, uuid
 * - `string`, `octets`: the same as a JavaScript string or Uint8Array, from a helper
 * - `decimal`, `interval`: numerics whose scale each value brings along; intervals
 */
export type Shape = 'flag' | 'i32' | 'f64' | 'int' | 'ref' | 'string' | 'octets' | 'decimal' | 'interval'

/** Every Expr in a value is an atom: a local or a constant, free to be repeated. */
export interface Value {
  readonly shape: Shape
  readonly value: Expr
  /** Of a ref. */
  readonly length: Expr | null
  /** Null where it is always a value. What the value is in any other state is undefined, but of its type. */
  readonly state: Expr | null
  /** Of an int: the greatest magnitude it can have, as far as is known. */
  readonly bound: number
}

export function shapeOf(type: SqlType): Shape {
  switch (type.kind) {
    case 'boolean':
      return 'flag'
    case 'numeric':
      return type.precision === undefined ? 'decimal' : 'int'
    case 'interval':
      return 'interval'
    default: {
      const lane = laneOf(type)
      return lane === 'bytes' ? 'ref' : lane === 'i64' ? 'int' : lane
    }
  }
}

const kernelTypes: Readonly<Record<Shape, KernelType>> = {
  flag: 'flag',
  i32: 'i32',
  f64: 'f64',
  int: 'int',
  ref: 'f64',
  string: 'any',
  octets: 'any',
  decimal: 'any',
  interval: 'any',
}

export function kernelTypeOf(shape: Shape): KernelType {
  return kernelTypes[shape]
}

/** Digits behind the point of an `int` numeric; 0 for whole numbers. */
export function scaleOf(type: SqlType): number {
  return type.kind === 'numeric' ? (type.scale ?? 0) : 0
}
