// The keeper's thread, as the owner sees it: on the simulator's threads, and once on a real one.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Bucket, type Buckets, lookUpAll, piecesOf, withRows } from '../../../test/support/buckets.ts'
import type { MillraceError } from '../../data/errors.ts'
import type { Io } from '../../io/io.ts'
import { nodeIo } from '../../io/node.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { ColdRuns } from '../runs/cold-runs.ts'
import { type Keeper, startKeeper } from './keeper.ts'
import { keeperThread } from './keeper-thread.ts'
import { type Manifest, openSnapshots } from './manifest.ts'

const folder = 'd/state'

function machine(seed: number): SimulatedIo {
  return simulatedIo(seed, { threads: { keeper: keeperThread }, idle: 'advance' })
}

/** Buckets that differ from tick to tick. */
function changesAt(tick: number): Map<bigint, Bucket> {
  const bucket = (i: number): Bucket => ((i + tick) % 5 === 0 ? [[]] : [[[`${i} at ${tick}`]]])
  return new Map(Array.from({ length: 40 }, (_, i) => [BigInt(i * (1 + (tick % 3))), bucket(i)]))
}

function stateAt(tick: number): Buckets {
  const state = new Map<bigint, Bucket>()
  for (let at = 1; at <= tick; at++) for (const [hash, bucket] of changesAt(at)) state.set(hash, bucket)
  return state
}

async function snapshot(keeper: Keeper, tick: number): Promise<Manifest> {
  const [buckets, ...rows] = piecesOf('a', [['bytes']], changesAt(tick))
  await keeper.add([buckets, ...rows])
  return keeper.commit(tick, { files: [], tick })
}

function expectState(io: Io, at: string, { files, tick }: Manifest): void {
  const store = new ColdRuns(io.disk, at, files)
  expect(lookUpAll(store, 'a').found).toEqual(withRows(stateAt(tick)))
  store.close()
}

const handedOn = (keeper: Keeper, manifest: Manifest): readonly string[] =>
  keeper.indexesOf(manifest).map(({ name }) => name)

describe('the keeper', () => {
  it('takes snapshots, merges their runs meanwhile, and removes what is left over', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const io = machine(seed)
      const keeper = startKeeper(io, folder, null)
      expect(await keeper.opened).toEqual([])
      const merged: Manifest[] = []
      keeper.onMerged((manifest) => {
        expectState(io, folder, manifest)
        expect(handedOn(keeper, manifest)).toEqual(manifest.files.map(({ name }) => name))
        merged.push(manifest)
      })
      for (let tick = 1; tick <= 20; tick++) {
        const manifest = await snapshot(keeper, tick)
        expect(manifest.tick).toBe(tick)
        expectState(io, folder, manifest)
        expect(handedOn(keeper, manifest)).toEqual(manifest.files.map(({ name }) => name))
        const kept = await keeper.dropUnused(manifest)
        expect(kept.map((one) => one.tick)).toEqual([tick, tick - 1].filter((at) => at > 0))
      }
      await io.clock.advance(1000)
      await keeper.close()
      expect(merged.length).toBeGreaterThan(2)
      const last = merged.at(-1) as Manifest
      expect(last.files.length).toBeLessThan(8)
      const { newest } = await openSnapshots(io, folder)
      expect(newest?.tick).toBe(20)
      expect((await io.disk.list(folder)).length).toBeLessThan(20)
    }
  })

  it('goes on from a snapshot, and removes newer ones', async () => {
    const io = machine(1)
    const before = startKeeper(io, folder, null)
    const first = await snapshot(before, 1)
    await snapshot(before, 2)
    await before.close()
    const { newest, passedOver } = await openSnapshots(io, folder, ({ tick }) => (tick === 2 ? 'of no use' : null))
    expect(passedOver).toEqual(['the snapshot snapshot-000000000000002.json is passed over: of no use'])
    expect(newest).toEqual(first)
    const keeper = startKeeper(io, folder, newest)
    expect(await keeper.opened).toEqual([first])
    expect((await openSnapshots(io, folder)).newest?.tick).toBe(1)
    expectState(io, folder, await snapshot(keeper, 2))
    await keeper.close()
  })

  it('gives up a snapshot by name, and takes the next', async () => {
    const io = machine(2)
    const keeper = startKeeper(io, folder, null)
    await snapshot(keeper, 1)
    io.disk.plan = { capacityBytes: 100 }
    const error = await snapshot(keeper, 2).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'state/snapshot',
      message: 'the snapshot at tick 2 is given up: the disk is full',
      hint: 'make room: the next one is taken then',
    })
    io.disk.plan = {}
    await keeper.add(piecesOf('a', [['bytes']], changesAt(2)))
    expectState(io, folder, await keeper.commit(2, { files: [] }))
    await keeper.close()
  })

  it('forgets what was added and never committed when the next capture begins', async () => {
    const io = machine(4)
    const keeper = startKeeper(io, folder, null)
    await keeper.add(piecesOf('a', [['bytes']], changesAt(2)))
    keeper.begin()
    expectState(io, folder, await snapshot(keeper, 1))
    await keeper.close()
  })

  it('says where runs that it merges are damaged, and leaves them as they are', async () => {
    const io = machine(3)
    const keeper = startKeeper(io, folder, null)
    const trouble = new Promise<MillraceError>((resolve) => keeper.onTrouble(resolve))
    for (let tick = 1; tick <= 3; tick++) await snapshot(keeper, tick)
    const [name] = (await io.disk.list(folder)).filter((one) => one.startsWith('run-'))
    io.disk.flipBit(`${folder}/${name}`, 100, 3)
    const last = await snapshot(keeper, 4)
    expect(await trouble).toMatchObject({
      code: 'state/corrupt',
      message: `${folder}/${name} is damaged at byte 32: the checksum of a block is wrong`,
      place: { file: `${folder}/${name}` },
    })
    expect((await openSnapshots(io, folder)).newest).toEqual(last)
    await keeper.close()
  })

  it('refuses everything once it is closed or its thread has failed', async () => {
    const io = machine(4)
    const keeper = startKeeper(io, folder, null)
    await keeper.close()
    await expect(keeper.commit(1, { files: [] })).rejects.toMatchObject({ code: 'log/closed' })
    await keeper.add([])
    const failing = simulatedIo(4, {
      threads: {
        keeper: () => () => {
          throw new Error('told to')
        },
      },
    })
    const failed = startKeeper(failing, folder, null)
    await expect(failed.opened).rejects.toMatchObject({ code: 'state/snapshot' })
    await expect(failed.commit(1, { files: [] })).rejects.toThrow('told to')
    await failed.close()
  })
})

it('a real thread does the same', async () => {
  const io = nodeIo()
  const real = `${await mkdtemp(path.join(tmpdir(), 'millrace-keeper-'))}/state`
  const keeper = startKeeper(io, real, null, { runBytes: 2000 })
  const merged = new Promise<Manifest>((resolve) => keeper.onMerged(resolve))
  for (let tick = 1; tick <= 6; tick++) {
    const pieces = piecesOf('a', [['bytes']], changesAt(tick))
    await keeper.add(pieces)
    expect(pieces.every(({ bytes }) => bytes.length === 0)).toBe(true)
    expectState(io, real, await keeper.commit(tick, { files: [], tick }))
  }
  expectState(io, real, await merged)
  const { newest } = await openSnapshots(io, real)
  expect(newest?.tick).toBe(6)
  expect((await keeper.dropUnused(newest as Manifest)).length).toBe(2)
  expectState(io, real, newest as Manifest)
  await keeper.close()
  await rm(path.dirname(real), { recursive: true })
})
