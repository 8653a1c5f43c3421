// What views retain, on disk, in version 1: written byte for byte, and read ever after. The file is made by
// MILLRACE_GOLDEN=write; it never changes for a version that was released.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { deltaBlock } from '../../test/support/delta-block.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { openPage } from './page.ts'
import { PastFiles } from './past-files.ts'
import { RetainedChanges } from './retained.ts'
import { Slices } from './slices.ts'

const golden = fileURLToPath(new URL('../../test/golden/past-v1/changes-1.pages', import.meta.url))
const schema: readonly ColumnSchema[] = [
  { name: 'a', type: { kind: 'integer' }, nullable: true },
  { name: 'b', type: { kind: 'text' }, nullable: true },
]
const retention = { micros: null, bytes: 1 << 20 }

function retained(): RetainedChanges {
  const made = new RetainedChanges(schema, retention)
  for (let tick = 3; tick < 600; tick += 2) {
    const count = tick === 11 ? 3000 : tick % 4
    const changes = Array.from({ length: count }, (_, i) => ({
      row: [i % 7 === 0 ? null : tick * 10 + i, i % 5 === 1 ? null : `tick ${tick}, ${'ä'.repeat(i % 9)}`],
      weight: tick % 3 === 0 ? -2 : 1,
    }))
    const pages = count === 0 ? [] : [openPage(deltaBlock(schema, changes), schema)]
    const timeMicros = 1_700_000_000_000_000n + BigInt(tick)
    made.add({ tick, timeMicros, pages, rows: tick % 3 === 0 ? -2 * count : count, errors: count === 0 ? -1 : 0 })
  }
  return made
}

/** All that is told of each tick. */
function everything(changes: RetainedChanges): unknown {
  const all: unknown[] = []
  for (let change = changes.next(2); change; change = changes.next(change.tick)) {
    const { pages, ...told } = change
    const shown = pages.map(({ rows, weights, columns: [a], memory }) => {
      const numbers = memory.i32.slice(a.data >>> 2, (a.data >>> 2) + rows)
      return [rows, weights === null ? null : [...weights], [...numbers]]
    })
    all.push([told, shown])
  }
  return all
}

it('what a view retains, version 1', async () => {
  const io = simulatedIo(1, { idle: 'advance' })
  const files = await PastFiles.open(io.disk, 'state')
  const state = retained().state()
  const stored = await files.save([{ state, schema, retention }, null], 0n, new Slices(io.clock))
  expect(stored).toEqual({
    version: 1,
    files: ['changes-1.pages'],
    views: [{ expiredTick: 0, list: { file: 1, page: 8 } }, null],
  })
  if (process.env['MILLRACE_GOLDEN'] === 'write') {
    await mkdir(fileURLToPath(new URL('.', `file://${golden}`)), { recursive: true })
    await writeFile(golden, io.disk.contentOf('state/changes-1.pages'))
  }
  expect(Buffer.compare(io.disk.contentOf('state/changes-1.pages'), await readFile(golden))).toBe(0)
  const other = simulatedIo(2, { idle: 'advance' })
  other.disk.place('state/changes-1.pages', await readFile(golden))
  const found = await PastFiles.open(other.disk, 'state')
  const read = new RetainedChanges(schema, retention)
  read.goOnFrom(found.load(stored, 0, 599, schema)!)
  expect([read.expiredTick, read.knownTick]).toEqual([599, 0])
  // The nearest past is read first.
  await read.recall(300)
  expect(read.expiredTick).toBe(11)
  await read.recall(2)
  expect(everything(read)).toEqual(everything(retained()))
})
