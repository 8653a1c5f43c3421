import { maxTimestamp, microsPerDay, minTimestamp } from '../../data/datetime.ts'
import { type Interval, makeInterval } from '../../data/interval.ts'
import type { Builder } from '../builder.ts'
import { binary, type Expr, int, or } from '../kernel.ts'
import type { Value } from '../value.ts'
import { defineCast, viaHelper } from './cast-table.ts'

/** Casts between dates, times and timestamps, all in UTC. */

// Dates and times
const dayMicros = BigInt(microsPerDay)

function startOfDay(b: Builder, value: Value): Value {
  return { ...b.intArithmetic('*', b.widen(value), b.constantInt(dayMicros)), state: value.state }
}

defineCast('date', 'timestamp timestamptz', (b, args) =>
  b.partial(args, 'int', (out) => {
    const micros = startOfDay(b, args[0])
    b.branch(
      b.exact ? outsideTimestamps(micros.value) : { k: 'flag', type: 'flag', value: false },
      () => out.fail('datetimeOutOfRange'),
      () => out.give(micros.value),
    )
  }),
)

/** In the exact variant only: every safe integer is a timestamp. */
export function outsideTimestamps(micros: Expr): Expr {
  return or(binary('<', micros, int(minTimestamp)), binary('>', micros, int(maxTimestamp)))
}

/** The day of a timestamp, rounded down. */
export function dayOf(b: Builder, micros: Expr): Expr {
  return b.intCall('i32', dayOfSafe, dayOfBig, [micros])
}

function dayOfSafe(micros: number): number {
  return Math.floor(micros / microsPerDay)
}

function dayOfBig(micros: bigint): number {
  const day = micros / dayMicros
  return Number(micros % dayMicros < 0n ? day - 1n : day)
}

function timeOfSafe(micros: number): number {
  return micros - Math.floor(micros / microsPerDay) * microsPerDay
}

function timeOfBig(micros: bigint): bigint {
  return ((micros % dayMicros) + dayMicros) % dayMicros
}

defineCast('timestamp timestamptz', 'date', (b, args) => b.total(args, 'i32', dayOf(b, args[0].value)))
defineCast('timestamp timestamptz', 'time', (b, args) =>
  b.total(args, 'int', b.intCall('int', timeOfSafe, timeOfBig, [args[0].value]), microsPerDay),
)
defineCast('timestamp', 'timestamptz', (_, [v]) => v)
defineCast('timestamptz', 'timestamp', (_, [v]) => v)
defineCast(
  'time',
  'interval',
  viaHelper((micros: bigint) => makeInterval(0, 0, micros)!),
)
defineCast(
  'interval',
  'time',
  viaHelper((value: Interval) => timeOfBig(value.micros)),
)
