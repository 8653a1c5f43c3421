import { olderBlocks } from '../data/older-blocks.ts'
import type { Log, ReadBlock } from '../log/log.ts'
import type { TopicDefinition } from '../plan/program.ts'

/** Events of a topic from an offset on, up to a tick, with its columns of today; blocks may begin before the offset. */
export async function readVisible(
  log: Log,
  topic: TopicDefinition,
  fromOffset: number,
  limit: number,
  tick: () => number,
): Promise<readonly ReadBlock[]> {
  const blocks = await log.readTopic(topic.id, fromOffset, Math.max(1, limit))
  const visible = blocks.filter((block) => block.tick <= tick())
  return asDefinedNow(topic, visible)
}

/** Blocks as if their events had been appended with the columns that the topic has now. */
export function asDefinedNow(topic: TopicDefinition, blocks: readonly ReadBlock[]): readonly ReadBlock[] {
  const asNow = olderBlocks(topic.columns)
  return asNow === null ? blocks : blocks.map((block) => ({ ...block, bytes: asNow(block.bytes) }))
}
