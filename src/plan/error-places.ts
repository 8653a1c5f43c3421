import { Bug } from '../data/errors.ts'
import type { SqlType } from '../data/sql-type.ts'
import type { Scalar } from '../expr/scalar.ts'
import {
  aggregate,
  bigint,
  columnOf,
  distinct,
  final,
  hop,
  join,
  map,
  renumbered,
  scan,
  temporal,
  topicSystemColumns,
  topN,
  unionAll,
  values,
} from './nodes.ts'
import { type Join, type Plan, type Scan, systemColumn } from './plan.ts'
import type { Program, TopicDefinition, ViewDefinition } from './program.ts'

/**
 * Where a view's error rows come from, as a query of its own. Every place of the view's plan at which a row can become
 * an error row (a predicate, a key, the output) is read again as a relation: the rows that err there, each with the
 * positions of the events that it is made of, or behind an aggregate with its group's key. So the answer is a function
 * of the log, whatever the ticks were, and the running view carries no positions along.
 */
export interface ErrorQuery {
  /** Its rows: place, error code, then `positions` pairs (partition, offset), then `keys` texts. */
  readonly plan: Plan
  readonly places: readonly ErrorPlaceOfPlan[]
  readonly positions: number
  readonly keys: number
}

export interface ErrorPlaceOfPlan {
  /** What met the error, as error rows name it. */
  readonly clause: string
  /** Per position the topic's name. */
  readonly topics: readonly string[]
  /** Per key the column's name. */
  readonly keys: readonly string[]
}

/** A plan that puts out more columns than another: what its rows are made of. */
interface Traced {
  readonly plan: Plan
  /** Where each of the other plan's columns is. */
  readonly at: readonly number[]
  readonly positions: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]
  readonly keys: readonly { readonly name: string; readonly column: number }[]
}

interface Place {
  readonly clause: string
  readonly rows: Traced
  /** What errs, over the traced plan's columns. */
  readonly tested: readonly Scalar[]
}

const integer: SqlType = { kind: 'integer' }
const text: SqlType = { kind: 'text' }

/** @param limit rows that it has at most, in their order */
export function errorQuery(program: Program, view: ViewDefinition, limit: number): ErrorQuery {
  const tracer = new Tracer(program)
  const output = tracer.trace(view.plan)
  tracer.add('SELECT', output, output.at)
  const { places } = tracer
  const positions = Math.max(0, ...places.map(({ rows }) => rows.positions.length))
  const keys = Math.max(0, ...places.map(({ rows }) => rows.keys.length))
  const inputs = places.map((place, ordinal) => errorRows(place, ordinal, positions, keys))
  const all = inputs.length === 1 ? inputs[0] : unionAll(inputs)
  const order = all.columns.map((_, column) => ({ column, descending: false, nullsFirst: false }))
  return {
    plan: topN(all, [], order, limit, 0, false),
    places: places.map(({ clause, rows }) => ({
      clause,
      topics: rows.positions.map(({ topic }) => topic),
      keys: rows.keys.map(({ name }) => name),
    })),
    positions,
    keys,
  }
}

function errorRows({ rows, tested }: Place, ordinal: number, positions: number, keys: number): Plan {
  const column = (index: number | undefined, type: SqlType): Scalar =>
    index === undefined ? literal(null, type) : nullableColumn(rows.plan, index)
  const outputs = [literal(String(ordinal), integer), errorCode(tested)]
  const names = ['place', 'code']
  for (let i = 0; i < positions; i++) {
    outputs.push(column(rows.positions[i]?.partition, integer), column(rows.positions[i]?.offset, bigint))
    names.push(`partition${i}`, `offset${i}`)
  }
  for (let i = 0; i < keys; i++) {
    const key = rows.keys[i]
    outputs.push(key === undefined ? literal(null, text) : keyText(columnOf(rows.plan, key.column)))
    names.push(`key${i}`)
  }
  const errs = differs(errorCode(tested), literal('0', integer))
  return map(rows.plan, errs, outputs, names)
}

function literal(value: string | null, type: SqlType): Scalar {
  return { op: 'literal', text: value, type, nullable: value === null }
}

function nullableColumn(plan: Plan, index: number): Scalar {
  return { op: 'column', index, type: plan.columns[index].type, nullable: true }
}

/** The least error among cells, 0 if there is none: never an error itself. */
function errorCode(args: readonly Scalar[]): Scalar {
  return { op: 'call', fn: '$error()', args, type: integer, nullable: false }
}

function differs(left: Scalar, right: Scalar): Scalar {
  return { op: 'distinct', left, right, negated: false, type: { kind: 'boolean' }, nullable: false }
}

/** A key cell as text, NULL where it is an error. */
function keyText(cell: Scalar): Scalar {
  const result: Scalar = { op: 'cast', arg: cell, type: text, nullable: true }
  const when = differs(errorCode([cell]), literal('0', integer))
  return { op: 'case', whens: [{ when, result: literal(null, text) }], otherwise: result, type: text, nullable: true }
}

class Tracer {
  readonly #program: Program
  readonly places: Place[] = []

  constructor(program: Program) {
    this.#program = program
  }

  /** Says that rows with an error in one of these columns become error rows. */
  add(clause: string, rows: Traced, columns: readonly number[]): void {
    if (columns.length === 0) return
    this.places.push({ clause, rows, tested: columns.map((column) => columnOf(rows.plan, column)) })
  }

  trace(plan: Plan): Traced {
    switch (plan.op) {
      case 'scan':
        return this.#scan(plan)
      case 'values':
        return plain(values(plan.rows, plan.columns))
      case 'join':
        return this.#join(plan)
      case 'unionAll':
        return this.#union(plan.inputs.map((input) => this.trace(input)))
      default:
        return this.#unary(plan, this.trace(plan.input))
    }
  }

  #scan(node: Scan): Traced {
    const view = this.#program.views.find(({ id }) => id === node.relation)
    if (view !== undefined) {
      const traced = this.trace(view.plan)
      return { ...traced, at: node.reads.map((column) => traced.at[column]) }
    }
    const topic = this.#program.topics.find(({ id }) => id === node.relation)
    if (topic === undefined) throw new Bug(`a scan of the unknown relation ${node.relation}`)
    return tracedTopic(node, topic)
  }

  /** Rows of different inputs have positions in different topics: each input has columns of its own for them. */
  #union(inputs: readonly Traced[]): Traced {
    const width = inputs[0].at.length
    const positions = inputs.flatMap((input, of) => input.positions.map((position) => ({ ...position, of })))
    const keys = inputs.flatMap((input, of) => input.keys.map((key) => ({ ...key, of })))
    const parts = inputs.map(({ plan, at }, of) => {
      const own = (input: number, column: number, type: SqlType): Scalar =>
        input === of ? nullableColumn(plan, column) : literal(null, type)
      const typeOf = (input: number, column: number): SqlType => inputs[input].plan.columns[column].type
      return map(plan, null, [
        ...at.map((column) => columnOf(plan, column)),
        ...positions.flatMap((p) => [own(p.of, p.partition, integer), own(p.of, p.offset, bigint)]),
        ...keys.map((key) => own(key.of, key.column, typeOf(key.of, key.column))),
      ])
    })
    return {
      plan: unionAll(parts),
      at: identity(width),
      positions: positions.map(({ topic }, i) => ({ topic, ...pairAt(width, i) })),
      keys: keys.map(({ name }, i) => ({ name, column: width + 2 * positions.length + i })),
    }
  }

  #unary(node: Exclude<Plan, { op: 'scan' | 'values' | 'join' | 'unionAll' }>, input: Traced): Traced {
    const { plan, at } = input
    switch (node.op) {
      case 'map': {
        const moved = (scalar: Scalar): Scalar => renumbered(scalar, (index) => at[index])
        const filter = node.filter === null ? null : moved(node.filter)
        if (filter !== null) this.places.push({ clause: 'WHERE', rows: input, tested: [filter] })
        const names = node.columns.map(({ name }) => name)
        const more = carried(input, names.length)
        return { ...more.traced, plan: map(plan, filter, [...node.outputs.map(moved), ...more.scalars], names) }
      }
      case 'hop': {
        const made = hop(plan, at[node.time], node.slideMicros, node.sizeMicros)
        return { ...input, plan: made, at: [...at, plan.columns.length, plan.columns.length + 1] }
      }
      case 'aggregate': {
        const keys = node.keys.map((key) => at[key])
        this.add('GROUP BY', input, keys)
        const moved = (column: number | null): number | null => (column === null ? null : at[column])
        const calls = node.calls.map((c) => ({ ...c, argument: moved(c.argument), filter: moved(c.filter) }))
        const made = aggregate(plan, keys, calls, node.columns.slice(keys.length))
        return { ...plain(made), keys: keys.map((_, k) => ({ name: node.columns[k].name, column: k })) }
      }
      case 'distinct': {
        const made = distinct(
          map(
            plan,
            null,
            at.map((column) => columnOf(plan, column)),
          ),
        )
        return { ...plain(made), keys: node.columns.map(({ name }, column) => ({ name, column })) }
      }
      case 'topN': {
        const partition = node.partition.map((column) => at[column])
        const order = node.order.map((each) => ({ ...each, column: at[each.column] }))
        this.add('ORDER BY', input, [...partition, ...order.map(({ column }) => column)])
        const made = topN(plan, partition, order, node.limit, node.offset, node.rank)
        return { ...input, plan: made, at: node.rank ? [...at, plan.columns.length] : at }
      }
      case 'final': {
        this.add('window_end', input, [at[node.windowEnd]])
        return { ...input, plan: final(plan, at[node.windowEnd]) }
      }
      case 'temporal': {
        const from = node.from === null ? null : at[node.from]
        const until = node.until === null ? null : at[node.until]
        this.add(
          'WHERE',
          input,
          [from, until].filter((column) => column !== null),
        )
        return { ...input, plan: temporal(plan, from, until) }
      }
    }
  }

  #join(node: Join): Traced {
    const left = this.trace(node.left)
    const right = this.trace(node.right)
    const leftKeys = node.leftKeys.map((key) => left.at[key])
    const rightKeys = node.rightKeys.map((key) => right.at[key])
    const matches = (node.kind === 'semi' || node.kind === 'anti') && node.residual === null
    const clause = matches ? 'a join condition' : 'JOIN … ON'
    this.add(clause, left, leftKeys)
    this.add(clause, right, rightKeys)
    const behind = left.plan.columns.length
    const both: Pick<Traced, 'at' | 'positions' | 'keys'> = {
      at: [...left.at, ...right.at.map((column) => behind + column)],
      positions: [
        ...left.positions,
        ...right.positions.map((p) => ({ ...p, partition: behind + p.partition, offset: behind + p.offset })),
      ],
      keys: [...left.keys, ...right.keys.map((key) => ({ ...key, column: behind + key.column }))],
    }
    const residual = node.residual === null ? null : renumbered(node.residual, (index) => both.at[index])
    if (residual !== null) {
      const pairs = join('inner', left.plan, right.plan, leftKeys, rightKeys, null)
      this.places.push({ clause, rows: { ...both, plan: pairs }, tested: [residual] })
    }
    const plan = join(node.kind, left.plan, right.plan, leftKeys, rightKeys, residual)
    return node.kind === 'semi' || node.kind === 'anti' ? { ...left, plan } : { ...both, plan }
  }
}

function identity(width: number): number[] {
  return Array.from({ length: width }, (_, i) => i)
}

function plain(plan: Plan): Traced {
  return { plan, at: identity(plan.columns.length), positions: [], keys: [] }
}

function pairAt(width: number, pair: number): { partition: number; offset: number } {
  return { partition: width + 2 * pair, offset: width + 2 * pair + 1 }
}

function tracedTopic(node: Scan, topic: TopicDefinition): Traced {
  const width = node.reads.length
  const system = [systemColumn.partition, systemColumn.offset]
  const schemas = system.map((id) => topicSystemColumns.find((column) => column.id === id)!.schema)
  return {
    plan: scan(node.relation, [...node.reads, ...system], [...node.columns, ...schemas], node.events),
    at: identity(width),
    positions: [{ topic: topic.name, ...pairAt(width, 0) }],
    keys: [],
  }
}

/** What a projection of `width` columns carries along behind them. */
function carried(
  { plan, positions, keys }: Traced,
  width: number,
): { scalars: Scalar[]; traced: Omit<Traced, 'plan'> } {
  const scalars = [
    ...positions.flatMap(({ partition, offset }) => [columnOf(plan, partition), columnOf(plan, offset)]),
    ...keys.map(({ column }) => columnOf(plan, column)),
  ]
  const traced = {
    at: identity(width),
    positions: positions.map(({ topic }, i) => ({ topic, ...pairAt(width, i) })),
    keys: keys.map(({ name }, i) => ({ name, column: width + 2 * positions.length + i })),
  }
  return { scalars, traced }
}
