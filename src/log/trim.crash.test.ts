// The machine stops at every boundary while events are thrown away, and again while it recovers.
import { describe, expect, it } from 'vitest'
import { cellState, rawCell } from '../data/batch.ts'
import { openBlock } from '../data/block.ts'
import { BlockBuilder } from '../data/block-builder.ts'
import { MillraceError } from '../data/errors.ts'
import { Prng } from '../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { checkLog } from './check.ts'
import { openFileStore } from './file-log.ts'
import { type Log, offsetOf, type Trim } from './log.ts'

const folder = 'd/log'
const sizes = { fileBytes: 2500, stepBytes: 1024, largeBytes: 700, reserveBytes: 256 }
const history = { share: 1, busyShare: 1, mergeFiles: 3, keyBytes: 3000 }
const schema = [
  { name: 'id', type: { kind: 'integer' }, nullable: false },
  { name: 'n', type: { kind: 'integer' }, nullable: false },
] as const

function block(prng: Prng, topic: number) {
  const builder = new BlockBuilder(schema)
  const rows = 1 + prng.below(12)
  for (let i = 0; i < rows; i++) {
    builder.beginRow()
    builder.columns[0].setI32(builder.rows, prng.below(5))
    builder.columns[1].setI32(builder.rows, prng.uint32() | 0)
    if (topic === 2 && prng.chance(0.3)) builder.setDelete()
    builder.commitRow()
  }
  return { topic, rows, bytes: builder.finish() }
}

const open = (io: SimulatedIo) => openFileStore(io, folder, { sealNow: () => true, sizes, history })

interface Event {
  readonly line: string
  readonly topic: number
  readonly tick: number
  readonly key: string
  readonly deletes: boolean
}

async function eventsOf(log: Log): Promise<Event[]> {
  const events: Event[] = []
  await log.replay(({ tick, blocks }) => {
    for (const logged of blocks) {
      const { memory, columns } = openBlock(logged.bytes)
      for (let row = 0; row < logged.rows; row++) {
        const cell = (id: number): string => `${rawCell(memory, columns.get(id)!, row)}`
        const operation = columns.get(65534)
        const deletes =
          operation !== undefined && cellState(memory, operation, row) === 0 && rawCell(memory, operation, row) === 1
        const line = `${logged.topic} ${offsetOf(logged, row)} ${tick} ${cell(0)} ${cell(1)}`
        events.push({ line, topic: logged.topic, tick, key: cell(0), deletes })
      }
    }
  })
  return events
}

/** The table behind a cut, each row with all that is known of it. */
function relation(events: readonly Event[]): string {
  const rows = new Map<string, Event>()
  for (const event of events) if (event.topic === 2) rows.set(event.key, event)
  return [...rows.values()]
    .filter(({ deletes }) => !deletes)
    .map(({ line }) => line)
    .sort()
    .join()
}

interface Told {
  all: Event[]
  /** Cuts that were asked for, and that were answered. */
  tried: number[]
  answered: number
}

/** Fills a log whose history is whole. */
async function filled(seed: number): Promise<{ io: SimulatedIo; told: Told }> {
  const io = simulatedIo(seed)
  const { log, store } = await open(io)
  const prng = new Prng(seed)
  for (let i = 0; i < 70; i++) {
    await log.append({ blocks: [block(prng, 1 + prng.below(2)), ...(i % 3 === 0 ? [block(prng, 3)] : [])] })
  }
  await store.settle()
  await log.close()
  const again = await open(io)
  const told = { all: await eventsOf(again.log), tried: [0], answered: 0 }
  await again.log.close()
  return { io, told }
}

/** Few of them take seconds, all of them half a minute. */
const every = process.env['MILLRACE_SEEDS'] === undefined ? 5 : 1

const planAt = (tick: number): Trim[] => [
  { topic: 1, throughTick: tick, keep: 'nothing' },
  { topic: 2, throughTick: tick, keep: { key: [0] } },
]

/** Trims twice, and waits until all of it is gone. */
async function trim(io: SimulatedIo, told: Told): Promise<void> {
  const { log, store } = await open(io)
  const cuts = log.cuts()
  for (const share of [0.4, 0.9]) {
    const { tick } = cuts[Math.floor(cuts.length * share)]
    told.tried.push(tick)
    await log.trim(planAt(tick))
    told.answered = Math.max(told.answered, tick)
    await store.settle()
  }
  await log.close()
}

async function check(log: Log, told: Told, label: string): Promise<void> {
  const starts = log.starts()
  const cut = starts.get(1)?.throughTick ?? 0
  expect(told.tried, label).toContain(cut)
  expect(cut, `${label}: what was answered stays`).toBeGreaterThanOrEqual(told.answered)
  expect(starts.get(2)?.throughTick ?? 0, `${label}: all of a plan`).toBe(cut)
  const events = await eventsOf(log)
  const plain = (all: readonly Event[]): string =>
    all
      .filter(({ topic, tick }) => topic === 3 || (topic === 1 && tick > cut))
      .map(({ line }) => line)
      .join('\n')
  expect(
    events.filter(({ topic, tick }) => topic === 1 && tick <= cut),
    label,
  ).toEqual([])
  expect(plain(events) === plain(told.all), `${label}: events`).toBe(true)
  expect(relation(events), `${label}: table`).toBe(relation(told.all))
}

describe('a trim', { timeout: 600_000 }, () => {
  it('is whole or not there, wherever the machine or the program stops', async () => {
    const seed = Number(process.env['MILLRACE_SEED'] ?? 1)
    const { io, told: begun } = await filled(seed)
    const counted = io.copy()
    await trim(counted, { ...begun, tried: [0] })
    const { boundaries } = counted.disk
    expect(boundaries).toBeGreaterThan(60)
    for (let crashAt = 1; crashAt <= boundaries + 1; crashAt += every) {
      const label = `seed ${seed}, boundary ${crashAt} of ${boundaries}`
      const told: Told = { ...begun, tried: [0] }
      const prng = new Prng(seed * 7919 + crashAt)
      let now = io.copy({ disk: { crashAt } })
      await Promise.race([trim(now, told), now.crashed])
      const next = (options = {}): SimulatedIo => (prng.chance(0.7) ? now.restart(options) : now.rerun(options))
      for (let cuts = prng.below(3); cuts > 0; cuts--) {
        now = next({ disk: { crashAt: 1 + prng.below(20) } })
        const open = openFileStore(now, folder, { sealNow: () => true, sizes, history })
        await Promise.race([open.then(({ store }) => store.settle()), now.crashed])
      }
      now = next()
      const { log, store } = await open(now)
      await check(log, told, label)
      await store.settle()
      await check(log, told, `${label}, gone`)
      await log.close()
      expect((await checkLog(now.disk, folder))!.tick, label).toBe(told.all.at(-1)!.tick)
    }
  })

  it('is whole or not there, whichever sync fails', async () => {
    const { io, told: begun } = await filled(2)
    const counted = io.copy()
    await trim(counted, { ...begun, tried: [0] })
    for (let fail = 1; fail <= counted.disk.syncs; fail++) {
      const label = `sync ${fail} of ${counted.disk.syncs}`
      const told: Told = { ...begun, tried: [0] }
      const broken = io.copy({ disk: { failSyncs: [fail] } })
      await trim(broken, told).catch(() => {})
      const next = fail % 2 === 0 ? broken.rerun() : broken.restart()
      const { log, store } = await open(next)
      await check(log, told, label)
      await store.settle()
      const last = await open(next.restart())
      await check(last.log, told, `${label}, and the machine stopped`)
    }
  })

  it('is refused on a full disk, and the log goes on', async () => {
    const { io, told } = await filled(3)
    const now = io.rerun()
    const { log, store } = await open(now)
    now.disk.plan = { capacityBytes: now.disk.usedBytes }
    const { tick } = log.cuts().at(-1)!
    const refused = await log.trim(planAt(tick)).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'log/full' })
    await check(log, told, 'full')
    // There is room for the decision alone: its bytes go later.
    now.disk.plan = { capacityBytes: now.disk.usedBytes + 600 }
    told.tried.push(tick)
    await log.trim(planAt(tick))
    told.answered = tick
    await store.settle()
    await check(log, told, 'full of files')
    now.disk.plan = {}
    await log.trim([{ topic: 3, throughTick: log.cuts()[0].tick, keep: 'nothing' }])
    await store.settle()
    expect(store.failure).toBe(null)
    expect(log.cuts().at(-1)!.bytes.get(1) ?? 0).toBe(0)
    await log.close()
  })

  it('is named when its file is missing or damaged', async () => {
    const { io, told } = await filled(4)
    await trim(io, told)
    const name = (await io.disk.list(folder)).find((each) => each.endsWith('.trims'))!
    const path = `${folder}/${name}`
    const bytes = io.disk.contentOf(path).slice()
    const prng = new Prng(4)
    for (let i = 0; i < 20; i++) {
      const [byte, bit] = [prng.below(bytes.length), prng.below(8)]
      io.disk.flipBit(path, byte, bit)
      const refused = await open(io).catch((error: unknown) => error)
      io.disk.flipBit(path, byte, bit)
      expect(refused, `byte ${byte} bit ${bit}`).toBeInstanceOf(MillraceError)
      expect(['log/corrupt', 'log/version']).toContain((refused as MillraceError).code)
      expect((refused as MillraceError).place.file).toBe(path)
    }
    await io.disk.remove(path)
    const refused = await open(io).catch((error: unknown) => error)
    expect(refused).toMatchObject({
      code: 'log/corrupt',
      hint: 'restore the folder’s newest file that ends with .trims',
    })
  })
})
