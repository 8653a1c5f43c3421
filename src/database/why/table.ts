import type { Scan } from '../../plan/plan.ts'
import type { TopicDefinition } from '../../plan/program.ts'
import type { Known } from '../../plan/why-narrow.ts'
import { type CellText, shownCell } from '../../plan/why-words.ts'
import type { EventRef, StepBody } from '../../protocol/why.ts'
import { searchEvents } from './event-search.ts'
import type { WhyRun } from './run.ts'

/** What a table's newest event under a key says of a row that is wanted. */
export interface Superseded {
  readonly reason: string
  readonly step: StepBody
}

/** Where the wanted row's key is known: what its newest event says; null if there is none, or it is no table. */
export async function supersededKey(
  run: WhyRun,
  topic: TopicDefinition,
  plan: Scan,
  known: Known,
): Promise<Superseded | null> {
  const { name, columns, primaryKey } = topic
  if (primaryKey.length === 0) return null
  const where = new Map<number, CellText>()
  for (const [column, value] of known) {
    if (value.op === 'literal' && plan.reads[column] >= 0) where.set(plan.reads[column], value.text)
  }
  const key = new Map(primaryKey.flatMap((ordinal) => (where.has(ordinal) ? [[ordinal, where.get(ordinal)!]] : [])))
  if (key.size < primaryKey.length) return null
  const { events } = await searchEvents(run.source, { topic, where: key as Map<number, CellText>, limit: 1 })
  const event: EventRef | undefined = events[0]
  if (event === undefined) return null
  const shown = (ordinal: number): string =>
    `${columns[ordinal].name} = ${shownCell(where.get(ordinal) ?? null, columns[ordinal].type)}`
  const row = primaryKey.map(shown).join(' and ')
  const at = `offset ${event.offset}, tick ${event.tick}`
  const step = { op: 'scan', label: name, row: null, passed: false, inputs: [], events: [event] } as const
  if (event.op === 'delete') {
    const reason = `the row of ${name} with ${row} was deleted (${at})`
    return { reason, step: { ...step, detail: reason } }
  }
  const others = [...where.keys()].filter((ordinal) => !primaryKey.includes(ordinal)).map(shown)
  const reason = `the row of ${name} with ${row} has not ${others.join(' and ')} since its last upsert (${at})`
  return { reason, step: { ...step, detail: reason, row: event.data } }
}
