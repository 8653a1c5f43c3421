import { describe, expect, it } from 'vitest'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { openFileLog } from './file-log.ts'

/** A block's worth of bytes that says who it is, in every word. */
function bytesOf(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  new Uint32Array(bytes.buffer).fill(seed * 2654435761)
  return bytes
}

describe('replay', () => {
  it('goes on after any tick, in this file or the next', async () => {
    const io = simulatedIo(9, { idle: 'advance' })
    const options = { sealNow: () => true, sizes: { fileBytes: 1 << 20, stepBytes: 1 << 16 } }
    const log = await openFileLog(io, 'log', options)
    for (let i = 0; i < 40; i++) {
      await log.append({ blocks: [{ topic: 1, rows: 1, bytes: bytesOf(i, 8 * (1 + ((i * 7919) % 20_000))) }] })
    }
    await log.close()
    for (const afterTick of [0, 1, 2, 13, 27, 39, 40]) {
      const again = await openFileLog(io, 'log', options)
      const ticks: number[] = []
      await again.replay(
        ({ tick, blocks }) => {
          ticks.push(tick)
          expect(blocks.map(({ firstOffset }) => firstOffset)).toEqual([tick - 1])
        },
        0,
        afterTick,
      )
      expect(ticks).toEqual(Array.from({ length: 40 - afterTick }, (_, i) => afterTick + 1 + i))
      await again.close()
    }
  })

  it('gives the same ticks when their memory is used again as soon as it may be', async () => {
    const io = simulatedIo(7, { idle: 'advance' })
    const log = await openFileLog(io, 'log', { sealNow: () => true })
    const sizes = Array.from({ length: 60 }, (_, i) => 8 * (1 + ((i * 7919) % 30_000)))
    for (const [i, size] of sizes.entries()) {
      await log.append({ blocks: [{ topic: 1, rows: 1 + (i % 5), bytes: bytesOf(i, size) }] })
    }
    await log.close()
    for (const mergeRows of [0, 3, 20, 1000]) {
      const again = await openFileLog(io, 'log', { sealNow: () => true })
      const seen: Uint8Array[] = []
      let late: (() => void) | undefined
      await again.replay(async ({ blocks, release }) => {
        // One tick's blocks may still be read while the next is handed over: as with an engine in a thread.
        const copies = blocks.map(({ bytes }) => bytes.slice())
        late?.()
        late = release
        await Promise.resolve()
        seen.push(...copies)
        blocks.forEach(({ bytes }, k) => {
          expect(Buffer.compare(bytes, copies[k])).toBe(0)
        })
      }, mergeRows)
      await again.close()
      expect(seen.length).toBe(sizes.length)
      for (const [i, bytes] of seen.entries()) expect(Buffer.compare(bytes, bytesOf(i, sizes[i]))).toBe(0)
    }
  })
})
