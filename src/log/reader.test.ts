// A reader goes on as it began, whatever is thrown away, rewritten or used again meanwhile.
import { expect, it } from 'vitest'
import { openBlock } from '../data/block.ts'
import { BlockBuilder } from '../data/block-builder.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { openFileStore } from './file-log.ts'
import { isSpare } from './journal-file.ts'
import type { AppendBlock, Log, LogReads } from './log.ts'
import { openMemoryLog } from './memory-log.ts'

const folder = 'd/log'
const sizes = { fileBytes: 2048, stepBytes: 1024, largeBytes: 700, reserveBytes: 256 }
const history = { share: 1, busyShare: 1, mergeFiles: 3, mergeBytes: 1e6 }
const keys = 7

/** A topic's event, or a table's upsert of its value under its key. */
function blockOf(topic: number, value: number): AppendBlock {
  const builder = new BlockBuilder(
    ['key', 'value'].map((name) => ({ name, type: { kind: 'integer' }, nullable: false })),
  )
  builder.beginRow()
  builder.columns[0].setI32(0, value % keys)
  builder.columns[1].setI32(0, value)
  builder.commitRow()
  return { topic, rows: 1, bytes: builder.finish() }
}

function valueIn(bytes: Uint8Array): number {
  const { memory, columns } = openBlock(bytes)
  return memory.i32[columns.get(1)!.data >>> 2]
}

async function appendAll(log: Log, from: number, to: number): Promise<void> {
  for (let value = from; value < to; value++) await log.append({ blocks: [blockOf(1, value), blockOf(2, value)] })
}

/** A topic's values, a few events at a time. */
async function* stepwise(log: LogReads, topic: number): AsyncGenerator<number[]> {
  const end = log.position().offsets.get(topic) ?? 0
  for (let offset = 0; offset < end; ) {
    const blocks = await log.readTopic(topic, offset, 10)
    if (blocks.length === 0) return
    yield blocks.map(({ bytes }) => valueIn(bytes))
    offset = blocks.at(-1)!.firstOffset + 1
  }
}

async function all(log: LogReads, topic: number): Promise<number[]> {
  const values: number[] = []
  for await (const some of stepwise(log, topic)) values.push(...some)
  return values
}

async function replayed(log: LogReads): Promise<number[]> {
  const values: number[] = []
  await log.replay(({ blocks, release }) => {
    for (const { bytes } of blocks) values.push(valueIn(bytes))
    release?.()
  })
  return values
}

/** Throws away all that may go: of the topic everything, of the table what was replaced. */
async function trimAll(log: Log): Promise<void> {
  const { tick } = log.cuts().at(-1)!
  await log.trim([
    { topic: 1, throughTick: tick, keep: 'nothing' },
    { topic: 2, throughTick: tick, keep: { key: [0] } },
  ])
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

async function openFile() {
  const io = simulatedIo(1, { idle: 'advance' })
  const { log, store } = await openFileStore(io, folder, { sealNow: () => true, sizes, history })
  return { io, log, store, names: () => io.disk.list(folder) }
}

it('sees on disk what was there when it began, from the first step to the last', async () => {
  const { log, store, names } = await openFile()
  await appendAll(log, 0, 200)
  await store.settle()
  await appendAll(log, 200, 230)
  const reader = log.reader()
  const steps = [stepwise(reader, 1), stepwise(reader, 2)]
  const begun = await Promise.all(steps.map(async (each) => (await each.next()).value as number[]))
  await trimAll(log)
  await appendAll(log, 230, 400)
  await store.settle()
  await trimAll(log)
  await store.settle()
  expect(await all(log, 2)).not.toContain(0)
  for (const [i, rest] of steps.entries()) {
    const values = [...begun[i]]
    for await (const some of rest) values.push(...some)
    expect(values).toEqual(numbers(0, 230))
  }
  expect(await replayed(reader)).toEqual(numbers(0, 230).flatMap((value) => [value, value]))
  expect(reader.starts().size).toBe(0)
  expect(reader.position().tick).toBe(230)
  expect(await reader.findTick({ tick: 231 })).toBe(null)
  const held = await names()
  await reader.close()
  const left = await names()
  const isOld = (name: string): boolean => /^\d+\.(history|journal)$/.test(name)
  expect(left.filter(isOld).length).toBeLessThan(held.filter(isOld).length)
  expect(await all(log, 1)).toEqual((await replayed(log)).filter((value, i, values) => values[i + 1] === value))
  await log.close()
})

it('sees in memory what was there when it began', async () => {
  const log = openMemoryLog(simulatedIo(1, { idle: 'advance' }), { sealNow: () => true })
  await appendAll(log, 0, 500)
  const reader = log.reader()
  await trimAll(log)
  await appendAll(log, 500, 510)
  expect(await all(reader, 1)).toEqual(numbers(0, 500))
  expect(await all(reader, 2)).toEqual(numbers(0, 500))
  expect(await replayed(reader)).toEqual(numbers(0, 500).flatMap((value) => [value, value]))
  expect(await all(log, 2)).not.toContain(0)
  await reader.close()
})

it('keeps journal files from being used again', async () => {
  const { log, store, names } = await openFile()
  await appendAll(log, 0, 100)
  const reader = log.reader()
  await store.settle()
  await appendAll(log, 100, 300)
  await store.settle()
  expect((await names()).filter(isSpare)).toEqual([])
  expect(await all(reader, 1)).toEqual(numbers(0, 100))
  await reader.close()
  expect((await names()).filter(isSpare)).not.toEqual([])
  await log.close()
})

it('keeps nothing for ever that nobody goes on with', async () => {
  const { io, log, store, names } = await openFile()
  await appendAll(log, 0, 100)
  const forgotten = log.reader()
  const used = log.reader()
  const patient = log.reader(Number.POSITIVE_INFINITY)
  await trimAll(log)
  await store.settle()
  const held = await names()
  const pause = (ms: number): Promise<void> => new Promise((resolve) => void io.clock.after(ms, resolve))
  for (let minute = 0; minute < 6; minute++) {
    await pause(60_000)
    expect(await all(used, 1)).toEqual(numbers(0, 100))
  }
  await expect(all(forgotten, 1)).rejects.toThrow('stood still for 300 seconds')
  await expect(replayed(forgotten)).rejects.toThrow(expect.objectContaining({ code: 'log/reader-expired' }))
  expect(await all(patient, 1)).toEqual(numbers(0, 100))
  expect(await names()).toEqual(held)
  await patient.close()
  await pause(400_000)
  // Nobody asked: it is gone all the same.
  expect((await names()).length).toBeLessThan(held.length)
  await expect(all(used, 1)).rejects.toThrow('stood still')
  await used.close()
  await log.close()
})

it('may stand still as long as nothing is to go', async () => {
  const { io, log } = await openFile()
  await appendAll(log, 0, 1)
  const reader = log.reader()
  await new Promise<void>((resolve) => void io.clock.after(3_600_000, resolve))
  expect(await all(reader, 1)).toEqual([0])
  await reader.close()
  await log.close()
})

it('holds nothing over a crash', async () => {
  const { io, log, store } = await openFile()
  await appendAll(log, 0, 200)
  await store.settle()
  log.reader()
  await trimAll(log)
  await store.settle()
  const held = (await io.disk.list(folder)).length
  const again = io.restart()
  const opened = await openFileStore(again, folder, { sealNow: () => true, sizes, history })
  expect((await again.disk.list(folder)).length).toBeLessThan(held)
  expect((await all(opened.log, 2)).slice(-keys)).toEqual(numbers(200 - keys, 200))
  await opened.log.close()
})
