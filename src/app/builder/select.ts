import { MillraceError } from '../../data/errors.ts'
import { fold } from '../../sql/tokens.ts'
import type { Columns, Condition, Expr, Fragment, Named, OfGroup, OfRow, Use } from '../expression.ts'
import { identifier } from '../identifier.ts'
import type { Kind, NumberKind, TextKind, WiderKind } from '../kinds.ts'
import { needsOf, nodeOf } from '../node.ts'
import type { OutputColumn, Sql } from '../sql-text.ts'
import { type Ordering, printDirection } from './direction.ts'
import { bindSource, indented, rowOf } from './relation.ts'
import {
  type Ending,
  noEnding,
  type Output,
  printSelect,
  type SelectState,
  strayUse,
  withEnding,
} from './select-state.ts'

/** The rows of a query, as reads show them. */
export type RowOf<O> = { readonly [C in keyof O]: O[C] extends Expr<infer T> ? T : never }

/** A query's outputs, as the columns that others read. */
export type OutputsOf<O> = {
  readonly [C in keyof O]: O[C] extends Expr<infer T, infer K> ? Expr<T, K, OfRow> : never
}

/** Kinds that UNION puts under one. */
type Kin<K extends Kind> = K extends NumberKind ? NumberKind : K extends TextKind ? TextKind : K

/** Another query's outputs with the same names and kinds, which may be NULL. */
type Alike<O> = { readonly [C in keyof O]: O[C] extends Expr<unknown, infer K> ? Expr<unknown, Kin<K>> : never }

/** What either of two queries shows. */
type Either<O, P> = {
  readonly [C in keyof O]: O[C] extends Expr<infer T, infer K>
    ? C extends keyof P
      ? P[C] extends Expr<infer U, infer L>
        ? Expr<T | U, [K] extends [NumberKind] ? WiderKind<K | L> : K, OfRow>
        : never
      : never
    : never
}

type Body =
  | { readonly kind: 'select'; readonly state: SelectState; readonly distinct: boolean | readonly string[] }
  | {
      readonly kind: 'set'
      readonly word: SetWord
      readonly left: Selected<Columns>
      readonly right: Selected<Columns>
    }

type SetWord = 'UNION' | 'UNION ALL' | 'INTERSECT' | 'EXCEPT'

/** How many rows, and in which order, of each partition: see `top`. */
export interface TopOptions<Name extends string> {
  readonly by: Ordering<Name> | readonly Ordering<Name>[]
  /** The columns whose equal values make a partition; without them there is one. */
  readonly per?: Name | readonly Name[]
}

/**
 * A query of the builder: it can be a view, be read by other queries, be asked once with `db.sql(query)`, and prints
 * the SQL that it stands for. Each method gives a new query.
 */
export class Selected<O extends Columns> implements Sql<RowOf<O>, OutputsOf<O>> {
  readonly kind = 'sql'
  declare readonly '~row'?: RowOf<O>
  declare readonly '~columns'?: OutputsOf<O>
  declare readonly '~expr'?: { readonly value: RowOf<O>; readonly kind: Kind; readonly grade: never }
  readonly #body: Body
  readonly #ending: Ending
  readonly outputs: readonly OutputColumn[]
  #printed: Fragment | null = null

  /** For `select` alone. */
  constructor(body: Body, ending: Ending = noEnding) {
    this.#body = body
    this.#ending = ending
    this.outputs =
      body.kind === 'set'
        ? eitherOutputs(body.left.outputs, body.right.outputs)
        : body.state.outputs.map(({ name, node }) => ({ name, form: node.form, type: node.type }))
  }

  /**
   * The SQL that the query stands for.
   * @throws MillraceError sql/definition where it uses columns of a query around it
   */
  toSql(): string {
    if (this.uses.length > 0) throw strayUse(this.uses[0])
    return this.text
  }

  get text(): string {
    return this.#print().text
  }

  get reads(): readonly Named[] {
    return this.#print().reads
  }

  get uses(): readonly Use[] {
    return this.#print().uses
  }

  /** Only groups for which the condition holds; it may use the outputs: `.having(({ orders }) => gt(orders, 5))`. */
  having(condition: (outputs: O) => Condition<OfGroup>): Selected<O> {
    const { state, distinct } = this.#select('having')
    const outputs = Object.fromEntries(state.outputs.map(({ name, node }) => [name, node]))
    const having = [...state.having, nodeOf(condition(outputs as unknown as O))]
    return new Selected({ kind: 'select', state: { ...state, having }, distinct })
  }

  /** The order that reads have unless they ask for another: `.orderBy('-revenue', 'minute')`. */
  orderBy(...orderings: readonly Ordering<keyof O & string>[]): Selected<O> {
    const names = this.outputs.map(({ name }) => name)
    const order = orderings
      .map((ordering) => printDirection(ordering, names))
      .map(({ name, text }) => {
        this.#mustHave(name)
        return text
      })
    if (this.#ending.limit !== null || this.#ending.offset !== null) return this.#wrapped().orderBy(...orderings)
    return new Selected(this.#body, { ...this.#ending, order })
  }

  /** At most so many rows, the first in the order; ties are decided by all columns. */
  limit(rows: number): Selected<O> {
    if (this.#ending.limit !== null) return this.#wrapped().limit(rows)
    return new Selected(this.#body, { ...this.#ending, limit: wholeNumber(rows, 'limit') })
  }

  /** Without so many rows at the beginning. */
  offset(rows: number): Selected<O> {
    if (this.#ending.offset !== null) return this.#wrapped().offset(rows)
    return new Selected(this.#body, { ...this.#ending, offset: wholeNumber(rows, 'offset') })
  }

  /** Equal rows once. */
  distinct(): Selected<O> {
    if (this.#body.kind === 'set' || this.#body.distinct !== false || !this.#isOpen()) {
      return this.#wrapped().distinct()
    }
    return new Selected({ ...this.#body, distinct: true })
  }

  /** Of rows that are equal in these columns the first, by `orderBy`, which begins with them. */
  distinctOn(...names: readonly (keyof O & string)[]): Selected<O> {
    for (const name of names) this.#mustHave(name)
    if (this.#body.kind === 'set' || this.#body.distinct !== false || !this.#isOpen()) {
      return this.#wrapped().distinctOn(...names)
    }
    return new Selected({ ...this.#body, distinct: names })
  }

  /**
   * The first rows of each partition: `.top(3, { by: '-price', per: 'auction' })`.
   * @param rows how many
   */
  top(rows: number, { by, per = [] }: TopOptions<keyof O & string>): Selected<O> {
    const names = this.outputs.map(({ name }) => name)
    const orders = ([by].flat() as readonly Ordering<string>[]).map((order) => printDirection(order, names))
    const keys = [per].flat() as readonly string[]
    for (const name of [...keys, ...orders.map((order) => order.name)]) this.#mustHave(name)
    let place = 'place'
    while (names.some((name) => fold(name) === place)) place += '_'
    const ranked = new Selected<Columns>({
      kind: 'select',
      state: this.#readBy('numbered', (row) => [...outputsOf(row, names), placeOutput()]),
      distinct: false,
    })
    function placeOutput(): Output {
      const partition = keys.length === 0 ? '' : `PARTITION BY ${keys.map(identifier).join(', ')} `
      const text = `row_number() OVER (${partition}ORDER BY ${orders.map((order) => order.text).join(', ')})`
      return { name: place, node: { ...nodeOf(0), text, type: 'bigint' } }
    }
    const state = ranked.#readBy('ranked', (row) => outputsOf(row, names))
    const limit = { ...nodeOf(rows), text: `ranked.${place} <= ${wholeNumber(rows, 'top')}` }
    return new Selected({ kind: 'select', state: { ...state, where: [limit] }, distinct: false })
  }

  /** Rows of both, equal ones once. */
  union<P extends Alike<O>>(other: Selected<P>): Selected<Either<O, P>> {
    return this.#with('UNION', other)
  }

  /** Rows of both. */
  unionAll<P extends Alike<O>>(other: Selected<P>): Selected<Either<O, P>> {
    return this.#with('UNION ALL', other)
  }

  /** Rows that are in both, once. */
  intersect<P extends Alike<O>>(other: Selected<P>): Selected<Either<O, P>> {
    return this.#with('INTERSECT', other)
  }

  /** Rows that are not in the other, once. */
  except<P extends Alike<O>>(other: Selected<P>): Selected<O> {
    return this.#with('EXCEPT', other)
  }

  #with<P extends Columns, R extends Columns>(word: SetWord, other: Selected<P>): Selected<R> {
    const names = this.outputs.map(({ name }) => name)
    const others = other.outputs.map(({ name }) => name)
    if (names.length !== others.length || names.some((name) => !others.includes(name))) {
      throw new MillraceError(
        'sql/type',
        `${word}: one query has ${names.join(', ')}, the other ${others.join(', ')}`,
        {
          hint: 'select the same names in both',
        },
      )
    }
    const isSame = names.every((name, i) => name === others[i])
    const right = isSame
      ? other
      : new Selected({ kind: 'select', state: other.#readBy('other', (row) => outputsOf(row, names)), distinct: false })
    return new Selected<Columns>({
      kind: 'set',
      word,
      left: this as unknown as Selected<Columns>,
      right: right as unknown as Selected<Columns>,
    }) as unknown as Selected<R>
  }

  /** One SELECT over this query. */
  #readBy(alias: string, outputs: (row: Columns) => readonly Output[]): SelectState {
    const source = bindSource(alias, this)
    return {
      from: [{ source, join: 'first', on: null }],
      where: [],
      keys: null,
      having: [],
      outputs: outputs(rowOf(source)),
    }
  }

  #wrapped(): Selected<O> {
    const names = this.outputs.map(({ name }) => name)
    return new Selected({
      kind: 'select',
      state: this.#readBy('rows', (row) => outputsOf(row, names)),
      distinct: false,
    })
  }

  #isOpen(): boolean {
    const { order, limit, offset } = this.#ending
    return order.length === 0 && limit === null && offset === null
  }

  #select(method: string): Extract<Body, { readonly kind: 'select' }> {
    if (this.#body.kind === 'select' && this.#body.distinct === false && this.#isOpen()) return this.#body
    throw new MillraceError('sql/definition', `${method}() stands behind orderBy, limit, distinct or a union`, {
      hint: `say ${method}() right behind select()`,
    })
  }

  #mustHave(name: string): void {
    if (this.outputs.some((output) => output.name === name)) return
    throw new MillraceError('sql/unknown-column', `the query has no output ${name}`, {
      hint: `there are ${this.outputs.map((output) => output.name).join(', ')}`,
    })
  }

  #print(): Fragment {
    this.#printed ??= this.#body.kind === 'select' ? this.#printSelect(this.#body) : this.#printSet(this.#body)
    return this.#printed
  }

  #printSelect({ state, distinct }: Extract<Body, { readonly kind: 'select' }>): Fragment {
    const printed = printSelect(state, distinct)
    return { ...printed, text: withEnding(printed.text, this.#ending) }
  }

  #printSet({ word, left, right }: Extract<Body, { readonly kind: 'set' }>): Fragment {
    const sides = [left, right].map((side, i) => side.#asOperand(word, i === 0))
    return { ...needsOf([left, right]), text: withEnding(`${sides[0]}\n${word}\n${sides[1]}`, this.#ending) }
  }

  /** In brackets, unless it is a plain SELECT or the left of the same word. */
  #asOperand(word: SetWord, isLeft: boolean): string {
    const isPlain = this.#isOpen() && (this.#body.kind === 'select' || (isLeft && this.#body.word === word))
    const hasWith = this.text.startsWith('WITH ')
    return isPlain && !hasWith ? this.text : `(\n${indented(this.text)}\n)`
  }
}

function outputsOf(row: Columns, names: readonly string[]): readonly Output[] {
  return names.map((name) => ({ name, node: nodeOf(row[name]) }))
}

function eitherOutputs(left: readonly OutputColumn[], right: readonly OutputColumn[]): readonly OutputColumn[] {
  return left.map((column, i) => (column.form === right[i].form ? column : { ...column, form: 'plain' }))
}

function wholeNumber(value: number, what: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new MillraceError('sql/value', `${what}(${value}): not a whole number from 0 on`)
}
