// The machine stops at every boundary of a small workload, and again while it recovers.
import { describe, expect, it } from 'vitest'
import { openBlock } from '../data/block.ts'
import { BlockBuilder } from '../data/block-builder.ts'
import { Prng } from '../io/twin/prng.ts'
import { type SimulatedIo, type SimulationOptions, simulatedIo } from '../io/twin/simulated-io.ts'
import { type FileLogOptions, openFileLog } from './file-log.ts'
import type { Append, AppendAnswer, Log, LoggedBlock, SealedTick } from './log.ts'

const folder = 'd/log'
const sizes = { fileBytes: 3000, stepBytes: 1024, largeBytes: 700, reserveBytes: 256 }

/** What the program tried, and what it was told, over all its lives. */
interface History {
  readonly tried: Append[]
  readonly answered: Map<number, AppendAnswer>
  readonly seen: Map<number, SealedTick>
}

const newHistory = (): History => ({ tried: [], answered: new Map(), seen: new Map() })

const schema = ['append', 'part', 'row', 'note'].map((name) => ({
  name,
  type: name === 'note' ? ({ kind: 'text' } as const) : ({ kind: 'integer' } as const),
  nullable: false,
}))

/** A block that says which append it belongs to, and which of its blocks it is; topic 2 has real ones. */
function block(append: number, part: number, topic: number, rows: number) {
  if (topic === 2) {
    const builder = new BlockBuilder(schema)
    for (let row = 0; row < rows; row++) {
      builder.beginRow()
      for (const [i, value] of [append, part, row * row].entries()) builder.columns[i].setI32(row, value)
      // All different: of texts that come again history keeps one, and the block's bytes would be others.
      builder.columns[3].setText(row, `note ${append} ${part} ${row}${'x'.repeat(row % 7)}`)
      builder.commitRow()
    }
    return { topic, rows, bytes: builder.finish() }
  }
  const bytes = new Uint8Array(16 + rows * 40).fill(append)
  new DataView(bytes.buffer).setUint32(0, append, true)
  new DataView(bytes.buffer).setUint32(4, part, true)
  return { topic, rows, bytes }
}

function makeAppend(id: number, prng: Prng): Append {
  const blocks = Array.from({ length: 1 + prng.below(3) }, (_, part) =>
    block(id, part, 1 + prng.below(2), 1 + prng.below(prng.chance(0.1) ? 40 : 6)),
  )
  if (prng.chance(0.5)) return { blocks }
  return { blocks, idempotency: { scope: '/t', key: `k${id}`, digest: Uint8Array.of(id, 7) } }
}

async function open(io: SimulatedIo, history: History, options: Partial<FileLogOptions> = {}): Promise<Log> {
  const prng = new Prng(io.seed)
  const log = await openFileLog(io, folder, { sealNow: () => prng.chance(0.5), sizes, ...options })
  log.onTick((tick) => history.seen.set(tick.tick, tick))
  return log
}

async function workload(io: SimulatedIo, history: History, appends = 8): Promise<Log> {
  const prng = new Prng(io.seed + 1000)
  const log = await open(io, history)
  for (let i = 0; i < appends; ) {
    const together = 1 + prng.below(3)
    const waiting = []
    for (let k = 0; k < together && i < appends; k++, i++) {
      const append = makeAppend(history.tried.length, prng)
      const id = history.tried.push(append) - 1
      waiting.push(log.append(append).then((answer) => history.answered.set(id, answer)))
    }
    if (prng.chance(0.3)) log.requestSeal(prng.chance(0.3))
    await Promise.all(waiting)
  }
  return log
}

async function replayed(log: Log): Promise<SealedTick[]> {
  const ticks: SealedTick[] = []
  await log.replay((tick) => {
    ticks.push(tick)
  })
  return ticks
}

const read32 = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true)

function idOf(bytes: Uint8Array): readonly [number, number] {
  const { memory, columns } = openBlock(bytes)
  const cell = (id: number): number => memory.i32[columns.get(id)!.data >>> 2]
  return [cell(0), cell(1)]
}

// Comparing bytes one by one would take most of the time.
const lineOf = ({ topic, firstOffset, rows, appendedAtMicros, bytes }: LoggedBlock): string =>
  `${topic} ${firstOffset} ${rows} ${appendedAtMicros} ${Buffer.from(bytes).toString('hex')}`
const textOf = (tick: SealedTick | undefined): string =>
  tick === undefined ? 'none' : [tick.tick, tick.timeMicros, ...tick.blocks.map(lineOf)].join('\n')

/** Everything a log that was opened again owes to what came before. */
async function check(log: Log, history: History, label: string): Promise<void> {
  const ticks = await replayed(log)
  expect(
    ticks.map(({ tick }) => tick),
    label,
  ).toEqual(ticks.map((_, i) => i + 1))
  const parts = new Map<number, { part: number; topic: number; first: number; rows: number; tick: number }[]>()
  const ends = new Map<number, number>()
  for (const [i, { tick, timeMicros, blocks }] of ticks.entries()) {
    if (i > 0) expect(timeMicros >= ticks[i - 1].timeMicros, label).toBe(true)
    for (const { topic, firstOffset, rows, bytes } of blocks) {
      expect(firstOffset, label).toBe(ends.get(topic) ?? 0)
      ends.set(topic, firstOffset + rows)
      const [id, part] = topic === 2 ? idOf(bytes) : [read32(bytes, 0), read32(bytes, 4)]
      expect(Buffer.compare(bytes, history.tried[id].blocks[part].bytes), label).toBe(0)
      const found = parts.get(id) ?? []
      found.push({ part, topic, first: firstOffset, rows, tick })
      parts.set(id, found)
    }
  }
  for (const [id, found] of parts) {
    expect(
      found.map(({ part }) => part),
      `${label}: all blocks of an append, once`,
    ).toEqual(history.tried[id].blocks.map((_, part) => part))
    expect(new Set(found.map(({ tick }) => tick)).size, label).toBe(1)
  }
  for (const [id, { tick, offsets }] of history.answered) {
    const found = parts.get(id)
    expect(found, `${label}: append ${id} was answered`).toBeDefined()
    expect(found![0].tick, label).toBe(tick)
    for (const { topic, firstOffset, lastOffset } of offsets) {
      const own = found!.filter((part) => part.topic === topic)
      expect([own[0].first, own[own.length - 1].first + own[own.length - 1].rows - 1], label).toEqual([
        firstOffset,
        lastOffset,
      ])
    }
  }
  for (const [number, tick] of history.seen) {
    expect(textOf(ticks[number - 1]), `${label}: tick ${number} was seen`).toBe(textOf(tick))
  }
  expect(log.position(), label).toEqual({
    tick: ticks.length,
    timeMicros: ticks[ticks.length - 1]?.timeMicros ?? 0n,
    offsets: ends,
  })
  for (const [topic, end] of ends) {
    const blocks = await log.readTopic(topic, 0, end)
    const expected = ticks.flatMap((tick) =>
      tick.blocks.filter((logged) => logged.topic === topic).map((logged) => `${tick.tick} ${lineOf(logged)}`),
    )
    expect(
      blocks.map((read) => `${read.tick} ${lineOf(read)}`),
      label,
    ).toEqual(expected)
  }
}

/** After recovery the log takes appends, knows its keys, closes and opens again. */
async function checkFurther(log: Log, io: SimulatedIo, history: History, label: string): Promise<void> {
  for (const [id, answer] of history.answered) {
    if (history.tried[id].idempotency === undefined) continue
    expect(await log.append(history.tried[id]), label).toEqual({ ...answer, repeated: true })
  }
  const append = { blocks: [block(history.tried.length, 0, 1, 2)] }
  const id = history.tried.push(append) - 1
  history.answered.set(id, await log.append(append))
  const next = io.restart()
  const again = await open(next, history)
  await check(again, history, `${label}, and the machine stopped once more`)
  await again.close()
  const closed = await open(next, history)
  await check(closed, history, `${label}, closed and opened again`)
  await closed.close()
}

type Life = (io: SimulatedIo, options?: SimulationOptions) => SimulatedIo

/** Runs the workload until boundary `crashAt`, then recovers, which itself is cut short once or twice. */
async function crashAndRecover(seed: number, crashAt: number, next: Life): Promise<void> {
  const label = `seed ${seed}, boundary ${crashAt}`
  const history = newHistory()
  let io = simulatedIo(seed, { disk: { crashAt } })
  await Promise.race([workload(io, history).then((log) => log.close()), io.crashed])
  const prng = new Prng(seed * 7919 + crashAt)
  for (let cuts = prng.below(3); cuts > 0; cuts--) {
    io = next(io, { disk: { crashAt: 1 + prng.below(14) } })
    await Promise.race([open(io, history), io.crashed])
  }
  io = next(io)
  const log = await open(io, history)
  await check(log, history, label)
  await checkFurther(log, io, history, label)
}

async function boundariesOf(seed: number): Promise<number> {
  const io = simulatedIo(seed)
  await (await workload(io, newHistory())).close()
  return io.disk.boundaries
}

const seeds = Number(process.env['MILLRACE_SEEDS'] ?? 4)

describe('a journal', () => {
  it('keeps what was answered, whole and once, wherever the machine stops', { timeout: 600_000 }, async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const boundaries = await boundariesOf(seed)
      expect(boundaries).toBeGreaterThan(20)
      for (let at = 1; at <= boundaries + 1; at++) await crashAndRecover(seed, at, (io, options) => io.restart(options))
    }
  })

  it('keeps it wherever the program is killed, or both happen', { timeout: 600_000 }, async () => {
    for (let seed = 100; seed < 100 + seeds / 3; seed++) {
      const boundaries = await boundariesOf(seed)
      for (let at = 1; at <= boundaries + 1; at++) {
        const prng = new Prng(seed + at)
        await crashAndRecover(seed, at, (io, options) => (prng.chance(0.6) ? io.rerun(options) : io.restart(options)))
      }
    }
  })

  it('keeps it whichever sync fails, and says that it takes no more', { timeout: 600_000 }, async () => {
    for (let seed = 200; seed < 200 + seeds; seed++) {
      const whole = simulatedIo(seed)
      await (await workload(whole, newHistory())).close()
      for (let fail = 1; fail <= whole.disk.syncs; fail++) {
        const label = `seed ${seed}, sync ${fail}`
        const history = newHistory()
        const io = simulatedIo(seed, { disk: { failSyncs: [fail] } })
        const failure = await workload(io, history)
          .then((log) => log.close())
          .catch((error: unknown) => error)
        if (failure !== undefined) expect(`${failure}`, label).toMatch(/can't be written|failed/)
        // A program that starts again reads what the system still has; a machine that then stops must not lose it.
        const next = new Prng(seed + fail).chance(0.5) ? io.rerun() : io.restart()
        await check(await open(next, history), history, label)
        const last = next.restart()
        const log = await open(last, history)
        await check(log, history, `${label}, again`)
        await checkFurther(log, last, history, label)
      }
    }
  })
})
