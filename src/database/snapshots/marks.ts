import { openBlock } from '../../data/block.ts'
import { olderBlocks } from '../../data/older-blocks.ts'
import { columnId } from '../../data/stored-column.ts'
import { Watermark } from '../../engine/watermark.ts'
import type { LogReading, TopicStart } from '../../log/log.ts'
import type { TopicDefinition } from '../../plan/program.ts'

/** The greatest event time among a topic's events that are gone: what comes is late by what came before, as ever. */
export interface TimeMark {
  readonly topic: number
  /** Of all events up to and with this tick. */
  readonly throughTick: number
  /** The number of the event time's column in blocks. */
  readonly column: number
  /** Microseconds as decimal text; null where there was none. */
  readonly micros: string | null
  /** How many of them were late. */
  readonly late: number
}

const mergeRows = 65_536
/** For those who want neither which events were late nor by how much. */
const nothingFound = { flags: 0, watermarks: 0 }

/** The mark of a topic at its start, if its event time is still the same. */
export function markOf(
  marks: readonly TimeMark[],
  { id, columns, eventTime }: TopicDefinition,
  start: TopicStart | undefined,
): TimeMark | null {
  if (start === undefined || eventTime === null) return null
  const column = columnId(columns, eventTime)
  const isIt = (mark: TimeMark): boolean =>
    mark.topic === id && mark.throughTick === start.throughTick && mark.column === column
  return marks.find(isIt) ?? null
}

/**
 * Goes through a topic's event times up to a tick, before those events go.
 * @param before its mark so far
 * @returns null for a topic without an event time
 */
export async function markAt(
  log: LogReading,
  topic: TopicDefinition,
  throughTick: number,
  before: TimeMark | null,
): Promise<TimeMark | null> {
  const { id, columns, eventTime, latenessMicros } = topic
  if (eventTime === null) return null
  const column = columnId(columns, eventTime)
  const from = log.starts().get(id)?.throughTick ?? 0
  const greatest = before === null || before.micros === null ? null : BigInt(before.micros)
  const watermark = new Watermark(BigInt(latenessMicros), greatest)
  const asNow = olderBlocks(columns)
  let late = before?.late ?? 0
  const wanted = new Map([[id, new Set([column])]])
  await log.replay(
    ({ blocks, release }) => {
      for (const { topic: of, bytes } of blocks) {
        if (of !== id) continue
        const block = openBlock(asNow === null ? bytes : asNow(bytes))
        const time = block.columns.get(column)
        if (time === undefined) continue
        const { memory, rows } = block
        late += watermark.pass({ memory, time, rows, operations: 0 }, { memory, ...nothingFound })
      }
      release?.()
    },
    mergeRows,
    from,
    throughTick,
    wanted,
  )
  const micros = watermark.greatest === null ? null : String(watermark.greatest)
  return { topic: id, throughTick, column, micros, late }
}
