import { describe, expect, it } from 'vitest'
import { Prng } from '../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { openFileLog } from './file-log.ts'
import { lengthAt, viewOf } from './frame.ts'
import { fileHeaderBytes } from './journal-file.ts'
import type { SealedTick } from './log.ts'

/** A block's worth of bytes that says who it is, in every word. */
function bytesOf(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  new Uint32Array(bytes.buffer).fill(seed * 2654435761)
  return bytes
}

/** Sizes from a word to a block that fills several pieces of what replay reads at once. */
function sizesFrom(prng: Prng, count: number): number[] {
  const limits = [4, 3_000, 30_000, 400_000]
  return Array.from({ length: count }, (_, i) => 8 * (i === count >> 1 ? 700_000 : 1 + prng.below(limits[i % 4])))
}

async function journalOf(io: SimulatedIo, prng: Prng, sizes: readonly number[]): Promise<void> {
  const log = await openFileLog(io, 'log', { sealNow: () => prng.chance(0.7), sizes: { fileBytes: 20 << 20 } })
  for (const [i, size] of sizes.entries()) {
    await log.append({ blocks: [{ topic: 1, rows: 1 + (i % 5), bytes: bytesOf(i, size) }] })
  }
  await log.close()
}

function expectAll(ticks: readonly SealedTick[], first: number, sizes: readonly number[]): number {
  let at = first
  for (const { blocks } of ticks) {
    for (const { bytes } of blocks) {
      expect(Buffer.compare(bytes, bytesOf(at, sizes[at]))).toBe(0)
      at++
    }
  }
  return at
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

  for (const [seed, mergeRows] of [0, 3, 20, 1000].entries()) {
    it(`uses no memory again while somebody may read it, merging up to ${mergeRows} rows (seed ${seed})`, async () => {
      const prng = new Prng(seed)
      const io = simulatedIo(seed, { idle: 'advance' })
      const sizes = sizesFrom(prng, 60)
      await journalOf(io, prng, sizes)
      const log = await openFileLog(io, 'log', { sealNow: () => true })
      // As with an engine in a thread: several ticks are under way, and some are given back late or never.
      const underWay: SealedTick[] = []
      const kept: { readonly tick: SealedTick; readonly first: number }[] = []
      let checked = 0
      const end = (tick: SealedTick): void => {
        const first = checked
        checked = expectAll([tick], first, sizes)
        if (prng.chance(0.1)) kept.push({ tick, first })
        else tick.release?.()
      }
      await log.replay(async (tick) => {
        underWay.push(tick)
        while (underWay.length > prng.below(4)) end(underWay.shift()!)
        await Promise.resolve()
      }, mergeRows)
      for (const tick of underWay) end(tick)
      expect(checked).toBe(sizes.length)
      for (const { tick, first } of kept) expectAll([tick], first, sizes)
      await log.close()
    })
  }

  it('needs the same few pieces of memory for any length of log', async () => {
    const prng = new Prng(1)
    const io = simulatedIo(1, { idle: 'advance' })
    await journalOf(io, prng, Array<number>(60).fill(1_500_000))
    const log = await openFileLog(io, 'log', { sealNow: () => true })
    const buffers = new Set<ArrayBufferLike>()
    await log.replay(({ blocks, release }) => {
      for (const { bytes } of blocks) buffers.add(bytes.buffer)
      release?.()
    }, 10)
    await log.close()
    // Some for the history, some for the journal.
    expect(buffers.size).toBeLessThanOrEqual(12)
  })

  it('ends its reading where whoever it hands ticks to throws', async () => {
    const prng = new Prng(2)
    const io = simulatedIo(2, { idle: 'advance' })
    await journalOf(io, prng, Array<number>(20).fill(1_000_000))
    const log = await openFileLog(io, 'log', { sealNow: () => true })
    const refusing = log.replay(() => {
      throw new Error('no more')
    })
    await expect(refusing).rejects.toThrow('no more')
    await log.close()
  })

  for (const [where, byteInFrame] of [
    ['length', 8],
    ['body', 500_000],
  ] as const) {
    it(`refuses by name a frame that was damaged after the log was opened (its ${where})`, async () => {
      const io = simulatedIo(3, { idle: 'advance' })
      await journalOf(io, new Prng(3), Array<number>(15).fill(1_000_000))
      const log = await openFileLog(io, 'log', { sealNow: () => true })
      const path = 'log/00000001.journal'
      const content = io.disk.contentOf(path)
      const starts: number[] = []
      for (let at = fileHeaderBytes; at < content.byteLength && starts.length < 15; ) {
        starts.push(at)
        at += lengthAt(viewOf(content), at)
      }
      io.disk.flipBit(path, starts[9] + byteInFrame, 3)
      let blocks = 0
      const read = log.replay((tick) => {
        blocks += tick.blocks.length
        tick.release?.()
      })
      await expect(read).rejects.toMatchObject({ code: 'log/corrupt', place: { file: path, offset: starts[9] } })
      expect(blocks).toBeGreaterThan(5)
      expect(blocks).toBeLessThanOrEqual(9)
      await log.close()
    })
  }
})
