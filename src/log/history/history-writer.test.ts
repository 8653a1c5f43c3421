import { expect, it } from 'vitest'
import { BlockBuilder } from '../../data/block-builder.ts'
import { simulatedIo } from '../../io/twin/simulated-io.ts'
import { HistoryWriter } from './history-writer.ts'

function event(): Uint8Array {
  const builder = new BlockBuilder([{ name: 'n', type: { kind: 'integer' }, nullable: false }])
  builder.beginRow()
  builder.columns[0].setI32(0, 7)
  builder.commitRow()
  return builder.finish()
}

it('gives others a turn in the middle of a tick of many small blocks', async () => {
  const file = await simulatedIo(1).disk.open('h', { create: true })
  const start = { position: 0, sequence: 1, previous: 0, tick: 0, tickMicros: 0, commitMicros: 0, offsets: [] }
  let turns = 0
  const breathe = async (): Promise<void> => {
    turns++
  }
  const writer = new HistoryWriter(file, 'a log', 1, start, { compression: 'none', breathe })
  const bytes = event()
  const blocks = Array.from({ length: 1000 }, (_, firstOffset) => {
    return { topic: 1, partition: 0, firstOffset, appendedAtMicros: 1n, rows: 1, bytes }
  })
  // Fewer rows than would fill a block of the history.
  await writer.add({ tick: 1, timeMicros: 1n, commits: [{ timeMicros: 1n, blocks, answers: [] }] })
  expect(turns).toBeGreaterThan(2)
  const footer = await writer.finish({ ...start, tick: 1, offsets: writer.offsets })
  expect(footer.topics[0].blocks[0].rows).toBe(1000)
})
