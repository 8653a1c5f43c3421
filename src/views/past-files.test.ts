import { expect, it } from 'vitest'
import { deltaBlock } from '../../test/support/delta-block.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { openPage } from './page.ts'
import { PastFiles } from './past-files.ts'
import { RetainedChanges } from './retained.ts'
import { Slices } from './slices.ts'

const schema: readonly ColumnSchema[] = [{ name: 'a', type: { kind: 'integer' }, nullable: true }]
const retention = { micros: null, bytes: 1 << 20 }

it('what was written for a snapshot that was given up is written anew: its name may be lost', async () => {
  const io = simulatedIo(1, { idle: 'advance' })
  const files = await PastFiles.open(io.disk, 'state')
  const changes = new RetainedChanges(schema, retention)
  const add = (tick: number): void => {
    const pages = [openPage(deltaBlock(schema, [{ row: [tick], weight: 1 }]), schema)]
    changes.add({ tick, timeMicros: BigInt(tick), pages, rows: 1, errors: 0 })
  }
  const save = async (): Promise<readonly string[]> => {
    const stored = await files.save([{ state: changes.state(), schema, retention }], 0n, new Slices(io.clock))
    return stored.files
  }
  for (let tick = 1; tick <= 600; tick++) add(tick)
  expect(await save()).toEqual(['changes-1.pages'])
  // The snapshot was given up, and with it the name.
  expect(await save()).toEqual(['changes-2.pages'])
  add(601)
  expect(await save()).toEqual(['changes-3.pages'])
  files.named()
  expect(await save()).toEqual(['changes-3.pages'])
  add(602)
  const both = await save()
  expect(both).toContain('changes-3.pages')
  expect(both).toContain('changes-4.pages')
  await files.close()
})
