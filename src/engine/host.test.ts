import { expect, it } from 'vitest'
import type { Io } from '../io/io.ts'
import { startEngine } from './host.ts'

it('an engine that a tick cannot be sent to stops, and throws nothing at who hands it over', async () => {
  let posts = 0
  const post = (): void => {
    if (posts++ > 0) throw new RangeError('Array buffer allocation failed')
  }
  const io = { threads: { start: () => ({ post, stop: async () => {} }) } } as unknown as Io
  const host = startEngine(io, { topics: [], views: [] }, { engine: 'worker', memoryBytes: 1 << 20 })
  const stepped = host.step({ kind: 'tick', tick: 1, timeMicros: 1n, blocks: [] })
  await expect(stepped).rejects.toMatchObject({ code: 'engine/stopped' })
  await expect(stepped).rejects.toThrow('Array buffer allocation failed')
  await expect(host.status()).rejects.toMatchObject({ code: 'engine/stopped' })
  await host.stop()
})
