import fc from 'fast-check'
import { expect, it } from 'vitest'
import { packTick, unpackTick } from './pack.ts'
import type { TopicBlock } from './port.ts'

const block = fc.record({
  topic: fc.nat(2 ** 32 - 1),
  partition: fc.nat(5),
  firstOffset: fc.nat(Number.MAX_SAFE_INTEGER),
  appendedAtMicros: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  content: fc.uint8Array({ maxLength: 50 }),
  several: fc.boolean(),
  gaps: fc.boolean(),
  piece: fc.constantFrom('own', 'shared', 'the next shared'),
})

const commits = { ends: Uint32Array.of(1, 3), micros: Float64Array.of(5, 6), ticks: Float64Array.of(1, 2) }

it('gives a tick back as it was, over any way that buffers go', () => {
  fc.assert(
    fc.property(fc.array(block, { maxLength: 20 }), fc.boolean(), (made, closing) => {
      let memory = new SharedArrayBuffer(8 * 1024)
      let at = 0
      const blocks = made.map(({ content, piece, several, gaps, ...place }): TopicBlock => {
        if (piece === 'the next shared') {
          memory = new SharedArrayBuffer(8 * 1024)
          at = 0
        }
        const length = content.byteLength
        const bytes = piece === 'own' ? new Uint8Array(length) : new Uint8Array(memory, at, length)
        bytes.set(content)
        if (piece !== 'own') at += (length + 7) & ~7
        return { ...place, bytes, ...(several ? { commits } : {}), ...(gaps ? { offsets: Float64Array.of(7, 9) } : {}) }
      })
      const input = {
        kind: 'tick' as const,
        tick: 3,
        timeMicros: 7n,
        blocks,
        ...(closing ? { closeWindows: true } : {}),
      }
      const { packed, transfer } = packTick(input)
      const back = unpackTick(structuredClone(packed, { transfer }))
      expect({ ...back, blocks: [] }).toEqual({ ...input, blocks: [] })
      expect(back.blocks.length).toBe(made.length)
      back.blocks.forEach(({ bytes, ...place }, i) => {
        const { content, piece, several, gaps, ...expected } = made[i]
        expect(place).toEqual({
          ...expected,
          ...(several ? { commits } : {}),
          ...(gaps ? { offsets: Float64Array.of(7, 9) } : {}),
        })
        expect([...bytes]).toEqual([...content])
        expect(bytes.byteOffset % 8).toBe(0)
        // The log's own bytes are still there, and what is shared was not copied.
        expect(blocks[i].bytes.byteLength).toBe(content.byteLength)
        expect(bytes.buffer instanceof SharedArrayBuffer).toBe(piece !== 'own')
      })
    }),
  )
})
