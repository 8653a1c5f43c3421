import { MillraceError } from '../data/errors.ts'
import type { SqlType } from '../data/sql-type.ts'
import { isAggregate } from '../expr/aggregates.ts'
import type { AppFunction } from '../expr/app-function.ts'
import { signaturesOf } from '../expr/functions/signatures.ts'
import { fold } from '../sql/tokens.ts'
import { type ColumnType, isColumnType } from './column-type.ts'
import type { Expr, GradeIn, Named, NullIn } from './expression.ts'
import { problemOf } from './function-source.ts'
import { identifier } from './identifier.ts'
import { type Kind, kindOfColumn, type NumberKind, type TextKind } from './kinds.ts'
import { as, node, nodeOf } from './node.ts'

type In<C> = C extends ColumnType<infer I> ? Exclude<I, null | undefined> : never
type Out<C> = C extends ColumnType<infer _, infer O> ? O : never
type KindOfType<C> = C extends ColumnType<infer _, unknown, infer K> ? K : never

/** Kinds that SQL casts to a type by itself. */
type Accepted<K extends Kind> = K extends NumberKind ? NumberKind : K extends TextKind ? TextKind : K | 'string'

/** What may stand in a call of the function, in the place of each argument. */
type Operands<A> = { readonly [I in keyof A]: Expr<unknown, Accepted<KindOfType<A[I]>>> | In<A[I]> }

/** What the function's body gets. */
type Values<A extends readonly unknown[], N> = {
  -readonly [I in keyof A]: N extends 'called' ? Out<A[I]> | null : Exclude<Out<A[I]>, null>
}

/** What a function takes and gives, by Millrace's column types. */
export interface FunctionTypes<A, R, N> {
  readonly args: A
  /** Nullable if the function may give null. */
  readonly returns: R
  /** `strict` (default): the result of a NULL is NULL, and the function isn't asked; `called`: it gets null. */
  readonly nulls?: N
}

/** A function of the app, as queries call it. */
export interface Callable extends Named {
  readonly kind: 'function'
  readonly definition: AppFunction
}

/** A scalar function written in TypeScript: a call of it is an expression. In `sql` texts it stands by its name. */
export interface ScalarFunction<A, R, N> extends Callable {
  <const P extends Operands<A> & readonly unknown[]>(
    ...operands: P
  ): Expr<Out<R> | (N extends 'called' ? never : NullIn<P[number]>), KindOfType<R>, GradeIn<P[number]>>
}

/** Names that SQL's grammar or windows have taken. */
const taken = new Set(
  `coalesce nullif greatest least concat concat_ws now extract position overlay trim substring cast tumble hop session
  row_number exists grouping current_timestamp localtimestamp`.split(/\s+/),
)

/**
 * A scalar function in TypeScript, for queries of the builder and for `sql` texts:
 *
 *     const slug = fn('slug', { args: [t.text()], returns: t.text() }, (s) => s.toLowerCase().replaceAll(' ', '-'))
 *     from({ p: products }).select(({ p }) => ({ slug: slug(p.name) }))
 *     sql`SELECT ${slug}(name) FROM ${products}`
 *
 * It runs in the engine, from its text alone: it can use its arguments and JavaScript's own functions, and nothing
 * from outside. It must give the same result for the same arguments, always: results are kept, and computed again
 * when the log is replayed. Arguments and results are as reads show the types. What it throws, and what isn't of the
 * type, is an error in that row, as a division by zero is. Another text is another function: the views that call it
 * are built anew.
 *
 * @throws MillraceError app/load for a name that SQL has itself, and for a function that can't stand alone
 */
export function fn<
  const A extends readonly ColumnType[],
  R extends ColumnType,
  const N extends 'strict' | 'called' = 'strict',
>(name: string, types: FunctionTypes<A, R, N>, body: (...values: Values<A, N>) => Out<R>): ScalarFunction<A, R, N> {
  checkName(name)
  const { args, returns, nulls = 'strict' } = types
  for (const type of [...args, returns]) {
    if (!isColumnType(type)) throw refused(name, 'its types are not column types', 'write t.text(), or another of t')
  }
  const source = String(body)
  const problem = problemOf(source)
  if (problem !== null) throw refused(name, problem.what, problem.hint)
  const taking = args.map((type): SqlType => type.type)
  const definition: AppFunction = {
    name,
    args: taking,
    returns: returns.type,
    nullable: returns.isNullable,
    nulls,
    source,
  }
  const shape = { type: kindOfColumn(returns.type, returns.reads), form: returns.reads }
  const call = (...operands: readonly unknown[]): Expr => {
    const nodes = operands.map(nodeOf)
    const own = { text: '', reads: [call as unknown as Named], uses: [] }
    return as(node(`${identifier(name)}(${nodes.map(({ text }) => text).join(', ')})`, [own, ...nodes], shape))
  }
  // A function's own name can't be assigned.
  Object.defineProperty(call, 'name', { value: name })
  return Object.freeze(Object.assign(call, { kind: 'function' as const, definition })) as unknown as ScalarFunction<
    A,
    R,
    N
  >
}

function checkName(name: string): void {
  if (!/^[a-z][a-z0-9_]*$/i.test(name)) {
    throw refused(name, 'its name is no plain word', 'letters, digits and underscores, a letter first')
  }
  const folded = fold(name)
  if (signaturesOf(folded).length > 0 || isAggregate(folded) || taken.has(folded)) {
    throw refused(name, 'SQL has a function of this name', 'choose another name')
  }
}

function refused(name: string, what: string, hint: string): MillraceError {
  return new MillraceError('app/load', `the function ${name}: ${what}`, { hint })
}
