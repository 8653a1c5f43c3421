// Format version 1 stays readable, and what is written stays version 1. The files are made by
// MILLRACE_GOLDEN=write; they never change for a version that was released.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { Io } from '../io/io.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { openFileLog } from './file-log.ts'
import type { Append, Log } from './log.ts'

const golden = fileURLToPath(new URL('../../test/golden/log-v1', import.meta.url))
const folder = 'd/log'
const sizes = { fileBytes: 1600, stepBytes: 512, largeBytes: 600, reserveBytes: 256 }
const history = { rewrite: false }

const appends: readonly Append[] = [
  { blocks: [{ topic: 1, rows: 2, bytes: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9) }] },
  {
    blocks: [
      { topic: 1, rows: 1, bytes: Uint8Array.of(10) },
      { topic: 4_000_000_000, rows: 16384, bytes: new Uint8Array(300).fill(7) },
    ],
    idempotency: { scope: '/v1/topics/flight/events', key: 'Schlüssel', digest: new Uint8Array(32).fill(0xab) },
  },
  { blocks: [], idempotency: { scope: '', key: 'nothing', digest: new Uint8Array(0) } },
  { blocks: [{ topic: 2, rows: 3, bytes: new Uint8Array(700).map((_, i) => i) }] },
  { blocks: [{ topic: 1, rows: 5, bytes: new Uint8Array(24).fill(1) }] },
]

/** The same workload always gives the same bytes: time and epochs are counted. */
async function write(io: SimulatedIo): Promise<void> {
  let micros = 1_700_000_000_000_000n
  let epochs = 0
  const counted: Io = {
    ...io,
    clock: { ...io.clock, nowMicros: () => (micros += 1_000n), monotonicMs: () => 0, after: () => () => {} },
    random: { bytes: (length) => new Uint8Array(length).fill(++epochs) },
  }
  let commits = 0
  const open = (): Promise<Log> => openFileLog(counted, folder, { sealNow: () => commits++ % 2 === 1, sizes, history })
  const log = await open()
  for (const append of appends) await log.append(append)
  log.requestSeal(true)
  await log.close()
  await (await open()).close()
}

async function describeLog(io: SimulatedIo): Promise<unknown> {
  const log = await openFileLog(io, folder, { sealNow: () => true, sizes, history })
  const ticks: unknown[] = []
  await log.replay(({ tick, timeMicros, blocks }) => {
    ticks.push({
      tick,
      timeMicros: `${timeMicros}`,
      blocks: blocks.map(({ bytes, appendedAtMicros, ...block }) => ({
        ...block,
        appendedAtMicros: `${appendedAtMicros}`,
        hex: Buffer.from(bytes).toString('hex'),
      })),
    })
  })
  const answers = []
  for (const append of appends) if (append.idempotency !== undefined) answers.push(await log.append(append))
  await log.close()
  return { ticks, answers }
}

if (process.env['MILLRACE_GOLDEN'] === 'write') {
  it('writes the golden files', async () => {
    const io = simulatedIo(1)
    await write(io)
    await mkdir(golden, { recursive: true })
    for (const name of await io.disk.list(folder)) {
      await writeFile(`${golden}/${name}`, io.disk.contentOf(`${folder}/${name}`))
    }
    await writeFile(`${golden}/log.json`, `${JSON.stringify(await describeLog(io), null, 2)}\n`)
  })
}

it('reads what version 1 wrote', async () => {
  const io = simulatedIo(2)
  for (const name of await readdir(golden)) {
    if (name.endsWith('.journal')) io.disk.place(`${folder}/${name}`, await readFile(`${golden}/${name}`))
  }
  expect(await describeLog(io)).toEqual(JSON.parse(await readFile(`${golden}/log.json`, 'utf8')))
})

it('writes the same bytes as version 1', async () => {
  const io = simulatedIo(3)
  await write(io)
  const names = (await readdir(golden)).filter((name) => name.endsWith('.journal'))
  expect(await io.disk.list(folder)).toEqual(names)
  for (const name of names) {
    const [now, then] = [io.disk.contentOf(`${folder}/${name}`), await readFile(`${golden}/${name}`)]
    expect(Buffer.from(now).toString('hex'), name).toBe(then.toString('hex'))
  }
})
