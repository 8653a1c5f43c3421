import { ByteWriter } from '../data/byte-writer.ts'
import { parseTimestamptz } from '../data/datetime.ts'
import { type Sight, topicRestriction } from '../database/sight.ts'
import type { Database } from '../database.ts'
import { endOf } from '../log/log.ts'
import { EventPrinter, seenEvents } from './event-printer.ts'
import { type ApiAnswer, jsonType } from './exchange.ts'
import type { Limits } from './limits.ts'
import { Parameters, refused } from './parameters.ts'
import { numberForms } from './view-read.ts'

const defaultEvents = 1000

/** GET /v1/topics/{topic}/events: events in the order of their offsets, as many as one answer holds. */
export async function readEvents(
  database: Database,
  limits: Limits,
  name: string,
  query: string,
  sight?: Sight,
): Promise<ApiAnswer> {
  const topic = database.topic(name)
  const parameters = new Parameters(query)
  const fromOffset = parameters.integer('from')
  const fromTime = parameters.one('from_time')
  const limit = parameters.integer('limit') ?? defaultEvents
  const numbers = parameters.choice('numbers', numberForms) ?? 'exact'
  parameters.end()
  if (limit > limits.topicEvents) {
    throw refused('limit', `is at most ${limits.topicEvents}`, 'go on from "next" for more')
  }
  const from = (await startOf(database, topic.name, fromOffset, fromTime)) ?? 0
  const blocks = limit === 0 ? [] : await database.readTopic(topic.name, from, limit)
  const restriction = await topicRestriction(sight, topic)
  const seen = restriction === null ? { topic, blocks } : seenEvents(topic, blocks, restriction)
  const out = new ByteWriter(16 * 1024)
  out.ascii('{"events":[')
  const printed = new EventPrinter(seen.topic, { numbers }).print(out, seen.blocks, from, limit, limits.topicBytes)
  // Events that are hidden are behind the reader as well.
  const passed = printed.whole && restriction !== null ? blocks.map(endOf) : []
  out.ascii(`],"next":${Math.max(printed.next, ...passed)}}\n`)
  return { status: 200, headers: { 'content-type': jsonType, 'cache-control': 'no-store' }, body: out.take() }
}

/** The offset to begin with, where one or a time is given. @throws MillraceError request/parameter for both */
export async function startOf(
  database: Database,
  topic: string,
  offset: number | null,
  time: string | null,
): Promise<number | null> {
  if (time === null) return offset
  if (offset !== null) throw refused('from_time', 'cannot be given beside from')
  return database.findOffset(topic, microsOf(time))
}

/** @throws MillraceError request/parameter */
function microsOf(text: string): bigint {
  const micros = parseTimestamptz(text)
  if (micros !== null) return micros
  throw refused('from_time', `is a time, not ${JSON.stringify(text)}`, 'write it as 2026-11-21T10:00:00Z')
}
