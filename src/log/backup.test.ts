import { describe, expect, it } from 'vitest'
import { BlockBuilder } from '../data/block-builder.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { openFileLog } from './file-log.ts'
import type { AppendBlock, Log, SealedTick } from './log.ts'
import { openMemoryLog } from './memory-log.ts'
import { restoreBackup } from './restore.ts'

const sizes = { fileBytes: 4000, stepBytes: 1024, largeBytes: 700, reserveBytes: 256 }
const options = { sealNow: () => true, sizes }

function block(first: number, rows: number): AppendBlock {
  const builder = new BlockBuilder([{ name: 'n', type: { kind: 'integer' }, nullable: false }])
  for (let i = 0; i < rows; i++) {
    builder.beginRow()
    builder.columns[0].setI32(builder.rows, first + i)
    builder.commitRow()
  }
  return { topic: 1, rows, bytes: builder.finish() }
}

async function ticksOf(log: Log): Promise<SealedTick[]> {
  const ticks: SealedTick[] = []
  await log.replay(({ tick, timeMicros, blocks }) => {
    ticks.push({ tick, timeMicros, blocks })
  })
  return ticks
}

describe('a backup', () => {
  it.each([1, 2, 3, 4, 5])('made while appends go on equals the log up to its tick (seed %i)', async (seed) => {
    const io = simulatedIo(seed, { idle: 'advance' })
    const log = await openFileLog(io, 'd/log', options)
    for (let i = 0; i < 40; i++) await log.append({ blocks: [block(i, 1 + (i % 9))] })
    let appended = 40
    let over = false
    const copying = log.backup('copy').finally(() => (over = true))
    while (!over) await log.append({ blocks: [block(appended++, 3)] })
    const { tick, timeMicros, files } = await copying
    expect(appended).toBeGreaterThan(45)
    expect(tick).toBeGreaterThanOrEqual(40)
    expect(tick).toBeLessThan(log.position().tick)
    expect(files).toBeGreaterThan(2)
    await log.close()
    const all = await ticksOf(await openFileLog(io, 'd/log', options))
    const told: number[] = []
    expect(await restoreBackup(io.disk, 'copy', 'new', (bytes) => told.push(bytes))).toMatchObject({ tick, files })
    expect(told).toEqual([...told].sort((a, b) => a - b))
    // A restored folder is durable: it is all there when the machine stops.
    const restored = await openFileLog(io.restart(), 'new/log', options)
    expect(restored.position()).toMatchObject({ tick, timeMicros })
    expect(await ticksOf(restored)).toEqual(all.slice(0, tick))
    const answer = await restored.append({ blocks: [block(0, 1)] })
    expect(answer.tick).toBe(tick + 1)
  })

  it('of an empty log is one of tick 0', async () => {
    const io = simulatedIo(6, { idle: 'advance' })
    const log = await openFileLog(io, 'd/log', { ...options, sealNow: () => false })
    await log.append({ blocks: [block(0, 1)] })
    expect(await log.backup('copy')).toMatchObject({ tick: 0, files: 1, bytes: 512 })
    await log.close()
  })

  it('goes only where nothing is', async () => {
    const io = simulatedIo(7, { idle: 'advance' })
    const log = await openFileLog(io, 'd/log', options)
    await log.append({ blocks: [block(0, 1)] })
    io.disk.place('copy/mine', new Uint8Array(3))
    await expect(log.backup('copy')).rejects.toMatchObject({ code: 'backup/refused' })
    await expect(log.backup('d')).rejects.toMatchObject({ code: 'backup/refused' })
    await log.backup('copy', { beside: 'mine' })
    await expect(restoreBackup(io.disk, 'copy', 'd')).rejects.toMatchObject({ code: 'backup/refused' })
    await log.close()
    await expect(openMemoryLog(io, options).backup('other')).rejects.toMatchObject({ code: 'backup/refused' })
  })

  it('that is damaged, broke off or is none is not restored', async () => {
    const io = simulatedIo(8, { idle: 'advance' })
    const log = await openFileLog(io, 'd/log', options)
    for (let i = 0; i < 30; i++) await log.append({ blocks: [block(i, 3)] })
    await log.backup('copy')
    await log.close()
    const [file] = await io.disk.list('copy/log')
    for (const byte of [9, 600, 1000]) {
      io.disk.flipBit(`copy/log/${file}`, byte, 2)
      await expect(restoreBackup(io.disk, 'copy', 'new')).rejects.toMatchObject({ code: 'log/corrupt' })
      io.disk.flipBit(`copy/log/${file}`, byte, 2)
    }
    expect(await io.disk.list('new')).toEqual([])
    await io.disk.remove('copy/backup.json')
    await expect(restoreBackup(io.disk, 'copy', 'new')).rejects.toMatchObject({ code: 'backup/refused' })
    await expect(restoreBackup(io.disk, 'nowhere', 'new')).rejects.toMatchObject({ code: 'backup/refused' })
  })

  it('or a restore that the machine cuts short is never taken for a whole one', async () => {
    for (let at = 1; ; at++) {
      let io = simulatedIo(at, { idle: 'advance' })
      const log = await openFileLog(io, 'd/log', options)
      for (let i = 0; i < 12; i++) await log.append({ blocks: [block(i, 30)] })
      const before = io.disk.boundaries
      io.disk.plan = { crashAt: before + at }
      const work = log.backup('copy').then(() => restoreBackup(io.disk, 'copy', 'new'))
      await Promise.race([work, io.crashed])
      if (io.disk.boundaries < before + at) break
      io = io.restart()
      const restored = await openFileLog(io, 'new/log', options).catch((error) => error)
      if ('code' in restored) expect(restored.code).toBe('log/corrupt')
      else expect([0, 12]).toContain(restored.position().tick)
      await io.disk.remove('copy/backup.json').catch(() => {})
    }
  })
})
