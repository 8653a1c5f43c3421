import type { Column } from '../data/batch.ts'
import { openBlock, writeBlock } from '../data/block.ts'
import { laneWidth } from '../data/sql-type.ts'
import type { Database } from '../database.ts'
import type { AppendBlock } from '../log/log.ts'

/** Blocks in order of arrival, as commits: what one of them holds becomes visible together. */
export type Commits = AsyncIterable<readonly AppendBlock[]>

/** Blocks gathered for one commit. */
const commitRows = 65_536
const commitBytes = 8 * 1024 * 1024
/** Commits on their way to the log while the next are read. */
const mostPending = 4

/** Appends without waiting for the views, as fast as the log takes it. @returns events appended */
export async function feedFreely(db: Database, commits: Commits): Promise<number> {
  const pending = new Set<Promise<unknown>>()
  let rows = 0
  let failure: { readonly error: unknown } | null = null
  try {
    for await (const blocks of commits) {
      if (failure !== null) break
      const append: Promise<unknown> = db.append({ blocks }).then(
        () => pending.delete(append),
        (error) => {
          failure ??= { error }
          pending.delete(append)
        },
      )
      pending.add(append)
      for (const block of blocks) rows += block.rows
      if (pending.size >= mostPending) await Promise.race(pending)
    }
  } finally {
    await Promise.all(pending)
  }
  if (failure !== null) throw (failure as { readonly error: unknown }).error
  return rows
}

/** Appends one commit after the other, each a tick of its own. */
export async function feedByTick(db: Database, commits: Commits): Promise<number> {
  let rows = 0
  for await (const blocks of commits) {
    const { tick } = await db.append({ blocks })
    await db.waitForTick(tick, Number.MAX_SAFE_INTEGER)
    for (const block of blocks) rows += block.rows
  }
  return rows
}

/** Gathers a topic's blocks to commits of a good size, or of exactly `events` events but for the last one. */
export async function* gatherCommits(
  topic: number,
  blocks: AsyncIterable<{ readonly rows: number; readonly bytes: Uint8Array }>,
  events: number | null,
): AsyncGenerator<readonly AppendBlock[]> {
  const most = Math.min(events ?? commitRows, commitRows)
  let gathered: AppendBlock[] = []
  let rows = 0
  let bytes = 0
  for await (const block of blocks) {
    for (let from = 0; from < block.rows; ) {
      const to = Math.min(block.rows, from + most - rows)
      const part = to - from === block.rows ? block.bytes : sliceBlock(block.bytes, from, to)
      gathered.push({ topic, rows: to - from, bytes: part })
      rows += to - from
      bytes += part.byteLength
      from = to
      if (rows < most && bytes < commitBytes) continue
      yield gathered
      gathered = []
      rows = 0
      bytes = 0
    }
  }
  if (rows > 0) yield gathered
}

/** The rows of a block from `from` up to `to`, as a block. */
export function sliceBlock(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const block = openBlock(bytes)
  const columns: Column[] = []
  for (const { lane, data, state, heap } of block.columns.values()) {
    columns.push({ lane, data: data + from * laneWidth(lane), state: state === 0 ? 0 : state + from, heap })
  }
  return writeBlock(block.memory, { rows: to - from, columns, weights: 0 }, [...block.columns.keys()])
}
