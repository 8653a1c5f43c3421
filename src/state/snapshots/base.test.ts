import { expect, it } from 'vitest'
import { simulatedIo } from '../../io/twin/simulated-io.ts'
import { findBase } from './base.ts'
import { baseName, encodeManifest, type Manifest } from './manifest.ts'

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
