import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Scalar } from '../expr/scalar.ts'
import { loadParser, parseSql } from '../sql/parse.ts'
import { bindSelect } from './bind.ts'
import type { Catalog } from './catalog.ts'
import { defineProgram } from './definition.ts'
import { explainPlan } from './explain.ts'
import { mayFailIn } from './failure.ts'
import { nodesOf } from './nodes.ts'
import { optimise } from './optimise.ts'
import type { Order, Plan } from './plan.ts'

/**
 * A plan's meaning, as simply as can be: bags of rows, and how many errors were met. Optimised plans are compared
 * with the bound ones by it, on random queries over random rows.
 */
const failed = Symbol('error')
type Cell = bigint | string | boolean | null | typeof failed
type Row = readonly Cell[]
interface Bag {
  readonly rows: readonly Row[]
  readonly errors: number
}

type Data = ReadonlyMap<number, readonly Row[]>

function compute(scalar: Scalar, row: Row): Cell {
  const of = (part: Scalar): Cell => compute(part, row)
  switch (scalar.op) {
    case 'column':
      return row[scalar.index]
    case 'literal': {
      if (scalar.text === null) return null
      const { kind } = scalar.type
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

function run(plan: Plan, data: Data): Bag {
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

function result(plan: Plan, data: Data): { readonly rows: readonly string[]; readonly errors: number } {
  const bag = sound(
    run(plan, data),
    plan.columns.map((_, i) => i),
  )
  return { rows: bag.rows.map(show).sort(), errors: bag.errors }
}

const schema = `
CREATE TABLE t (a int, b int, c int);
CREATE TABLE u (a int, d int NOT NULL);
CREATE TABLE w (k int PRIMARY KEY, a int, e int);
`
let catalog: Catalog
beforeAll(async () => {
  await loadParser()
  catalog = defineProgram(parseSql(schema), bindSelect).catalog
})

function bound(sql: string): Plan {
  const [statement] = parseSql(sql)
  if (statement.kind !== 'select') throw new Error(`no query: ${sql}`)
  return bindSelect(catalog, statement.node, statement, { adHoc: true }).plan
}

function bothPlans(sql: string): { readonly before: Plan; readonly after: Plan } {
  const before = bound(sql)
  return { before, after: optimise(before, mayFailIn(catalog)) }
}

const nameOf = (id: number): string => catalog.byId(id).name

/** Random SQL over relations whose columns are integers: conditions may divide by zero. */
const column = fc.constantFrom('a', 'b', 'c')
const number = fc.integer({ min: -1, max: 3 }).map(String)
const value: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: column.map((name) => `x.${name}`) },
  { weight: 2, arbitrary: number },
  { weight: 1, arbitrary: fc.tuple(column, column).map(([p, q]) => `x.${p} / x.${q}`) },
  { weight: 1, arbitrary: fc.tuple(column, number).map(([p, n]) => `(x.${p} + ${n})`) },
)
const condition: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(value, fc.constantFrom('=', '<', '>=', '<>'), value).map((parts) => parts.join(' ')),
  },
  { weight: 1, arbitrary: column.map((name) => `x.${name} IS NULL`) },
  { weight: 1, arbitrary: column.map((name) => `x.${name} IS NOT NULL`) },
  { weight: 1, arbitrary: fc.tuple(column, number).map(([name, n]) => `(x.${name} = ${n} OR x.a = x.b)`) },
  { weight: 1, arbitrary: column.map((name) => `x.${name} IN (SELECT a FROM u)`) },
  { weight: 1, arbitrary: column.map((name) => `NOT EXISTS (SELECT 1 FROM w WHERE w.a = x.${name} AND w.e <> x.b)`) },
  { weight: 1, arbitrary: column.map((name) => `(x.${name} NOT IN (SELECT e FROM w) OR x.c = 1)`) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'x.a > (SELECT count(*) FROM u WHERE u.a = x.b)',
      'x.b >= (SELECT count(*) FROM u WHERE u.a < x.b AND u.d <> x.a)',
      'x.a <> (SELECT max(w.e) FROM w WHERE w.a = x.b AND w.k > x.c)',
      'x.c = (SELECT e FROM w WHERE w.k = x.a)',
      '(EXISTS (SELECT 1 FROM w WHERE w.e < x.b) OR x.c = 1)',
      '(NOT EXISTS (SELECT 1 FROM w WHERE w.e < x.b AND w.a = x.a) OR x.c IS NULL)',
      '(EXISTS (SELECT 1 FROM w WHERE w.e = x.b AND w.a = x.a)) IS NOT TRUE',
    ),
  },
)
const where = fc
  .array(condition, { maxLength: 3 })
  .map((list) => (list.length === 0 ? '' : `WHERE ${list.join(' AND ')}`))

/** A query with columns a, b and c. */
const query: fc.Arbitrary<string> = fc.letrec<{ query: string }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constant('SELECT a, b, c FROM t'),
    fc.constant('SELECT a, d AS b, d - 1 AS c FROM u'),
    fc.constant('SELECT k AS a, a AS b, e AS c FROM w'),
    fc.tuple(tie('query'), where).map(([of, filter]) => `SELECT c AS a, a AS b, b AS c FROM (${of}) x ${filter}`),
    fc.tuple(tie('query'), value, where).map(([of, v, filter]) => `SELECT a, ${v} AS b, c FROM (${of}) x ${filter}`),
    fc.tuple(tie('query'), where).map(([of, filter]) => `SELECT DISTINCT a, b, c FROM (${of}) x ${filter}`),
    fc
      .tuple(tie('query'), where)
      .map(([of, filter]) => `SELECT a, sum(b) AS b, count(*) AS c FROM (${of}) x ${filter} GROUP BY a`),
    fc
      .tuple(tie('query'), where, number)
      .map(
        ([of, filter, n]) =>
          `SELECT a, b, r AS c FROM (SELECT a, b, row_number() OVER (PARTITION BY a ORDER BY c) AS r FROM (${of}) x ${filter}) y WHERE r <= ${n} AND a > 0`,
      ),
    fc
      .tuple(tie('query'), tie('query'))
      .map(([p, q]) => `SELECT a, b, c FROM (${p}) p UNION ALL SELECT c, a, b FROM (${q}) q`),
    fc
      .tuple(tie('query'), tie('query'))
      .map(([p, q]) => `SELECT a, b, c FROM (${p}) p EXCEPT SELECT c, a, b FROM (${q}) q`),
    fc
      .tuple(tie('query'), tie('query'), fc.constantFrom('JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN'), where)
      .map(
        ([p, q, kind, filter]) =>
          `SELECT a, b, c FROM (SELECT p.a, q.b, p.c FROM (${p}) p ${kind} (${q}) q ON p.a = q.a) x ${filter}`,
      ),
    fc
      .tuple(tie('query'), fc.constantFrom('JOIN', 'LEFT JOIN'), where)
      .map(
        ([p, kind, filter]) =>
          `SELECT a, b, c FROM (SELECT p.a, w.e AS b, p.c FROM (${p}) p ${kind} w ON p.a = w.a AND w.e > 0 AND p.b < w.k) x ${filter}`,
      ),
    fc
      .tuple(tie('query'), tie('query'), where)
      .map(
        ([p, q, filter]) =>
          `SELECT p.a, q.b, w.e AS c FROM (${p}) p, (${q}) q, w, t x ${filter === '' ? 'WHERE' : `${filter} AND`} w.a = p.b AND q.c = w.k AND x.a = p.c`,
      ),
  ),
})).query

const cell = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -1, max: 3 }).map(BigInt) },
  { weight: 1, arbitrary: fc.constant(null) },
)
const present = fc.integer({ min: -1, max: 3 }).map(BigInt)
const data: fc.Arbitrary<Data> = fc
  .record({
    t: fc.array(fc.tuple(cell, cell, cell), { maxLength: 6 }),
    u: fc.array(fc.tuple(cell, present), { maxLength: 6 }),
    w: fc.uniqueArray(fc.tuple(present, cell, cell), { maxLength: 5, selector: ([key]) => key }),
  })
  .map(
    ({ t, u, w }) =>
      new Map([
        [1, t],
        [2, u],
        [3, w],
      ] as [number, Row[]][]),
  )

describe('an optimised plan', () => {
  it('puts out the same rows and meets the same errors', () => {
    fc.assert(
      fc.property(query, fc.array(data, { minLength: 1, maxLength: 3 }), (sql, samples) => {
        const { before, after } = bothPlans(sql)
        for (const sample of samples) {
          const context = `${sql}\n${explainPlan(before, nameOf)}\n${explainPlan(after, nameOf)}`
          expect(result(after, sample), context).toEqual(result(before, sample))
        }
      }),
      { numRuns: 400 },
    )
  }, 60_000)

  it('is its own optimum', () => {
    fc.assert(
      fc.property(query, (sql) => {
        const { after } = bothPlans(sql)
        const again = optimise(after, mayFailIn(catalog))
        expect(
          nodesOf(again).length,
          `${sql}\n${explainPlan(after, nameOf)}\n${explainPlan(again, nameOf)}`,
        ).toBeLessThanOrEqual(nodesOf(after).length)
      }),
      { numRuns: 100 },
    )
  }, 60_000)
})
