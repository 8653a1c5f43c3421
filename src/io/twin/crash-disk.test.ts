import { describe, expect, it } from 'vitest'
import type { DiskFile } from '../io.ts'
import { IoError } from '../io.ts'
import { type SimulatedIo, simulatedIo } from './simulated-io.ts'

const bytesOf = async (file: DiskFile): Promise<number[]> => {
  const into = new Uint8Array(await file.size())
  await file.read(into, 0)
  return [...into]
}

async function synced(io: SimulatedIo, path: string, bytes: Uint8Array): Promise<DiskFile> {
  const file = await io.disk.open(path, { create: true })
  await file.write(bytes, 0)
  await file.sync()
  await io.disk.syncFolder(path.slice(0, path.lastIndexOf('/')))
  return file
}

const seeds = Array.from({ length: 60 }, (_, seed) => seed)
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

describe('a crash', () => {
  it('keeps what was synced, and its name when the folder was', async () => {
    for (const seed of seeds) {
      const io = simulatedIo(seed)
      await synced(io, 'd/a', filled(2000, 1))
      const file = await io.restart().disk.open('d/a')
      expect(await bytesOf(file), `seed ${seed}`).toEqual([...filled(2000, 1)])
    }
  })

  it('keeps, loses or tears by sectors what was not', async () => {
    const seen = new Set<string>()
    for (const seed of seeds) {
      const io = simulatedIo(seed)
      const file = await synced(io, 'd/a', filled(2048, 1))
      await file.write(filled(1536, 2), 256)
      const after = await bytesOf(await io.restart().disk.open('d/a'))
      const parts = [after.slice(256, 512), after.slice(512, 1024), after.slice(1024, 1536), after.slice(1536, 1792)]
      for (const part of parts) expect(new Set(part).size, 'a sector is old or new').toBe(1)
      expect(after.slice(0, 256).concat(after.slice(1792)), `seed ${seed}`).toEqual([...filled(512, 1)])
      seen.add(parts.map((part) => part[0]).join(''))
    }
    expect(seen).toContain('1111')
    expect(seen).toContain('2222')
    expect(seen.size).toBeGreaterThan(6)
  })

  it('lets writes reach the disk in any order, also over the same bytes', async () => {
    const seen = new Set<number>()
    for (const seed of seeds) {
      const io = simulatedIo(seed)
      const file = await synced(io, 'd/a', filled(100, 1))
      await file.write(filled(100, 2), 0)
      await file.write(filled(100, 3), 0)
      const after = await bytesOf(await io.restart().disk.open('d/a'))
      expect(new Set(after).size, `seed ${seed}`).toBe(1)
      seen.add(after[0])
    }
    expect([...seen].sort()).toEqual([1, 2, 3])
  })

  it('may lose a name whose folder was not synced, whatever was synced in the file', async () => {
    let lost = 0
    for (const seed of seeds) {
      const io = simulatedIo(seed)
      const file = await io.disk.open('d/a', { create: true })
      await file.write(filled(10, 1), 0)
      await file.sync()
      if ((await io.restart().disk.list('d')).length === 0) lost++
    }
    expect(lost).toBeGreaterThan(10)
    expect(lost).toBeLessThan(50)
  })

  it('does not save a write that completed only after the sync had begun', async () => {
    let lost = 0
    for (const seed of seeds) {
      const io = simulatedIo(seed)
      const file = await synced(io, 'd/a', filled(512, 1))
      const late = file.write(filled(512, 2), 0)
      await Promise.all([file.sync(), late])
      if ((await bytesOf(await io.restart().disk.open('d/a')))[0] === 1) lost++
    }
    expect(lost).toBeGreaterThan(5)
  })

  it('stops the program at any chosen boundary, and no later', async () => {
    const whole = simulatedIo(1)
    await synced(whole, 'd/a', filled(100, 1))
    expect(whole.disk.boundaries).toBe(8)
    for (let crashAt = 1; crashAt <= 8; crashAt++) {
      const io = simulatedIo(1, { disk: { crashAt } })
      const done = synced(io, 'd/a', filled(100, 1)).then(() => 'done')
      expect(await Promise.race([done, io.crashed.then(() => 'crashed')])).toBe('crashed')
      expect(io.disk.boundaries).toBe(crashAt)
    }
  })
})

describe('a failed sync', () => {
  it('is not saved by another one', async () => {
    let lost = 0
    for (const seed of seeds) {
      const io = simulatedIo(seed, { disk: { failSyncs: [3] } })
      const file = await synced(io, 'd/a', filled(512, 1))
      await file.write(filled(512, 2), 0)
      await expect(file.sync()).rejects.toThrow(IoError)
      await file.sync()
      expect((await bytesOf(file))[0]).toBe(2)
      if ((await bytesOf(await io.restart().disk.open('d/a')))[0] === 1) lost++
    }
    expect(lost).toBeGreaterThan(5)
  })

  it('is mended by writing again', async () => {
    for (const seed of seeds) {
      const io = simulatedIo(seed, { disk: { failSyncs: [3] } })
      const file = await synced(io, 'd/a', filled(512, 1))
      await file.write(filled(512, 2), 0)
      await expect(file.sync()).rejects.toThrow(IoError)
      await file.write(filled(512, 2), 0)
      await file.sync()
      expect((await bytesOf(await io.restart().disk.open('d/a')))[0]).toBe(2)
    }
  })
})

describe('a program that is killed', () => {
  it('leaves what it wrote, unsafe until synced', async () => {
    let lost = 0
    for (const seed of seeds) {
      const io = simulatedIo(seed)
      const file = await synced(io, 'd/a', filled(512, 1))
      await file.write(filled(512, 2), 0)
      const next = io.rerun()
      const again = await next.disk.open('d/a')
      expect((await bytesOf(again))[0]).toBe(2)
      if (seed % 2 === 0) await again.sync()
      const after = (await bytesOf(await next.restart().disk.open('d/a')))[0]
      if (seed % 2 === 0) expect(after).toBe(2)
      else if (after === 1) lost++
    }
    expect(lost).toBeGreaterThan(3)
  })
})

it('a full disk refuses growth, never overwriting', async () => {
  const io = simulatedIo(7, { disk: { capacityBytes: 1000 } })
  const file = await synced(io, 'd/a', filled(900, 1))
  const error = await file.write(filled(200, 2), 850).catch((thrown: unknown) => thrown)
  expect((error as IoError).failure).toBe('full')
  expect(await file.size()).toBeLessThanOrEqual(1000)
  await file.write(filled(900, 3), 0)
})

it('tells what is in a folder, and how much room there is', async () => {
  const io = simulatedIo(1)
  await synced(io, 'd/a', filled(1000, 1))
  await synced(io, 'd/below/b', filled(200, 1))
  await synced(io, 'e/c', filled(34, 1))
  expect(await io.disk.bytesIn('d')).toBe(1200)
  expect(await io.disk.space('d')).toBeNull()
  io.disk.plan = { capacityBytes: 2000 }
  expect(await io.disk.space('d')).toEqual({ freeBytes: 766, totalBytes: 2000 })
})

it('the same seed gives the same machine', async () => {
  const run = async (seed: number): Promise<unknown> => {
    const io = simulatedIo(seed)
    const file = await synced(io, 'd/a', io.random.bytes(3000))
    await Promise.all([1, 2, 3].map((n) => file.write(filled(1024, n), n * 512)))
    const next = io.restart()
    return [next.clock.nowMicros(), await bytesOf(await next.disk.open('d/a'))]
  }
  expect(await run(5)).toEqual(await run(5))
  expect(await run(5)).not.toEqual(await run(6))
})

describe('a reader', () => {
  it('reads what is there at once, flipped bits too, and on after its name was removed', async () => {
    const io = simulatedIo(1)
    await synced(io, 'd/a', Uint8Array.of(1, 2, 3, 4, 5))
    const reader = io.disk.openReader('d/a')
    const into = new Uint8Array(4)
    expect([reader.size, reader.read(into, 2), ...into]).toEqual([5, 3, 3, 4, 5, 0])
    io.disk.flipBit('d/a', 2, 7)
    expect([reader.read(into, 1), ...into]).toEqual([4, 2, 131, 4, 5])
    await io.disk.remove('d/a')
    expect(reader.read(into, 0)).toBe(4)
    expect(() => io.disk.openReader('d/a')).toThrow(IoError)
    reader.close()
  })
})

describe('a copy', () => {
  it('is a disk of its own: what is damaged there stays there', async () => {
    const io = simulatedIo(1)
    const file = await synced(io, 'd/a', filled(1000, 1))
    await file.write(filled(10, 2), 500)
    expect(io.disk.recentWrites().at(-1)).toMatchObject({ path: 'd/a', position: 500, before: filled(10, 1) })
    const copy = io.copy()
    const [write] = copy.disk.recentWrites().slice(-1)
    copy.disk.overwrite(write.path, write.position, write.before)
    copy.disk.overwrite('d/a', 995, filled(10, 3))
    copy.disk.cut('d/a', 998)
    const wanted = [...filled(995, 1), ...filled(3, 3)]
    expect(await bytesOf(await copy.disk.open('d/a'))).toEqual(wanted)
    expect(await bytesOf(await copy.restart().disk.open('d/a'))).toEqual(wanted)
    expect([...io.disk.contentOf('d/a')]).toEqual([...filled(500, 1), ...filled(10, 2), ...filled(490, 1)])
  })
})
