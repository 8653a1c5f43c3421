import { columnsOf, mapColumns, type Scalar } from '../../expr/scalar.ts'
import { namesIn } from '../../plan/explain.ts'
import { aggregate, bigint, columnOf, filtered, topN } from '../../plan/nodes.ts'
import type { Aggregate, Distinct, Join, Map_, Plan, TopN } from '../../plan/plan.ts'
import { type Known, knownFilter, knownLiteral, narrowed } from '../../plan/why-narrow.ts'
import { sourceOf } from '../../plan/why-source.ts'
import { type Trace, type TraceNode, traceOf } from '../../plan/why-trace.ts'
import {
  type CellText,
  counted,
  displayNames,
  filledIn,
  isHaving,
  joinColumns,
  joinCondition,
  joinLabel,
  jsonOf,
  keyText,
  ordinal,
  picksOnly,
  rowOf,
  selectLabel,
  shownCell,
  topLabel,
  windowLabel,
} from '../../plan/why-words.ts'
import type { ArithmeticBody, EventRef, StepBody, WhyRow } from '../../protocol/why.ts'
import type { EventLookup } from './events.ts'
import { groupOf, inOrder, positionColumns } from './groups.ts'
import type { FoundRow, WhyRun } from './run.ts'

/** Rows of a group that are taken apart themselves, by how deep they lie. */
const rowsShown = [5, 2, 1]

/** A row of a trace, on its way to be told. */
interface Told {
  readonly trace: Trace
  readonly row: FoundRow
  /** How many groups lie above. */
  readonly depth: number
}

/** Tells a derivation as a tree, from a row down to its events. */
export class Steps {
  readonly #run: WhyRun
  readonly #events: EventLookup
  /** What is said of windows that are closed. */
  readonly #closing: string

  constructor(run: WhyRun, events: EventLookup, closing: string) {
    this.#run = run
    this.#events = events
    this.#closing = closing
  }

  /** @param row of the trace's plan */
  of(trace: Trace, row: FoundRow, depth = 0): Promise<StepBody> {
    return this.#step({ trace, row, depth }, trace.root, displayNames(trace.root.node))
  }

  /** The event that a column of a row comes from, if it is one. */
  readonly eventOf = async (trace: Trace, row: FoundRow, column: number): Promise<EventRef | null> => {
    const told = { trace, row, depth: 0 }
    const position = sourceOf(trace.root, column, (part) => isThere(told, part))?.position
    return position === undefined || row.cells[position.offset] === null ? null : this.#event(position, row)
  }

  #event({ topic, partition, offset }: Trace['positions'][number], { cells }: FoundRow): Promise<EventRef | null> {
    return this.#events.at({ topic, partition: Number(cells[partition]), offset: Number(cells[offset]) })
  }

  async #step(told: Told, traced: TraceNode, names: readonly string[]): Promise<StepBody> {
    const { node } = traced
    const cells = cellsOf(told, traced)
    const row = rowOf(node.columns, cells, names)
    switch (node.op) {
      case 'scan': {
        if (traced.view !== undefined) {
          const inputs = [await this.#step(told, traced.inputs[0], displayNames(traced.inputs[0].node))]
          return { op: 'view', label: traced.view, row, inputs }
        }
        const event = await this.#event(traced.position!, told.row)
        const events = node.events === 'all' ? '' : node.events === 'onTime' ? ' (events on time)' : ' (late events)'
        const label = `${traced.position!.topic.name}${events}`
        return { op: 'scan', label, row, inputs: [], events: event === null ? [] : [event] }
      }
      case 'values':
        return { op: 'values', label: 'VALUES', row, inputs: [] }
      case 'map':
        return this.#map(told, traced, node, row, names)
      case 'hop': {
        const [start, end] = cells.slice(-2).map((cell, i) => shownCell(cell, node.columns.at(i - 2)!.type))
        const time = node.input.columns[node.time]
        const detail = `${time.name} = ${shownCell(cells[node.time], time.type)} lies in the window from ${start} to ${end}`
        return { op: 'window', label: windowLabel(node), detail, row, inputs: await this.#inputs(told, traced) }
      }
      case 'aggregate':
      case 'distinct':
        return this.#group(told, node, cells, names)
      case 'join':
        return this.#join(told, traced, node, cells, row)
      case 'topN':
        return this.#top(told, traced, node, cells, row)
      case 'unionAll': {
        const at = traced.inputs.findIndex((input) => isThere(told, input))
        const inputs = [await this.#step(told, traced.inputs[at], displayNames(node))]
        const label = `UNION ALL, ${ordinal(at + 1)} of ${traced.inputs.length}`
        return { op: 'union', label, row, inputs }
      }
      case 'final': {
        const end = shownCell(cells[node.windowEnd], node.columns[node.windowEnd].type)
        const detail = `the window that ends at ${end} is closed: ${this.#closing}`
        return { op: 'final', label: "emit = 'final'", detail, row, inputs: await this.#inputs(told, traced) }
      }
      case 'temporal': {
        const { text, values } = temporalCondition(node, cells)
        const inputs = await this.#inputs(told, traced)
        return { op: 'temporal', label: `WHERE ${text}`, row, passed: true, condition: { text, values }, inputs }
      }
    }
  }

  async #inputs(told: Told, { inputs }: TraceNode): Promise<StepBody[]> {
    return Promise.all(inputs.map((input) => this.#step(told, input, displayNames(input.node))))
  }

  async #map(told: Told, traced: TraceNode, node: Map_, row: WhyRow, names: readonly string[]): Promise<StepBody> {
    const [input] = traced.inputs
    const before = cellsOf(told, input)
    if (picksOnly(node)) {
      const below = await this.#step(told, input, namesThrough(node, names))
      return node.filter === null ? below : filterStep(node, before, row, below)
    }
    const own = displayNames(input.node)
    const below = await this.#step(told, input, own)
    const read = node.filter === null ? below : filterStep(node, before, rowOf(input.node.columns, before, own), below)
    const after = cellsOf(told, traced)
    const arithmetic = node.outputs.flatMap((output, i): ArithmeticBody[] => {
      if (columnsOf(output).size === 0 || output.op === 'column') return []
      const { text, filled } = filledIn(output, node.input, before)
      const { type } = node.columns[i]
      const shown = `${filled} = ${shownCell(after[i], type)}`
      return [{ column: names[i], expression: text, value: jsonOf(after[i], type), terms: [], count: 0, shown }]
    })
    return { op: 'project', label: selectLabel(node), row, arithmetic, inputs: [read] }
  }

  async #group(
    { depth }: Told,
    node: Aggregate | Distinct,
    cells: readonly CellText[],
    names: readonly string[],
  ): Promise<StepBody> {
    const group = await groupOf(this.#run, node, cells, names, this.eventOf)
    const shown = group.rows.slice(0, rowsShown[Math.min(depth, rowsShown.length - 1)])
    const inputs = await Promise.all(shown.map((row) => this.of(group.members, row, depth + 1)))
    const more = group.count - shown.reduce((sum, { weight }) => sum + weight, 0)
    const keys = node.op === 'aggregate' ? node.keys.length : node.columns.length
    const by = names.slice(0, keys).join(', ')
    const of = keyText(node.columns.slice(0, keys), cells, names)
    const rows = counted(group.count, 'row')
    return {
      op: node.op === 'aggregate' && node.calls.length > 0 ? 'aggregate' : 'distinct',
      label:
        node.op === 'distinct' || node.calls.length === 0
          ? 'DISTINCT'
          : `${group.arithmetic.map(({ expression }) => expression).join(', ')}${keys === 0 ? '' : ` GROUP BY ${by}`}`,
      detail: keys === 0 ? `${rows} in all` : `${rows} with ${of}`,
      row: rowOf(node.columns, cells, names),
      ...(group.arithmetic.length === 0 ? {} : { arithmetic: group.arithmetic }),
      inputs,
      ...(more > 0 ? { more } : {}),
    }
  }

  async #join(told: Told, traced: TraceNode, node: Join, cells: readonly CellText[], row: WhyRow) {
    const sides = [sideName(this.#run, node.left), sideName(this.#run, node.right)]
    const label = joinLabel(node, sides)
    const [left, right] = traced.inputs
    if (node.kind === 'semi' || node.kind === 'anti') {
      const input = this.#step(told, left, displayNames(left.node))
      const known = matchKnown(node, cells)
      const values = Object.fromEntries(
        node.leftKeys.map((key) => [node.left.columns[key].name, rowValue(node.left, cells, key)]),
      )
      const condition = { text: joinCondition(node, sides), values }
      if (node.kind === 'anti') {
        const detail = `no row of ${sides[1]} matches${known.size === 0 ? '' : `: none has ${knownText(node.right, known)}`}`
        return { op: 'join', label, detail, row, passed: true, condition, inputs: [await input] } satisfies StepBody
      }
      const { matches, count } = await this.matches(node, cells, told.depth)
      const detail = `${counted(count, 'row')} of ${sides[1]} match${count === 1 ? 'es' : ''}`
      const more = count - matches.length
      return {
        ...{ op: 'join', label, detail, row, passed: true, condition },
        inputs: [await input, ...matches],
        ...(more > 0 ? { more } : {}),
      } satisfies StepBody
    }
    const both = [...cellsOf(told, left), ...cellsOf(told, right)]
    const inputs = await Promise.all(
      [left, right].map((input, side) =>
        isThere(told, input) ? this.#step(told, input, displayNames(input.node)) : missing(node, sides, side, both),
      ),
    )
    const names = joinColumns(node, sides)
    const read = [...node.leftKeys, ...node.rightKeys.map((key) => node.left.columns.length + key)]
    if (node.residual !== null) read.push(...columnsOf(node.residual))
    const columns = [...node.left.columns, ...node.right.columns]
    const values = Object.fromEntries(
      [...new Set(read)].sort((a, b) => a - b).map((i) => [names[i], jsonOf(both[i], columns[i].type)]),
    )
    const condition = { text: joinCondition(node, sides), values }
    return { op: 'join', label, row, ...(condition.text === '' ? {} : { condition }), inputs } satisfies StepBody
  }

  /** Rows of the other side of a semi or anti join that match. */
  async matches(
    node: Join,
    cells: readonly CellText[],
    depth: number,
  ): Promise<{ matches: StepBody[]; count: number }> {
    const known = matchKnown(node, cells)
    const trace = traceOf(this.#run.program, node.right, known, false)
    const width = node.left.columns.length
    const inPlace = (to: (index: number) => Scalar): Scalar | null =>
      node.residual === null
        ? null
        : mapColumns(node.residual, (index) =>
            index < width ? knownLiteral(cells[index], node.left.columns[index].type) : to(index - width),
          )
    const right = narrowed(this.#run.program, node.right, known)
    const plan = filtered(
      trace.plan,
      inPlace((index) => columnOf(trace.plan, trace.root.at[index])),
    )
    const all = filtered(
      right,
      inPlace((index) => columnOf(right, index)),
    )
    const by = positionColumns(trace)
    const [rows, [total]] = await Promise.all([
      this.#run.first(plan, rowsShown[Math.min(depth, 2)], by),
      this.#run.rows(countOf(all)),
    ])
    const found = { ...trace, plan }
    const matches = await Promise.all(inOrder(rows, by).map((each) => this.of(found, each, depth + 1)))
    return { matches, count: Number(total.cells[0]) }
  }

  async #top(told: Told, traced: TraceNode, node: TopN, cells: readonly CellText[], row: WhyRow) {
    const [step, place] = await Promise.all([
      this.#step(told, traced.inputs[0], displayNames(node.input)),
      this.rank(node, cells.slice(0, node.input.columns.length)),
    ])
    const of =
      node.partition.length === 0
        ? ''
        : ` with ${keyText(
            node.partition.map((c) => node.input.columns[c]),
            node.partition.map((c) => cells[c]),
          )}`
    const detail = `${ordinal(place.rank)} of ${counted(place.count, 'row')}${of}`
    return { op: 'top', label: topLabel(node), detail, row, passed: true, inputs: [step] } satisfies StepBody
  }

  /** Where a row stands among those of its partition, from 1, and how many these are. */
  async rank(node: TopN, cells: readonly CellText[]): Promise<{ rank: number; count: number }> {
    const known: Known = new Map(node.partition.map((c) => [c, knownLiteral(cells[c], node.input.columns[c].type)]))
    const input = narrowed(this.#run.program, node.input, known)
    const ranked = topN(input, node.partition, node.order, null, 0, true)
    const own: Known = new Map(cells.map((cell, c) => [c, knownLiteral(cell, input.columns[c].type)]))
    const [rows, [total]] = await Promise.all([
      this.#run.first(filtered(ranked, knownFilter(ranked, own)), 1, [input.columns.length]),
      this.#run.rows(countOf(input)),
    ])
    return { rank: Number(rows[0]?.cells.at(-1) ?? 0), count: Number(total.cells[0]) }
  }
}

function filterStep(node: Map_, cells: readonly CellText[], row: WhyRow, below: StepBody): StepBody {
  const { text, read, values } = filledIn(node.filter!, node.input, cells)
  const label = `${isHaving(node) ? 'HAVING' : 'WHERE'} ${text}`
  return { op: 'filter', label, detail: read, row, passed: true, condition: { text, values }, inputs: [below] }
}

/** How many rows a plan has. */
export function countOf(plan: Plan): Plan {
  const call = { fn: 'count', argument: null, distinct: false, filter: null } as const
  return aggregate(plan, [], [call], [{ name: 'rows', type: bigint, nullable: false }])
}

function cellsOf({ row }: Told, { at }: TraceNode): CellText[] {
  return at.map((column) => row.cells[column])
}

function isThere({ row }: Told, { present }: TraceNode): boolean {
  return present === null || row.cells[present] === 't'
}

/** The names that a projection of plain columns gives its input's. */
function namesThrough(node: Map_, names: readonly string[]): readonly string[] {
  const own = [...displayNames(node.input)]
  node.outputs.forEach((output, i) => {
    if (output.op === 'column') own[output.index] = names[i]
  })
  return own
}

/** What the keys of a left row say of the right rows that it meets. */
export function matchKnown({ leftKeys, rightKeys, left }: Join, cells: readonly CellText[]): Known {
  return new Map(leftKeys.map((key, i) => [rightKeys[i], knownLiteral(cells[key], left.columns[key].type)]))
}

export function knownText(plan: Plan, known: Known): string {
  const names = namesIn(plan.columns)
  return [...known]
    .map(([column, value]) => `${names[column]} = ${value.op === 'literal' ? shownCell(value.text, value.type) : ''}`)
    .join(' and ')
}

function rowValue(plan: Plan, cells: readonly CellText[], column: number): unknown {
  return jsonOf(cells[column], plan.columns[column].type)
}

/** The side of an outer join that found nothing. */
function missing(node: Join, sides: readonly string[], side: number, both: readonly CellText[]): StepBody {
  const [plan, keys, otherKeys] =
    side === 0 ? [node.left, node.leftKeys, node.rightKeys] : [node.right, node.rightKeys, node.leftKeys]
  const shift = side === 0 ? node.left.columns.length : 0
  const wanted = keys.map(
    (key, i) => `${plan.columns[key].name} = ${shownCell(both[shift + otherKeys[i]], plan.columns[key].type)}`,
  )
  const more = node.residual === null ? '' : ' and meets the condition'
  const has = wanted.length === 0 ? 'matches' : `has ${wanted.join(' and ')}${more}`
  return { op: 'scan', label: sides[side], detail: `no row of ${sides[side]} ${has}`, row: null, inputs: [] }
}

/** What a side of a join is called: the one relation below it, or what it is. */
export function sideName(run: WhyRun, plan: Plan): string {
  switch (plan.op) {
    case 'scan': {
      const relation = [...run.program.topics, ...run.program.views].find(({ id }) => id === plan.relation)
      return relation?.name ?? ''
    }
    case 'map':
    case 'hop':
    case 'final':
    case 'temporal':
    case 'topN':
    case 'distinct':
      return sideName(run, plan.input)
    case 'aggregate':
      return `grouped ${sideName(run, plan.input)}`
    case 'join':
      return `${sideName(run, plan.left)} with ${sideName(run, plan.right)}`
    case 'values':
      return 'the values'
    case 'unionAll':
      return 'the union'
  }
}

export function temporalCondition(
  node: Extract<Plan, { op: 'temporal' }>,
  cells: readonly CellText[],
): { text: string; values: Record<string, unknown> } {
  const bounds = [node.from, node.until].filter((column) => column !== null)
  const names = displayNames(node)
  const parts = [
    ...(node.from === null ? [] : [`${names[node.from]} <= now()`]),
    ...(node.until === null ? [] : [`now() < ${names[node.until]}`]),
  ]
  const values = Object.fromEntries(bounds.map((i) => [names[i], jsonOf(cells[i], node.columns[i].type)]))
  return { text: parts.join(' AND '), values }
}
