// Mistakes that only the simulator can switch on, to see that they would be found. Each wraps an interface.
import { blockColumn, openBlock } from '../src/data/block.ts'
import type { TopicMessage } from '../src/database/live/topic-cursor.ts'
import type { EngineReply, ViewDelta } from '../src/engine/port.ts'
import { type Io, IoError, type ThreadEntry } from '../src/io/io.ts'
import type { CrashDisk } from '../src/io/twin/crash-disk.ts'
import type { Prng } from '../src/io/twin/prng.ts'
import type { Append, AppendAnswer, Log, SealedTick } from '../src/log/log.ts'
import type { LiveMessage } from '../src/views/live.ts'
import { cutOneFrameTooMany } from './damage.ts'
import { planOf, type SimulationPlan, withReaders, withRetention, withTrims } from './plan.ts'
import { plantedInState } from './planted-state.ts'
import { plantedInRetention, plantedInTrims } from './planted-trims.ts'
import { ignore, passing, replaying, withFile } from './wrap.ts'

export interface LogContext {
  /** Which life of the program it is. */
  readonly life: number
  readonly prng: Prng
  readonly clock: Io['clock']
}

export interface Planted {
  readonly name: string
  readonly io?: (io: Io) => Io
  readonly log?: (log: Log, context: LogContext) => Log
  /** What recovery does before it looks. */
  readonly recovery?: (disk: CrashDisk, folder: string) => Promise<void>
  readonly engine?: (entry: ThreadEntry) => ThreadEntry
  readonly keeper?: (entry: ThreadEntry) => ThreadEntry
  /** It needs snapshots, and little memory for state. */
  readonly ofState?: boolean
  /** It needs a table that is compacted. */
  readonly ofTrims?: boolean
  /** It needs topics that keep little. */
  readonly ofRetention?: boolean
  readonly live?: (cursor: AsyncIterator<LiveMessage>, resumed: boolean) => AsyncIterator<LiveMessage>
  /** Of readers of topics, which it needs. */
  readonly events?: (cursor: AsyncIterator<TopicMessage>, resumed: boolean) => AsyncIterator<TopicMessage>
}

/** Answers before the append is durable. */
function earlyAnswers(log: Log): Log {
  const next = new Map<number, number>()
  let underWay = 0
  let answeredTick = 0
  return passing(log, {
    append: async (append: Append): Promise<AppendAnswer> => {
      const quiet = underWay === 0 && log.position().tick >= answeredTick
      const mayGuess = append.idempotency === undefined && quiet
      underWay++
      const answered = log.append(append).finally(() => underWay--)
      answered.then(({ tick, offsets }) => {
        answeredTick = Math.max(answeredTick, tick)
        for (const { topic, lastOffset } of offsets) next.set(topic, lastOffset + 1)
      }, ignore)
      if (!mayGuess) return answered
      const position = log.position()
      const offsets = [...new Set(append.blocks.map(({ topic }) => topic))].map((topic) => {
        const firstOffset = Math.max(next.get(topic) ?? 0, position.offsets.get(topic) ?? 0)
        const rows = append.blocks.reduce((sum, block) => sum + (block.topic === topic ? block.rows : 0), 0)
        return { topic, firstOffset, lastOffset: firstOffset + rows - 1 }
      })
      return { tick: position.tick + 1, offsets, repeated: false }
    },
  })
}

/** Hands a tick over while its frame is still being written. */
function earlyTicks(log: Log, { clock }: LogContext): Log {
  let listener: (tick: SealedTick) => void = ignore
  let early: { readonly tick: number; readonly over: () => void } | null = null
  let turn: Promise<void> = Promise.resolve()
  const next = new Map<number, number>()
  return passing(log, {
    onTick: (given) => {
      listener = given
      log.onTick((tick) => {
        for (const { topic, firstOffset, rows } of tick.blocks) next.set(topic, firstOffset + rows)
        if (early?.tick !== tick.tick) return listener(tick)
        early.over()
        early = null
      })
    },
    append: (append) => {
      const answered = turn.then(() => {
        if (append.idempotency !== undefined) return log.append(append)
        const position = log.position()
        const blocks = append.blocks.map((block) => {
          const firstOffset = Math.max(next.get(block.topic) ?? 0, position.offsets.get(block.topic) ?? 0)
          next.set(block.topic, firstOffset + block.rows)
          return { ...block, partition: 0, firstOffset, appendedAtMicros: clock.nowMicros() }
        })
        const answer = log.append(append)
        const tick = position.tick + 1
        const sealed = new Promise<void>((over) => {
          early = { tick, over }
        })
        const now = clock.nowMicros()
        listener({ tick, timeMicros: now > position.timeMicros ? now : position.timeMicros, blocks })
        return Promise.all([answer, sealed]).then(([told]) => told)
      })
      turn = answered.then(ignore, ignore)
      return answered
    },
  })
}

/** Changes what the engine's thread sends back. */
type WrapEngine = (entry: ThreadEntry) => ThreadEntry

function withOutput(change: (deltas: readonly ViewDelta[]) => readonly ViewDelta[]): WrapEngine {
  return (entry) => (post, io) =>
    entry((message, transfer) => {
      const reply = message as EngineReply
      if (reply.kind !== 'tick') post(reply, transfer)
      else post({ ...reply, deltas: change(reply.deltas) })
    }, io)
}

function forgetRetraction(delta: ViewDelta): ViewDelta {
  for (const bytes of delta.blocks) {
    const { memory, rows, columns } = openBlock(bytes)
    const weights = columns.get(blockColumn.weight)
    if (weights === undefined) continue
    const start = weights.data >>> 2
    const found = memory.i32.subarray(start, start + rows).findIndex((weight) => weight < 0)
    if (found < 0) continue
    memory.i32[start + found] = 0
    return delta
  }
  return delta
}

function leaveOneViewBehind(): WrapEngine {
  return (entry) => {
    let behind: ViewDelta | null = null
    const change = withOutput((deltas) => {
      const held = behind
      behind = deltas.length > 1 ? (deltas.at(-1) ?? null) : null
      const now = behind === null ? deltas : deltas.slice(0, -1)
      return held === null ? now : [held, ...now]
    })
    return change(entry)
  }
}

/** After a resumption the first change is lost. */
function loseFirstChange(cursor: AsyncIterator<LiveMessage>, resumed: boolean): AsyncIterator<LiveMessage> {
  let lost = !resumed
  return passing(cursor, {
    next: async () => {
      const first = await cursor.next()
      if (lost || first.done === true) return first
      lost = true
      return first.value.kind === 'change' ? cursor.next() : first
    },
  })
}

/** After a resumption the first events are told once more. */
function repeatEvents(cursor: AsyncIterator<TopicMessage>, resumed: boolean): AsyncIterator<TopicMessage> {
  let again: TopicMessage | null = null
  let repeated = !resumed
  return passing(cursor, {
    next: async () => {
      if (again !== null) {
        const value = again
        again = null
        return { done: false, value }
      }
      const first = await cursor.next()
      if (repeated || first.done === true || first.value.kind === 'reset' || first.value.blocks.length === 0)
        return first
      repeated = true
      again = first.value
      return first
    },
  })
}

export const plantedBugs: readonly Planted[] = [
  { name: 'a sync does nothing', io: withFile(() => ({ sync: async () => {} })) },
  {
    name: 'a sync is answered when it begins',
    io: withFile((file) => ({
      sync: async () => {
        file.sync().catch(ignore)
      },
    })),
  },
  { name: 'folders are never synced', io: (io) => ({ ...io, disk: passing(io.disk, { syncFolder: async () => {} }) }) },
  { name: 'a failed sync is ignored', io: withFile((file) => ({ sync: () => file.sync().catch(ignore) })) },
  {
    name: 'a failed sync is tried again',
    io: withFile((file) => ({ sync: () => file.sync().catch(() => file.sync()) })),
  },
  {
    name: 'a full disk is ignored',
    io: withFile((file) => ({
      write: (bytes, position) =>
        file.write(bytes, position).catch((error: unknown) => {
          if (!(error instanceof IoError) || error.failure !== 'full') throw error
        }),
    })),
  },
  { name: 'appends are answered before they are durable', log: earlyAnswers },
  { name: 'ticks are served before their seal is durable', log: earlyTicks },
  {
    name: 'keys are forgotten at a restart',
    log: (log, { life }) =>
      passing(log, {
        append: (append) =>
          log.append(
            append.idempotency === undefined
              ? append
              : { ...append, idempotency: { ...append.idempotency, scope: `life ${life}` } },
          ),
      }),
  },
  {
    name: 'a key in four is dropped',
    log: (log, { prng }) =>
      passing(log, { append: (append) => log.append(prng.chance(0.25) ? { blocks: append.blocks } : append) }),
  },
  {
    name: 'appends over several topics are split',
    log: (log) =>
      passing(log, {
        append: async (append) => {
          if (append.blocks.length === 1 || append.idempotency !== undefined) return log.append(append)
          const answers: AppendAnswer[] = []
          for (const block of append.blocks) answers.push(await log.append({ blocks: [block] }))
          return { ...answers[answers.length - 1], offsets: answers.flatMap(({ offsets }) => offsets) }
        },
      }),
  },
  {
    name: 'a replay loses the last block',
    log: (log) =>
      replaying(
        log,
        (replay) =>
          (each, ...asked) =>
            replay((tick) => each({ ...tick, blocks: tick.blocks.slice(0, -1) }), ...asked),
      ),
  },
  {
    name: 'a replay of the past goes one tick too far',
    log: (log) =>
      replaying(
        log,
        (replay) => (each, mergeRows, afterTick, throughTick, columns) =>
          replay(each, mergeRows, afterTick, throughTick === undefined ? undefined : throughTick + 1, columns),
      ),
  },
  {
    name: "a tick's time follows a clock that jumps back",
    log: (log, { prng }) =>
      passing(log, {
        onTick: (listener) =>
          log.onTick((tick) => {
            const jump = prng.chance(0.1) ? 3_000_000n : 0n
            listener({ ...tick, timeMicros: tick.timeMicros - jump })
          }),
      }),
  },
  { name: 'a torn tail takes the frame before it along', recovery: cutOneFrameTooMany },
  { name: 'a delta forgets a retraction', engine: withOutput((deltas) => deltas.map(forgetRetraction)) },
  { name: 'one view moves a tick later', engine: leaveOneViewBehind() },
  { name: 'a resumed subscriber misses a change', live: loseFirstChange },
  { name: 'a resumed reader is told events twice', events: repeatEvents },
  ...plantedInState,
  ...plantedInTrims,
  ...plantedInRetention,
]

/** A mistake in the engine's messages needs messages; one in snapshots needs many of them, and state that is not in memory. */
export function plantedPlan(seed: number, planted: Planted): SimulationPlan {
  const plan = planOf(seed)
  if (planted.ofTrims === true) {
    const lives = plan.lives.map((life) => ({ ...life, damage: null, flip: null, operations: 12 }))
    return withTrims({ ...plan, lives })
  }
  if (planted.ofRetention === true) {
    const lives = plan.lives.map((life) => ({ ...life, damage: null, flip: null, operations: 16 }))
    return withRetention({ ...plan, lives })
  }
  if (planted.ofState === true) {
    const lives = plan.lives.map((life) => ({ ...life, damage: null, flip: null, trimMs: null }))
    return {
      ...plan,
      retention: null,
      laterRetention: null,
      engine: 'worker',
      reopen: false,
      snapshotBytes: 128 << (seed % 3),
      stateBytes: 2000,
      lives,
    }
  }
  if (planted.events !== undefined) return withReaders(plan)
  return planted.engine === undefined ? plan : { ...plan, engine: 'worker', reopen: false }
}
