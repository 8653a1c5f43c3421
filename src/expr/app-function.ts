import { MillraceError } from '../data/errors.ts'
import { type SqlType, sameType, type TypeKind } from '../data/sql-type.ts'
import { signatureKey } from './functions/signatures.ts'
import { cast, coalesce, isNull, literal } from './resolve.ts'
import type { AppFunctionBody, Scalar } from './scalar.ts'

/** A scalar function that an app brings along, by what SQL needs to know of it. */
export interface AppFunction {
  readonly name: string
  readonly args: readonly SqlType[]
  readonly returns: SqlType
  /** Whether it may give NULL where no argument is. */
  readonly nullable: boolean
  readonly nulls: AppFunctionBody['nulls']
  /** The text of a function expression that needs nothing from outside. */
  readonly source: string
}

/** Kinds whose values JavaScript takes as they are; all others go in and come out as PostgreSQL's text. */
const direct = new Set<TypeKind>(['boolean', 'smallint', 'integer', 'bigint', 'real', 'double', 'text', 'bytea'])

function wireType({ kind }: SqlType): SqlType {
  return direct.has(kind) ? ({ kind } as SqlType) : { kind: 'text' }
}

/** What stands for NULL beside the flag that says so. */
function zeroOf({ kind }: SqlType): string {
  return kind === 'text' ? '' : kind === 'bytea' ? '\\x' : kind === 'boolean' ? 'false' : '0'
}

/**
 * A call of it: arguments cast to what it takes, its result to what it gives.
 * @throws MillraceError sql/type
 */
export function callAppFunction(fn: AppFunction, args: readonly Scalar[]): Scalar {
  const { name, returns, nulls, source, nullable } = fn
  if (args.length !== fn.args.length) {
    throw new MillraceError('sql/type', `${name} takes ${fn.args.length} arguments, not ${args.length}`)
  }
  const taken = args.map((arg, i) => {
    const typed = cast(arg, fn.args[i], 'implicit')
    const wire = wireType(fn.args[i])
    return sameType(typed.type, wire) ? typed : cast(typed, wire, 'explicit')
  })
  const passed =
    nulls === 'strict'
      ? taken
      : taken.flatMap((arg) => [isNull(arg), coalesce([arg, literal(zeroOf(arg.type), arg.type)])])
  const kinds = fn.args.map(({ kind }) => kind)
  const type = wireType(returns)
  const call: Scalar = {
    op: 'call',
    fn: signatureKey(name, kinds),
    args: passed,
    body: { source, args: kinds, returns: returns.kind, nullable, nulls },
    type,
    nullable: nullable || passed.some((arg) => arg.nullable),
  }
  return sameType(type, returns) ? call : cast(call, returns, 'explicit')
}
