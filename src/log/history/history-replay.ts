import { ChunkPool, HeldChunks } from '../chunks.ts'
import type { BlockCommits, ColumnsRead, LoggedBlock, SealedTick } from '../log.ts'
import type { History } from './history.ts'
import type { HistoryFile, Timeline } from './history-file.ts'
import { TopicStream } from './topic-stream.ts'
import type { TrimsFile } from './trims.ts'

/** A stretch of the timeline that is handed over as one tick. */
interface Group {
  /** The first and the last but one of its commits and blocks, as the timeline counts them. */
  commit: number
  readonly block: number
  readonly firstTick: number
  endCommit: number
  endBlock: number
  tick: number
  timeMicros: number
  rows: number
}

/** Which ticks, to whom, and what of them; see Log.replay. */
export interface ReplayWanted {
  readonly each: (tick: SealedTick) => Promise<void> | void
  readonly mergeRows: number
  readonly afterTick: number
  readonly throughTick: number
  readonly columns?: ColumnsRead | undefined
}

/** Hands over the ticks that a history holds. Where ticks may be merged, so may their commits' blocks. */
export async function replayHistory(history: History, wanted: ReplayWanted): Promise<void> {
  const pool = new ChunkPool(true)
  const { trims } = history
  for (const file of [...history.files]) {
    const { from, to } = file.footer
    if (to.tick <= wanted.afterTick) continue
    if (from.tick >= wanted.throughTick) return
    await replayFile(file, await history.timeline(file), pool, wanted, trims)
  }
}

async function replayFile(
  file: HistoryFile,
  timeline: Timeline,
  pool: ChunkPool,
  wanted: ReplayWanted,
  trims: TrimsFile,
): Promise<void> {
  const reader = await file.reader()
  const { topics } = file.footer
  const { columns } = wanted
  const streams = topics.map(({ topic, blocks }) => new TopicStream(file, reader, blocks, pool, columns?.get(topic)))
  const readFrom = topics.map(({ topic }) => {
    if (columns !== undefined && !columns.has(topic)) return Number.POSITIVE_INFINITY
    const trim = trims.topics.get(topic)
    return trim?.keep === 'nothing' ? trim.throughTick + 1 : 0
  })
  try {
    for (const group of groupsOf(timeline, file.footer.from.tick, wanted)) {
      if (group.tick <= wanted.afterTick) {
        for (let i = group.block; i < group.endBlock; i++) streams[timeline.order[i]].skip(timeline.rows[i])
        continue
      }
      const held = new HeldChunks(pool)
      const source: Source = { timeline, streams, topics: topics.map(({ topic }) => topic), readFrom, held }
      const blocks = await (wanted.mergeRows === 0 ? exactly(source, group) : together(source, group))
      const { tick, timeMicros } = group
      await wanted.each({ tick, timeMicros: BigInt(timeMicros), blocks, release: () => held.release() })
    }
  } finally {
    for (const stream of streams) stream.close()
    await reader.close()
  }
}

/** Ticks, those that may go together as one; those before the wanted ones, too, but none behind them. */
function* groupsOf(timeline: Timeline, fromTick: number, wanted: ReplayWanted): Generator<Group> {
  const { counts, rows, seals, sealTimes } = timeline
  let tick = fromTick + 1
  let group: Group | null = null
  let [commit, block, ownRows] = [0, 0, 0]
  for (let i = 0, at = 0; i < counts.length && tick <= wanted.throughTick; i++) {
    for (const end = at + counts[i]; at < end; at++) ownRows += rows[at]
    if (seals[i] !== 1) continue
    const fits = wanted.mergeRows > 0 && (group?.rows ?? 0) + ownRows <= wanted.mergeRows
    const merges = group !== null && group.tick > wanted.afterTick && fits
    if (group !== null && !merges) {
      yield group
      group = null
    }
    group ??= { commit, block, firstTick: tick, endCommit: 0, endBlock: 0, tick, timeMicros: 0, rows: 0 }
    group.endCommit = i + 1
    group.endBlock = at
    group.tick = tick
    group.timeMicros = sealTimes[i]
    group.rows += ownRows
    tick++
    commit = i + 1
    block = at
    ownRows = 0
  }
  if (group !== null) yield group
}

interface Source {
  readonly timeline: Timeline
  readonly streams: readonly TopicStream[]
  readonly topics: readonly number[]
  /** The tick from which on a topic is read. */
  readonly readFrom: readonly number[]
  readonly held: HeldChunks
}

/** Each block as it was appended, in the journal's order. */
async function exactly({ timeline, streams, topics, readFrom, held }: Source, group: Group): Promise<LoggedBlock[]> {
  const { order, rows, times, counts } = timeline
  const blocks: LoggedBlock[] = []
  for (let i = group.commit, at = group.block; i < group.endCommit; i++) {
    for (const end = at + counts[i]; at < end; at++) {
      if (group.tick < readFrom[order[at]]) {
        streams[order[at]].skip(rows[at])
        continue
      }
      const stretch = await streams[order[at]].take(rows[at], held)
      const appendedAtMicros = BigInt(times[i])
      blocks.push({ topic: topics[order[at]], partition: 0, appendedAtMicros, ...stretch })
    }
  }
  return blocks
}

/** A topic's part of a group: how many rows each commit has, when it was written, and its tick. */
interface Parts {
  readonly rows: number[]
  readonly micros: number[]
  readonly ticks: number[]
}

/** Each topic's events in as few blocks as there are on disk, topic by topic. */
async function together({ timeline, streams, topics, readFrom, held }: Source, group: Group): Promise<LoggedBlock[]> {
  const { order, rows, times, counts, seals } = timeline
  const parts = new Map<number, Parts>()
  let tick = group.firstTick
  for (let i = group.commit, at = group.block; i < group.endCommit; i++) {
    for (const end = at + counts[i]; at < end; at++) {
      if (tick < readFrom[order[at]]) {
        streams[order[at]].skip(rows[at])
        continue
      }
      let own = parts.get(order[at])
      if (own === undefined) parts.set(order[at], (own = { rows: [], micros: [], ticks: [] }))
      own.rows.push(rows[at])
      own.micros.push(times[i])
      own.ticks.push(tick)
    }
    tick += seals[i]
  }
  const blocks: LoggedBlock[] = []
  for (const [index, own] of parts) {
    for (let from = 0; from < own.rows.length; ) {
      let stretchRows = 0
      let to = from
      for (const { left } = streams[index]; to < own.rows.length && stretchRows < left; to++)
        stretchRows += own.rows[to]
      const stretch = await streams[index].take(stretchRows, held)
      const appendedAtMicros = BigInt(own.micros[from])
      const commits = commitsOf(own, from, to, group.tick)
      const block = { topic: topics[index], partition: 0, appendedAtMicros, ...stretch }
      blocks.push(commits === null ? block : { ...block, commits })
      from = to
    }
  }
  return blocks
}

/** @returns null where one commit of the tick handed over, or several at one time, wrote all of the stretch */
function commitsOf({ rows, micros, ticks }: Parts, from: number, to: number, tick: number): BlockCommits | null {
  let runs = 1
  for (let i = from + 1; i < to; i++) if (micros[i] !== micros[i - 1] || ticks[i] !== ticks[i - 1]) runs++
  if (runs === 1 && ticks[from] === tick) return null
  const commits = { ends: new Uint32Array(runs), micros: new Float64Array(runs), ticks: new Float64Array(runs) }
  for (let i = from, run = 0, end = 0; i < to; i++) {
    if (i > from && (micros[i] !== micros[i - 1] || ticks[i] !== ticks[i - 1])) run++
    end += rows[i]
    commits.ends[run] = end
    commits.micros[run] = micros[i]
    commits.ticks[run] = ticks[i]
  }
  return commits
}
