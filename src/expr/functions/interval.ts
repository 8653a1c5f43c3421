import { cellErrors } from '../../data/cell.ts'
import { microsPerDay, roundHalfEven } from '../../data/datetime.ts'
import { type Interval, makeInterval, negateInterval } from '../../data/interval.ts'
import type { Builder } from '../builder.ts'
import { i32 } from '../kernel.ts'
import { fault } from '../runtime.ts'
import type { Value } from '../value.ts'
import { type CallSite, define, helper, helperCall } from './definition.ts'

/** Arithmetic on intervals, with PostgreSQL's way of handing fractions down from months to days to microseconds. */

const none: Interval = { months: 0, days: 0, micros: 0n }
const dayMicros = BigInt(microsPerDay)

function checked(value: Interval | null): Interval {
  if (value !== null) return value
  fault.state = cellErrors.datetimeOutOfRange
  return none
}

function add(a: Interval, b: Interval): Interval {
  return checked(makeInterval(a.months + b.months, a.days + b.days, a.micros + b.micros))
}

function negate(value: Interval): Interval {
  return checked(makeInterval(-value.months, -value.days, -value.micros))
}

/** To a millionth of a second, which hides what doubles leave behind. */
function roundMillionth(value: number): number {
  return roundHalfEven(value * 1e6) / 1e6
}

function scale(months: number, days: number, micros: number): Interval {
  if (![months, days, micros].every(Number.isFinite)) return checked(null)
  const wholeMonths = Math.trunc(months)
  let wholeDays = Math.trunc(days)
  const monthDays = roundMillionth((months - wholeMonths) * 30)
  let seconds = roundMillionth((days - wholeDays + monthDays - Math.trunc(monthDays)) * 86400)
  if (Math.abs(seconds) >= 86400) {
    const carried = Math.trunc(seconds / 86400)
    wholeDays += carried
    seconds -= carried * 86400
  }
  wholeDays += Math.trunc(monthDays)
  const total = roundHalfEven(micros + seconds * 1e6)
  if (!Number.isFinite(total) || Math.abs(total) > 9.3e18) return checked(null)
  return checked(makeInterval(wholeMonths, wholeDays, BigInt(total)))
}

function multiply(value: Interval, factor: number): Interval {
  return scale(value.months * factor, value.days * factor, Number(value.micros) * factor)
}

function divide(value: Interval, divisor: number): Interval {
  if (divisor === 0) {
    fault.state = cellErrors.divisionByZero
    return none
  }
  return scale(value.months / divisor, value.days / divisor, Number(value.micros) / divisor)
}

define('+', 'interval,interval', helper(add, true))
define(
  '-',
  'interval,interval',
  helper((a: Interval, b: Interval) => add(a, negateInterval(b)), true),
)
define('-', 'interval', helper(negate, true))
define('*', 'interval,double', helper(multiply, true))
define(
  '*',
  'double,interval',
  helper((factor: number, value: Interval) => multiply(value, factor), true),
)
define('/', 'interval,double', helper(divide, true))
define('isfinite', 'interval', (b, args) => b.total(args, 'flag', { k: 'flag', type: 'flag', value: true }))

// justify_*: whole days out of hours, whole months out of days, with one sign

function justifyHours({ months, days, micros }: Interval): Interval {
  let wholeDays = days + Number(micros / dayMicros)
  let rest = micros % dayMicros
  if (wholeDays > 0 && rest < 0n) {
    rest += dayMicros
    wholeDays--
  } else if (wholeDays < 0 && rest > 0n) {
    rest -= dayMicros
    wholeDays++
  }
  return checked(makeInterval(months, wholeDays, rest))
}

function justifyDays({ months, days, micros }: Interval): Interval {
  let wholeMonths = months + Math.trunc(days / 30)
  let rest = days % 30
  if (wholeMonths > 0 && rest < 0) {
    rest += 30
    wholeMonths--
  } else if (wholeMonths < 0 && rest > 0) {
    rest -= 30
    wholeMonths++
  }
  return checked(makeInterval(wholeMonths, rest, micros))
}

function justifyInterval(value: Interval): Interval {
  let micros = value.micros % dayMicros
  const allDays = value.days + Number(value.micros / dayMicros)
  let months = value.months + Math.trunc(allDays / 30)
  let days = allDays % 30
  if (months > 0 && (days < 0 || (days === 0 && micros < 0n))) {
    days += 30
    months--
  } else if (months < 0 && (days > 0 || (days === 0 && micros > 0n))) {
    days -= 30
    months++
  }
  if (days > 0 && micros < 0n) {
    micros += dayMicros
    days--
  } else if (days < 0 && micros > 0n) {
    micros -= dayMicros
    days++
  }
  return checked(makeInterval(months, days, micros))
}

define('justify_hours', 'interval', helper(justifyHours, true))
define('justify_days', 'interval', helper(justifyDays, true))
define('justify_interval', 'interval', helper(justifyInterval, true))

// date_trunc: parts below the unit become zero

const monthsPer: Readonly<Record<string, number>> = {
  month: 1,
  quarter: 3,
  year: 12,
  decade: 120,
  century: 1200,
  millennium: 12000,
}
const microsPer: Readonly<Record<string, bigint>> = {
  microseconds: 1n,
  milliseconds: 1000n,
  second: 1_000_000n,
  minute: 60_000_000n,
  hour: 3_600_000_000n,
}

function truncate(unit: string, { months, days, micros }: Interval): Interval {
  const size = monthsPer[unit]
  if (size !== undefined) return makeInterval(Math.trunc(months / size) * size, 0, 0n)!
  if (unit === 'day') return makeInterval(months, days, 0n)!
  return makeInterval(months, days, micros - (micros % microsPer[unit]))!
}

define('date_trunc', 'text,interval', (b: Builder, args: readonly Value[], site: CallSite) => {
  const [field] = site.args
  if (field.op !== 'literal' || field.text === null) return { ...args[1], state: i32(1) }
  return helperCall(b, args, site, truncate, false)
})
