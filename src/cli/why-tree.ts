import type { ArithmeticBody, EventRef, StepBody, WhyBody, WhyEvents, WhyRow } from '../protocol/why.ts'

/** An explanation as a tree of text, for terminals. */

/** Puts colour on a part, or doesn't. */
export type Paint = (what: 'bold' | 'dim' | 'green' | 'red' | 'cyan' | 'yellow', text: string) => string

export const plain: Paint = (_, text) => text

/** @param columns that the terminal has; longer lines are cut */
export function whyText(body: WhyBody, paint: Paint, columns = Number.POSITIVE_INFINITY): string {
  const tree = new Tree(paint, columns)
  const { view, tick, row, copies, absent } = body
  if (row === null) {
    tree.line('', `${paint('bold', view)} ${paint('red', 'has no such row')} ${paint('dim', `at tick ${tick}`)}`)
    if (absent !== undefined) tree.line('  ', absent.reason)
    if (absent?.nearest) {
      tree.line('', '')
      tree.step(absent.nearest, '', '')
    }
    return tree.text
  }
  const times = copies > 1 ? ` (${copies} times)` : ''
  tree.line('', `${paint('bold', view)} ${paint('dim', `at tick ${tick}`)}  ${rowText(row)}${times}`)
  tree.line('', eventsLine(body.events, paint))
  tree.line('', '')
  if (body.step !== null) tree.step(body.step, '', '')
  return tree.text
}

class Tree {
  readonly #paint: Paint
  readonly #columns: number
  text = ''

  constructor(paint: Paint, columns: number) {
    this.#paint = paint
    this.#columns = columns
  }

  line(margin: string, text: string): void {
    this.text += `${cut(margin + text, this.#columns).trimEnd()}\n`
  }

  /** @param first what stands before the step's own line @param rest before all that belongs to it */
  step(step: StepBody, first: string, rest: string): void {
    this.line(this.#paint('dim', first), this.#head(step))
    const { arithmetic = [], inputs, more = 0 } = step
    const below = inputs.length > 0 || more > 0
    const bar = this.#paint('dim', rest + (below ? '│  ' : '   '))
    const width = Math.max(0, ...arithmetic.map(({ column }) => column.length))
    for (const part of arithmetic) this.line(bar, this.#arithmetic(part, width))
    if (step.op === 'scan' || step.op === 'values') return
    inputs.forEach((input, i) => {
      const last = i === inputs.length - 1 && more === 0
      this.step(input, `${rest}${last ? '└─ ' : '├─ '}`, `${rest}${last ? '   ' : '│  '}`)
    })
    if (more > 0) this.line(this.#paint('dim', `${rest}└─ `), this.#paint('dim', `… and ${more} more like these`))
  }

  #head(step: StepBody): string {
    const { op, label, detail, events = [], passed, row } = step
    const paint = this.#paint
    if (op === 'scan' && events.length > 0) return events.map((event) => eventText(event, paint)).join('; ')
    const mark = passed === undefined ? '' : passed ? paint('green', ' ✓') : paint('red', ' ✗')
    const said = detail === undefined ? '' : `  ${paint(passed === false ? 'red' : 'dim', detail)}`
    if (op === 'scan' && row === null) return `${paint('yellow', detail ?? label)}`
    const shown = op === 'values' && row !== null ? `  ${rowText(row)}` : ''
    return `${op === 'view' ? paint('bold', label) : label}${mark}${said}${shown}`
  }

  #arithmetic({ column, expression, shown }: ArithmeticBody, width: number): string {
    const name = this.#paint('cyan', column.padEnd(width))
    return `${name}  ${this.#paint('dim', expression === column ? '' : `${expression}: `)}${shown}`
  }
}

export function eventText(event: EventRef, paint: Paint): string {
  const { topic, offset, tick, op, data } = event
  const what = op === 'append' ? '' : ` ${op}`
  return `${paint('bold', `${topic} ${offset}`)}${paint('dim', `${what}, tick ${tick}`)}  ${rowText(data)}`
}

function eventsLine({ count, first, last, gone }: WhyEvents, paint: Paint): string {
  const place = ({ topic, offset, tick, appended_at }: EventRef): string =>
    `${topic} ${offset} (tick ${tick}, ${appended_at.slice(0, 19).replace('T', ' ')})`
  const lost = gone === 0 ? '' : paint('yellow', `; ${gone} events were thrown away by retention`)
  if (first === null || last === null || count === 0) return `made of no event${lost}`
  if (count === 1) return `made of one event: ${place(first)}${lost}`
  return `made of ${paint('bold', `${count} events`)}, from ${place(first)} to ${place(last)}${lost}`
}

export function rowText(row: WhyRow): string {
  return Object.entries(row)
    .map(([name, value]) => `${name}: ${valueText(value)}`)
    .join(', ')
}

/** Control characters would play with the terminal. */
function valueText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** A line's first columns; colours take none. */
export function cut(line: string, columns: number): string {
  const colour = /\u001b\[[0-9;]*m/g
  if (line.replace(colour, '').length <= columns) return line
  let shown = ''
  let length = 0
  for (const part of line.split(/(\u001b\[[0-9;]*m)/)) {
    if (part.startsWith('\u001b[')) shown += part
    else {
      shown += part.slice(0, Math.max(0, columns - 1 - length))
      length += part.length
    }
  }
  return `${shown}…`
}
