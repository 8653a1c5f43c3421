import { laneOf } from '../data/sql-type.ts'
import { compileMap } from '../expr/compile.ts'
import { planMeaning } from '../plan/fingerprint.ts'
import { nodesOf } from '../plan/nodes.ts'
import type { Aggregate as AggregatePlan, Hop as HopPlan, Join as JoinPlan, Plan, Scan } from '../plan/plan.ts'
import type { Program, TopicDefinition, ViewDefinition } from '../plan/program.ts'
import { mergeable } from './aggregates/calls.ts'
import { Dataflow } from './dataflow.ts'
import { dominanceOf } from './dominance.ts'
import { evictable } from './eviction.ts'
import { countedParts } from './figures.ts'
import { nameArrangements } from './names.ts'
import type { BaseOperator, Step } from './operator.ts'
import { Aggregate } from './operators/aggregate.ts'
import { Distinct } from './operators/distinct.ts'
import { Final } from './operators/final.ts'
import { Hop, Panes } from './operators/hop.ts'
import { compileResidual, Join } from './operators/join.ts'
import { MapRows, Pick, Union } from './operators/map.ts'
import { Match } from './operators/match.ts'
import { Sink } from './operators/sink.ts'
import { Temporal } from './operators/temporal.ts'
import { Undominated } from './operators/undominated.ts'
import { Values } from './operators/values.ts'
import { panedBy } from './panes.ts'
import { type Events, TopicSource } from './source.ts'
import { topOf } from './top.ts'
import { Windows } from './windows.ts'

/** What a compiled plan node is to its consumers. */
interface Node {
  readonly operator: BaseOperator
  /** Whether only insertions ever come out. */
  readonly appendOnly: boolean
  /** Whether no tick's output holds a row with both signs, so that nobody needs to net it. */
  readonly net: boolean
  /** Topics with an event time below it. */
  readonly topics: ReadonlySet<number>
}

/** Builds the operators of all views, sharing sources and the outputs of views read by others. */
export function compileProgram(program: Program, step: Step): Dataflow {
  const builder = compiled(program, step)
  const { flow } = builder
  nameArrangements(flow, builder.made)
  flow.parts = countedParts(flow, builder.counted)
  return flow
}

function compiled(program: Program, step: Step): Builder {
  const flow = new Dataflow()
  for (const topic of program.topics) {
    step.slot = nextSlot(step)
    flow.sources.set(topic.id, new TopicSource(step, topic))
  }
  const isGiven = ({ id }: ViewDefinition): boolean => program.given?.includes(id) ?? false
  for (const view of program.views.filter(isGiven)) {
    // To its consumers it is what it would be if it were computed: they must be made just as then.
    const { topics, views } = program
    flow.given.set(view.id, compiled({ topics, views }, { ...step, meter: null }).nodeOf(view.id))
    flow.sources.set(view.id, new TopicSource(step, asTopic(view)))
  }
  const made = program.views.filter((view) => !isGiven(view))
  for (const node of made.flatMap(({ plan }) => nodesOf(plan))) {
    if (node.op === 'scan') flow.sources.get(node.relation)?.want(eventsOf(node), node.reads)
  }
  const builder = new Builder(flow, step, program)
  for (const view of made) builder.addView(view)
  return builder
}

/** A view's rows come like a topic's events. */
export function asTopic({ id, name, columns }: ViewDefinition): TopicDefinition {
  return { id, name, columns, primaryKey: [], eventTime: null, latenessMicros: '0' }
}

/** A place of its own in the meter. */
function nextSlot({ meter }: Step): number {
  return meter === null ? 0 : meter.busyMs.push(0) - 1
}

function eventsOf(scan: Scan): Events {
  return scan.events
}

class Builder {
  readonly flow: Dataflow
  readonly #step: Step
  readonly #views = new Map<number, { readonly node: Node; readonly width: number }>()

  readonly #program: Program
  /** By the plan's meaning the operators that were made of it, in order. */
  readonly made = new Map<string, BaseOperator[]>()
  /** The same, but for plain scans: what is counted by itself, and where its changes come out. */
  readonly counted = new Map<string, { slot: number; operators: readonly BaseOperator[]; last: BaseOperator }>()
  readonly #making: BaseOperator[][] = []
  /** Of the view that is built. */
  #starts: ViewDefinition['starts']
  /** By the plan's meaning. */
  readonly #nodes = new Map<string, Node>()

  constructor(flow: Dataflow, step: Step, program: Program) {
    this.#program = program
    this.flow = flow
    this.#step = step
  }

  nodeOf(view: number): Node {
    return this.#views.get(view)!.node
  }

  addView(view: ViewDefinition): void {
    this.#starts = view.starts
    const node = this.#build(view.plan)
    this.#step.slot = nextSlot(this.#step)
    const sink = new Sink(
      this.#step,
      view.id,
      view.columns.map(({ type }) => laneOf(type)),
      node.appendOnly || node.net,
    )
    node.operator.output.to(sink, 0)
    this.flow.sinks.push(sink)
    this.#views.set(view.id, { node, width: view.columns.length })
  }

  #add<T extends BaseOperator>(operator: T, inputs: readonly Node[]): T {
    inputs.forEach((input, port) => {
      input.operator.output.to(operator, port)
    })
    this.flow.operators.push(operator)
    this.#making.at(-1)?.push(operator)
    return operator
  }

  #meaningOf(plan: Plan): string {
    return JSON.stringify(planMeaning(this.#program, plan, this.#starts))
  }

  /** Equal subplans, of one view or of several, run once: operators are functions of their input alone. */
  #build(plan: Plan): Node {
    const key = this.#meaningOf(plan)
    const known = this.#nodes.get(key)
    if (known !== undefined) return known
    const operators: BaseOperator[] = []
    this.#making.push(operators)
    const plain = plan.op === 'scan' && plan.events === 'all'
    const { slot: outer } = this.#step
    const slot = plain ? (this.flow.sources.get(plan.relation)?.slot ?? 0) : nextSlot(this.#step)
    this.#step.slot = slot
    const node = this.#make(plan)
    this.#step.slot = outer
    this.#making.pop()
    if (!plain) this.counted.set(key, { slot, operators, last: node.operator })
    this.made.set(key, operators)
    this.#nodes.set(key, node)
    return node
  }

  #make(plan: Plan): Node {
    switch (plan.op) {
      case 'scan':
        return this.#scan(plan)
      case 'values': {
        const rows = plan.rows.map((row) => compileMap([], null, row))
        return { operator: this.#add(new Values(this.#step, rows), []), appendOnly: true, net: true, topics: new Set() }
      }
      case 'join':
        return this.#join(plan)
      case 'aggregate':
        return this.#paned(plan) ?? this.#unary(plan, this.#build(plan.input))
      case 'unionAll': {
        const inputs = plan.inputs.map((input) => this.#build(input))
        return {
          operator: this.#add(new Union(this.#step), inputs),
          appendOnly: inputs.every(({ appendOnly }) => appendOnly),
          net: false,
          topics: union(inputs),
        }
      }
      default:
        return this.#unary(plan, this.#build(plan.input))
    }
  }

  #unary(plan: Exclude<Plan, { op: 'scan' | 'values' | 'join' | 'unionAll' }>, input: Node): Node {
    const step = this.#step
    const columns = plan.input.columns
    const { appendOnly, topics } = input
    const add = (operator: BaseOperator, keepsAppendOnly: boolean): Node => ({
      operator: this.#add(operator, [input]),
      appendOnly: appendOnly && keepsAppendOnly,
      net: emitsNet(plan, input),
      topics,
    })
    switch (plan.op) {
      case 'map':
        return add(new MapRows(step, compileMap(columns, plan.filter, plan.outputs)), true)
      case 'hop':
        return add(new Hop(step, plan.time, windowsOf(plan)), true)
      case 'aggregate':
        return add(new Aggregate(step, columns, plan.keys, plan.calls, plan.columns, appendOnly), false)
      case 'distinct':
        return add(
          new Distinct(
            step,
            columns.map(({ type }) => laneOf(type)),
          ),
          true,
        )
      case 'topN':
        return add(topOf(step, plan, appendOnly), false)
      case 'final': {
        const found = evictable(plan, this.#program)
        const aggregate = found === null ? undefined : this.#nodes.get(this.#meaningOf(found.aggregate))?.operator
        if (found !== null && aggregate instanceof Aggregate) aggregate.evict(found.key, () => this.#passed(topics))
        return add(new Final(step, columns, plan.windowEnd, () => this.#watermark(topics)), false)
      }
      case 'temporal':
        return add(new Temporal(step, columns, plan.from, plan.until), plan.until === null)
    }
  }

  /** A GROUP BY over overlapping windows, where it can be computed pane by pane. */
  #paned(plan: AggregatePlan): Node | null {
    const paned = panedBy(plan)
    if (paned === null) return null
    const { hop, maps, starts, ends } = paned
    const input = this.#build(hop.input)
    const { columns } = plan.input
    if (!plan.calls.every((call) => mergeable(call, columns, input.appendOnly))) return null
    const windows = windowsOf(hop)
    let node: Node = { ...input, operator: this.#add(new Panes(this.#step, hop.time, windows), [input]), net: false }
    for (const map of maps) node = this.#unary(map, node)
    const keys = { windows, starts, ends }
    const operator = new Aggregate(this.#step, columns, plan.keys, plan.calls, plan.columns, input.appendOnly, keys)
    return { ...node, operator: this.#add(operator, [node]), appendOnly: false, net: true }
  }

  /** Up to when windows are closed for good; a batch run's last step closes them for its output only. */
  #passed(topics: ReadonlySet<number>): bigint | null {
    const watermark = this.#watermark(topics)
    return watermark === 'infinite' ? null : watermark
  }

  #watermark(topics: ReadonlySet<number>): bigint | null | 'infinite' {
    if (this.flow.closing) return 'infinite'
    let least: bigint | null = null
    for (const topic of topics) {
      const watermark = this.flow.sources.get(topic)?.watermark ?? null
      if (watermark === null) return null
      if (least === null || watermark < least) least = watermark
    }
    return least
  }

  #scan(scan: Scan): Node {
    const source = this.flow.sources.get(scan.relation)
    if (source === undefined) {
      const { node, width } = this.#views.get(scan.relation) as { node: Node; width: number }
      const whole = scan.reads.length === width && scan.reads.every((column, i) => column === i)
      // A view's batches may be wider than what is read, and have the columns in another order.
      const operator = whole ? node.operator : this.#add(new Pick(this.#step, scan.reads), [node])
      // Rows that differ in a column nobody reads are the same row now.
      return { ...node, operator, net: node.net && new Set(scan.reads).size === width }
    }
    const { columns, operator } = source.outlet(eventsOf(scan))
    const pick = new Pick(
      this.#step,
      scan.reads.map((column) => columns.indexOf(column)),
    )
    operator.output.to(pick, 0)
    this.flow.operators.push(pick)
    const given = this.flow.given.get(scan.relation)
    if (given !== undefined) return { ...given, operator: pick, net: false }
    const timed = source.topic.eventTime !== null
    const keyed = source.topic.primaryKey.length > 0 && scan.events !== 'late'
    const changing = this.#program.changing?.includes(scan.relation) === true
    return {
      operator: pick,
      appendOnly: !keyed && !changing,
      net: false,
      topics: new Set(timed ? [source.topic.id] : []),
    }
  }

  #join(plan: JoinPlan): Node {
    const left = this.#build(plan.left)
    const right = this.#build(plan.right)
    const topics = union([left, right])
    if (plan.kind === 'inner' || (plan.residual === null && (plan.kind === 'left' || plan.kind === 'full'))) {
      return {
        operator: this.#plainJoin(plan, left, right),
        appendOnly: plan.kind === 'inner' && left.appendOnly && right.appendOnly,
        net: false,
        topics,
      }
    }
    if (plan.residual === null) {
      const match = new Match(
        this.#step,
        plan.kind === 'semi',
        { columns: plan.left.columns, keys: plan.leftKeys, appendOnly: left.appendOnly },
        plan.rightKeys,
        false,
      )
      return { operator: this.#add(match, [left, right]), appendOnly: false, net: false, topics }
    }
    return { operator: this.#composedJoin(plan, left, right), appendOnly: false, net: false, topics }
  }

  #plainJoin(plan: JoinPlan, left: Node, right: Node): Join {
    const side = (node: Node, input: Plan, keys: readonly number[], outer: boolean) => ({
      columns: input.columns,
      keys,
      appendOnly: node.appendOnly,
      outer,
    })
    const [wantedLeft, wantedRight] = [this.#wanted(plan, 'left', left), this.#wanted(plan, 'right', right)]
    const join = new Join(
      this.#step,
      side(left, plan.left, plan.leftKeys, plan.kind === 'left' || plan.kind === 'full'),
      side(right, plan.right, plan.rightKeys, plan.kind === 'full'),
      plan.residual === null ? null : compileResidual(plan, plan.residual),
    )
    return this.#add(join, [wantedLeft, wantedRight])
  }

  /** A side of a join, without rows that can never meet one of the other's. */
  #wanted(plan: JoinPlan, side: 'left' | 'right', node: Node): Node {
    const dominance = node.appendOnly ? dominanceOf(plan, side) : null
    if (dominance === null) return node
    return { ...node, operator: this.#add(new Undominated(this.#step, plan[side].columns, dominance), [node]) }
  }

  /**
   * An outer, semi or anti join with a residual: the inner join decides which whole rows of a side have a match, and
   * whole rows, NULLs equal, are then matched against those.
   */
  #composedJoin(plan: JoinPlan, left: Node, right: Node): BaseOperator {
    const step = this.#step
    const inner = this.#plainJoin({ ...plan, kind: 'inner' }, left, right)
    const ownWay = plan.kind === 'semi' || plan.kind === 'anti'
    const matched = (port: 0 | 1, semi: boolean): BaseOperator => {
      const [node, input] = port === 0 ? [left, plan.left] : [right, plan.right]
      const from = port === 0 ? 0 : plan.left.columns.length
      const all = input.columns.map((_, i) => i)
      const mine = this.#add(
        new Pick(
          step,
          all.map((i) => from + i),
        ),
        [],
      )
      // The inputs' error rows come by the inner join; its own come by the first way to the output there is.
      inner.output.to(mine, 0, ownWay)
      const match = new Match(step, semi, { columns: input.columns, keys: all, appendOnly: node.appendOnly }, all, true)
      this.#add(match, [])
      node.operator.output.to(match, 0, false)
      mine.output.to(match, 1)
      return match
    }
    if (ownWay) return matched(0, plan.kind === 'semi')
    const out = new Union(step)
    const parts = [this.#padded(plan, matched(0, false), 0)]
    if (plan.kind === 'full') parts.push(this.#padded(plan, matched(1, false), 1))
    this.#add(out, [])
    for (const part of [inner, ...parts]) part.output.to(out, 0)
    return out
  }

  /** A side's rows with NULLs for the other side. */
  #padded(plan: JoinPlan, rows: BaseOperator, port: 0 | 1): BaseOperator {
    const own = port === 0 ? plan.left.columns : plan.right.columns
    const other = port === 0 ? plan.right.columns : plan.left.columns
    const mine = own.map(({ type, nullable }, index) => ({ op: 'column' as const, index, type, nullable }))
    const nulls = other.map(({ type }) => ({ op: 'literal' as const, text: null, type, nullable: true }))
    const map = new MapRows(this.#step, compileMap(own, null, port === 0 ? [...mine, ...nulls] : [...nulls, ...mine]))
    rows.output.to(map, 0)
    this.flow.operators.push(map)
    return map
  }
}

function windowsOf(hop: HopPlan): Windows {
  return new Windows(BigInt(hop.slideMicros), BigInt(hop.sizeMicros))
}

/** Aggregates, DISTINCT and top-N put out −old +new once; a projection keeps that if it keeps every column. */
function emitsNet(plan: Plan, input: Node): boolean {
  if (plan.op === 'aggregate' || plan.op === 'distinct' || plan.op === 'topN') return true
  if (plan.op !== 'map' || !input.net) return false
  const kept = new Set(plan.outputs.flatMap((output) => (output.op === 'column' ? [output.index] : [])))
  return kept.size === plan.input.columns.length
}

function union(nodes: readonly Node[]): ReadonlySet<number> {
  return new Set(nodes.flatMap(({ topics }) => [...topics]))
}
