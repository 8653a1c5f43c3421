import { describe, expect, it } from 'vitest'
import { ChunkPool, HeldChunks } from './chunks.ts'

const mebibyte = 1 << 20

describe('chunks', () => {
  it('are handed out again when their last holder has given them up, not before', () => {
    const pool = new ChunkPool()
    const chunk = pool.take(1000)
    const first = new HeldChunks(pool)
    const second = new HeldChunks(pool)
    first.add(chunk)
    first.add(chunk)
    second.add(chunk)
    pool.release(chunk)
    expect(pool.take(1000)).not.toBe(chunk)
    second.release()
    second.release()
    expect(pool.take(1000)).not.toBe(chunk)
    first.release()
    expect(pool.take(1000)).toBe(chunk)
  })

  it('count one holder for each tick that has blocks in them', () => {
    const pool = new ChunkPool()
    const chunk = pool.take(1000)
    const [tick, merged] = [new HeldChunks(pool), new HeldChunks(pool)]
    tick.add(chunk)
    merged.addAll(tick)
    tick.add(chunk)
    pool.release(chunk)
    merged.release()
    expect(pool.take(1000)).not.toBe(chunk)
    tick.release()
    expect(pool.take(1000)).toBe(chunk)
  })

  it('refuse to be given back more often than held', () => {
    const pool = new ChunkPool()
    const chunk = pool.take(1000)
    pool.release(chunk)
    expect(() => pool.release(chunk)).toThrow('nobody holds')
  })

  it('are large enough, also when the free ones are not', () => {
    const pool = new ChunkPool()
    const small = pool.take(1000)
    pool.release(small)
    const large = pool.take(5 * mebibyte + 1)
    expect(large.bytes.byteLength).toBeGreaterThan(5 * mebibyte)
    pool.release(large)
    expect(pool.take(5 * mebibyte)).toBe(large)
    expect(pool.take(1000)).toBe(small)
  })

  it('are kept up to a bound, the ones given back last', () => {
    const pool = new ChunkPool()
    const chunks = Array.from({ length: 40 }, () => pool.take(8 * mebibyte))
    for (const chunk of chunks) pool.release(chunk)
    const again = new Set(Array.from({ length: 40 }, () => pool.take(8 * mebibyte)))
    expect(chunks.filter((chunk) => again.has(chunk))).toEqual(chunks.slice(-16))
  })

  it('lie in shared memory where other threads read them', () => {
    expect(new ChunkPool(true).take(1).bytes.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(new ChunkPool().take(1).bytes.buffer).toBeInstanceOf(ArrayBuffer)
  })
})
