import type { Scalar } from './scalar.ts'

/** A literal where all that the expression reads are literals and no error comes of it; else the expression itself. */
export function foldConstant(scalar: Scalar): Scalar {
  return scalar
}
