// Format version 1 of history files stays readable, and what is written stays version 1. The files are made by
// MILLRACE_GOLDEN=write; they never change for a version that was released.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { BlockBuilder } from '../../data/block-builder.ts'
import type { ColumnSchema } from '../../data/sql-type.ts'
import type { Io } from '../../io/io.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { openFileLog, openFileStore } from '../file-log.ts'
import type { Append } from '../log.ts'

const golden = fileURLToPath(new URL('../../../test/golden/history-v1', import.meta.url))
const folder = 'd/log'
const sizes = { fileBytes: 6000, stepBytes: 512, largeBytes: 600, reserveBytes: 256, spareFiles: 0 }
const schema: readonly ColumnSchema[] = [
  { name: 'id', type: { kind: 'bigint' }, nullable: false },
  { name: 'at', type: { kind: 'timestamp' }, nullable: true },
  { name: 'n', type: { kind: 'integer' }, nullable: true },
  { name: 'share', type: { kind: 'double' }, nullable: false },
  { name: 'url', type: { kind: 'text' }, nullable: true },
  { name: 'kind', type: { kind: 'text' }, nullable: false },
]

function rowsOf(append: number, rows: number): Uint8Array {
  const builder = new BlockBuilder(schema)
  for (let i = 0; i < rows; i++) {
    builder.beginRow()
    const row = builder.rows
    const [id, at, n, share, url, kind] = builder.columns
    id.setI64(row, append * 1000 + i)
    if (i % 5 === 0) at.setNull(row)
    else at.setI64(row, 1_700_000_000_000_000 + append * 1_000_000 + i * 250)
    if (append % 2 === 0) n.setNull(row)
    else n.setI32(row, (i * 7919) % 90_000)
    share.setF64(row, i / 3)
    if (i % 7 === 0) url.setNull(row)
    else url.setText(row, `https://example.com/ä/${append * i}`)
    kind.setText(row, ['web', 'app'][i % 2])
    if (append % 4 === 3 && i === 1) builder.setDelete()
    builder.commitRow()
  }
  return builder.finish()
}

const appends: readonly Append[] = Array.from({ length: 24 }, (_, i) => ({
  blocks: [
    { topic: 1 + (i % 2), rows: 10 + i, bytes: rowsOf(i, 10 + i) },
    ...(i % 6 === 5 ? [{ topic: 4_000_000_000, rows: 2, bytes: Uint8Array.of(1, 2, 3, i) }] : []),
  ],
  ...(i % 3 === 0
    ? { idempotency: { scope: '/v1/append', key: `Schlüssel ${i}`, digest: new Uint8Array(32).fill(i) } }
    : {}),
}))

/** The same workload always gives the same bytes: time and epochs are counted. */
async function write(io: SimulatedIo): Promise<void> {
  let micros = 1_700_000_000_000_000n
  let epochs = 0
  const counted: Io = {
    ...io,
    clock: { nowMicros: () => (micros += 1_000n), monotonicMs: () => 0, after: () => () => {} },
    random: { bytes: (length) => new Uint8Array(length).fill(++epochs) },
  }
  let commits = 0
  // Compressed bytes would be the runtime's, not ours.
  const history = { compression: 'none' } as const
  const options = { sealNow: () => commits++ % 2 === 1, sizes, history }
  const { log, store } = await openFileStore(counted, folder, options)
  for (const append of appends) await log.append(append)
  await store.settle()
  await log.close()
}

async function describeLog(io: SimulatedIo): Promise<unknown> {
  const log = await openFileLog(io, folder, { sealNow: () => true, sizes, history: { rewrite: false } })
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
    await writeFile(`${golden}/log.json`, `${JSON.stringify(await describeLog(io))}\n`)
  })
}

const isLog = (name: string): boolean => /\.(history|journal)$/.test(name)

it('reads what version 1 wrote', async () => {
  const io = simulatedIo(2)
  for (const name of await readdir(golden)) {
    if (isLog(name)) io.disk.place(`${folder}/${name}`, await readFile(`${golden}/${name}`))
  }
  expect(await describeLog(io)).toEqual(JSON.parse(await readFile(`${golden}/log.json`, 'utf8')))
})

it('writes the same bytes as version 1', async () => {
  const io = simulatedIo(3)
  await write(io)
  const names = (await readdir(golden)).filter(isLog)
  expect(names.filter((name) => name.endsWith('.history')).length).toBeGreaterThan(1)
  expect(await io.disk.list(folder)).toEqual(names.sort())
  for (const name of names) {
    const [now, then] = [io.disk.contentOf(`${folder}/${name}`), await readFile(`${golden}/${name}`)]
    expect(Buffer.compare(now, then), name).toBe(0)
  }
})
