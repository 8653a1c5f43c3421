// A topic's events as they lie in the log, as text.
import { blockColumn, openBlock } from '../src/data/block.ts'
import { blockCells } from '../src/data/cell-access.ts'
import { compileRowTexts } from '../src/data/text-print.ts'
import { endOf, type Log, offsetOf, type ReadBlock } from '../src/log/log.ts'
import { type LoggedEvent, type TopicName, Violation } from './history.ts'
import { topicOf } from './program.ts'

/** All that a log has of a topic. */
export async function readWholeTopic(log: Log, topic: TopicName): Promise<LoggedEvent[]> {
  return eventsOf(log, topic, await log.readTopic(topicOf(topic).id, 0, 1_000_000), 0)
}

/** @throws Violation where offsets have gaps or ticks go back */
export function eventsOf(log: Log, topic: TopicName, blocks: readonly ReadBlock[], from: number): LoggedEvent[] {
  const { id, columns } = topicOf(topic)
  checkOrder(log, id, blocks)
  const texts = compileRowTexts(columns)
  const events: LoggedEvent[] = []
  for (const logged of blocks) {
    const { rows, tick } = logged
    const block = openBlock(logged.bytes)
    const cells = blockCells(block, columns.length)
    const operations = block.columns.get(blockColumn.operation)
    for (let row = 0; row < rows; row++) {
      const offset = offsetOf(logged, row)
      if (offset < from) continue
      const deletes = operations !== undefined && block.memory.i32[(operations.data >>> 2) + row] === 1
      const all = texts(block.memory, cells, row)
      const text = JSON.stringify(deletes ? [`${topic}-`, all[0]] : [topic, ...all])
      events.push({ topic, offset, tick, text })
    }
  }
  return events
}

/** @throws Violation where offsets have gaps that no trim explains, or ticks go back */
function checkOrder(log: Log, topic: number, blocks: readonly ReadBlock[]): void {
  const explained = log.starts().get(topic)?.firstOffset ?? 0
  let next: number | null = null
  let newest = 0
  for (const block of blocks) {
    for (let row = 0; row < block.rows; row++) {
      const offset = offsetOf(block, row)
      const follows = next === null || offset === next || (offset > next && offset <= explained)
      if (!follows) throw new Violation('offsets have no gaps', `topic ${topic}: ${offset} after ${next}`)
      next = offset + 1
    }
    if (block.tick < newest) throw new Violation('ticks never go back', `topic ${topic}: ${block.tick} after ${newest}`)
    next = endOf(block)
    newest = block.tick
  }
}
