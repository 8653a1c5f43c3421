import { expect, it } from 'vitest'
import { piecesOf } from '../../../test/support/buckets.ts'
import { simulatedIo } from '../../io/twin/simulated-io.ts'
import { findBase } from './base.ts'
import { baseName, baseNames, encodeManifest, type Manifest, openSnapshots } from './manifest.ts'
import { SnapshotFolder } from './snapshot-folder.ts'

/** As it was written first: a base stays readable, since nothing else has what it stands for. */
const golden =
  '{"checksum":"771325fa","snapshot":{"version":1,"hashVersion":1,"tick":7,"about":{"files":[],"log":"a1","base":{"text":"t","program":{"topics":[],"views":[]},"marks":[]}},"files":[]}}\n'

const manifest: Manifest = {
  version: 1,
  hashVersion: 1,
  tick: 7,
  about: { files: [], log: 'a1', base: { text: 't', program: { topics: [], views: [] }, marks: [] } },
  files: [],
}

it('reads a base as it was written first', async () => {
  const { disk } = simulatedIo(1, { idle: 'advance' })
  const file = await disk.open(`state/${baseName(7)}`, { create: true })
  await file.write(new TextEncoder().encode(golden), 0)
  await file.sync()
  await file.close()
  expect(await findBase(disk, 'state')).toEqual({ base: manifest, damaged: [] })
  expect(Buffer.from(encodeManifest(manifest)).toString()).toBe(golden)
  disk.flipBit(`state/${baseName(7)}`, 60, 1)
  const { base, damaged } = await findBase(disk, 'state')
  expect(base).toBe(null)
  expect(damaged[0]).toMatch(/base-000000000000007\.json.* can’t be used/)
})

it('stands, and is the only one, where the power goes behind a start after a sync that failed', async () => {
  const folder = 'd/state'
  for (let seed = 1; seed <= 24; seed++) {
    const label = `seed ${seed}`
    const io = simulatedIo(seed)
    const snapshots = await SnapshotFolder.open(io, folder, null)
    for (const tick of [1, 2]) {
      await snapshots.add(piecesOf('a', [['i64']], new Map([[BigInt(tick), [[[BigInt(tick)]]]]])))
      await snapshots.commit(tick, { files: [] })
      // Of the three syncs of a manifest the last one makes its name durable; the snapshot's own is written before.
      if (tick === 2) io.disk.plan = { failSyncs: [io.disk.syncs + 6] }
      const pinned = await snapshots.pin(tick, {}).then(
        () => true,
        () => false,
      )
      expect(pinned, label).toBe(tick === 1)
    }
    let again = io.rerun()
    const fails = seed % 3 === 0
    if (fails) again.disk.plan = { failSyncs: [again.disk.syncs + 3] }
    await SnapshotFolder.open(again, folder, (await openSnapshots(again, folder)).newest)
    if (fails) {
      again = again.rerun()
      await SnapshotFolder.open(again, folder, (await openSnapshots(again, folder)).newest)
    }
    const { disk } = again.restart()
    expect(await findBase(disk, folder), label).toMatchObject({ base: { tick: 2 }, damaged: [] })
    expect(baseNames(await disk.list(folder)), label).toEqual([baseName(2)])
  }
})
