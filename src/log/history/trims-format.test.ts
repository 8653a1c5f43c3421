// Version 2 of history files, and version 1 of what says what was trimmed, stay readable, and are what is written. The
// files are made by MILLRACE_GOLDEN=write; they never change for a version that was released.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { BlockBuilder } from '../../data/block-builder.ts'
import type { Io } from '../../io/io.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { openFileLog, openFileStore } from '../file-log.ts'
import { offsetOf } from '../log.ts'

const golden = fileURLToPath(new URL('../../../test/golden/history-v2', import.meta.url))
const folder = 'd/log'
const sizes = { fileBytes: 4000, stepBytes: 512, largeBytes: 600, reserveBytes: 256, spareFiles: 0 }
// Compressed bytes would be the runtime's, not ours.
const history = { compression: 'none', mergeFiles: 3 } as const

function rowsOf(append: number, rows: number): Uint8Array {
  const builder = new BlockBuilder([
    { name: 'id', type: { kind: 'bigint' }, nullable: false },
    { name: 'name', type: { kind: 'text' }, nullable: true },
  ])
  for (let i = 0; i < rows; i++) {
    builder.beginRow()
    builder.columns[0].setI64(builder.rows, (append * 7 + i * 3) % 20)
    builder.columns[1].setText(builder.rows, `ä ${append} ${i}`)
    if ((append + i) % 5 === 0) builder.setDelete()
    builder.commitRow()
  }
  return builder.finish()
}

/** The same workload always gives the same bytes: time and epochs are counted. */
async function write(io: SimulatedIo): Promise<void> {
  let micros = 1_700_000_000_000_000n
  let epochs = 0
  const counted: Io = {
    ...io,
    clock: { nowMicros: () => (micros += 1_000n), monotonicMs: () => 0, after: () => () => {} },
    random: { bytes: (length) => new Uint8Array(length).fill(++epochs) },
  }
  const { log, store } = await openFileStore(counted, folder, { sealNow: () => true, sizes, history })
  for (let i = 0; i < 40; i++) {
    const blocks = [{ topic: 1 + (i % 3), rows: 5 + (i % 9), bytes: rowsOf(i, 5 + (i % 9)) }]
    const idempotency = { scope: '/v1/append', key: `${i}`, digest: new Uint8Array(32).fill(i) }
    await log.append(i % 4 === 0 ? { blocks, idempotency } : { blocks })
  }
  await store.settle()
  const { tick } = log.cuts()[4]
  await log.trim([
    { topic: 1, throughTick: tick, keep: 'nothing' },
    { topic: 2, throughTick: tick, keep: { key: [0] } },
  ])
  await store.settle()
  await log.close()
}

async function describeLog(io: SimulatedIo): Promise<unknown> {
  const options = { sealNow: () => true, sizes, history: { rewrite: false } }
  const log = await openFileLog(io, folder, options)
  const ticks: unknown[] = []
  await log.replay(({ tick, timeMicros, blocks }) => {
    const described = blocks.map((block) => ({
      topic: block.topic,
      offsets: Array.from({ length: block.rows }, (_, row) => offsetOf(block, row)),
      appendedAtMicros: `${block.appendedAtMicros}`,
      hex: Buffer.from(block.bytes).toString('hex'),
    }))
    ticks.push({ tick, timeMicros: `${timeMicros}`, blocks: described })
  })
  const starts = [...log.starts()]
  await log.close()
  return { ticks, starts }
}

const isLog = (name: string): boolean => /\.(history|journal|trims)$/.test(name)

if (process.env['MILLRACE_GOLDEN'] === 'write') {
  it('writes the golden files', async () => {
    const io = simulatedIo(1)
    await write(io)
    await mkdir(golden, { recursive: true })
    for (const name of (await io.disk.list(folder)).filter(isLog)) {
      await writeFile(`${golden}/${name}`, io.disk.contentOf(`${folder}/${name}`))
    }
    await writeFile(`${golden}/log.json`, `${JSON.stringify(await describeLog(io))}\n`)
  })
}

it('reads what was trimmed and written anew before', async () => {
  const io = simulatedIo(2)
  for (const name of await readdir(golden)) {
    if (isLog(name)) io.disk.place(`${folder}/${name}`, await readFile(`${golden}/${name}`))
  }
  expect(await describeLog(io)).toEqual(JSON.parse(await readFile(`${golden}/log.json`, 'utf8')))
})

it('writes the same bytes', async () => {
  const io = simulatedIo(3)
  await write(io)
  const names = (await readdir(golden)).filter(isLog)
  expect(names.filter((name) => /-.*\.history$/.test(name)).length).toBeGreaterThan(0)
  expect((await io.disk.list(folder)).filter(isLog)).toEqual(names.sort())
  for (const name of names) {
    const [now, then] = [io.disk.contentOf(`${folder}/${name}`), await readFile(`${golden}/${name}`)]
    expect(Buffer.compare(now, then), name).toBe(0)
  }
})
