import { Bug } from '../data/errors.ts'
import type { SqlType } from '../data/sql-type.ts'
import { literal } from '../expr/cast.ts'
import { caseOf, coalesce, isNull } from '../expr/resolve.ts'
import type { Scalar } from '../expr/scalar.ts'
import { conjunction } from './conjuncts.ts'
import {
  columnOf,
  columnsAsScalars,
  extended,
  filtered,
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
import { type Aggregate, type Distinct, type Join, type Order, type Plan, type Scan, systemColumn } from './plan.ts'
import type { Program, TopicDefinition } from './program.ts'
import { columnIndex, equals, joinKnown, type Known, knownFilter, movedKnown, narrow, narrowed } from './why-narrow.ts'

/**
 * An instrumented copy of a plan: its rows carry beside their own columns every cell that an operator below put out
 * on the way, and the positions of the events that they are made of. So one row of it tells a whole derivation.
 *
 * Up to an aggregate, that is, where many rows become one. There a trace ends with a leaf, and goes on in another one
 * over the group's rows (`groupTrace`); or it goes `through`: each row once for each derivation, to count events.
 */
export interface Trace {
  readonly plan: Plan
  readonly root: TraceNode
  /** Every scanned event's position, by columns of `plan`. */
  readonly positions: readonly TracePosition[]
}

export interface TraceNode {
  /** The node of the view's own plan; of a view that is read, the scan of it. */
  readonly node: Plan
  /** Where each of its columns lies in the trace's plan. */
  readonly at: readonly number[]
  readonly inputs: readonly TraceNode[]
  /** A boolean column: whether the row has this part (a side of an outer join, an input of a union); null: always. */
  readonly present: number | null
  readonly position?: TracePosition
  /** The view that is read here and gone through. */
  readonly view?: string
}

export interface TracePosition {
  readonly topic: TopicDefinition
  readonly partition: number
  readonly offset: number
}

const boolean: SqlType = { kind: 'boolean' }
const yes: Scalar = { op: 'literal', text: 'true', type: boolean, nullable: false }

/** A plan's derivations. @param through goes through aggregates, too, to their events */
export function traceOf(program: Program, plan: Plan, known: Known, through: boolean): Trace {
  const traced = new Tracer(program, through).trace(plan, known)
  const filter = conjunction([...known].map(([column, value]) => equals(cell(traced, column), value)))
  const made = filtered(traced.plan, filter)
  return { plan: made, root: traced.root, positions: positionsOf(traced.root) }
}

function positionsOf(root: TraceNode): TracePosition[] {
  return [...(root.position === undefined ? [] : [root.position]), ...root.inputs.flatMap(positionsOf)]
}

interface Traced {
  readonly plan: Plan
  readonly root: TraceNode
}

function cell({ plan, root }: Traced, column: number): Scalar {
  return columnOf(plan, root.at[column])
}

/** Where a trace's columns lie once others stand before them. */
function shifted(node: TraceNode, by: number): TraceNode {
  const { position } = node
  const moved = (column: number): number => column + by
  return {
    ...node,
    at: node.at.map(moved),
    inputs: node.inputs.map((input) => shifted(input, by)),
    present: node.present === null ? null : node.present + by,
    ...(position === undefined
      ? {}
      : { position: { ...position, partition: moved(position.partition), offset: moved(position.offset) } }),
  }
}

class Tracer {
  readonly #program: Program
  readonly #through: boolean

  constructor(program: Program, through: boolean) {
    this.#program = program
    this.#through = through
  }

  trace(plan: Plan, known: Known): Traced {
    switch (plan.op) {
      case 'scan':
        return this.#scan(plan, known)
      case 'values':
        return leaf(plan, values(plan.rows, plan.columns))
      case 'aggregate':
        return this.#aggregate(plan, known)
      case 'distinct':
        return this.#through
          ? over(plan, this.trace(plan.input, known))
          : leaf(plan, narrowed(this.#program, plan, known))
      case 'join':
        return this.#join(plan, known)
      case 'unionAll':
        return this.#union(
          plan,
          plan.inputs.map((input) => this.trace(input, known)),
        )
      default:
        return this.#unary(plan, known)
    }
  }

  #scan(node: Scan, known: Known): Traced {
    const { topics, views } = this.#program
    const view = views.find(({ id }) => id === node.relation)
    if (view !== undefined) {
      const input = this.trace(
        view.plan,
        movedKnown(known, (column) => node.reads[column]),
      )
      const root = { ...over(node, input).root, at: node.reads.map((c) => input.root.at[c]), view: view.name }
      return { plan: input.plan, root }
    }
    const topic = topics.find(({ id }) => id === node.relation)
    if (topic === undefined) throw new Bug(`a scan of the unknown relation ${node.relation}`)
    const width = node.reads.length
    const system = [systemColumn.partition, systemColumn.offset]
    const schemas = system.map((id) => topicSystemColumns.find((column) => column.id === id)!.schema)
    const plan = scan(node.relation, [...node.reads, ...system], [...node.columns, ...schemas], node.events)
    const position = { topic, partition: width, offset: width + 1 }
    return {
      plan: filtered(plan, knownFilter(plan, known)),
      root: { node, at: identity(width), inputs: [], present: null, position },
    }
  }

  #aggregate(plan: Aggregate, known: Known): Traced {
    const groups = narrowed(this.#program, plan, known)
    if (!this.#through) return leaf(plan, groups)
    const keys = movedKnown(known, (column) => plan.keys[column] ?? null)
    return withMembers(plan, groups, this.trace(plan.input, keys), plan.keys)
  }

  #union(node: Plan, inputs: readonly Traced[]): Traced {
    const width = node.columns.length
    const starts: number[] = []
    let end = width
    for (const { plan } of inputs) {
      starts.push(end)
      end += plan.columns.length + 1
    }
    const nothing = (type: SqlType): Scalar => ({ op: 'literal', text: null, type, nullable: true })
    const parts = inputs.map((traced, i) => {
      const carried = inputs.flatMap(({ plan }, of): Scalar[] =>
        of === i
          ? [yes, ...columnsAsScalars(plan)].map(asNullable)
          : [nothing(boolean), ...plan.columns.map(({ type }) => nothing(type))],
      )
      return map(traced.plan, null, [...node.columns.map((_, column) => cell(traced, column)), ...carried])
    })
    const roots = inputs.map(({ root }, i) => ({ ...shifted(root, starts[i] + 1), present: starts[i] }))
    return {
      plan: parts.length === 1 ? parts[0] : unionAll(parts),
      root: { node, at: identity(width), inputs: roots, present: null },
    }
  }

  #unary(
    node: Exclude<Plan, { op: 'scan' | 'values' | 'aggregate' | 'distinct' | 'join' | 'unionAll' }>,
    known: Known,
  ) {
    switch (node.op) {
      case 'map': {
        const input = this.trace(
          node.input,
          movedKnown(known, (column) => columnIndex(node.outputs[column])),
        )
        const to = (index: number): number => input.root.at[index]
        const filter = node.filter === null ? null : renumbered(node.filter, to)
        const passed = filtered(input.plan, filter)
        const computed = node.outputs.filter((output) => output.op !== 'column')
        const made = extended(
          passed,
          computed.map((output) => renumbered(output, to)),
        )
        let next = passed.columns.length
        const at = node.outputs.map((output) => (output.op === 'column' ? to(output.index) : next++))
        return { plan: made, root: { node, at, inputs: [input.root], present: null } }
      }
      case 'hop': {
        const width = node.input.columns.length
        const input = this.trace(
          node.input,
          movedKnown(known, (column) => (column < width ? column : null)),
        )
        const made = hop(input.plan, input.root.at[node.time], node.slideMicros, node.sizeMicros)
        const end = input.plan.columns.length
        return { plan: made, root: { node, at: [...input.root.at, end, end + 1], inputs: [input.root], present: null } }
      }
      case 'topN': {
        const input = this.trace(
          node.input,
          movedKnown(known, (column) => (node.partition.includes(column) ? column : null)),
        )
        // Of a group there would be as many rows as it has members: too many to be counted.
        if (this.#through && hasMembers(input.root)) {
          const all = identity(node.input.columns.length)
          return withMembers(node, narrowed(this.#program, node, known), input, all)
        }
        const { at } = input.root
        const partition = node.partition.map((column) => at[column])
        const made = topN(input.plan, partition, completed(node.order, at), node.limit, node.offset, node.rank)
        const columns = node.rank ? [...at, input.plan.columns.length] : at
        return { plan: made, root: { node, at: columns, inputs: [input.root], present: null } }
      }
      case 'final': {
        const input = this.trace(node.input, known)
        return { ...over(node, input), plan: final(input.plan, input.root.at[node.windowEnd]) }
      }
      case 'temporal': {
        const input = this.trace(node.input, known)
        const to = (column: number | null): number | null => (column === null ? null : input.root.at[column])
        return { ...over(node, input), plan: temporal(input.plan, to(node.from), to(node.until)) }
      }
    }
  }

  #join(node: Join, known: Known): Traced {
    const sides = joinKnown(node, known)
    const left = this.trace(node.left, sides.left)
    const matches = node.kind === 'semi' || node.kind === 'anti'
    if (matches && !(this.#through && node.kind === 'semi')) {
      const right = narrow(this.#program, node.right, sides.right)
      const to = (index: number): number =>
        index < node.left.columns.length
          ? left.root.at[index]
          : left.plan.columns.length + index - node.left.columns.length
      const residual = node.residual === null ? null : renumbered(node.residual, to)
      const leftKeys = node.leftKeys.map((key) => left.root.at[key])
      const made = join(node.kind, left.plan, right, leftKeys, node.rightKeys, residual)
      return { plan: made, root: { node, at: left.root.at, inputs: [left.root], present: null } }
    }
    const right = this.trace(node.right, sides.right)
    // Whether a side is there: what outer joins make of it tells.
    const marked = (side: Traced): Traced => ({
      plan: extended(side.plan, [yes]),
      root: { ...side.root, present: side.plan.columns.length },
    })
    const a = node.kind === 'full' ? marked(left) : left
    const b = node.kind === 'full' || node.kind === 'left' ? marked(right) : right
    const width = a.plan.columns.length
    const moved = shifted(b.root, width)
    const both = [...a.root.at, ...moved.at]
    const residual = node.residual === null ? null : renumbered(node.residual, (index) => both[index])
    const leftKeys = node.leftKeys.map((key) => a.root.at[key])
    const rightKeys = node.rightKeys.map((key) => b.root.at[key])
    const kind = node.kind === 'semi' ? 'inner' : node.kind
    return {
      plan: join(kind, a.plan, b.plan, leftKeys, rightKeys, residual),
      root: { node, at: both.slice(0, node.columns.length), inputs: [a.root, moved], present: null },
    }
  }
}

/**
 * Each row of a node that puts out fewer rows than it reads, once for each row that it is made of; one that is made of
 * none is there nevertheless, once.
 * @param keys columns of its input that its own first ones are
 */
function withMembers(node: Plan, rows: Plan, members: Traced, keys: readonly number[]): Traced {
  const pairs = keys.flatMap((key, i) => nullSafe(columnOf(rows, i), cell(members, key)))
  const left = extended(
    rows,
    pairs.map((pair) => pair.left),
  )
  const right = extended(members.plan, [...pairs.map((pair) => pair.right), yes])
  const leftKeys = pairs.map((_, i) => rows.columns.length + i)
  const rightKeys = pairs.map((_, i) => members.plan.columns.length + i)
  const made = join(keys.length === 0 ? 'left' : 'inner', left, right, leftKeys, rightKeys, null)
  const present = left.columns.length + right.columns.length - 1
  const input = { ...shifted(members.root, left.columns.length), present }
  return { plan: made, root: { node, at: identity(node.columns.length), inputs: [input], present: null } }
}

/** Whether rows are there once for each row that they are made of. */
function hasMembers({ node, inputs }: TraceNode): boolean {
  if (node.op === 'aggregate' || node.op === 'distinct' || (node.op === 'join' && node.kind === 'semi')) return true
  return inputs.some(hasMembers)
}

function leaf(node: Aggregate | Distinct | Plan, plan: Plan): Traced {
  return { plan, root: { node, at: identity(node.columns.length), inputs: [], present: null } }
}

/** A node that puts out its input's columns. */
function over(node: Plan, { plan, root }: Traced): Traced {
  return { plan, root: { node, at: root.at, inputs: [root], present: null } }
}

function identity(width: number): number[] {
  return Array.from({ length: width }, (_, i) => i)
}

function asNullable(scalar: Scalar): Scalar {
  return scalar.nullable ? scalar : ({ ...scalar, nullable: true } as Scalar)
}

/** The order, completed by the columns that the node itself sees: those that are carried along must not decide. */
function completed(order: readonly Order[], at: readonly number[]): Order[] {
  const own = order.map((each) => ({ ...each, column: at[each.column] }))
  const rest = at.map((column) => ({ column, descending: false, nullsFirst: false }))
  const seen = new Set<number>()
  return [...own, ...rest].filter(({ column }) => !seen.has(column) && seen.add(column))
}

/** Join keys that let NULL meet NULL. */
function nullSafe(left: Scalar, right: Scalar): { left: Scalar; right: Scalar }[] {
  if (!left.nullable && !right.nullable) return [{ left, right }]
  const some = literal(someValue(left.type), left.type)
  const value = (side: Scalar): Scalar => (side.nullable ? coalesce([side, some]) : side)
  const isMissing = (side: Scalar): Scalar => caseOf([{ when: isNull(side), result: yes }], no)
  return [
    { left: value(left), right: value(right) },
    { left: isMissing(left), right: isMissing(right) },
  ]
}

const no: Scalar = { op: 'literal', text: 'false', type: boolean, nullable: false }

/** Any value of a type, as text. */
function someValue(type: SqlType): string {
  switch (type.kind) {
    case 'boolean':
      return 'false'
    case 'smallint':
    case 'integer':
    case 'bigint':
    case 'real':
    case 'double':
    case 'numeric':
    case 'interval':
      return '0'
    case 'text':
    case 'varchar':
    case 'unknown':
      return ''
    case 'bytea':
      return '\\x'
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return '2000-01-01'
    case 'time':
      return '00:00'
    case 'uuid':
      return '00000000-0000-0000-0000-000000000000'
    case 'jsonb':
      return 'null'
  }
}
