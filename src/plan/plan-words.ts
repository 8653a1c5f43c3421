import { printOrder, printScalar } from './explain.ts'
import { inputsOf } from './nodes.ts'
import type { Aggregate, Hop, Join, Map_, Plan } from './plan.ts'
import { callLabel, displayNames, isSideTag, isUnnamed, readNames } from './why-words.ts'

/** What an operator does, in words for a picture: `inner join` and `orders.customer = customers.id`. */
export interface OperatorWords {
  readonly label: string
  readonly detail: string
}

/** @param nameOf the name of a relation's id */
export function describeOperator(plan: Plan, nameOf: (relation: number) => string): OperatorWords {
  switch (plan.op) {
    case 'scan':
      return { label: plan.events === 'late' ? 'late events' : 'events on time', detail: nameOf(plan.relation) }
    case 'values':
      return { label: 'values', detail: `${plan.rows.length} ${plan.rows.length === 1 ? 'row' : 'rows'}` }
    case 'map':
      return mapWords(plan)
    case 'hop':
      return { label: 'window', detail: lengthText(plan) }
    case 'aggregate':
      return aggregateWords(plan)
    case 'distinct':
      return { label: 'distinct', detail: displayNames(plan).join(', ') }
    case 'join':
      return joinWords(plan, nameOf)
    case 'topN':
      return topWords(plan)
    case 'unionAll':
      return { label: 'union all', detail: `${plan.inputs.length} inputs` }
    case 'final':
      return { label: 'final', detail: `when ${displayNames(plan.input)[plan.windowEnd]} is reached` }
    case 'temporal': {
      const names = displayNames(plan.input)
      const bounds = [
        plan.from === null ? [] : [`${names[plan.from]} <= now()`],
        plan.until === null ? [] : [`now() < ${names[plan.until]}`],
      ]
      return { label: 'while', detail: bounds.flat().join(' and ') }
    }
  }
}

function mapWords(plan: Map_): OperatorWords {
  const names = readNames(plan.input)
  if (plan.filter !== null) return { label: 'filter', detail: `where ${printScalar(plan.filter, names)}` }
  const outputs = plan.outputs.flatMap((output, i) => {
    if (isSideTag(plan, i)) return []
    const text = printScalar(output, names)
    const { name } = plan.columns[i]
    return text === name || text.replace(/#\d+$/, '') === name || isUnnamed(name) ? text : `${text} as ${name}`
  })
  return { label: 'select', detail: outputs.join(', ') }
}

function aggregateWords(plan: Aggregate): OperatorWords {
  const names = displayNames(plan.input)
  const window = hopBelow(plan.input)
  const isWindow = (name: string): boolean => window !== null && /^window_(start|end)(#\d+)?$/.test(name)
  const keys = plan.keys.map((key) => names[key])
  const by = keys.filter((name) => !isWindow(name))
  if (window !== null && by.length < keys.length) by.push(windowText(window))
  const calls = plan.calls.map((call) => callLabel(call, plan.input)).join(', ')
  if (by.length === 0) return { label: 'aggregate', detail: calls }
  return { label: 'group by', detail: calls === '' ? by.join(', ') : `${by.join(', ')}: ${calls}` }
}

/** The windows that rows were put into on their way here, if it is one way. */
export function hopBelow(plan: Plan): Hop | null {
  if (plan.op === 'hop') return plan
  const inputs = inputsOf(plan)
  return inputs.length === 1 ? hopBelow(inputs[0]) : null
}

function joinWords(plan: Join, nameOf: (relation: number) => string): OperatorWords {
  const isSelf = relationOf(plan.left) !== null && relationOf(plan.left) === relationOf(plan.right)
  const left = qualified(plan.left, isSelf ? () => 'left' : nameOf)
  const right = qualified(plan.right, isSelf ? () => 'right' : nameOf)
  const keys = plan.leftKeys.map((key, i) => `${left[key]} = ${right[plan.rightKeys[i]]}`)
  const residual = plan.residual === null ? [] : [printScalar(plan.residual, [...left, ...right])]
  const labels = { inner: 'join', left: 'left join', full: 'full join', semi: 'exists', anti: 'not exists' } as const
  const on = [...keys, ...residual]
  return { label: labels[plan.kind], detail: on.length === 0 ? 'every row with every row' : on.join(' and ') }
}

/** Columns with the name of the one relation that they come from; those that nobody named by what they are. */
function qualified(plan: Plan, nameOf: (relation: number) => string): string[] {
  const relation = relationOf(plan)
  if (relation === null) return [...displayNames(plan)]
  const below = plan.op === 'map' ? qualified(plan.input, nameOf) : []
  return displayNames(plan).map((name, i) => {
    const written = plan.columns[i].name
    if (!isUnnamed(written)) return `${nameOf(relation)}.${name}`
    return plan.op === 'map' ? printScalar(plan.outputs[i], below) : name
  })
}

function relationOf(plan: Plan): number | null {
  if (plan.op === 'scan') return plan.relation
  const inputs = inputsOf(plan)
  return inputs.length === 1 ? relationOf(inputs[0]) : null
}

function topWords(plan: Extract<Plan, { op: 'topN' }>): OperatorWords {
  const names = displayNames(plan.input)
  const of = (column: number): string => names[column]
  const parts: string[] = []
  if (plan.offset > 0) parts.push(`after ${plan.offset}`)
  if (plan.partition.length > 0) parts.push(`per ${plan.partition.map(of).join(', ')}`)
  if (plan.order.length > 0) parts.push(`by ${plan.order.map((order) => printOrder(order, of)).join(', ')}`)
  const label = plan.limit === null ? (plan.rank ? 'number rows' : 'order') : `top ${plan.limit}`
  return { label, detail: parts.join(' ') }
}

const units = [
  [86_400_000_000n, 'day'],
  [3_600_000_000n, 'hour'],
  [60_000_000n, 'minute'],
  [1_000_000n, 'second'],
  [1000n, 'millisecond'],
  [1n, 'microsecond'],
] as const

function lengthOf(micros: string): readonly [count: bigint, unit: string] {
  const length = BigInt(micros)
  const [size, unit] = units.find(([each]) => length % each === 0n) ?? units[units.length - 1]
  return [length / size, unit]
}

/** `'4 seconds'`, as a lateness is written. */
export function durationText(micros: bigint): string {
  if (micros === 0n) return '0 seconds'
  const [count, unit] = lengthOf(String(micros))
  return `${count} ${unit}${count === 1n ? '' : 's'}`
}

/** `1-minute windows`, `10-second windows every 2 seconds` */
function windowText(hop: Hop): string {
  const [count, unit] = lengthOf(hop.sizeMicros)
  return `${count}-${unit} windows${everyText(hop)}`
}

/** `of 1 minute`, `of 10 seconds every 2 seconds` */
function lengthText(hop: Hop): string {
  return `of ${durationText(BigInt(hop.sizeMicros))}${everyText(hop)}`
}

function everyText({ slideMicros, sizeMicros }: Hop): string {
  if (slideMicros === sizeMicros) return ''
  const [every, slide] = lengthOf(slideMicros)
  return ` every ${every === 1n ? slide : `${every} ${slide}s`}`
}
