import { type Expr, type GradeIn, type KindIn, levels, type Strict, type ValueIn } from '../expression.ts'
import { as, bracketed, called, node, nodeOf } from '../node.ts'
import { quotedText } from '../sql-text.ts'
import type { IntegerOperand, NumberOperand } from './arithmetic.ts'

/** A moment: a timestamp, with a zone or without. */
export type MomentOperand = Expr<unknown, 'timestamp' | 'string'> | Date
/** What has a field such as the hour. */
export type CalendarOperand = Expr<unknown, 'timestamp' | 'string' | 'date' | 'time' | 'interval'>

/** Units that times are cut to. */
export type TruncUnit =
  | 'microseconds'
  | 'milliseconds'
  | 'second'
  | 'minute'
  | 'hour'
  | 'day'
  | 'week'
  | 'month'
  | 'quarter'
  | 'year'
  | 'decade'
  | 'century'
  | 'millennium'

/** What can be taken out of a time. */
export type TimeField =
  | 'microseconds'
  | 'milliseconds'
  | 'second'
  | 'minute'
  | 'hour'
  | 'day'
  | 'dow'
  | 'isodow'
  | 'doy'
  | 'week'
  | 'month'
  | 'quarter'
  | 'year'
  | 'isoyear'
  | 'decade'
  | 'century'
  | 'millennium'
  | 'epoch'
  | 'julian'

/** A stretch of time: `interval('1 hour')`, `interval('30s')`. */
export function interval(length: string): Expr<string, 'interval', never> {
  return as(node(`interval ${quotedText(length)}`, [], { type: 'interval' }))
}

/** The tick's time, for filters such as `gt(o.at, sub(now(), interval('1 hour')))`: rows leave the view as it goes on. */
export function now(): Expr<string, 'timestamp', never> {
  return as(node('now()', [], { type: 'timestamp' }))
}

/** A moment shows what it showed; a Date that goes in comes out as text. */
type SameMoment<A> = A extends Date ? Expr<string, 'timestamp', never> : Strict<ValueIn<A>, KindIn<A>, A>

function moment(operand: unknown): ReturnType<typeof nodeOf> {
  return operand instanceof Date
    ? node(`timestamptz ${nodeOf(operand).text}`, [], { type: 'timestamp' })
    : nodeOf(operand)
}

/** Cut to a unit: `dateTrunc('hour', o.at)`. */
export function dateTrunc<A extends MomentOperand | Expr<unknown, 'interval'>>(
  unit: TruncUnit,
  operand: A,
): SameMoment<A> {
  const subject = moment(operand)
  return as(called('date_trunc', [unit, subject], { type: subject.type, form: subject.form }))
}

/** Cut to a stride, counted from an origin (1970 if not given). */
export function dateBin<A extends MomentOperand>(
  stride: string | Expr<unknown, 'interval'>,
  operand: A,
  origin: Date | string = new Date(0),
): SameMoment<A> {
  const subject = moment(operand)
  const width = typeof stride === 'string' ? interval(stride) : stride
  return as(called('date_bin', [width, subject, origin], { type: subject.type, form: subject.form }))
}

/** A field of a time, exactly: `extract('hour', o.at)`. */
export function extract<A extends CalendarOperand>(
  field: TimeField,
  operand: A,
): Strict<number | string, 'numeric', A> {
  const subject = nodeOf(operand)
  return as(node(`extract(${field} FROM ${subject.text})`, [subject], { type: 'numeric' }))
}

/** A field of a time as a double: `datePart('hour', o.at)` is a plain number. */
export function datePart<A extends CalendarOperand>(field: TimeField, operand: A): Strict<number, 'double', A> {
  return as(called('date_part', [field, operand], { type: 'double' }))
}

/** From the second moment to the first, in years, months, days and a time. */
export function age<A extends MomentOperand, B extends MomentOperand>(
  later: A,
  earlier: B,
): Strict<string, 'interval', A | B> {
  return as(called('age', [moment(later), moment(earlier)], { type: 'interval' }))
}

/** `operand AT TIME ZONE 'UTC'`: a timestamp with a zone becomes one without, and the other way round. */
export function atUtc<A extends Expr<unknown, 'timestamp' | 'string'>>(operand: A): Strict<string, 'timestamp', A> {
  const subject = nodeOf(operand)
  const text = `${bracketed(subject, levels.atom)} AT TIME ZONE 'UTC'`
  return as(node(text, [subject], { level: levels.power, type: 'timestamp' }))
}

/** A moment as text, by a pattern such as `YYYY-MM-DD HH24:MI`. */
export function toChar<A extends MomentOperand>(operand: A, pattern: string): Expr<string | null, 'text', GradeIn<A>> {
  return as(called('to_char', [moment(operand), pattern], { type: 'text' }))
}

/** The moment so many seconds after 1970 began. */
export function toTimestamp<A extends NumberOperand>(seconds: A): Strict<string, 'timestamp', A> {
  return as(called('to_timestamp', [seconds], { type: 'timestamp' }))
}

/** A date of its parts. */
export function makeDate<const P extends readonly [year: IntegerOperand, month: IntegerOperand, day: IntegerOperand]>(
  ...parts: P
): Strict<string, 'date', P[number]> {
  return as(called('make_date', parts, { type: 'date' }))
}

/** A time of day of its parts. */
export function makeTime<
  const P extends readonly [hour: IntegerOperand, minute: IntegerOperand, second: NumberOperand],
>(...parts: P): Strict<string, 'time', P[number]> {
  return as(called('make_time', parts, { type: 'time' }))
}

type Parts = readonly [
  year: IntegerOperand,
  month: IntegerOperand,
  day: IntegerOperand,
  hour: IntegerOperand,
  minute: IntegerOperand,
  second: NumberOperand,
]

/** A timestamp without a zone of its parts. */
export function makeTimestamp<const P extends Parts>(...parts: P): Strict<string, 'timestamp', P[number]> {
  return as(called('make_timestamp', parts, { type: 'timestamp' }))
}

/** Whether a time is no infinity, as all are here. */
export function isFiniteTime<A extends CalendarOperand>(operand: A): Strict<boolean, 'boolean', A> {
  return as(called('isfinite', [operand], { type: 'boolean' }))
}

type Interval<A> = Strict<string, 'interval', A>

/** 24 hours of an interval become a day. */
export function justifyHours<A extends Expr<unknown, 'interval'>>(operand: A): Interval<A> {
  return as(called('justify_hours', [operand], { type: 'interval' }))
}

/** 30 days of an interval become a month. */
export function justifyDays<A extends Expr<unknown, 'interval'>>(operand: A): Interval<A> {
  return as(called('justify_days', [operand], { type: 'interval' }))
}

/** Both of them. */
export function justifyInterval<A extends Expr<unknown, 'interval'>>(operand: A): Interval<A> {
  return as(called('justify_interval', [operand], { type: 'interval' }))
}
