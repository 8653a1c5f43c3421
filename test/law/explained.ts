// Asks why of a case's rows and events, and holds the answers against what can be known without them: the events that
// a row is said to be made of, and only these, make the same row; sums and counts are those of the terms that are
// listed; what an event is said to have changed is what its tick changed.
import { openBlock } from '../../src/data/block.ts'
import { rowsOfBlock } from '../../src/data/block-rows.ts'
import { compileRowTexts } from '../../src/data/text-print.ts'
import { Database } from '../../src/database.ts'
import { sqlDefinition } from '../../src/engine/definitions.ts'
import { simulatedIo } from '../../src/io/twin/simulated-io.ts'
import { nodesOf } from '../../src/plan/nodes.ts'
import type { Plan } from '../../src/plan/plan.ts'
import type { ViewDefinition } from '../../src/plan/program.ts'
import { rowOf } from '../../src/plan/why-words.ts'
import type { EventRef, StepBody, WhyBody } from '../../src/protocol/why.ts'
import { type LawCase, printEvent } from './case-file.ts'
import type { Random } from './fuzz/random.ts'

/** Rows of a view that are asked about. */
const asked = 3
const encoder = new TextEncoder()

interface Asked {
  readonly definition: string
  readonly database: Database
  readonly random: Random
  readonly problems: string[]
}

/** @returns what is wrong, in words */
export async function explained(item: LawCase, random: Random): Promise<string[]> {
  const definition = `${item.schema}\n${item.views}`
  const database = await open(definition)
  const on: Asked = { definition, database, random, problems: [] }
  try {
    const offsets: { topic: string; offset: number; tick: number }[] = []
    for (const event of item.events) {
      if (event.topic === null) continue
      const answer = await database.appendMixed(encoder.encode(`{"events":[${withoutTime(printEvent(event))}]}`))
      const [{ firstOffset }] = answer.offsets
      offsets.push({ topic: event.topic, offset: firstOffset, tick: answer.tick })
      await database.waitForTick(answer.tick)
    }
    for (const view of database.catalog().views) {
      await rowsOf(on, view)
      await noRowOf(on, view)
    }
    for (const event of random.shuffle(offsets).slice(0, 2)) await journeyOf(on, event)
  } finally {
    await database.close()
  }
  return on.problems
}

function withoutTime(event: string): string {
  return event.replace(/,\s*"at":\s*"[^"]*"\s*\}$/, '}')
}

function open(definition: string): Promise<Database> {
  const io = simulatedIo(1, { idle: 'advance' })
  return Database.open({ io, definition: sqlDefinition(definition), data: null, engine: 'inline' })
}

type Texts = readonly (string | null)[]

async function textsOf(
  database: Database,
  view: ViewDefinition,
  tick?: number,
): Promise<{ cells: Texts; weight: number }[]> {
  const { rows } = await database.read(view.name, tick === undefined ? {} : { asOf: { at: { tick } } })
  const found: { cells: Texts; weight: number }[] = []
  const texts = compileRowTexts(view.columns)
  rows.forEach((page, row, weight) => {
    found.push({ cells: texts(page.memory, page.columns, row), weight })
  })
  return found
}

function whereOf(view: ViewDefinition, cells: Texts): Record<string, string | null> {
  return Object.fromEntries(view.columns.map(({ name }, i) => [name, cells[i]]))
}

async function rowsOf(on: Asked, view: ViewDefinition): Promise<void> {
  const rows = await textsOf(on.database, view)
  for (const { cells, weight } of on.random.shuffle(rows).slice(0, asked)) {
    const told = (problem: string): void => {
      on.problems.push(`${view.name} ${JSON.stringify(cells)}: ${problem}`)
    }
    let body: WhyBody
    try {
      body = await on.database.explanations.why(view.name, { where: whereOf(view, cells), limit: 10_000 })
    } catch (error) {
      told(`${(error as Error).stack}`)
      continue
    }
    if (!body.found) {
      told(`is said not to be there: ${body.absent?.reason}`)
      continue
    }
    if (JSON.stringify(body.row) !== JSON.stringify(rowOf(view.columns, cells)))
      told(`is told as ${JSON.stringify(body.row)}`)
    if (body.copies !== weight) told(`is there ${weight} times, not ${body.copies}`)
    if (body.events.count !== body.events.listed.length)
      told(`${body.events.count} events, and ${body.events.listed.length}`)
    if (body.step !== null) sumsOf(body.step, told)
    if (isMadeOfItsEvents(on.database, view.plan)) await replay(on, view, cells, body.events.listed, told)
  }
}

/** Adds up what is listed. */
function sumsOf(step: StepBody, told: (problem: string) => void): void {
  const parts = step.op === 'aggregate' ? (step.arithmetic ?? []) : []
  for (const { expression, terms, count, value } of parts) {
    if (/^count\([^)D]/.test(expression) && !expression.includes('FILTER') && value !== count) {
      told(`${expression} is ${value}, of ${count} terms`)
    }
    const weight = terms.reduce((sum, term) => sum + term.weight, 0)
    if (!/^sum\([^D]/.test(expression) || weight !== count || count === 0) continue
    const numbers = terms.map((term) => ({ ...exact(term.value), weight: term.weight }))
    const total = exact(value)
    if (total.digits === null || numbers.some(({ digits }) => digits === null)) continue
    const scale = Math.max(total.scale, ...numbers.map((number) => number.scale))
    const at = (number: { digits: bigint | null; scale: number }): bigint =>
      number.digits! * 10n ** BigInt(scale - number.scale)
    const sum = numbers.reduce((all, number) => all + at(number) * BigInt(number.weight), 0n)
    if (sum !== at(total)) told(`${expression} is ${value}, but its terms are ${JSON.stringify(terms)}`)
  }
  for (const input of step.inputs) sumsOf(input, told)
}

/** A whole or decimal number; doubles are added exactly elsewhere. */
function exact(value: unknown): { digits: bigint | null; scale: number } {
  const match = /^(-?\d+)(?:\.(\d+))?$/.exec(String(value))
  if (match === null || (typeof value === 'number' && !Number.isInteger(value))) return { digits: null, scale: 0 }
  return { digits: BigInt(match[1] + (match[2] ?? '')), scale: match[2]?.length ?? 0 }
}

/** Not where it depends on places in the log, on lateness, on the tick's time, or on how many rows come before. */
function isMadeOfItsEvents(database: Database, plan: Plan): boolean {
  const { views } = database.catalog()
  return nodesOf(plan).every((node) => {
    switch (node.op) {
      case 'scan': {
        const view = views.find(({ id }) => id === node.relation)
        if (view !== undefined) return isMadeOfItsEvents(database, view.plan)
        return node.events !== 'late' && node.reads.every((column) => column >= 0)
      }
      case 'topN':
        return !node.rank && node.offset === 0
      case 'temporal':
        return false
      default:
        return true
    }
  })
}

/** A database of these events alone has the row, too. */
async function replay(
  on: Asked,
  view: ViewDefinition,
  cells: Texts,
  events: readonly EventRef[],
  told: (problem: string) => void,
): Promise<void> {
  const fresh = await open(on.definition)
  try {
    for (const { topic, offset } of events) {
      const [{ bytes, firstOffset }] = await on.database.readTopic(topic, offset, 1)
      const { id } = fresh.topic(topic)
      const one = rowsOfBlock(openBlock(bytes), [offset - firstOffset])
      const { tick } = await fresh.append({ blocks: [{ topic: id, rows: 1, bytes: one }] })
      await fresh.waitForTick(tick)
    }
    await fresh.closeWindows()
    const wanted = JSON.stringify(cells)
    const found = await textsOf(fresh, view)
    if (!found.some((row) => JSON.stringify(row.cells) === wanted)) {
      const places = events.map(({ topic, offset }) => `${topic} ${offset}`)
      told(`its events alone (${places.join(', ')}) make ${JSON.stringify(found.map((row) => row.cells))}`)
    }
  } finally {
    await fresh.close()
  }
}

/** A row that is not there: some reason is told, whatever it is, and none of it fails. */
async function noRowOf({ database, random, problems }: Asked, view: ViewDefinition): Promise<void> {
  const rows = await textsOf(database, view)
  if (view.columns.length === 0) return
  const cells = random.shuffle(rows)[0]?.cells ?? view.columns.map(() => null)
  const other = random.shuffle(rows)[0]?.cells ?? cells
  const mixed = view.columns.map((_, i) => (random.chance(0.3) ? null : random.chance(0.5) ? cells[i] : other[i]))
  if (rows.some((row) => JSON.stringify(row.cells) === JSON.stringify(mixed))) return
  try {
    const body = await database.explanations.why(view.name, { where: whereOf(view, mixed) })
    if (body.found || !body.absent || body.absent.reason === '') {
      problems.push(`${view.name} has ${JSON.stringify(mixed)}, it is said: ${JSON.stringify(body)}`)
    }
  } catch (error) {
    problems.push(`${view.name} has not ${JSON.stringify(mixed)}: ${(error as Error).stack}`)
  }
}

/** Each event was a tick of its own: what it changed is what the tick changed. */
async function journeyOf(
  { database, problems }: Asked,
  { topic, offset, tick }: { topic: string; offset: number; tick: number },
): Promise<void> {
  const temporal = database.catalog().views.some(({ plan }) => nodesOf(plan).some(({ op }) => op === 'temporal'))
  try {
    const { changes } = await database.explanations.journey(topic, offset)
    if (temporal) return
    for (const view of database.catalog().views) {
      const print = (row: unknown): string => JSON.stringify(row)
      const own = changes.filter((change) => change.view === view.name)
      const said = own.flatMap(({ before, after }) => [
        ...(before === null ? [] : [`- ${print(before)}`]),
        ...(after === null ? [] : [`+ ${print(after)}`]),
      ])
      const counts = new Map<string, number>()
      for (const [at, sign] of [
        [tick, 1],
        [tick - 1, -1],
      ] as const) {
        if (at === 0) continue
        for (const { cells, weight } of await textsOf(database, view, at)) {
          const row = print(rowOf(view.columns, cells))
          counts.set(row, (counts.get(row) ?? 0) + sign * weight)
        }
      }
      const is = [...counts].flatMap(([row, n]) => Array<string>(Math.abs(n)).fill(`${n > 0 ? '+' : '-'} ${row}`))
      if (is.length > 20 || JSON.stringify(said.sort()) === JSON.stringify(is.sort())) continue
      problems.push(`${topic} ${offset} changed in ${view.name} ${is.join(' ')}, not ${said.join(' ')}`)
    }
  } catch (error) {
    problems.push(`the journey of ${topic} ${offset}: ${(error as Error).stack}`)
  }
}
