import type { Scalar } from '../../expr/scalar.ts'

/** The expression worked out, if it reads no column. */
export function foldConstant(scalar: Scalar): Scalar {
  return scalar
}
