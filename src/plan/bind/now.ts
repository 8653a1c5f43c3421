import { formatInterval, intervalLength, parseInterval } from '../../data/interval.ts'
import type { SqlType } from '../../data/sql-type.ts'
import * as resolve from '../../expr/resolve.ts'
import { childrenOf, type Scalar } from '../../expr/scalar.ts'
import { unsupported } from '../../sql/refuse.ts'
import { conjunction } from '../conjuncts.ts'
import { extended, filtered, temporal } from '../nodes.ts'
import type { Plan } from '../plan.ts'
import { type Block, contains } from './block.ts'

/** A row is there from `from`, or until `until`: the two forms that a comparison with now() can take. */
type Bound = { readonly end: 'from' | 'until'; readonly at: Scalar }

const timestamptz: SqlType = { kind: 'timestamptz' }
const intervalType: SqlType = { kind: 'interval' }
const dayMicros = 86_400_000_000n

/** Filters by conjuncts that read now(): rows come and go as it moves on. */
export function applyTemporal(plan: Plan, conjuncts: readonly Scalar[], block: Block): Plan {
  const bounds = conjuncts.map((conjunct) => {
    const bound = contains(block, conjunct, 'outer', 'subquery') ? null : boundOf(conjunct)
    if (bound === null) throw refusal(conjunct, block)
    return bound
  })
  const froms = bounds.filter(({ end }) => end === 'from')
  const untils = bounds.filter(({ end }) => end === 'until')
  let result = plan
  for (let i = 0; i < Math.max(froms.length, untils.length); i++) {
    result = temporalOf(result, froms[i]?.at ?? null, untils[i]?.at ?? null)
  }
  return result
}

function temporalOf(plan: Plan, from: Scalar | null, until: Scalar | null): Plan {
  const bounds = [from, until].filter((bound) => bound !== null)
  // A NULL compares as unknown, at any time.
  const known = bounds.filter((bound) => bound.nullable).map((bound) => resolve.isNull(bound, true))
  const present = filtered(plan, conjunction(known))
  const width = plan.columns.length
  const input = extended(
    present,
    bounds.map((bound) => ({ ...bound, nullable: false }) as Scalar),
  )
  return temporal(input, from === null ? null : width, until === null ? null : width + bounds.length - 1)
}

function refusal(conjunct: Scalar, block: Block): Error {
  return unsupported(
    'this use of now() is not supported',
    placeOfNow(conjunct, block) ?? {},
    "compare it with one expression over a row, such as ts > now() - interval '1 hour', in a condition joined by AND",
  )
}

function placeOfNow(scalar: Scalar, block: Block): ReturnType<Block['places']['get']> {
  if (scalar.op === 'now') return block.places.get(scalar)
  for (const child of childrenOf(scalar)) {
    const found = placeOfNow(child, block)
    if (found !== undefined) return found
  }
  return undefined
}

const mirrored: Readonly<Record<string, string>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' }

/** Solves `now() + shift < row` and its like for now(). */
function boundOf(conjunct: Scalar): Bound | null {
  if (conjunct.op !== 'call' || conjunct.args.length !== 2) return null
  const operator = operatorOf(conjunct.fn)
  if (mirrored[operator] === undefined) return null
  const [left, right] = conjunct.args
  return solve(left, operator, right) ?? solve(right, mirrored[operator], left)
}

function solve(side: Scalar, operator: string, row: Scalar): Bound | null {
  if (readsNow(row)) return null
  const age = ageOf(side)
  if (age !== null) {
    // now() − ts < length is now() < ts + length.
    const length = constantInterval(row)
    return length === null ? null : compared(operator, age, intervalLength(length))
  }
  const shift = shiftOf(side)
  if (shift === null || (row.type.kind !== 'timestamp' && row.type.kind !== 'timestamptz')) return null
  return compared(operator, row, -shift)
}

/** now() `operator` at + shift; times are whole microseconds, so that now() ≤ t is now() < t + 1. */
function compared(operator: string, row: Scalar, shift: bigint): Bound {
  const micros = shift + (operator === '<=' || operator === '>' ? 1n : 0n)
  const zoned = resolve.cast(row, timestamptz, 'implicit')
  const moved = resolve.literal(formatInterval({ months: 0, days: 0, micros }), intervalType)
  const at = micros === 0n ? zoned : resolve.call('+', [zoned, moved])
  return { end: operator === '<' || operator === '<=' ? 'until' : 'from', at }
}

/** Microseconds that an expression adds to now(); null if it is anything but now() and constant intervals. */
function shiftOf(scalar: Scalar): bigint | null {
  if (scalar.op === 'now') return 0n
  // The zone is UTC: a cast between the two kinds of timestamp keeps the microseconds.
  if (scalar.op === 'cast') {
    return scalar.type.kind === 'timestamp' || scalar.type.kind === 'timestamptz' ? shiftOf(scalar.arg) : null
  }
  if (scalar.op !== 'call' || scalar.args.length !== 2) return null
  const operator = operatorOf(scalar.fn)
  if (operator !== '+' && operator !== '-') return null
  const [time, by] = readsNow(scalar.args[0]) ? scalar.args : [scalar.args[1], scalar.args[0]]
  if (operator === '-' && time !== scalar.args[0]) return null
  const interval = constantInterval(by)
  const inner = shiftOf(time)
  // A month has no length of its own: now() − 1 month cannot be solved for now().
  if (interval === null || inner === null || interval.months !== 0) return null
  const micros = BigInt(interval.days) * dayMicros + interval.micros
  return operator === '+' ? inner + micros : inner - micros
}

/** The row's time in `now() − time`, if that is what an expression is. */
function ageOf(scalar: Scalar): Scalar | null {
  if (scalar.op !== 'call' || scalar.type.kind !== 'interval' || operatorOf(scalar.fn) !== '-') return null
  const [time, row] = scalar.args
  return row !== undefined && shiftOf(time) === 0n && !readsNow(row) ? row : null
}

function constantInterval(scalar: Scalar): ReturnType<typeof parseInterval> {
  const folded = resolve.foldConstant(scalar)
  if (folded.op !== 'literal' || folded.text === null || folded.type.kind !== 'interval') return null
  return parseInterval(folded.text)
}

function operatorOf(fn: string): string {
  return fn.slice(0, fn.indexOf('('))
}

function readsNow(scalar: Scalar): boolean {
  return scalar.op === 'now' || childrenOf(scalar).some(readsNow)
}
