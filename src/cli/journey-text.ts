import type { FindBody, JourneyBody, JourneyOutcome, JourneyStepBody, WhyRow } from '../protocol/why.ts'
import { cut, eventText, type Paint, rowText } from './why-tree.ts'

/** An event's way through the views as text, for terminals. */

const colours: Readonly<Record<JourneyOutcome, Parameters<Paint>[0]>> = {
  passed: 'green',
  aggregated: 'green',
  superseded: 'cyan',
  filtered: 'yellow',
  late: 'yellow',
  'no match yet': 'yellow',
  held: 'yellow',
  'nothing changed': 'dim',
  error: 'red',
}

export function journeyText(
  { event, times, steps, changes, beyond = [] }: JourneyBody,
  paint: Paint,
  columns = Number.POSITIVE_INFINITY,
): string {
  const out: string[] = [eventText(event, paint)]
  const time = (text: string): string => text.replace('T', ' ').replace('+00:00', '')
  const seen = [
    times.visible_at === undefined ? '' : `, seen by reads ${time(times.visible_at)}`,
    times.pushed_at === undefined ? '' : `, pushed ${time(times.pushed_at)}`,
  ].join('')
  out.push(
    paint(
      'dim',
      `appended ${time(times.appended_at)}, visible with tick ${times.tick}, sealed ${time(times.sealed_at)}${seen}`,
    ),
  )
  out.push('')
  const width = Math.max(0, ...steps.map(({ outcome }) => outcome.length))
  for (const step of steps) out.push(stepLine(step, width, paint))
  out.push('', changes.length === 0 ? 'no row of a view changed' : paint('bold', 'rows that changed'))
  for (const { view, key, before, after } of changes) {
    out.push(`  ${paint('bold', view)}  ${paint('cyan', rowText(key))}`)
    if (before !== null) out.push(`    ${paint('red', '−')} ${rowText(other(before, key))}`)
    if (after !== null) out.push(`    ${paint('green', '+')} ${rowText(other(after, key))}`)
  }
  if (beyond.length > 0) {
    const what = `of ${beyond.join(', ')} a part was thrown away by retention: their rows are not told`
    out.push(paint('yellow', what))
  }
  return out.map((line) => `${cut(line, columns).trimEnd()}\n`).join('')
}

function stepLine({ outcome, label, detail, views }: JourneyStepBody, width: number, paint: Paint): string {
  const of = views.length === 0 ? '' : paint('dim', `  [${views.join(', ')}]`)
  return `${paint(colours[outcome], outcome.padEnd(width))}  ${label}${detail === '' ? '' : `  ${paint('dim', detail)}`}${of}`
}

/** What a row has beside its key; all of it where that is all. */
function other(row: WhyRow, key: WhyRow): WhyRow {
  const rest = Object.entries(row).filter(([name]) => !Object.hasOwn(key, name))
  return rest.length === 0 ? row : Object.fromEntries(rest)
}

export function findText(
  { events, searched, more }: FindBody,
  paint: Paint,
  columns = Number.POSITIVE_INFINITY,
): string {
  const lines = events.map((event) => eventText(event, paint))
  const rest = more ? `; older ones were not looked at` : ''
  lines.push(paint('dim', `${events.length} found among ${searched} events${rest}`))
  return lines.map((line) => `${cut(line, columns)}\n`).join('')
}
