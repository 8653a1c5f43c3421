import { MillraceError } from '../../data/errors.ts'
import type { Columns, Expr, GradeIn, KindIn, Node, NullIn, OfRow, ValueIn, WindowCut } from '../expression.ts'
import { identifier } from '../identifier.ts'
import type { Kind } from '../kinds.ts'
import { as, node, nodeOf } from '../node.ts'
import type { ColumnsIn, Relation, Windows } from './relation.ts'

type Moment = Expr<unknown, 'timestamp' | 'string'>

/** The beginning of the window that a row falls into; `end` is its end, exclusive. */
export interface Window<out T, out K extends Kind, out G extends string> extends Expr<T, K, G> {
  readonly start: Expr<T, K, G>
  readonly end: Expr<T, K, G>
}

type WindowOf<A> = Window<ValueIn<A> | NullIn<A>, KindIn<A>, GradeIn<A>>

/** Names of columns that can be a window's time. */
type TimeOf<Cols> = { [C in keyof Cols]: Cols[C] extends Moment ? C : never }[keyof Cols] & string

type Edges<Cols, Time extends keyof Cols> = {
  readonly window_start: Expr<ValueIn<Cols[Time]>, KindIn<Cols[Time]>, OfRow>
  readonly window_end: Expr<ValueIn<Cols[Time]>, KindIn<Cols[Time]>, OfRow>
}

/**
 * Windows side by side. As a group key, of a column: `groupBy(({ o }) => ({ minute: tumble(o.at, '1m') }))` shows the
 * window's start, `tumble(o.at, '1m').end` its end. As a relation, `tumble(orders, 'at', '1m')` has the columns
 * window_start and window_end beside the relation's own.
 * @param size an interval; windows are aligned to 1970-01-01 UTC
 */
export function tumble<A extends Moment>(time: A, size: string): WindowOf<A>
export function tumble<R extends Relation, const Time extends TimeOf<ColumnsIn<R>>>(
  relation: R,
  time: Time,
  size: string,
): Windows<ColumnsIn<R> & Edges<ColumnsIn<R>, Time>>
export function tumble(of: Moment | Relation, ...rest: readonly string[]): unknown {
  return isColumn(of) ? windowOf('tumble', of, rest) : windowsOver('tumble', of as Relation, rest)
}

/**
 * Windows that begin every `slide` and are `size` long, so that a row falls into several: `hop(o.at, '1m', '10m')`,
 * or as a relation `hop(orders, 'at', '1m', '10m')`. See `tumble`.
 */
export function hop<A extends Moment>(time: A, slide: string, size: string): WindowOf<A>
export function hop<R extends Relation, const Time extends TimeOf<ColumnsIn<R>>>(
  relation: R,
  time: Time,
  slide: string,
  size: string,
): Windows<ColumnsIn<R> & Edges<ColumnsIn<R>, Time>>
export function hop(of: Moment | Relation, ...rest: readonly string[]): unknown {
  return isColumn(of) ? windowOf('hop', of, rest) : windowsOver('hop', of as Relation, rest)
}

/**
 * Windows that end when nothing came for `gap`: for the day when there are some. A view with them is refused by name
 * when the app is opened.
 */
export function session<A extends Moment>(time: A, gap: string): WindowOf<A>
export function session<R extends Relation, const Time extends TimeOf<ColumnsIn<R>>>(
  relation: R,
  time: Time,
  gap: string,
): Windows<ColumnsIn<R> & Edges<ColumnsIn<R>, Time>>
export function session(of: Moment | Relation, ...rest: readonly string[]): unknown {
  return isColumn(of) ? windowOf('session', of, rest) : windowsOver('session', of as Relation, rest)
}

function isColumn(of: Moment | Relation): of is Moment {
  return of.kind === 'expr'
}

function windowsOver(name: WindowCut['function'], of: Relation, [time, ...sizes]: readonly string[]): Windows<Columns> {
  return Object.freeze({ kind: 'windows', of, cut: { function: name, time, sizes } })
}

function windowOf(name: WindowCut['function'], of: Moment, sizes: readonly string[]): Expr {
  const { column, type, form } = nodeOf(of)
  if (column === undefined) {
    throw new MillraceError('sql/type', `the time of ${name}() is a column, not an expression`, {
      hint: 'compute the time in a query, and read that query',
    })
  }
  const cut: WindowCut = { function: name, time: column.name, sizes }
  const uses = [{ source: column.source, window: cut }]
  const edge = (which: string): Node =>
    node(`${identifier(column.source.alias)}.${which}`, [{ text: '', reads: [], uses }], { type, form })
  const start = edge('window_start')
  return as(Object.freeze({ ...start, start, end: edge('window_end') }))
}
