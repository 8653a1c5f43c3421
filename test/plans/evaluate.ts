// What a plan means, as simply as it can be said: to hold optimised plans and operators against.
import { parseInterval } from '../../src/data/interval.ts'
import type { Scalar } from '../../src/expr/scalar.ts'
import type { Order, Plan } from '../../src/plan/plan.ts'

/** An error as a cell. */
const failed = Symbol('error')
export type Cell = bigint | string | boolean | null | typeof failed
export type Row = readonly Cell[]
export interface Bag {
  readonly rows: readonly Row[]
  readonly errors: number
}

export type Data = ReadonlyMap<number, readonly Row[]>

function compute(scalar: Scalar, row: Row): Cell {
  const of = (part: Scalar): Cell => compute(part, row)
  switch (scalar.op) {
    case 'column':
      return row[scalar.index]
    case 'literal': {
      if (scalar.text === null) return null
      const { kind } = scalar.type
      if (kind === 'interval') return parseInterval(scalar.text)?.micros ?? failed
      return kind === 'boolean' ? scalar.text === 'true' : /int/.test(kind) ? BigInt(scalar.text) : scalar.text
    }
    case 'cast':
      return of(scalar.arg)
    case 'and':
    case 'or': {
      const cells = scalar.args.map(of)
      const decided = scalar.op === 'or'
      return cells.includes(decided)
        ? decided
        : cells.includes(failed)
          ? failed
          : cells.includes(null)
            ? null
            : !decided
    }
    case 'not': {
      const cell = of(scalar.arg)
      return typeof cell === 'boolean' ? !cell : cell
    }
    case 'isNull': {
      const cell = of(scalar.arg)
      return cell === failed ? failed : (cell === null) !== scalar.negated
    }
    case 'distinct': {
      const [left, right] = [of(scalar.left), of(scalar.right)]
      return left === failed || right === failed ? failed : (left !== right) !== scalar.negated
    }
    case 'coalesce':
      return scalar.args.map(of).find((each) => each !== null) ?? null
    case 'case': {
      for (const { when, result } of scalar.whens) {
        const chosen = of(when)
        if (chosen === failed) return failed
        if (chosen === true) return of(result)
      }
      return scalar.otherwise === null ? null : of(scalar.otherwise)
    }
    case 'call':
      return call(scalar.fn.slice(0, scalar.fn.indexOf('(')), scalar.args.map(of))
    case 'now':
      throw new Error('now() stands in temporal nodes only')
  }
}

function call(name: string, args: readonly Cell[]): Cell {
  if (args.includes(failed)) return failed
  if (args.includes(null)) return null
  const [a, b] = args as bigint[]
  switch (name) {
    case '=':
      return a === b
    case '<>':
      return a !== b
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    case '>=':
      return a >= b
    case '+':
      return a + b
    case '-':
      return a - b
    case '/':
      return b === 0n ? failed : a / b
    default:
      throw new Error(`the test does not know ${name}`)
  }
}

const show = (row: Row): string =>
  JSON.stringify(row.map((cell) => (typeof cell === 'bigint' ? Number(cell) : String(cell))))

/** Rows without errors in some columns; a row with one is an error. */
function sound(bag: Bag, columns: readonly number[]): Bag {
  const rows = bag.rows.filter((row) => !columns.some((column) => row[column] === failed))
  return { rows, errors: bag.errors + bag.rows.length - rows.length }
}

function compare(a: Cell, b: Cell, nullsFirst: boolean): number {
  if (a === b) return 0
  if (a === failed || b === failed) return a === failed ? 1 : -1
  if (a === null || b === null) return (a === null) === nullsFirst ? -1 : 1
  return (a as bigint) < (b as bigint) ? -1 : 1
}

function sortRows(rows: readonly Row[], order: readonly Order[], width: number): Row[] {
  const completed: Order[] = [
    ...order,
    ...Array.from({ length: width }, (_, column) => ({ column, descending: false, nullsFirst: false })),
  ]
  return [...rows].sort((x, y) => {
    for (const { column, descending, nullsFirst } of completed) {
      const a = x[column]
      const b = y[column]
      const sign = compare(a, b, nullsFirst)
      if (sign !== 0) return a === null || b === null || !descending ? sign : -sign
    }
    return 0
  })
}

function groupBy(rows: readonly Row[], keys: readonly number[]): Row[][] {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const key = show(keys.map((column) => row[column]))
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  return [...groups.values()]
}

export function run(plan: Plan, data: Data): Bag {
  switch (plan.op) {
    case 'scan':
      return {
        rows: (data.get(plan.relation) ?? []).map((row) =>
          plan.reads.map((ordinal) => (ordinal < 0 ? 0n : row[ordinal])),
        ),
        errors: 0,
      }
    case 'values':
      return { rows: plan.rows.map((row) => row.map((cell) => compute(cell, []))), errors: 0 }
    case 'map': {
      const input = run(plan.input, data)
      const tests = input.rows.map((row) => (plan.filter === null ? true : compute(plan.filter, row)))
      const rows = input.rows.filter((_, i) => tests[i] === true)
      const errors = input.errors + tests.filter((test) => test === failed).length
      return { rows: rows.map((row) => plan.outputs.map((output) => compute(output, row))), errors }
    }
    case 'hop': {
      const input = run(plan.input, data)
      const [slide, size] = [BigInt(plan.slideMicros), BigInt(plan.sizeMicros)]
      const rows = input.rows.flatMap((row) => {
        const time = row[plan.time]
        if (typeof time !== 'bigint') return []
        const windows: Row[] = []
        for (let start = (time / slide) * slide; start > time - size; start -= slide) {
          windows.push([...row, start, start + size])
        }
        return windows
      })
      return { rows, errors: input.errors }
    }
    case 'unionAll': {
      const inputs = plan.inputs.map((input) => run(input, data))
      return { rows: inputs.flatMap(({ rows }) => rows), errors: inputs.reduce((sum, { errors }) => sum + errors, 0) }
    }
    case 'distinct': {
      const input = sound(
        run(plan.input, data),
        plan.columns.map((_, i) => i),
      )
      return {
        rows: groupBy(
          input.rows,
          plan.columns.map((_, i) => i),
        ).map(([row]) => row),
        errors: input.errors,
      }
    }
    case 'topN': {
      const width = plan.input.columns.length
      const { partition, order, limit, offset, rank } = plan
      const input = sound(run(plan.input, data), [...partition, ...order.map(({ column }) => column)])
      const rows = groupBy(input.rows, partition).flatMap((group) =>
        sortRows(group, order, width)
          .map((row, i) => (rank ? [...row, BigInt(i + 1)] : row))
          .slice(offset, limit === null ? undefined : offset + limit),
      )
      return { rows, errors: input.errors }
    }
    case 'aggregate':
      return runAggregate(plan, data)
    case 'join':
      return runJoin(plan, data)
    default:
      throw new Error(`the test does not know ${plan.op}`)
  }
}

function runAggregate(plan: Extract<Plan, { op: 'aggregate' }>, data: Data): Bag {
  const input = sound(run(plan.input, data), plan.keys)
  const groups = groupBy(input.rows, plan.keys)
  if (plan.keys.length === 0 && groups.length === 0) groups.push([])
  const rows = groups.map((group) => [
    ...plan.keys.map((key) => group[0][key]),
    ...plan.calls.map(({ fn, argument, distinct, filter }): Cell => {
      const tests = group.map((row) => (filter === null ? true : row[filter]))
      const cells = group.filter((_, i) => tests[i] === true).map((row) => (argument === null ? 1n : row[argument]))
      if (tests.includes(failed) || cells.includes(failed)) return failed
      const present = cells.filter((cell) => cell !== null) as bigint[]
      const used = distinct ? [...new Set(present)] : present
      if (fn === 'count') return BigInt(used.length)
      if (used.length === 0) return null
      if (fn === 'sum') return used.reduce((sum, cell) => sum + cell, 0n)
      return used.reduce((best, cell) => ((fn === 'min') === cell < best ? cell : best))
    }),
  ])
  return { rows, errors: input.errors }
}

function runJoin(plan: Extract<Plan, { op: 'join' }>, data: Data): Bag {
  const left = sound(run(plan.left, data), plan.leftKeys)
  const right = sound(run(plan.right, data), plan.rightKeys)
  let errors = left.errors + right.errors
  const rows: Row[] = []
  const matchedRight = new Set<Row>()
  for (const a of left.rows) {
    let matched = false
    for (const b of right.rows) {
      const keys = plan.leftKeys.every((key, i) => a[key] !== null && a[key] === b[plan.rightKeys[i]])
      const test = keys && (plan.residual === null ? true : compute(plan.residual, [...a, ...b]))
      if (test === failed) errors++
      if (test !== true) continue
      matched = true
      matchedRight.add(b)
      if (plan.kind !== 'semi' && plan.kind !== 'anti') rows.push([...a, ...b])
    }
    if (plan.kind === (matched ? 'semi' : 'anti')) rows.push(a)
    if (!matched && (plan.kind === 'left' || plan.kind === 'full'))
      rows.push([...a, ...plan.right.columns.map(() => null)])
  }
  if (plan.kind === 'full') {
    for (const b of right.rows) if (!matchedRight.has(b)) rows.push([...plan.left.columns.map(() => null), ...b])
  }
  return { rows, errors }
}

export function result(plan: Plan, data: Data): { readonly rows: readonly string[]; readonly errors: number } {
  const bag = sound(
    run(plan, data),
    plan.columns.map((_, i) => i),
  )
  return { rows: bag.rows.map(show).sort(), errors: bag.errors }
}
