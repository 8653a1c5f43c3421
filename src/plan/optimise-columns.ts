import { columnsOf, type Scalar } from '../expr/scalar.ts'
import { aggregate, columnOf, final, hop, join, map, renumbered, temporal, topN, unionAll } from './nodes.ts'
import type { Plan } from './plan.ts'

/** A plan with some of another's columns, and where each of those is now. */
interface Narrowed {
  readonly plan: Plan
  readonly at: ReadonlyMap<number, number>
}

/** Leaves out columns that nothing above reads, down to what scans read. All of the plan's own columns stay. */
export function pruneColumns(plan: Plan): Plan {
  const all = plan.columns.map((_, i) => i)
  return exactly(narrow(plan, new Set(all)), all, plan)
}

/** Exactly these columns, in this order. */
function exactly({ plan, at }: Narrowed, columns: readonly number[], before: Plan): Plan {
  const outputs = columns.map((column) => columnOf(plan, position(at, column)))
  const same = outputs.length === plan.columns.length && columns.every((column, i) => at.get(column) === i)
  const names = columns.map((column) => before.columns[column].name)
  return same ? plan : map(plan, null, outputs, names)
}

function position(at: ReadonlyMap<number, number>, column: number): number {
  return at.get(column) as number
}

const sorted = (columns: Iterable<number>): number[] => [...columns].sort((a, b) => a - b)

function positions(columns: readonly number[]): ReadonlyMap<number, number> {
  return new Map(columns.map((column, i) => [column, i]))
}

function moveTo(scalar: Scalar, at: ReadonlyMap<number, number>): Scalar {
  return renumbered(scalar, (index) => position(at, index))
}

function reads(scalars: readonly (Scalar | null)[]): Set<number> {
  const into = new Set<number>()
  for (const scalar of scalars) if (scalar !== null) columnsOf(scalar, into)
  return into
}

function whole(plan: Plan, input: Plan): Narrowed {
  const all = input.columns.map((_, i) => i)
  const pruned = exactly(narrow(input, new Set(all)), all, input)
  const renewed = { ...plan, input: pruned } as Plan
  return { plan: renewed, at: positions(plan.columns.map((_, i) => i)) }
}

function narrow(plan: Plan, needed: ReadonlySet<number>): Narrowed {
  const kept = sorted(needed)
  switch (plan.op) {
    case 'scan': {
      const columns = kept.map((column) => plan.columns[column])
      return { plan: { ...plan, reads: kept.map((column) => plan.reads[column]), columns }, at: positions(kept) }
    }
    case 'values': {
      const rows = plan.rows.map((row) => kept.map((column) => row[column]))
      const columns = kept.map((column) => plan.columns[column])
      return { plan: { ...plan, rows, columns }, at: positions(kept) }
    }
    case 'map': {
      const outputs = kept.map((column) => plan.outputs[column])
      const input = narrow(plan.input, reads([plan.filter, ...outputs]))
      const filter = plan.filter === null ? null : moveTo(plan.filter, input.at)
      const names = kept.map((column) => plan.columns[column].name)
      const moved = outputs.map((output) => moveTo(output, input.at))
      return { plan: map(input.plan, filter, moved, names), at: positions(kept) }
    }
    case 'hop': {
      const width = plan.input.columns.length
      const input = narrow(plan.input, new Set([...kept.filter((column) => column < width), plan.time]))
      const moved = hop(input.plan, position(input.at, plan.time), plan.slideMicros, plan.sizeMicros)
      const at = new Map(input.at)
      at.set(width, input.plan.columns.length)
      at.set(width + 1, input.plan.columns.length + 1)
      return { plan: moved, at }
    }
    case 'aggregate':
      return narrowAggregate(plan, kept)
    case 'distinct':
      return whole(plan, plan.input)
    case 'topN':
      return narrowTop(plan, needed)
    case 'join':
      return narrowJoin(plan, needed)
    case 'unionAll': {
      const inputs = plan.inputs.map((input) => exactly(narrow(input, needed), kept, input))
      return { plan: unionAll(inputs), at: positions(kept) }
    }
    case 'final': {
      const input = narrow(plan.input, new Set([...kept, plan.windowEnd]))
      return { plan: final(input.plan, position(input.at, plan.windowEnd)), at: input.at }
    }
    case 'temporal': {
      const bounds = [plan.from, plan.until].filter((column) => column !== null)
      const input = narrow(plan.input, new Set([...kept, ...bounds]))
      const [from, until] = [plan.from, plan.until].map((column) =>
        column === null ? null : position(input.at, column),
      )
      return { plan: temporal(input.plan, from, until), at: input.at }
    }
  }
}

function narrowAggregate(plan: Extract<Plan, { op: 'aggregate' }>, kept: readonly number[]): Narrowed {
  const keys = plan.keys.length
  const calls = kept.filter((column) => column >= keys).map((column) => column - keys)
  const used = calls.map((call) => plan.calls[call])
  const parts = used.flatMap(({ argument, filter }) => [argument, filter]).filter((column) => column !== null)
  const input = narrow(plan.input, new Set([...plan.keys, ...parts]))
  const moved = used.map((call) => ({
    ...call,
    argument: call.argument === null ? null : position(input.at, call.argument),
    filter: call.filter === null ? null : position(input.at, call.filter),
  }))
  const at = new Map(plan.keys.map((_, i) => [i, i]))
  calls.forEach((call, i) => {
    at.set(keys + call, keys + i)
  })
  const narrowed = aggregate(
    input.plan,
    plan.keys.map((key) => position(input.at, key)),
    moved,
    calls.map((call) => plan.columns[keys + call]),
  )
  return { plan: narrowed, at }
}

/** Ties are decided by all columns: none can go but the rank. */
function narrowTop(plan: Extract<Plan, { op: 'topN' }>, needed: ReadonlySet<number>): Narrowed {
  const width = plan.input.columns.length
  if (plan.rank && !needed.has(width)) {
    if (plan.limit === null && plan.offset === 0) return narrow(plan.input, needed)
    const { partition, order, limit, offset } = plan
    return whole(topN(plan.input, partition, order, limit, offset, false), plan.input)
  }
  return whole(plan, plan.input)
}

function narrowJoin(plan: Extract<Plan, { op: 'join' }>, needed: ReadonlySet<number>): Narrowed {
  const width = plan.left.columns.length
  const read = new Set([...needed, ...reads([plan.residual])])
  const leftKept = sorted(new Set([...[...read].filter((column) => column < width), ...plan.leftKeys]))
  const rightRead = [...read].filter((column) => column >= width).map((column) => column - width)
  const rightKept = sorted(new Set([...rightRead, ...plan.rightKeys]))
  // A join keeps the rows of its sides: what it doesn't need is cut off before.
  const left = exactly(narrow(plan.left, new Set(leftKept)), leftKept, plan.left)
  const right = exactly(narrow(plan.right, new Set(rightKept)), rightKept, plan.right)
  const at = new Map<number, number>()
  leftKept.forEach((column, i) => {
    at.set(column, i)
  })
  rightKept.forEach((column, i) => {
    at.set(column + width, i + leftKept.length)
  })
  const moved = join(
    plan.kind,
    left,
    right,
    plan.leftKeys.map((key) => leftKept.indexOf(key)),
    plan.rightKeys.map((key) => rightKept.indexOf(key)),
    plan.residual === null ? null : moveTo(plan.residual, at),
  )
  return { plan: moved, at }
}
