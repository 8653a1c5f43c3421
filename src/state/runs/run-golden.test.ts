// Version 1 of runs and manifests stays readable, and what is written stays version 1. The files are made by
// MILLRACE_GOLDEN=write; they never change for a version that was released.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { type Bucket, lookUpAll, piecesOf } from '../../../test/support/buckets.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { openSnapshots } from '../snapshots/manifest.ts'
import { SnapshotFolder } from '../snapshots/snapshot-folder.ts'
import { ColdRuns } from './cold-runs.ts'

const golden = fileURLToPath(new URL('../../../test/golden/state-v1', import.meta.url))
const folder = 'd/state'
const sections = [['i32', 'i64', 'f64', 'bytes'], ['i64']] as const

function bucket(i: number): Bucket {
  const row = [i, BigInt(i) << 40n, i / 4, i % 3 === 0 ? null : 'ä'.repeat(i % 50)]
  return i % 7 === 0 ? [[], []] : [[row], Array.from({ length: i % 5 }, (_, k) => [BigInt(-k)])]
}

async function write(io: SimulatedIo): Promise<void> {
  const snapshots = await SnapshotFolder.open(io, folder, null)
  for (const tick of [3, 40]) {
    const buckets = Array.from({ length: 100 }, (_, i): [bigint, Bucket] => [
      BigInt.asUintN(64, BigInt(i * tick) * 0x9e3779b97f4a7c15n),
      bucket(i + tick),
    ])
    await snapshots.add(piecesOf('groups', sections, new Map(buckets)))
    await snapshots.add(piecesOf('distinct/1', [[]], new Map([[2n ** 63n, [[[], []]]]])))
    await snapshots.commit(tick, { files: [], log: 'golden', marks: [1, tick] })
  }
}

async function contents(io: SimulatedIo): Promise<string> {
  const { newest, passedOver } = await openSnapshots(io, folder)
  const store = new ColdRuns(io.disk, folder, newest?.files ?? [])
  const state = ['groups', 'distinct/1'].map((name) => [name, [...lookUpAll(store, name).found]])
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)
  return `${JSON.stringify({ newest, passedOver, state }, plain)}\n`
}

it('runs and manifests of version 1', async () => {
  const io = simulatedIo(1)
  await write(io)
  if (process.env['MILLRACE_GOLDEN'] === 'write') {
    await mkdir(golden, { recursive: true })
    for (const name of await io.disk.list(folder)) {
      await writeFile(`${golden}/${name}`, io.disk.contentOf(`${folder}/${name}`))
    }
    await writeFile(`${golden}/contents.json`, await contents(io))
  }
  const kept = simulatedIo(2)
  for (const name of await readdir(golden)) {
    if (name === 'contents.json') continue
    const bytes = await readFile(`${golden}/${name}`)
    kept.disk.place(`${folder}/${name}`, bytes)
    expect(Buffer.compare(io.disk.contentOf(`${folder}/${name}`), bytes), name).toBe(0)
  }
  expect(await contents(kept)).toBe(await readFile(`${golden}/contents.json`, 'utf8'))
})
