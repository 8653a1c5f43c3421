import {
  civilFromDays,
  daysFromCivil,
  daysInMonth,
  maxDate,
  microsPerDay,
  microsPerHour,
  microsPerMinute,
  microsPerSecond,
  minDate,
  roundHalfEven,
  splitMicros,
  timestampInRange,
} from '../../data/datetime.ts'
import { type Interval, makeInterval, negateInterval } from '../../data/interval.ts'
import type { Builder } from '../builder.ts'
import { binary, i32, int, or } from '../kernel.ts'
import type { Value } from '../value.ts'
import { outsideTimestamps } from './cast-datetimes.ts'
import { failing } from './cast-table.ts'
import { define, helper, type Implementation } from './definition.ts'

/** Arithmetic on dates and times; timestamptz counts in UTC, so it computes as timestamp does. */

const dayMicros = BigInt(microsPerDay)

export function checkedTimestamp(micros: bigint): bigint {
  return timestampInRange(micros) ? micros : failing('datetimeOutOfRange', 0n)
}

/** The day of a month later or earlier, cut off at that month's end. */
function addMonths(days: number, months: number): number {
  const { year, month, day } = civilFromDays(days)
  const total = year * 12 + month - 1 + months
  const newYear = Math.floor(total / 12)
  const newMonth = total - newYear * 12 + 1
  return daysFromCivil(newYear, newMonth, Math.min(day, daysInMonth(newYear, newMonth)))
}

function addInterval(micros: bigint, { months, days, micros: time }: Interval): bigint {
  const split = splitMicros(micros)
  const day = (months === 0 ? split.days : addMonths(split.days, months)) + days
  return checkedTimestamp(BigInt(day) * dayMicros + BigInt(split.time) + time)
}

/** NaN where a double isn't enough. */
function addIntervalSafe(micros: number, { months, days, micros: time }: Interval): number {
  const day = Math.floor(micros / microsPerDay)
  const next = (months === 0 ? day : addMonths(day, months)) + days
  const sum = next * microsPerDay + (micros - day * microsPerDay) + Number(time)
  return time <= 9007199254740991n && time >= -9007199254740991n && Number.isSafeInteger(sum) ? sum : Number.NaN
}

/** A literal interval, whose parts are then known. */
function literalInterval(b: Builder, value: Value): Interval | null {
  return value.value.k === 'pool' ? (b.pool[value.value.index] as Interval) : null
}

function shiftTimestamp(b: Builder, args: readonly Value[], time: Value, by: Value, sign: 1 | -1): Value {
  const fixed = literalInterval(b, by)
  if (fixed !== null && fixed.months === 0) {
    const micros = b.constantInt(BigInt(sign) * (BigInt(fixed.days) * dayMicros + fixed.micros))
    return b.partial(
      args,
      'int',
      (out) => {
        const sum = b.intArithmetic('+', time, micros)
        if (!b.exact) out.give(sum.value)
        else
          b.branch(
            outsideTimestamps(sum.value),
            () => out.fail('datetimeOutOfRange'),
            () => out.give(sum.value),
          )
      },
      !b.exact,
    )
  }
  return b.partial(args, 'int', (out) => {
    const amount = sign === 1 ? by.value : b.invoke(negateInterval, 'any', [by.value])
    const sum = b.intCall('int', addIntervalSafe, addInterval, [time.value, amount])
    b.checkSafe(sum)
    const state = b.takeFault()
    b.branch(
      binary('==', state, i32(0)),
      () => out.give(sum),
      () => out.fail('datetimeOutOfRange'),
    )
  })
}

for (const kind of ['timestamp', 'timestamptz'] as const) {
  define('+', `${kind},interval`, (b, args) => shiftTimestamp(b, args, args[0], args[1], 1))
  define('+', `interval,${kind}`, (b, args) => shiftTimestamp(b, args, args[1], args[0], 1))
  define('-', `${kind},interval`, (b, args) => shiftTimestamp(b, args, args[0], args[1], -1))
  define(
    '-',
    `${kind},${kind}`,
    helper((a: bigint, b: bigint) => {
      const difference = a - b
      return makeInterval(0, Number(difference / dayMicros), difference % dayMicros)!
    }),
  )
  define('age', `${kind},${kind}`, helper(age))
  define('isfinite', kind, (b, args) => b.total(args, 'flag', { k: 'flag', type: 'flag', value: true }))
}
define('isfinite', 'date', (b, args) => b.total(args, 'flag', { k: 'flag', type: 'flag', value: true }))
define('timezone', 'text,timestamp', (_, [, value]) => value)
define('timezone', 'text,timestamptz', (_, [, value]) => value)

// Dates

function dateOf(b: Builder, value: Value): Value {
  return { ...b.intArithmetic('*', b.widen(value), b.constantInt(dayMicros)), state: value.state }
}

function shiftDate(op: '+' | '-', days: number): Implementation {
  return (b, args) =>
    b.partial(args, 'i32', (out) => {
      const sum = b.atom(binary(op, args[days === 1 ? 0 : 1].value, args[days].value))
      b.branch(
        or(binary('<', sum, i32(minDate)), binary('>', sum, i32(maxDate))),
        () => out.fail('datetimeOutOfRange'),
        () => out.give(binary('|', sum, i32(0))),
      )
    })
}

define('+', 'date,integer', shiftDate('+', 1))
define('+', 'integer,date', shiftDate('+', 0))
define('-', 'date,integer', shiftDate('-', 1))
define('-', 'date,date', (b, args) =>
  b.total(args, 'i32', binary('|', binary('-', args[0].value, args[1].value), i32(0))),
)
define('+', 'date,interval', (b, args) => shiftTimestamp(b, args, dateOf(b, args[0]), args[1], 1))
define('-', 'date,interval', (b, args) => shiftTimestamp(b, args, dateOf(b, args[0]), args[1], -1))
define('+', 'interval,date', (b, args) => shiftTimestamp(b, args, dateOf(b, args[1]), args[0], 1))

function dateAndTime(date: number, time: number): Implementation {
  return (b, args) =>
    b.partial(args, 'int', (out) => {
      const sum = b.intArithmetic('+', dateOf(b, args[date]), args[time])
      if (!b.exact) out.give(sum.value)
      else
        b.branch(
          outsideTimestamps(sum.value),
          () => out.fail('datetimeOutOfRange'),
          () => out.give(sum.value),
        )
    })
}

define('+', 'date,time', dateAndTime(0, 1))
define('+', 'time,date', dateAndTime(1, 0))

// Times of day wrap around.

function wrap(micros: bigint): bigint {
  return ((micros % dayMicros) + dayMicros) % dayMicros
}

define(
  '+',
  'time,interval',
  helper((time: bigint, by: Interval) => wrap(time + by.micros)),
)
define(
  '+',
  'interval,time',
  helper((by: Interval, time: bigint) => wrap(time + by.micros)),
)
define(
  '-',
  'time,interval',
  helper((time: bigint, by: Interval) => wrap(time - by.micros)),
)
define(
  '-',
  'time,time',
  helper((a: bigint, b: bigint) => makeInterval(0, 0, a - b)!),
)

// age: the difference in years, months and days as people count them

interface Fields {
  year: number
  month: number
  day: number
  time: number
}

function fieldsOf(micros: bigint): Fields {
  const { days, time } = splitMicros(micros)
  return { ...civilFromDays(days), time }
}

function age(a: bigint, b: bigint): Interval {
  const backwards = a < b
  // Borrowed days are those of the earlier timestamp's month, whichever way the difference is asked for.
  const [late, early] = backwards ? [fieldsOf(b), fieldsOf(a)] : [fieldsOf(a), fieldsOf(b)]
  let months = (late.year - early.year) * 12 + late.month - early.month
  let days = late.day - early.day
  let time = late.time - early.time
  if (time < 0) {
    time += microsPerDay
    days--
  }
  while (days < 0) {
    days += daysInMonth(early.year, early.month)
    months--
  }
  const sign = backwards ? -1 : 1
  return makeInterval(months * sign, days * sign, BigInt(time * sign))!
}

// date_trunc and date_bin

/** Safe: a quotient of safe integers never rounds up to the next whole number. */
function floorTo(micros: number, unit: number): number {
  return Math.floor(micros / unit) * unit
}

function floorToBig(micros: bigint, unit: bigint): bigint {
  const rest = micros % unit
  return rest < 0n ? micros - rest - unit : micros - rest
}

const unitMicros: Readonly<Record<string, number>> = {
  milliseconds: 1000,
  second: microsPerSecond,
  minute: microsPerMinute,
  hour: microsPerHour,
  day: microsPerDay,
}

/** The first day of the period that a day is in. */
const truncateDays: Readonly<Record<string, (days: number) => number>> = {
  // 1970-01-01 was a Thursday.
  week: (days) => Math.floor((days + 3) / 7) * 7 - 3,
  month: (days) => startOf(days, (year, month) => [year, month]),
  quarter: (days) => startOf(days, (year, month) => [year, month - ((month - 1) % 3)]),
  year: (days) => startOf(days, (year) => [year, 1]),
  decade: (days) => startOf(days, (year) => [Math.floor(year / 10) * 10, 1]),
  century: (days) => startOf(days, (year) => [Math.floor((year - 1) / 100) * 100 + 1, 1]),
  millennium: (days) => startOf(days, (year) => [Math.floor((year - 1) / 1000) * 1000 + 1, 1]),
}

function startOf(days: number, first: (year: number, month: number) => readonly [number, number]): number {
  const { year, month } = civilFromDays(days)
  return daysFromCivil(...first(year, month), 1)
}

/** Truncated functions on days, as functions on microseconds, made once per unit. */
const periodFunctions = new Map(
  Object.entries(truncateDays).map(([unit, truncate]) => [
    unit,
    {
      safe: (micros: number) => truncate(Math.floor(micros / microsPerDay)) * microsPerDay,
      exact: (micros: bigint) => BigInt(truncate(splitMicros(micros).days)) * dayMicros,
    },
  ]),
)

function truncate(b: Builder, args: readonly Value[], unit: string): Value {
  const [, time] = args
  if (unit === 'microseconds') return { ...time, state: b.merged(args) }
  const micros = unitMicros[unit]
  const period = periodFunctions.get(unit)
  return b.partial(args, 'int', (out) => {
    const start =
      period === undefined
        ? b.intCall('int', floorTo, floorToBig, [time.value, int(micros)])
        : b.intCall('int', period.safe, period.exact, [time.value])
    b.checkSafe(start)
    // Only the first days that there are have no beginning of their week, month or year.
    if (!b.exact) return out.give(start)
    b.branch(
      outsideTimestamps(start),
      () => out.fail('datetimeOutOfRange'),
      () => out.give(start),
    )
  })
}

const dateTrunc: Implementation = (b, args, site) => {
  const [field] = site.args
  const unit = field.op === 'literal' ? field.text : null
  if (unit === null) return { ...args[1], state: i32(1) }
  return truncate(b, args.slice(0, 2), unit)
}
define('date_trunc', 'text,timestamp', dateTrunc)
define('date_trunc', 'text,timestamptz', dateTrunc)
define('date_trunc', 'text,timestamptz,text', dateTrunc)

function strideOf(stride: Interval): bigint {
  return BigInt(stride.days) * dayMicros + stride.micros
}

function bin(stride: Interval, time: bigint, origin: bigint): bigint {
  const size = strideOf(stride)
  if (stride.months !== 0 || size <= 0n) return failing('invalidArgument', 0n)
  return checkedTimestamp(origin + floorToBig(time - origin, size))
}

const dateBin: Implementation = (b, args, site) => {
  const fixed = literalInterval(b, args[0])
  const size = fixed === null ? null : strideOf(fixed)
  if (b.exact || size === null || size > 9007199254740991n || size <= 0n)
    return helper(bin as never, true)(b, args, site)
  return b.partial(
    args,
    'int',
    (out) => {
      const distance = b.intArithmetic('-', args[1], args[2])
      const start = b.invoke(floorTo, 'int', [distance.value, int(size)])
      const sum = b.atom(binary('+', args[2].value, start))
      b.checkSafe(sum)
      out.give(sum)
    },
    true,
  )
}
define('date_bin', 'interval,timestamp,timestamp', dateBin)
define('date_bin', 'interval,timestamptz,timestamptz', dateBin)

// Making them

function makeDate(year: number, month: number, day: number): number {
  const astronomical = year < 0 ? year + 1 : year
  if (year === 0 || Math.abs(year) > 5874897 || month < 1 || month > 12 || day < 1) return Number.NaN
  if (day > daysInMonth(astronomical, month)) return Number.NaN
  const days = daysFromCivil(astronomical, month, day)
  return days < minDate || days > maxDate ? Number.NaN : days
}

function makeTime(hour: number, minute: number, second: number): number {
  const micros = roundHalfEven(second * microsPerSecond)
  const inRange = hour >= 0 && minute >= 0 && minute <= 59 && micros >= 0 && micros <= 60 * microsPerSecond
  const total = (hour * 60 + minute) * microsPerMinute + micros
  return inRange && hour <= 24 && total <= microsPerDay ? total : Number.NaN
}

define(
  'make_date',
  'integer,integer,integer',
  helper((year: number, month: number, day: number) => {
    const days = makeDate(year, month, day)
    return Number.isNaN(days) ? failing('datetimeOutOfRange', 0) : days
  }, true),
)
define(
  'make_time',
  'integer,integer,double',
  helper((hour: number, minute: number, second: number) => {
    const micros = makeTime(hour, minute, second)
    return Number.isNaN(micros) ? failing('datetimeOutOfRange', 0n) : BigInt(micros)
  }, true),
)
define(
  'make_timestamp',
  'integer,integer,integer,integer,integer,double',
  helper((year: number, month: number, day: number, hour: number, minute: number, second: number) => {
    const days = makeDate(year, month, day)
    const time = makeTime(hour, minute, second)
    if (Number.isNaN(days) || Number.isNaN(time)) return failing('datetimeOutOfRange', 0n)
    return checkedTimestamp(BigInt(days) * dayMicros + BigInt(time))
  }, true),
)

/** PostgreSQL counts from 2000, and rounds there. */
const epoch2000 = 946_684_800
define(
  'to_timestamp',
  'double',
  helper((seconds: number) => {
    const micros = roundHalfEven((seconds - epoch2000) * microsPerSecond)
    if (!Number.isFinite(micros) || Math.abs(micros) > 9.3e18) return failing('datetimeOutOfRange', 0n)
    return checkedTimestamp(BigInt(micros) + BigInt(epoch2000 * microsPerSecond))
  }, true),
)
