import {
  civilFromDays,
  daysFromCivil,
  microsPerDay,
  microsPerHour,
  microsPerMinute,
  splitMicros,
} from '../../data/datetime.ts'
import { addDecimal, type Decimal, divideDecimal, makeDecimal } from '../../data/decimal.ts'
import type { Interval } from '../../data/interval.ts'
import type { TypeKind } from '../../data/sql-type.ts'
import { type Expr, i32 } from '../kernel.ts'
import type { Value } from '../value.ts'
import { define, helperCall, type Implementation } from './definition.ts'

/** extract (numeric, exact) and date_part (double precision) of dates, times, timestamps and intervals. */

/** Whole fields of a day and the microseconds within it. Years before 1 are astronomical: 0 is 1 BC. */
type Field = (days: number, time: number) => number

const minuteMicros = microsPerMinute

const fields: Readonly<Record<string, Field>> = {
  microseconds: (_, time) => time % minuteMicros,
  minute: (_, time) => Math.floor(time / microsPerMinute) % 60,
  hour: (_, time) => Math.floor(time / microsPerHour),
  day: (days) => civilFromDays(days).day,
  month: (days) => civilFromDays(days).month,
  quarter: (days) => Math.floor((civilFromDays(days).month + 2) / 3),
  year: (days) => statedYear(civilFromDays(days).year),
  decade: (days) => Math.floor(civilFromDays(days).year / 10),
  century: (days) => stated(Math.floor((civilFromDays(days).year + 99) / 100)),
  millennium: (days) => stated(Math.floor((civilFromDays(days).year + 999) / 1000)),
  dow: (days) => (((days + 4) % 7) + 7) % 7,
  isodow: (days) => ((((days + 3) % 7) + 7) % 7) + 1,
  doy: (days) => days - daysFromCivil(civilFromDays(days).year, 1, 1) + 1,
  week: (days) => Math.floor((days - isoYearStart(isoYear(days))) / 7) + 1,
  isoyear: (days) => statedYear(isoYear(days)),
  timezone: () => 0,
  timezone_hour: () => 0,
  timezone_minute: () => 0,
}

/** There is no year 0 in print: before 1 comes −1. */
function statedYear(year: number): number {
  return year > 0 ? year : year - 1
}

function stated(n: number): number {
  return n > 0 ? n : n - 1
}

/** The Monday of the week that has January 4th. */
function isoYearStart(year: number): number {
  const fourth = daysFromCivil(year, 1, 4)
  return fourth - ((((fourth + 3) % 7) + 7) % 7)
}

function isoYear(days: number): number {
  const { year } = civilFromDays(days)
  if (days < isoYearStart(year)) return year - 1
  return days >= isoYearStart(year + 1) ? year + 1 : year
}

/** A whole field of a day and the time within it. */
export function dateField(name: string, days: number, time: number): number {
  return fields[name](days, time)
}

/** A field as functions on microseconds since 1970, made once per field. */
const ofTimestamp = new Map(
  Object.entries(fields).map(([name, field]) => [
    name,
    {
      safe: (micros: number) => {
        const days = Math.floor(micros / microsPerDay)
        return field(days, micros - days * microsPerDay)
      },
      exact: (micros: bigint) => {
        const { days, time } = splitMicros(micros)
        return BigInt(field(days, time))
      },
    },
  ]),
)

/** A time of day goes up to 24:00, which is no other day. */
const ofTime = new Map(
  Object.entries(fields).map(([name, field]) => [
    name,
    { safe: (micros: number) => field(0, micros), exact: (micros: bigint) => BigInt(field(0, Number(micros))) },
  ]),
)

const ofDate = new Map(
  Object.entries(fields).map(([name, field]) => [
    name,
    { safe: (days: number) => field(days, 0), exact: (days: number) => BigInt(field(days, 0)) },
  ]),
)

const julianEpoch = 2440588

function julian(micros: bigint): Decimal {
  const { days, time } = splitMicros(micros)
  const part = divideDecimal(makeDecimal(BigInt(time), 0), makeDecimal(BigInt(microsPerDay), 0))!
  return addDecimal(makeDecimal(BigInt(days + julianEpoch), 0), part)
}

function fieldOf(args: readonly { readonly op: string; readonly text?: string | null }[]): string | null {
  return args[0].op === 'literal' ? (args[0].text ?? null) : null
}

function extractFrom(kind: TypeKind): Implementation {
  return (b, args, site) => {
    const name = fieldOf(site.args as never)
    const [, source] = args
    if (name === null) return { ...b.constantInt(0n), state: i32(1) }
    const give = (value: Expr, bound?: number): Value => b.total([source], 'int', value, bound)
    if (kind === 'date') {
      if (name === 'epoch')
        return { ...b.intArithmetic('*', b.widen(source), b.constantInt(86400n)), state: source.state }
      if (name === 'julian') {
        const sum = b.intArithmetic('+', b.widen(source), b.constantInt(BigInt(julianEpoch)))
        return { ...sum, state: source.state }
      }
      const field = ofDate.get(name)!
      return give(b.intCall('int', field.safe, field.exact, [source.value]), 1e7)
    }
    if (name === 'epoch') return source
    if (name === 'julian') return helperCall(b, [source], { args: site.args.slice(1), type: site.type }, julian, false)
    // Seconds and milliseconds are microseconds within the minute, with a point in them.
    const whole = name === 'second' || name === 'milliseconds' ? 'microseconds' : name
    const field = (kind === 'time' ? ofTime : ofTimestamp).get(whole)!
    return give(b.intCall('int', field.safe, field.exact, [source.value]), 1e9)
  }
}

for (const kind of ['date', 'time', 'timestamp', 'timestamptz'] as const)
  define('extract', `text,${kind}`, extractFrom(kind))

// Intervals

function intervalField(name: string, { months, days, micros }: Interval): bigint {
  const year = Math.trunc(months / 12)
  const month = months % 12
  switch (name) {
    case 'microseconds':
    case 'milliseconds':
    case 'second':
      return micros % BigInt(microsPerMinute)
    case 'minute':
      return (micros / BigInt(microsPerMinute)) % 60n
    case 'hour':
      return micros / BigInt(microsPerHour)
    case 'day':
      return BigInt(days)
    case 'week':
      return BigInt(Math.trunc(days / 7))
    case 'month':
      return BigInt(month)
    case 'quarter':
      return BigInt(Math.trunc(month / 3) + (months < 0 ? -1 : 1))
    case 'year':
      return BigInt(year)
    case 'decade':
      return BigInt(Math.trunc(year / 10))
    case 'century':
      return BigInt(Math.trunc(year / 100))
    case 'millennium':
      return BigInt(Math.trunc(year / 1000))
    default: {
      // Years of 365.25 days, months of 30, counted in quarters of a day.
      const quarters = 1461n * BigInt(year) + 120n * BigInt(month) + 4n * BigInt(days)
      return quarters * 21_600_000_000n + micros
    }
  }
}

const fractions: Readonly<Record<string, number>> = { second: 6, epoch: 6, milliseconds: 3 }

const intervalFunctions = new Map<string, (value: Interval) => Decimal>()

function ofInterval(name: string): (value: Interval) => Decimal {
  const known = intervalFunctions.get(name)
  if (known !== undefined) return known
  const scale = fractions[name] ?? 0
  const made = (value: Interval): Decimal => makeDecimal(intervalField(name, value), scale)
  intervalFunctions.set(name, made)
  return made
}

define('extract', 'text,interval', (b, args, site) => {
  const name = fieldOf(site.args as never)
  if (name === null) return { ...b.constantInt(0n), state: i32(1) }
  return helperCall(b, [args[1]], { args: site.args.slice(1), type: site.type }, ofInterval(name), false)
})

// date_part computes in doubles, in PostgreSQL's order of operations.

function partOf(name: string, days: number, time: number, micros: bigint): number {
  const inMinute = time % minuteMicros
  const seconds = Math.floor(inMinute / 1e6)
  const fraction = inMinute - seconds * 1e6
  switch (name) {
    case 'microseconds':
      return inMinute
    case 'milliseconds':
      return seconds * 1000 + fraction / 1000
    case 'second':
      return seconds + fraction / 1e6
    case 'epoch':
      return Number(micros) / 1e6
    case 'julian':
      return days + julianEpoch + (Math.floor(time / 1e6) + fraction / 1e6) / 86400
    default:
      return fields[name](days, time)
  }
}

function intervalPart(name: string, value: Interval): number {
  const micros = Number(value.micros)
  switch (name) {
    case 'epoch':
      return (
        micros / 1e6 +
        365.25 * 86400 * Math.trunc(value.months / 12) +
        30 * 86400 * (value.months % 12) +
        86400 * value.days
      )
    case 'second':
    case 'milliseconds': {
      const inMinute = Number(value.micros % BigInt(microsPerMinute))
      const seconds = Math.trunc(inMinute / 1e6)
      const fraction = inMinute - seconds * 1e6
      return name === 'second' ? seconds + fraction / 1e6 : seconds * 1000 + fraction / 1000
    }
    default:
      return Number(intervalField(name, value))
  }
}

const partFunctions = new Map<string, (value: never) => number>()

function partFunction(name: string, kind: 'timestamp' | 'interval'): (value: never) => number {
  const key = `${kind} ${name}`
  const known = partFunctions.get(key)
  if (known !== undefined) return known
  const made =
    kind === 'interval'
      ? (value: Interval): number => intervalPart(name, value)
      : (micros: bigint): number => {
          const { days, time } = splitMicros(micros)
          return partOf(name, days, time, micros)
        }
  partFunctions.set(key, made as (value: never) => number)
  return made as (value: never) => number
}

for (const kind of ['time', 'timestamp', 'timestamptz', 'interval'] as const) {
  define('date_part', `text,${kind}`, (b, args, site) => {
    const name = fieldOf(site.args as never)
    if (name === null) return { ...args[1], shape: 'f64', value: { k: 'number', type: 'f64', value: 0 }, state: i32(1) }
    const compute = partFunction(name, kind === 'interval' ? kind : 'timestamp')
    return helperCall(b, [args[1]], { args: site.args.slice(1), type: site.type }, compute, false)
  })
}
