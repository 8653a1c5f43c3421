import type { StoreReader } from './commit.ts'
import type { LogPosition, LogReader, TickMark, TickWanted } from './log.ts'

/** A reader of what a store has up to a position: what is sealed but not told yet is not part of it. */
export function readerUpTo(position: LogPosition, store: StoreReader): LogReader {
  const { tick } = position
  return {
    position: () => position,
    starts: () => store.starts(),
    findTick: (wanted) => findUpTo(position, wanted, () => store.findTick(wanted)),
    readTopic: async (...asked) => (await store.readTopic(...asked)).filter((block) => block.tick <= tick),
    replay: (each, mergeRows = 0, afterTick = 0, throughTick = tick, columns) =>
      store.replay(each, mergeRows, afterTick, Math.min(throughTick, tick), columns),
    close: () => store.close(),
  }
}

/** As Log.findTick, of a log that ends with a tick. */
export async function findUpTo(
  { tick, timeMicros }: TickMark,
  wanted: TickWanted,
  find: () => Promise<TickMark | null>,
): Promise<TickMark | null> {
  if (tick === 0 || ('tick' in wanted && wanted.tick > tick)) return null
  const isNewest = 'tick' in wanted ? wanted.tick === tick : wanted.timeMicros >= timeMicros
  return isNewest ? { tick, timeMicros } : find()
}
