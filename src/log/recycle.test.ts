// A journal file that was another one before: what it held then is never taken for what it holds now.
import { describe, expect, it } from 'vitest'
import { openBlock } from '../data/block.ts'
import { BlockBuilder } from '../data/block-builder.ts'
import { Prng } from '../io/twin/prng.ts'
import { type SimulatedIo, type SimulationOptions, simulatedIo } from '../io/twin/simulated-io.ts'
import { checkLog } from './check.ts'
import { openFileStore } from './file-log.ts'
import { decodeFileHeader, fileHeaderBytes, isSpare, numberOf } from './journal-file.ts'
import type { Log } from './log.ts'

const folder = 'd/log'
const sizes = { fileBytes: 2048, stepBytes: 1024, largeBytes: 700, reserveBytes: 256 }
const history = { share: 1, busyShare: 1 }

const open = (io: SimulatedIo) => openFileStore(io, folder, { sealNow: () => true, sizes, history })

/** Every frame is as long as every other: where one ends, an old one begins. */
function blockOf(id: number) {
  const builder = new BlockBuilder([{ name: 'id', type: { kind: 'integer' }, nullable: false }])
  builder.beginRow()
  builder.columns[0].setI32(0, id)
  builder.commitRow()
  return { topic: 1, rows: 1, bytes: builder.finish() }
}

interface Told {
  tried: number
  answered: number
}

async function append(log: Log, told: Told): Promise<void> {
  const id = told.tried++
  await log.append({ blocks: [blockOf(id)] })
  told.answered = id + 1
}

async function work(io: SimulatedIo, told: Told, appends: number): Promise<Log> {
  const { log, store } = await open(io)
  await check(log, told, 'at the start')
  for (let i = 0; i < appends; i++) {
    await append(log, told)
    if (i % 9 === 8) await store.settle()
  }
  return log
}

async function idsOf(log: Log): Promise<number[]> {
  const ids: number[] = []
  await log.replay(({ blocks }) => {
    for (const { bytes } of blocks) {
      const { memory, columns } = openBlock(bytes)
      ids.push(memory.i32[columns.get(0)!.data >>> 2])
    }
  })
  return ids
}

/** What was answered is there, in order; of what was tried last, maybe. */
async function check(log: Log, told: Told, label: string): Promise<void> {
  const ids = await idsOf(log)
  expect(ids, label).toEqual(ids.map((_, i) => i))
  expect(ids.length, label).toBeGreaterThanOrEqual(told.answered)
  expect(ids.length, label).toBeLessThanOrEqual(told.tried)
  told.tried = ids.length
  told.answered = ids.length
}

async function headers(io: SimulatedIo) {
  const names = (await io.disk.list(folder)).filter((name) => numberOf(name) !== null)
  return names.map((name) => decodeFileHeader(io.disk.contentOf(`${folder}/${name}`).subarray(0, fileHeaderBytes), '')!)
}

describe('a journal file that is used again', { timeout: 600_000 }, () => {
  it('is as long as it was, and nothing is made anew', async () => {
    const io = simulatedIo(1)
    const told = { tried: 0, answered: 0 }
    const log = await work(io, told, 90)
    const files = await headers(io)
    expect(files.at(-1)!.number).toBeGreaterThan(6)
    expect(files.at(-1)!.stale).toBeGreaterThan(0)
    expect((await io.disk.list(folder)).filter(isSpare).length).toBeLessThanOrEqual(2)
    await check(log, told, 'running')
    await log.close()
    expect((await checkLog(io.disk, folder))!.tornBytes).toBe(0)
    const again = await open(io)
    await check(again.log, told, 'closed')
    // A clean end is seen, whatever lies behind it.
    await again.log.close()
  })

  it('keeps what was answered, and nothing of what it was, wherever it stops', async () => {
    const seeds = Number(process.env['MILLRACE_SEEDS'] ?? 1)
    for (let seed = 1; seed <= seeds; seed++) {
      const base = simulatedIo(seed)
      const begun: Told = { tried: 0, answered: 0 }
      await (await work(base, begun, 40)).close()
      const counted = base.copy()
      await (await work(counted, { ...begun }, 30)).close()
      const { boundaries } = counted.disk
      expect(boundaries).toBeGreaterThan(100)
      const every = seeds === 1 ? 5 : 1
      for (let crashAt = 1 + (seed % every); crashAt <= boundaries; crashAt += every) {
        const label = `seed ${seed}, boundary ${crashAt}`
        const told = { ...begun }
        const prng = new Prng(seed * 31 + crashAt)
        let io = base.copy({ disk: { crashAt } })
        await Promise.race([work(io, told, 30).then((log) => log.close()), io.crashed])
        const next = (options?: SimulationOptions): SimulatedIo =>
          prng.chance(0.6) ? io.restart(options) : io.rerun(options)
        for (let cuts = prng.below(3); cuts > 0; cuts--) {
          io = next({ disk: { crashAt: 1 + prng.below(20) } })
          await Promise.race([work(io, told, 9), io.crashed])
        }
        io = next()
        const { log } = await open(io)
        await check(log, told, label)
        await log.close()
        io = next()
        const last = await work(io, told, 12)
        await check(last, told, `${label}, again`)
        await last.close()
        expect((await checkLog(io.disk, folder))!.offsets.get(1), label).toBe(told.answered)
      }
    }
  })
})
