import { expect, it } from 'vitest'
import { VirtualClock } from '../../io/twin/virtual-clock.ts'
import { HeldFiles, lastingReader } from './held-files.ts'
import type { LogMoment } from './log-moment.ts'

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

it('keep what is read, however long that takes, where another read of the same reader has ended', async () => {
  const clock = new VirtualClock({ idle: 'stand' })
  const removed: string[] = []
  const held = new HeldFiles(clock, async (path) => {
    removed.push(path)
  })
  let end = (): void => {}
  const log = {
    readTopic: (topic: number) =>
      topic === 1 ? new Promise((resolve) => (end = () => resolve([]))) : Promise.resolve([]),
  } as unknown as LogMoment
  const reader = lastingReader(held, log, 1000)
  const slow = reader.readTopic(1, 0, 1)
  await reader.readTopic(2, 0, 1)
  await held.drop(['a'])
  await clock.advance(5000)
  await turn()
  expect(removed).toEqual([])
  end()
  expect(await slow).toEqual([])
  await clock.advance(900)
  expect(await reader.readTopic(2, 0, 1)).toEqual([])
  await clock.advance(1100)
  await turn()
  expect(removed).toEqual(['a'])
  await expect(reader.readTopic(2, 0, 1)).rejects.toMatchObject({ code: 'log/reader-expired' })
  await reader.close()
})
