import { MillraceError } from '../../data/errors.ts'
import { fold } from '../../sql/tokens.ts'
import type { Columns, Condition, Expr, GradeIn, Node, OfGroup, OfRow, Problem, Ungrouped } from '../expression.ts'
import type { Kind } from '../kinds.ts'
import { nodeOf } from '../node.ts'
import { bindSource, type ColumnsIn, type Relation, rowOf } from './relation.ts'
import { Selected } from './select.ts'
import type { FromItem, Output } from './select-state.ts'

/** What callbacks of a query see: the columns of each relation under its name. */
export type Scope = Readonly<Record<string, Columns>>

/** Relations by the names that the query gives them. */
export type Relations = Readonly<Record<string, Relation>>

type ScopeOf<R> = { readonly [A in keyof R]: ColumnsIn<R[A]> }

/** Columns of a side that an outer join may leave empty. */
type OrNull<Cols> = {
  readonly [C in keyof Cols]: Cols[C] extends Expr<infer T, infer K, infer G> ? Expr<T | null, K, G> : never
}
type AllOrNull<S> = { readonly [A in keyof S]: OrNull<S[A]> }

/** Columns behind groupBy: good for aggregates alone. */
type Loose<Cols> = {
  readonly [C in keyof Cols]: Cols[C] extends Expr<infer T, infer K> ? Expr<T, K, Ungrouped> : never
}
type Keys<K> = { readonly [C in keyof K]: K[C] extends Expr<infer T, infer Kd> ? Expr<T, Kd, never> : never }

/** What a grouped query's callbacks see: the group's keys, and columns for aggregates. */
export type GroupScope<S, K> = { readonly [A in keyof S]: Loose<S[A]> } & { readonly key: Keys<K> }

/** Outputs of rows, or aggregates over all rows, but not of both. */
type Outputs<G extends string> = Readonly<Record<string, Expr<unknown, Kind, G>>>

type Unmixed<O> =
  OfGroup extends GradeIn<O[keyof O]>
    ? OfRow extends GradeIn<O[keyof O]>
      ? Problem<'a column stands beside an aggregate: group by it, with groupBy(({ o }) => ({ x: o.x }))'>
      : O
    : O

interface FromState {
  readonly from: readonly FromItem[]
  readonly where: readonly Node[]
}

/**
 * Relations side by side, each under a name: `from({ o: orders })`. Of several all pairs of rows, for `where` to
 * choose from.
 */
export function from<const R extends Relations>(relations: R): From<ScopeOf<R>> {
  const entries = Object.entries(relations)
  if (entries.length === 0) throw new MillraceError('sql/definition', 'from({}) names no relation')
  return entries.reduce(
    (query, [alias, relation], i) => query.with(alias, relation, i === 0 ? 'first' : 'CROSS JOIN', null),
    new From<Scope>({ from: [], where: [] }),
  ) as unknown as From<ScopeOf<R>>
}

/** A query that says what it reads, and not yet what it shows. */
export class From<S> {
  readonly #state: FromState

  /** For `from` alone. */
  constructor(state: FromState) {
    this.#state = state
  }

  /** Only rows for which the condition holds; several calls are joined by AND. */
  where(condition: (scope: S) => Condition<OfRow>): From<S> {
    const made = nodeOf(condition(this.#scope() as S))
    return new From({ ...this.#state, where: [...this.#state.where, ...(made.conjuncts ?? [made])] })
  }

  /** Pairs of rows for which the condition holds. */
  join<const R extends Relations>(relation: R, on: (scope: S & ScopeOf<R>) => Condition<OfRow>): From<S & ScopeOf<R>> {
    return this.#join('JOIN', relation, on)
  }

  /** The same, and rows of the left without a partner, whose columns of the right are NULL. */
  leftJoin<const R extends Relations>(
    relation: R,
    on: (scope: S & ScopeOf<R>) => Condition<OfRow>,
  ): From<S & AllOrNull<ScopeOf<R>>> {
    return this.#join('LEFT JOIN', relation, on)
  }

  /** The same, and rows of the right without a partner, whose columns of the left are NULL. */
  rightJoin<const R extends Relations>(
    relation: R,
    on: (scope: S & ScopeOf<R>) => Condition<OfRow>,
  ): From<AllOrNull<S> & ScopeOf<R>> {
    return this.#join('RIGHT JOIN', relation, on)
  }

  /** The same, and rows of either side without a partner. */
  fullJoin<const R extends Relations>(
    relation: R,
    on: (scope: S & ScopeOf<R>) => Condition<OfRow>,
  ): From<AllOrNull<S> & AllOrNull<ScopeOf<R>>> {
    return this.#join('FULL JOIN', relation, on)
  }

  /** One row per group of rows with equal keys: `.groupBy(({ o }) => ({ user: o.userId }))`. */
  groupBy<const K extends Outputs<OfRow>>(keys: (scope: S) => K): Grouped<S, K> {
    const scope = this.#scope()
    const made = Object.entries(keys(scope as S)).map(([name, key]) => ({ name, node: nodeOf(key) }))
    if (made.length === 0) {
      throw new MillraceError('sql/grouping', 'groupBy without a key', {
        hint: 'leave it out: aggregates are of all rows',
      })
    }
    // A number there would mean the output of that place.
    for (const { name, node } of made) {
      if (node.uses.length > 0) continue
      throw new MillraceError('sql/grouping', `the key ${name} reads no column`, {
        hint: 'group by a column or what is made of one; in sql`…` put it in as ${o.column}',
      })
    }
    return new Grouped(this.#state, scope, made)
  }

  /**
   * What each row shows: `.select(({ o }) => ({ id: o.id, total: mul(o.price, o.count) }))`, or `({ o }) => o` for all
   * of a relation's columns. Aggregates alone are of all rows.
   */
  select<const O extends Outputs<OfRow | OfGroup>>(outputs: (scope: S) => Unmixed<O>): Selected<O> {
    return selected(this.#state, null, [], outputs(this.#scope() as S) as O)
  }

  /** For `exists`: whatever it shows. */
  asSelected(): Selected<Columns> {
    return selected(this.#state, null, [], { found: nodeOf(true) })
  }

  /** For `from` and the joins. */
  with(alias: string, relation: Relation, join: FromItem['join'], on: Node | null): From<S> {
    const { from: items } = this.#state
    if (alias === 'key' || items.some(({ source }) => fold(source.alias) === fold(alias))) {
      const what = alias === 'key' ? 'key names the keys of groupBy' : `${alias} names two relations of one query`
      throw new MillraceError('sql/definition', what, { hint: 'give the relation another name' })
    }
    return new From({ ...this.#state, from: [...items, { source: bindSource(alias, relation), join, on }] })
  }

  #join<N>(join: FromItem['join'], relation: Relations, on: (scope: never) => Condition): From<N> {
    const entries = Object.entries(relation)
    if (entries.length !== 1) {
      throw new MillraceError('sql/definition', `a join takes one relation, not ${entries.length}`, {
        hint: 'join one after the other',
      })
    }
    const [[alias, joined]] = entries
    const items = this.with(alias, joined, join, null).#state.from
    const condition = nodeOf(on(scopeOf(items) as never))
    const last = { ...items[items.length - 1], on: condition }
    return new From<N>({ ...this.#state, from: [...items.slice(0, -1), last] })
  }

  #scope(): Scope {
    return scopeOf(this.#state.from)
  }
}

function scopeOf(items: readonly FromItem[]): Scope {
  return Object.fromEntries(items.map(({ source }) => [source.alias, rowOf(source)]))
}

/** A grouped query that doesn't say yet what it shows. */
export class Grouped<S, K> {
  readonly #state: FromState
  readonly #scope: Scope
  readonly #keys: readonly Output[]
  readonly #having: readonly Node[]

  /** For `groupBy` alone. */
  constructor(state: FromState, scope: Scope, keys: readonly Output[], having: readonly Node[] = []) {
    this.#state = state
    this.#scope = scope
    this.#keys = keys
    this.#having = having
  }

  /** Only groups for which the condition holds: `.having(({ o }) => gt(sum(o.amount), 100))`. */
  having(condition: (scope: GroupScope<S, K>) => Condition<OfGroup>): Grouped<S, K> {
    const made = nodeOf(condition(this.#inside()))
    return new Grouped(this.#state, this.#scope, this.#keys, [...this.#having, made])
  }

  /** What each group shows: its keys and aggregates. */
  select<const O extends Outputs<OfGroup>>(outputs: (scope: GroupScope<S, K>) => O): Selected<O> {
    return selected(this.#state, this.#keys, this.#having, outputs(this.#inside()))
  }

  #inside(): GroupScope<S, K> {
    const key = Object.fromEntries(this.#keys.map(({ name, node }) => [name, node]))
    return { ...this.#scope, key } as unknown as GroupScope<S, K>
  }
}

function selected<O extends Columns>(
  { from: items, where }: FromState,
  keys: readonly Output[] | null,
  having: readonly Node[],
  outputs: O,
): Selected<O> {
  const made = Object.entries(outputs).map(([name, output]): Output => ({ name, node: nodeOf(output) }))
  if (made.length === 0)
    throw new MillraceError('sql/definition', 'select shows no column', { hint: 'name at least one' })
  const grouping = keys === null ? null : keys.map(({ node }) => node)
  return new Selected<O>({
    kind: 'select',
    state: { from: items, where, keys: grouping, having, outputs: made },
    distinct: false,
  })
}
