// Files become history while somebody reads: what moves from one to the other is in each answer once.
import { expect, it } from 'vitest'
import { BlockBuilder } from '../../data/block-builder.ts'
import { Prng } from '../../io/twin/prng.ts'
import { simulatedIo } from '../../io/twin/simulated-io.ts'
import { openFileStore } from '../file-log.ts'
import { type AppendBlock, endOf } from '../log.ts'

const sizes = { fileBytes: 3000, stepBytes: 1024, largeBytes: 700, reserveBytes: 256 }

function block(rows: number): AppendBlock {
  const builder = new BlockBuilder([{ name: 'n', type: { kind: 'integer' }, nullable: false }])
  for (let row = 0; row < rows; row++) {
    builder.beginRow()
    builder.columns[0].setI32(row, row)
    builder.commitRow()
  }
  return { topic: 1, rows, bytes: builder.finish() }
}

it.each([1, 2, 3])('takes nothing from those who read meanwhile (seed %i)', async (seed) => {
  const io = simulatedIo(seed, { idle: 'advance' })
  const history = { share: 1, busyShare: 1 }
  const { log, store } = await openFileStore(io, 'd/log', { sealNow: () => true, sizes, history })
  const prng = new Prng(seed)
  for (let round = 0; round < 40; round++) {
    for (let i = prng.below(20); i >= 0; i--) await log.append({ blocks: [block(1 + prng.below(30))] })
    // The rewriting is somewhere in the middle of what was closed just now.
    for (let turns = prng.below(60); turns > 0; turns--) await null
    const { tick, offsets } = log.position()
    const end = offsets.get(1)!
    const from = prng.below(end)
    const ticks: number[] = []
    const [read] = await Promise.all([log.readTopic(1, from, end), log.replay((one) => void ticks.push(one.tick))])
    expect(read[0].firstOffset).toBeLessThanOrEqual(from)
    for (let i = 1; i < read.length; i++) expect(read[i].firstOffset, `round ${round}`).toBe(endOf(read[i - 1]))
    expect(endOf(read.at(-1)!)).toBe(end)
    expect(ticks, `round ${round}`).toEqual(Array.from({ length: tick }, (_, i) => i + 1))
  }
  expect(store.files).toBeGreaterThan(5)
  await log.close()
})
