// What was thrown away is gone, and nothing else: of logs of every kind, against a model, from seeds.
import { describe, expect, it } from 'vitest'
import { cellState, rawCell } from '../data/batch.ts'
import { openBlock } from '../data/block.ts'
import { BlockBuilder } from '../data/block-builder.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { Prng } from '../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { checkLog } from './check.ts'
import { type FileLogOptions, openFileStore } from './file-log.ts'
import { type AppendBlock, type Log, type LoggedBlock, offsetOf, type SealedTick, type Trim } from './log.ts'
import { openMemoryLog } from './memory-log.ts'
import { restoreBackup } from './restore.ts'

interface Subject {
  readonly log: Log
  /** Resolves when all that goes in the background is gone. */
  readonly settle: () => Promise<void>
  /** As after a clean close, or after a crash. */
  readonly again: (crash: boolean) => Promise<Subject>
  readonly io: SimulatedIo | null
}

const folder = 'd/log'
const sizes = { fileBytes: 3000, stepBytes: 1024, largeBytes: 700, reserveBytes: 256 }
const history = { share: 1, busyShare: 1, mergeFiles: 3, mergeBytes: 6000 }

async function openFile(io: SimulatedIo, seed: number, options: Partial<FileLogOptions>): Promise<Subject> {
  const prng = new Prng(seed)
  const { log, store } = await openFileStore(io, folder, { sealNow: () => prng.chance(0.6), sizes, ...options })
  return {
    log,
    io,
    settle: () => store.settle(),
    again: async (crash) => {
      if (!crash) await log.close()
      return openFile(crash ? io.restart() : io, seed + 1, options)
    },
  }
}

async function openMemory(io: SimulatedIo, seed: number): Promise<Subject> {
  const prng = new Prng(seed)
  const log = openMemoryLog(io, { sealNow: () => prng.chance(0.6) })
  const subject: Subject = { log, io: null, settle: async () => {}, again: async () => subject }
  return subject
}

const subjects: Record<string, (io: SimulatedIo, seed: number) => Promise<Subject>> = {
  memory: openMemory,
  file: (io, seed) => openFile(io, seed, { history }),
  'file, little memory': (io, seed) => openFile(io, seed, { history: { ...history, keyBytes: 2000 } }),
  'file, nothing merged': (io, seed) => openFile(io, seed, { history: { ...history, mergeFiles: 1000 } }),
}

const schema: readonly ColumnSchema[] = [
  { name: 'id', type: { kind: 'integer' }, nullable: false },
  { name: 'part', type: { kind: 'text' }, nullable: false },
  { name: 'n', type: { kind: 'bigint' }, nullable: true },
  { name: 'note', type: { kind: 'text' }, nullable: true },
]
/** By topic, the columns of its key: a topic, two tables, and one whose blocks nobody can read. */
const keys = new Map<number, readonly number[]>([
  [1, []],
  [2, [0]],
  [3, [1, 0]],
  [9, []],
])

function block(prng: Prng, topic: number): AppendBlock {
  const rows = 1 + prng.below(prng.chance(0.1) ? 60 : 6)
  if (topic === 9) return { topic, rows, bytes: prng.bytes(20 + prng.below(60)) }
  // Columns come and go, as they do when a schema changes; what is left has the numbers that it had.
  const builder = new BlockBuilder(prng.chance(0.3) ? schema.slice(0, 3) : schema)
  for (let i = 0; i < rows; i++) {
    builder.beginRow()
    const row = builder.rows
    const [id, part, n, note] = builder.columns
    id.setI32(row, prng.below(12))
    part.setText(row, ['', 'a', 'bb', 'bbb'][prng.below(4)])
    if (prng.chance(0.3)) n.setNull(row)
    else n.setI64(row, prng.below(1e9))
    note?.setText(row, 'x'.repeat(prng.below(20)))
    if (keys.get(topic)!.length > 0 && prng.chance(0.3)) builder.setDelete()
    builder.commitRow()
  }
  return { topic, rows, bytes: builder.finish() }
}

interface Event {
  readonly topic: number
  readonly offset: number
  readonly tick: number
  readonly micros: bigint
  readonly key: string
  readonly deletes: boolean
  readonly cells: string
}

/** A block's events as they are told, each with its own commit. */
function eventsOf(logged: LoggedBlock, tick: number): Event[] {
  const { topic, rows, commits } = logged
  const opened = topic === 9 ? null : openBlock(logged.bytes)
  let part = 0
  return Array.from({ length: rows }, (_, row) => {
    if (commits !== undefined && row >= commits.ends[part]) part++
    const cells = [...(opened?.columns ?? [])]
      .sort(([a], [b]) => a - b)
      .map(([id, cell]) => ({
        id,
        state: cellState(opened!.memory, cell, row),
        raw: `${rawCell(opened!.memory, cell, row)}`,
      }))
      .filter(({ id, state, raw }) => (id === 65534 ? raw !== '0' : state !== 1))
    return {
      topic,
      offset: offsetOf(logged, row),
      tick: commits === undefined ? tick : commits.ticks[part],
      micros: commits === undefined ? logged.appendedAtMicros : BigInt(commits.micros[part]),
      key: keys
        .get(topic)!
        .map((key) => cells.find(({ id }) => id === key)?.raw)
        .join('|'),
      deletes: cells.some(({ id }) => id === 65534),
      cells:
        opened === null
          ? Buffer.from(logged.bytes).toString('hex')
          : cells.map((cell) => `${cell.id}:${cell.raw}`).join(),
    }
  })
}

const lineOf = ({ topic, offset, tick, micros, cells }: Event): string =>
  `${topic} ${offset} ${tick} ${micros} ${cells}`

/** A table's rows behind a tick: each key's last event, unless it is a delete. */
function relation(events: readonly Event[], topic: number, tick: number): string {
  const rows = new Map<string, Event>()
  for (const event of events) if (event.topic === topic && event.tick <= tick) rows.set(event.key, event)
  return [...rows.values()]
    .filter(({ deletes }) => !deletes)
    .map(lineOf)
    .sort()
    .join('\n')
}

/** All that ever happened, and what was thrown away. */
class Model {
  readonly events: Event[] = []
  readonly ticks: { readonly tick: number; readonly timeMicros: bigint }[] = []
  readonly cuts = new Map<number, number>()

  saw({ tick, timeMicros, blocks }: SealedTick): void {
    this.ticks.push({ tick, timeMicros })
    for (const logged of blocks) this.events.push(...eventsOf(logged, tick))
  }

  /** What is there once everything that goes is gone. */
  left(): Event[] {
    const last = new Map<string, Event>()
    for (const event of this.events) if (!this.isNew(event)) last.set(`${event.topic} ${event.key}`, event)
    return this.events.filter((event) => {
      if (this.isNew(event)) return true
      return keys.get(event.topic)!.length > 0 && last.get(`${event.topic} ${event.key}`) === event && !event.deletes
    })
  }

  isNew({ topic, tick }: Event): boolean {
    return tick > (this.cuts.get(topic) ?? 0)
  }
}

async function replayed(log: Log, mergeRows: number): Promise<{ events: Event[]; ticks: Model['ticks'] }> {
  const events: Event[] = []
  const ticks: Model['ticks'] = []
  await log.replay((sealed) => {
    ticks.push({ tick: sealed.tick, timeMicros: sealed.timeMicros })
    for (const logged of sealed.blocks) events.push(...eventsOf(logged, sealed.tick))
    sealed.release?.()
  }, mergeRows)
  return { events: events.sort((a, b) => a.topic - b.topic || a.offset - b.offset), ticks }
}

const sorted = (events: readonly Event[]): string =>
  [...events]
    .sort((a, b) => a.topic - b.topic || a.offset - b.offset)
    .map(lineOf)
    .join('\n')

/** @param settled whether nothing may be there any more that goes */
async function check(log: Log, model: Model, prng: Prng, settled: boolean, label: string): Promise<void> {
  const left = model.left()
  const first = new Set(left)
  const allowed = new Set(
    model.events.filter((event) => first.has(event) || (keys.get(event.topic)!.length > 0 && !settled)).map(lineOf),
  )
  const { events, ticks } = await replayed(log, 0)
  expect(ticks, label).toEqual(model.ticks)
  if (settled) expect(sorted(events) === sorted(left), `${label}: what is left`).toBe(true)
  const there = new Set(events.map(lineOf))
  for (const event of left) expect(there.has(lineOf(event)), `${label}: ${lineOf(event)} is there`).toBe(true)
  for (const line of there) expect(allowed.has(line), `${label}: ${line} is gone`).toBe(true)
  for (const topic of [2, 3]) {
    const cut = model.cuts.get(topic) ?? 0
    for (const tick of [cut, cut + prng.below(10), model.ticks.length]) {
      if (tick >= cut)
        expect(relation(events, topic, tick), `${label}: table ${topic} at ${tick}`).toBe(
          relation(model.events, topic, tick),
        )
    }
  }
  // While something is going, a table's events may be gone the next time.
  const stays = ({ topic }: Event): boolean => settled || keys.get(topic)!.length === 0
  const merged = await replayed(log, 1 + prng.below(400))
  // What lies in the journal yet takes the number of the tick that it is handed over with.
  const untimed = (all: readonly Event[]): string => sorted(all.filter(stays).map((event) => ({ ...event, tick: 0 })))
  expect(untimed(merged.events) === untimed(events), `${label}: merged`).toBe(true)
  for (const topic of settled ? [1, 2, 3, 9] : [1, 9]) {
    const own = events.filter((event) => event.topic === topic)
    const from = prng.below((log.position().offsets.get(topic) ?? 0) + 2)
    const limit = 1 + prng.below(60)
    const read = (await log.readTopic(topic, from, limit)).flatMap((logged) => eventsOf(logged, logged.tick))
    const wanted = own.filter(({ offset }) => offset >= from)
    const got = read.filter(({ offset }) => offset >= from)
    expect(got.length, `${label}: read ${topic} from ${from}`).toBeGreaterThanOrEqual(Math.min(limit, wanted.length))
    expect(sorted(got), `${label}: read ${topic} from ${from}`).toBe(sorted(wanted.slice(0, got.length)))
    const { firstOffset = 0, throughTick = 0 } = log.starts().get(topic) ?? {}
    const past = model.events.filter((event) => event.topic === topic && event.tick <= throughTick)
    expect([throughTick, firstOffset], label).toEqual([model.cuts.get(topic) ?? 0, past.length])
    const micros = model.events[prng.below(model.events.length)]?.micros ?? 0n
    const found = own.find((event) => event.micros >= micros)?.offset ?? log.position().offsets.get(topic) ?? 0
    expect(await log.findOffset(topic, micros), `${label}: offset of ${topic} at ${micros}`).toBe(found)
  }
  for (const { tick, timeMicros } of [model.ticks[prng.below(model.ticks.length)]]) {
    expect(await log.findTick({ tick }), label).toEqual({ tick, timeMicros })
  }
}

function planOf(log: Log, model: Model, prng: Prng): Trim[] {
  const cuts = log.cuts()
  if (cuts.length === 0) return []
  const plan: Trim[] = []
  for (const [topic, key] of keys) {
    const { tick } = cuts[prng.below(cuts.length)]
    if (prng.chance(0.5)) continue
    plan.push({ topic, throughTick: tick, keep: key.length === 0 ? 'nothing' : { key } })
    model.cuts.set(topic, Math.max(tick, model.cuts.get(topic) ?? 0))
  }
  return plan
}

const seeds = Array.from({ length: Number(process.env['MILLRACE_SEEDS'] ?? 3) }, (_, i) => i + 1)

describe.each(Object.entries(subjects))('a log that is trimmed: %s', (_name, open) => {
  it.each(seeds)('has what the model says (seed %i)', async (seed) => {
    const prng = new Prng(seed)
    const model = new Model()
    // What can't be read can't be checked.
    const opaque = seed % 2 === 0
    let subject = await open(simulatedIo(seed, { idle: 'advance' }), seed)
    subject.log.onTick((tick) => model.saw(tick))
    let keyed = 0
    for (let step = 0; step < 60; step++) {
      const label = `seed ${seed}, step ${step}`
      const { log } = subject
      for (let i = prng.below(10); i >= 0; i--) {
        const blocks = Array.from({ length: 1 + prng.below(2) }, () =>
          block(prng, [1, 2, 3, 9][prng.below(opaque ? 4 : 3)]),
        )
        const idempotency = { scope: '/', key: `${keyed++}`, digest: Uint8Array.of(1) }
        await log.append(prng.chance(0.7) ? { blocks } : { blocks, idempotency })
      }
      if (prng.chance(0.4)) await log.trim(planOf(log, model, prng))
      const settled = prng.chance(0.3)
      if (settled) await subject.settle()
      // Events are in no tick before it is sealed.
      log.requestSeal(true)
      const { tick } = log.position()
      while (log.position().tick === tick) await new Promise(setImmediate)
      if (settled) await subject.settle()
      if (prng.chance(0.4)) await check(log, model, prng, settled, label)
      if (!prng.chance(0.1)) continue
      const crash = prng.chance(0.5)
      subject.log.onTick(() => {})
      subject = await subject.again(crash)
      subject.log.onTick((tick) => model.saw(tick))
      // A close or a start seals what it finds, and what is sealed is seen.
      const known = model.ticks.length
      await subject.log.replay((tick) => void (tick.tick > known && model.saw(tick)))
      await check(subject.log, model, prng, false, `${label}, again`)
    }
    await subject.settle()
    expect(model.cuts.size, 'something was trimmed').toBeGreaterThan(0)
    await check(subject.log, model, prng, subject.io !== null, `seed ${seed}, at the end`)
    if (subject.io === null || opaque) return
    await subject.log.backup('copy')
    await subject.log.close()
    expect((await checkLog(subject.io.disk, folder))!.events).toBe(model.left().length)
    await restoreBackup(subject.io.disk, 'copy', 'new')
    const { log } = await openFileStore(subject.io, 'new/log', { sealNow: () => true, sizes, history })
    await check(log, model, prng, true, `seed ${seed}, restored`)
    await log.close()
  })
})
