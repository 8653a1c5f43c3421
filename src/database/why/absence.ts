import { cellErrorTexts } from '../../data/cell.ts'
import type { Scalar } from '../../expr/scalar.ts'
import { conjunction, conjunctsOf } from '../../plan/conjuncts.ts'
import { extended, filtered, renumbered, scan } from '../../plan/nodes.ts'
import type { Aggregate, Join, Map_, Plan, Scan, TopN } from '../../plan/plan.ts'
import { columnIndex, equals, joinKnown, type Known, movedKnown, narrowed } from '../../plan/why-narrow.ts'
import { type Trace, traceOf } from '../../plan/why-trace.ts'
import {
  type CellText,
  counted,
  displayNames,
  filledIn,
  isHaving,
  joinColumns,
  joinLabel,
  ordinal,
  readNames,
  rowOf,
  selectLabel,
  shownCell,
  topLabel,
  windowLabel,
} from '../../plan/why-words.ts'
import type { AbsenceBody, StepBody } from '../../protocol/why.ts'
import { inOrder, positionColumns } from './groups.ts'
import { errorCode, type FoundRow, type WhyRun } from './run.ts'
import { countOf, knownText, matchKnown, type Steps, sideName, temporalCondition } from './steps.ts'
import { type Superseded, supersededKey } from './table.ts'
import { leastWatermark, watermarkText } from './watermark.ts'

/** Rows of an input that are looked at to find the one that came nearest. */
const looked = 50

/** Finds out where a row that is not there ends: goes down as long as nothing is there, and says what stops the rest. */
export class Absence {
  readonly #run: WhyRun
  readonly #steps: Steps

  constructor(run: WhyRun, steps: Steps) {
    this.#run = run
    this.#steps = steps
  }

  /** @param known that no row of the plan has */
  async of(plan: Plan, known: Known): Promise<AbsenceBody> {
    switch (plan.op) {
      case 'scan':
        return this.#scan(plan, known)
      case 'values':
        return { reason: `none of the VALUES has ${knownText(plan, known)}.`, nearest: null }
      case 'map':
        return this.#map(plan, known)
      case 'hop':
        return this.#hop(plan, known)
      case 'aggregate':
        return this.#aggregate(plan, known)
      case 'distinct':
        return this.of(plan.input, known)
      case 'topN':
        return this.#top(plan, known)
      case 'unionAll':
        return this.#union(plan, known)
      case 'join':
        return this.#join(plan, known)
      case 'final': {
        const found = await this.#nearest(plan.input, known)
        if (found === null) return this.of(plan.input, known)
        const mark = watermarkText(await leastWatermark(this.#run, plan))
        const end = shownCell(found.cells[plan.windowEnd], plan.columns[plan.windowEnd].type)
        const detail = `the window that ends at ${end} is still open: ${mark}`
        return stopped({ op: 'final', label: "emit = 'final'", detail }, found, sentence(detail))
      }
      case 'temporal': {
        const found = await this.#nearest(plan.input, known)
        if (found === null) return this.of(plan.input, known)
        const condition = temporalCondition(plan, found.cells)
        const { text } = condition
        const detail = `${this.#rows(plan.input, known, found.count)}, but ${text} holds for none at the tick's time`
        const step = { op: 'temporal', label: `WHERE ${text}`, detail, condition } as const
        return stopped(step, found, sentence(detail))
      }
    }
  }

  /** The rows of a plan that have what is known: how many, and the first of them, taken apart. */
  async #nearest(plan: Plan, known: Known): Promise<Nearest | null> {
    const trace = traceOf(this.#run.program, plan, known, false)
    const by = positionColumns(trace)
    const [rows, [total]] = await Promise.all([
      this.#run.first(trace.plan, 1, by),
      this.#run.rows(countOf(narrowed(this.#run.program, plan, known))),
    ])
    return rows.length === 0 ? null : this.#found(plan, trace, rows[0], Number(total.cells[0]))
  }

  async #found(plan: Plan, trace: Trace, row: FoundRow, count: number): Promise<Nearest> {
    const cells = trace.root.at.map((column) => row.cells[column])
    return { plan, cells, count, step: await this.#steps.of(trace, row) }
  }

  async #count(plan: Plan, known: Known): Promise<number> {
    const [{ cells }] = await this.#run.rows(countOf(narrowed(this.#run.program, plan, known)))
    return Number(cells[0])
  }

  /** `3 rows of orders have customer = 7` */
  #rows(plan: Plan, known: Known, count: number): string {
    const name = sideName(this.#run, plan)
    if (known.size === 0) return `there ${count === 1 ? 'is' : 'are'} ${counted(count, 'row')} of ${name}`
    return `${counted(count, 'row')} of ${name} ${count === 1 ? 'has' : 'have'} ${knownText(plan, known)}`
  }

  async #scan(plan: Scan, known: Known): Promise<AbsenceBody> {
    const view = this.#run.program.views.find(({ id }) => id === plan.relation)
    if (view !== undefined) {
      const below = await this.of(
        view.plan,
        movedKnown(known, (column) => plan.reads[column]),
      )
      const nearest = below.nearest
      if (nearest === null) return below
      return { ...below, nearest: { op: 'view', label: view.name, row: null, passed: false, inputs: [nearest] } }
    }
    if (plan.events !== 'all') {
      const all = scan(
        plan.relation,
        plan.reads.filter((column) => column >= -4),
        plan.columns,
        'all',
      )
      const found = all.reads.length === plan.reads.length ? await this.#nearest(all, known) : null
      if (found !== null) {
        const was = plan.events === 'onTime' ? 'late, and late events are left out here' : 'on time'
        const detail = `${this.#rows(plan, known, found.count)}, but ${found.count === 1 ? 'it was' : 'they were'} ${was}`
        return stopped({ op: 'scan', label: sideName(this.#run, plan), detail }, found, sentence(detail))
      }
    }
    return this.#missingEvent(plan, known)
  }

  async #missingEvent(plan: Scan, known: Known): Promise<AbsenceBody> {
    const topic = this.#run.program.topics.find(({ id }) => id === plan.relation)!
    const what = topic.primaryKey.length > 0 ? 'row' : 'event'
    if (known.size === 0) return { reason: `${topic.name} has no ${what} yet.`, nearest: null }
    const keyed = await supersededKey(this.#run, topic, plan, known)
    if (keyed !== null) return superseded(keyed)
    // The longest part of what is wanted that some row still has tells which value is the one that no row has.
    const entries = [...known]
    const counts = await Promise.all(entries.map((_, i) => this.#count(plan, new Map(entries.slice(0, i + 1)))))
    const zero = counts.indexOf(0)
    if (zero < 0) {
      const found = await this.#nearest(plan, known)
      const many = this.#rows(plan, known, counts[counts.length - 1])
      return { reason: `${many}, but what is made of them can't be computed.`, nearest: found?.step ?? null }
    }
    const last = zero
    const missing = knownText(plan, new Map([entries[last]]))
    if (last === 0) return { reason: `no ${what} of ${topic.name} has ${missing}.`, nearest: null }
    const rest: Known = new Map(entries.slice(0, last))
    const found = await this.#nearest(plan, rest)
    const many = this.#rows(plan, rest, counts[last - 1]).replace(
      / rows? /,
      ` ${counts[last - 1] === 1 ? what : `${what}s`} `,
    )
    return { reason: sentence(`${many}, but none of them has ${missing}`), nearest: found?.step ?? null }
  }

  async #map(plan: Map_, known: Known): Promise<AbsenceBody> {
    const { input } = plan
    const below = movedKnown(known, (column) => columnIndex(plan.outputs[column]))
    const trace = traceOf(this.#run.program, input, below, false)
    const to = (scalar: Scalar): Scalar => renumbered(scalar, (index) => trace.root.at[index])
    const conjuncts = conjunctsOf(plan.filter)
    // Beside each row whether each condition holds, and what is computed of it.
    const computed = [...known].filter(([column]) => plan.outputs[column].op !== 'column')
    const tests = computed.map(([column, value]) => equals(to(plan.outputs[column]), value))
    const reaching = filtered(trace.plan, conjunction(tests))
    const judged = [...conjuncts, ...plan.outputs.filter(({ op }) => op !== 'column')]
    const tested = extended(reaching, [...conjuncts.map(to), ...judged.map((scalar) => errorCode([to(scalar)]))])
    const [rows, [all]] = await Promise.all([
      this.#run.first(tested, looked, positionColumns(trace)),
      this.#run.rows(countOf(reaching)),
    ])
    const found = { ...trace, plan: tested }
    if (rows.length > 0) {
      const row = rows.find(({ cells }) => cells.slice(-judged.length).some((code) => code !== '0'))
      const count = Number(all.cells[0])
      if (row !== undefined && judged.length > 0) return this.#fails(plan, found, row, judged, below, count)
      if (plan.filter !== null) {
        return this.#filtered(plan, found, inOrder(rows, positionColumns(trace)), conjuncts, below, count)
      }
    }
    if (computed.length === 0) return this.of(input, below)
    const near = await this.#nearest(input, below)
    if (near === null) return this.of(input, below)
    const [column, value] = computed[0]
    const { filled, text } = filledIn(plan.outputs[column], input, near.cells)
    const wanted = value.op === 'literal' ? shownCell(value.text, value.type) : ''
    const name = plan.columns[column].name
    const detail = `${this.#rows(input, below, near.count)}, but ${name} = ${text} is ${wanted} for none: ${filled}`
    return stopped({ op: 'project', label: `SELECT ${text} AS ${name}`, detail }, near, sentence(detail))
  }

  /** A row of which something can't be computed. */
  async #fails(
    plan: Map_,
    trace: Trace,
    row: FoundRow,
    judged: readonly Scalar[],
    known: Known,
    count: number,
  ): Promise<AbsenceBody> {
    const found = await this.#found(plan.input, trace, row, count)
    const codes = row.cells.slice(-judged.length)
    const at = codes.findIndex((code) => code !== '0')
    const { text, read } = filledIn(judged[at], plan.input, found.cells)
    const detail = `${text} fails (${cellErrorTexts[Number(codes[at])]?.text ?? 'an error'}): ${read}`
    const step = { op: 'project', label: selectLabel(plan), detail } as const
    return stopped(step, found, sentence(`${this.#rows(plan.input, known, count)}, but ${detail}`))
  }

  /** Rows that reach a filter and don't pass it: the one that fails the fewest conditions came nearest. */
  async #filtered(
    plan: Map_,
    trace: Trace,
    rows: readonly FoundRow[],
    conjuncts: readonly Scalar[],
    known: Known,
    count: number,
  ): Promise<AbsenceBody> {
    const from = trace.plan.columns.length - conjuncts.length - judgedOf(plan, conjuncts)
    const failing = (row: FoundRow): number[] => conjuncts.flatMap((_, i) => (row.cells[from + i] === 't' ? [] : [i]))
    const nearest = rows.reduce((best, row) => (failing(row).length < failing(best).length ? row : best))
    const found = await this.#found(plan.input, trace, nearest, count)
    const failed = failing(nearest)
    const clause = isHaving(plan) ? 'HAVING' : 'WHERE'
    const told = failed.map((i) => {
      const { text, read } = filledIn(conjuncts[i], plan.input, found.cells)
      return `${text} is ${nearest.cells[from + i] === null ? 'unknown' : 'false'}: ${read}`
    })
    const detail = told.join('; ')
    const { text, values } = filledIn(plan.filter!, plan.input, found.cells)
    const many = isHaving(plan) && count === 1 ? 'the group is there' : this.#rows(plan.input, known, count)
    const each = count === 1 ? '' : ', for example'
    const step = { op: 'filter', label: `${clause} ${text}`, detail, condition: { text, values } } as const
    return stopped(
      step,
      found,
      sentence(`${many}, but ${clause} drops ${count === 1 ? 'it' : `them${each}`}: ${detail}`),
    )
  }

  async #hop(plan: Extract<Plan, { op: 'hop' }>, known: Known): Promise<AbsenceBody> {
    const width = plan.input.columns.length
    const below = movedKnown(known, (column) => (column < width ? column : null))
    if (below.size === known.size) return this.of(plan.input, below)
    const windows: Known = new Map([...known].filter(([column]) => column >= width))
    const near = await this.#nearest(plan.input, below)
    if (near === null) return this.of(plan.input, below)
    const time = plan.input.columns[plan.time]
    const detail = `${this.#rows(plan.input, below, near.count)}, but none lies in the window with ${knownText(plan, windows)}: ${time.name} = ${shownCell(near.cells[plan.time], time.type)}`
    return stopped({ op: 'window', label: windowLabel(plan), detail }, near, sentence(detail))
  }

  async #aggregate(plan: Aggregate, known: Known): Promise<AbsenceBody> {
    const keys: Known = new Map([...known].filter(([column]) => column < plan.keys.length))
    const below = movedKnown(keys, (column) => plan.keys[column])
    if (keys.size === known.size) return this.of(plan.input, below)
    const near = await this.#nearest(plan, keys)
    if (near === null) return this.of(plan.input, below)
    const names = readNames(plan)
    const differs = [...known].filter(
      ([column, value]) => column >= plan.keys.length && value.op === 'literal' && value.text !== near.cells[column],
    )
    const told = differs.map(([column, value]) => {
      const { type } = plan.columns[column]
      return `${names[column]} is ${shownCell(near.cells[column], type)}, not ${value.op === 'literal' ? shownCell(value.text, type) : ''}`
    })
    const group =
      keys.size === 0
        ? 'there is a row'
        : `${counted(near.count, 'group')} ${near.count === 1 ? 'has' : 'have'} ${knownText(plan, keys)}`
    const detail = `${group}, but ${told.join(' and ')}${near.count > 1 ? ' in the first of them' : ''}`
    return { reason: sentence(detail), nearest: { ...near.step, detail, passed: false } }
  }

  async #top(plan: TopN, known: Known): Promise<AbsenceBody> {
    const width = plan.input.columns.length
    const below: Known = new Map([...known].filter(([column]) => column < width))
    const near = await this.#nearest(plan.input, below)
    if (near === null) return this.of(plan.input, below)
    const place = await this.#steps.rank(plan, near.cells)
    const stays = plan.limit === null ? 'other ranks were asked for' : `only the first ${plan.limit + plan.offset} stay`
    const detail =
      plan.rank && known.has(width)
        ? `its row_number is ${place.rank} of ${place.count}`
        : `it is ${ordinal(place.rank)} of ${place.count}, and ${stays}${plan.offset > 0 ? ` after the first ${plan.offset}` : ''}`
    const step = { op: 'top', label: topLabel(plan), detail } as const
    return stopped(
      step,
      near,
      sentence(
        `${this.#rows(plan.input, below, near.count)}, but ${near.count > 1 ? 'the first of them: ' : ''}${detail}`,
      ),
    )
  }

  async #union(plan: Extract<Plan, { op: 'unionAll' }>, known: Known): Promise<AbsenceBody> {
    const parts = await Promise.all(plan.inputs.map((input) => this.of(input, known)))
    const best = parts.find(({ nearest }) => nearest !== null) ?? parts[0]
    if (parts.every(({ reason }) => reason === best.reason)) return best
    return { reason: parts.map(({ reason }) => reason).join(' '), nearest: best.nearest }
  }

  async #join(plan: Join, known: Known): Promise<AbsenceBody> {
    const sides = joinKnown(plan, known)
    // Where only the right side is asked about, any row of the left would be a guess.
    const asksRight = plan.kind === 'inner' && sides.left.size === 0 && sides.right.size > 0
    if (asksRight && (await this.#count(plan.right, sides.right)) === 0) return this.of(plan.right, sides.right)
    const left = await this.#nearest(plan.left, sides.left)
    if (left === null && plan.kind === 'full') return this.of(plan.right, sides.right)
    if (left === null) return this.of(plan.left, sides.left)
    const names = [sideName(this.#run, plan.left), sideName(this.#run, plan.right)]
    const step = { op: 'join', label: joinLabel(plan, names) } as const
    const matching = matchKnown(plan, left.cells)
    const first = `${this.#rows(plan.left, sides.left, left.count)}, but `
    if (plan.kind === 'anti') {
      const { matches, count } = await this.#steps.matches(plan, left.cells, 2)
      const detail = `${counted(count, 'row')} of ${names[1]} match${count === 1 ? 'es' : ''}${matching.size === 0 ? '' : `: ${knownText(plan.right, matching)}`}`
      const reason = sentence(`${first}it must match nothing: ${detail}`)
      return { reason, nearest: { ...step, detail, row: null, passed: false, inputs: [left.step, ...matches] } }
    }
    const wanted: Known = plan.kind === 'inner' ? new Map([...matching, ...sides.right]) : matching
    const there = await this.#nearest(plan.right, matching)
    const inputs = [left.step, ...(there === null ? [] : [there.step])]
    if (there === null || (await this.#count(plan.right, wanted)) === 0) {
      const below = await this.of(plan.right, there === null ? matching : wanted)
      const outer = plan.kind === 'left' || plan.kind === 'full'
      const detail = outer ? `nothing of ${names[1]} is joined to it` : 'it finds no partner'
      const reason = sentence(
        `${first}${left.count > 1 ? 'the first of them: ' : ''}${detail}: ${below.reason.replace(/\.$/, '')}`,
      )
      const nearest = {
        ...step,
        detail: below.reason,
        row: null,
        passed: false,
        inputs: [...inputs, ...(below.nearest === null ? [] : [below.nearest])].slice(0, 2),
      }
      return { reason, nearest }
    }
    const both = [...left.cells, ...there.cells]
    const pairs: Plan = { op: 'values', rows: [], columns: [...plan.left.columns, ...plan.right.columns] }
    const detail =
      plan.residual === null
        ? 'what is joined to it has other values'
        : `the condition is false: ${filledIn(plan.residual, pairs, both, joinColumns(plan, names)).read}`
    return {
      reason: sentence(`${first}${detail}`),
      nearest: { ...step, detail, row: null, passed: false, inputs },
    }
  }
}

/** A row that came as far as it got. */
interface Nearest {
  readonly plan: Plan
  readonly cells: readonly CellText[]
  /** Rows like it. */
  readonly count: number
  readonly step: StepBody
}

function stopped(
  step: Pick<StepBody, 'op' | 'label' | 'detail' | 'condition'>,
  found: Nearest,
  reason: string,
): AbsenceBody {
  const row = rowOf(found.plan.columns, found.cells, displayNames(found.plan))
  return { reason, nearest: { ...step, row, passed: false, inputs: [found.step] } }
}

/** How many expressions of a projection are looked at for errors. */
function judgedOf({ outputs }: Map_, conjuncts: readonly Scalar[]): number {
  return conjuncts.length + outputs.filter(({ op }) => op !== 'column').length
}

function sentence(text: string): string {
  return `${text}.`
}

function superseded({ reason, step }: Superseded): AbsenceBody {
  return { reason: sentence(reason), nearest: step }
}
