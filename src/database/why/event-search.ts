import type { TopicDefinition } from '../../plan/program.ts'
import type { CellText } from '../../plan/why-words.ts'
import type { EventRef } from '../../protocol/why.ts'
import type { AdHocSource } from '../../views/ad-hoc.ts'
import { Slices } from '../../views/slices.ts'
import { OpenedBlock } from './events.ts'

/** Which events of a topic. */
export interface EventsWanted {
  readonly topic: TopicDefinition
  /** Columns that must equal a value, as PostgreSQL prints it, by ordinal; null is NULL. */
  readonly where: ReadonlyMap<number, CellText>
  readonly limit: number
  /** Below this offset. */
  readonly before?: number
  /** Events that are looked at, at most. */
  readonly most?: number
  readonly signal?: AbortSignal
}

export interface EventsFound {
  /** The newest first. */
  readonly events: readonly EventRef[]
  readonly searched: number
  /** Older ones were not looked at. */
  readonly more: boolean
}

/** Offsets that are read at a time. */
const stretch = 65_536

/** Looks through a topic's events from the newest to the oldest, as they are at a moment. */
export async function searchEvents(source: AdHocSource, wanted: EventsWanted): Promise<EventsFound> {
  const { log, moment, io } = source
  const { topic, where, limit, most = Number.POSITIVE_INFINITY, signal } = wanted
  const slices = new Slices(io.clock)
  const events: EventRef[] = []
  let searched = 0
  let end = Math.min(wanted.before ?? Number.POSITIVE_INFINITY, log.position().offsets.get(topic.id) ?? 0)
  const first = log.starts().get(topic.id)
  const start = first === undefined || first.keeps === 'latest' ? 0 : first.firstOffset
  while (end > start) {
    if (events.length >= limit || searched >= most) return { events, searched, more: true }
    const from = Math.max(start, end - stretch)
    const blocks = await log.readTopic(topic.id, from, end - from)
    for (const block of [...blocks].reverse()) {
      signal?.throwIfAborted()
      if (block.tick > moment.tick) continue
      const opened = new OpenedBlock(topic, block)
      for (let row = block.rows - 1; row >= 0; row--) {
        const offset = opened.offset(row)
        if (offset >= end || offset < from) continue
        if (events.length >= limit || searched >= most) return { events, searched, more: true }
        searched++
        if (matches(opened, row, where)) events.push(opened.event(row))
      }
      if (slices.due) await slices.pause()
    }
    end = from
  }
  return { events, searched, more: false }
}

function matches(block: OpenedBlock, row: number, where: EventsWanted['where']): boolean {
  // What a delete says of other columns than its key is nothing.
  const deleted = block.deletes(row)
  for (const [column, text] of where) {
    if (deleted && !block.topic.primaryKey.includes(column)) return false
    if (block.text(column, row) !== text) return false
  }
  return true
}
