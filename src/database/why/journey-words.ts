import type { Scalar } from '../../expr/scalar.ts'
import { conjunctsOf } from '../../plan/conjuncts.ts'
import { map, values } from '../../plan/nodes.ts'
import type { Aggregate, Join, Map_, Plan } from '../../plan/plan.ts'
import { knownLiteral } from '../../plan/why-narrow.ts'
import { type CellText, counted, filledIn, keyText, readNames, shownCell } from '../../plan/why-words.ts'
import type { JourneyOutcome } from '../../protocol/why.ts'
import type { ChangedRow, Effect } from './journey-run.ts'
import type { WhyRun } from './run.ts'
import { sideName, temporalCondition } from './steps.ts'

/** What came to an operator, and what it put out. */
export interface Passage {
  readonly plan: Plan
  /** By input. */
  readonly inputs: readonly (readonly ChangedRow[])[]
  readonly changed: readonly ChangedRow[]
  readonly lateness: string | null
  readonly effect: Effect
}

export interface PassageTold {
  readonly outcome: JourneyOutcome
  readonly detail: string
}

/** Says what an operator made of an event. */
export class JourneyWords {
  readonly #run: WhyRun

  constructor(run: WhyRun) {
    this.#run = run
  }

  async of(passage: Passage): Promise<PassageTold> {
    const { plan, inputs, changed, lateness } = passage
    const rows = counted(changed.length, 'row')
    switch (plan.op) {
      case 'scan':
        if (changed.length > 0)
          return { outcome: 'passed', detail: plan.events === 'onTime' ? 'on time' : (lateness ?? '') }
        return plan.events === 'onTime'
          ? { outcome: 'late', detail: lateness ?? 'late' }
          : { outcome: 'filtered', detail: 'it was on time' }
      case 'map':
        return this.#map(plan, inputs[0], changed)
      case 'aggregate':
        return aggregated(plan, changed)
      case 'join':
        return this.#join(plan, inputs, changed)
      case 'hop': {
        const detail =
          changed.length === 0 ? 'it has no time, and so no window' : `into ${counted(changed.length, 'window')}`
        return { outcome: changed.length === 0 ? 'filtered' : 'passed', detail }
      }
      case 'topN': {
        if (changed.length > 0) return { outcome: 'passed', detail: `${rows} among the first changed` }
        const first = plan.limit === null ? '' : ` ${plan.limit + plan.offset}`
        return { outcome: 'filtered', detail: `it is not among the first${first}` }
      }
      case 'distinct':
        if (changed.length > 0) return { outcome: 'passed', detail: `${rows} changed` }
        return { outcome: 'nothing changed', detail: 'there are others like it' }
      case 'final': {
        if (changed.length > 0)
          return { outcome: 'passed', detail: `the watermark came to the end of windows: ${rows}` }
        const [row] = inputs[0]
        const end = shownCell(row.cells[plan.windowEnd], plan.columns[plan.windowEnd].type)
        return { outcome: 'held', detail: `the window that ends at ${end} is still open` }
      }
      case 'temporal': {
        const { text } = temporalCondition(plan, inputs[0][0].cells)
        return {
          outcome: changed.length > 0 ? 'passed' : 'filtered',
          detail: `${text}${changed.length > 0 ? '' : ' does not hold'}`,
        }
      }
      case 'unionAll':
      case 'values':
        return { outcome: 'passed', detail: `${rows} changed` }
    }
  }

  async #map(plan: Map_, input: readonly ChangedRow[], changed: readonly ChangedRow[]): Promise<PassageTold> {
    const row = input.find(({ weight }) => weight > 0) ?? input[0]
    if (plan.filter === null) {
      const detail =
        changed.length > 0 ? `${counted(changed.length, 'row')} changed` : 'what is read of it is as it was'
      return { outcome: changed.length > 0 ? 'passed' : 'nothing changed', detail }
    }
    if (changed.length > 0) return { outcome: 'passed', detail: filledIn(plan.filter, plan.input, row.cells).read }
    const conjuncts = conjunctsOf(plan.filter)
    const holds = await this.#evaluated(plan.input, row.cells, conjuncts)
    const failing = conjuncts.flatMap((conjunct, i) => {
      if (holds[i] === 't') return []
      const { text, read } = filledIn(conjunct, plan.input, row.cells)
      return [`${text} is ${holds[i] === null ? 'unknown' : 'false'}: ${read}`]
    })
    if (failing.length === 0) return { outcome: 'nothing changed', detail: 'the row behind it is as it was' }
    return { outcome: 'filtered', detail: failing.join('; ') }
  }

  /** What expressions are of one row. */
  async #evaluated(plan: Plan, cells: readonly CellText[], scalars: readonly Scalar[]): Promise<readonly CellText[]> {
    const row = plan.columns.map(({ type }, i) => knownLiteral(cells[i], type))
    const [found] = await this.#run.rows(map(values([row], plan.columns), null, scalars))
    return found?.cells ?? scalars.map(() => null)
  }

  #join(plan: Join, inputs: readonly (readonly ChangedRow[])[], changed: readonly ChangedRow[]): PassageTold {
    if (changed.length > 0) return { outcome: 'passed', detail: `${counted(changed.length, 'row')} changed` }
    const fromLeft = inputs[0].length > 0
    const [own, keys, other, otherKeys] = fromLeft
      ? [plan.left, plan.leftKeys, plan.right, plan.rightKeys]
      : [plan.right, plan.rightKeys, plan.left, plan.leftKeys]
    const [row] = inputs[fromLeft ? 0 : 1]
    const wanted = keys.map((key, i) => {
      const { type } = own.columns[key]
      return `${other.columns[otherKeys[i]].name} = ${shownCell(row.cells[key], type)}`
    })
    const has = wanted.length === 0 ? '' : ` with ${wanted.join(' and ')}`
    const name = sideName(this.#run, other)
    if (plan.kind === 'anti' && fromLeft) return { outcome: 'filtered', detail: `there is a row of ${name}${has}` }
    if (row.weight < 0) return { outcome: 'nothing changed', detail: `nothing of ${name} was joined to it` }
    const more = plan.residual === null ? '' : ' that meets the condition'
    if (keys.length === 0 && plan.residual !== null) {
      return { outcome: 'filtered', detail: `the condition is met with no row of ${name}` }
    }
    return { outcome: 'no match yet', detail: `there is no row of ${name}${has}${more}` }
  }
}

/** Each group that it went into, with what changed there. */
function aggregated(plan: Aggregate, changed: readonly ChangedRow[]): PassageTold {
  if (changed.length === 0) return { outcome: 'nothing changed', detail: 'all sums are as they were' }
  const width = plan.keys.length
  const names = readNames(plan)
  const groups = new Map<string, { before?: ChangedRow; after?: ChangedRow; cells: readonly CellText[] }>()
  for (const row of changed) {
    const name = JSON.stringify(row.cells.slice(0, width))
    const group = groups.get(name) ?? { cells: row.cells }
    groups.set(name, { ...group, ...(row.weight < 0 ? { before: row } : { after: row }) })
  }
  const told = [...groups.values()].slice(0, 3).map(({ before, after, cells }) => {
    const key = width === 0 ? '' : `${keyText(plan.columns.slice(0, width), cells, names)}: `
    const sums = plan.columns.slice(width).flatMap(({ type }, i) => {
      const [old, now] = [before, after].map((row) =>
        row === undefined ? null : shownCell(row.cells[width + i], type),
      )
      if (old === now) return []
      return [`${names[width + i]} ${[old, now].filter((side) => side !== null).join(' → ')}`]
    })
    const fate = before === undefined ? 'a new group' : after === undefined ? 'the group is gone' : ''
    return `${key}${[fate, ...sums].filter((part) => part !== '').join(', ')}`
  })
  const more = groups.size > 3 ? `; and ${groups.size - 3} more groups` : ''
  return { outcome: 'aggregated', detail: `${told.join('; ')}${more}` }
}
