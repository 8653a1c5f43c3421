import { closeSync, fdatasyncSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'
import { cpus } from 'node:os'
import path from 'node:path'
import { median } from './measure.ts'
import { gigabytes, si, table } from './print.ts'

/** What this machine can do at all, so that figures can be compared over machines and runs. */
export interface Calibration {
  /** Bytes a second of 1 MiB writes, each followed by an fdatasync, into a file that grows. */
  readonly freshBytesPerSecond: number
  /** The same over a file that is already there in full. */
  readonly recycledBytesPerSecond: number
  /** Median milliseconds of a 200 B write and its fdatasync. */
  readonly smallSyncMs: number
  /** Elements a second: counting 32-bit keys into 1024 groups, in one plain loop over typed arrays. */
  readonly loopPerSecond: number
}

const blockBytes = 1 << 20

export function calibrate(folder: string, smoke: boolean): Calibration {
  const blocks = smoke ? 8 : 256
  const file = path.join(folder, 'calibration')
  const passes = smoke ? 1 : 3
  const fresh: number[] = []
  const recycled: number[] = []
  for (let i = 0; i < passes; i++) {
    rmSync(file, { force: true })
    fresh.push(writeBlocks(file, blocks))
    recycled.push(writeBlocks(file, blocks))
  }
  const smallSyncMs = smallSyncs(file, smoke ? 20 : 500)
  rmSync(file)
  return {
    freshBytesPerSecond: median(fresh),
    recycledBytesPerSecond: median(recycled),
    smallSyncMs,
    loopPerSecond: countingLoop(smoke ? 4 : 64),
  }
}

export function printCalibration(found: Calibration): void {
  console.log(
    `Calibration: ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`,
  )
  table(
    ['what the machine does', 'figure'],
    [
      ['1 MiB write + fdatasync, fresh file', gigabytes(found.freshBytesPerSecond)],
      ['1 MiB write + fdatasync, recycled file', gigabytes(found.recycledBytesPerSecond)],
      ['200 B write + fdatasync, median', `${found.smallSyncMs.toFixed(2)} ms`],
      ['typed-array loop, count per key', `${si(found.loopPerSecond)}/s`],
    ],
  )
}

/** @returns bytes a second of 1 MiB writes with an fdatasync after each; the file is made when it is missing */
export function writeBlocks(file: string, blocks: number): number {
  const block = Buffer.alloc(blockBytes, 0x5a)
  const handle = openSync(file, 'a+')
  closeSync(handle)
  const out = openSync(file, 'r+')
  const start = performance.now()
  for (let i = 0; i < blocks; i++) {
    writeSync(out, block, 0, blockBytes, i * blockBytes)
    fdatasyncSync(out)
  }
  const seconds = (performance.now() - start) / 1000
  closeSync(out)
  return (blocks * blockBytes) / seconds
}

function smallSyncs(file: string, count: number): number {
  const out = openSync(file, 'r+')
  ftruncateSync(out, blockBytes)
  fdatasyncSync(out)
  const block = Buffer.alloc(200, 0x5a)
  const ms: number[] = []
  for (let i = 0; i < count; i++) {
    const start = performance.now()
    writeSync(out, block, 0, block.length, i * block.length)
    fdatasyncSync(out)
    ms.push(performance.now() - start)
  }
  closeSync(out)
  return median(ms)
}

function countingLoop(rounds: number): number {
  const keys = new Uint32Array(1 << 20)
  for (let i = 0; i < keys.length; i++) keys[i] = Math.imul(i, 0x9e3779b1)
  const counts = new Int32Array(1024)
  const rates: number[] = []
  for (let pass = 0; pass < 5; pass++) {
    const start = performance.now()
    for (let round = 0; round < rounds; round++) countKeys(keys, counts)
    rates.push((rounds * keys.length * 1000) / (performance.now() - start))
  }
  return median(rates)
}

function countKeys(keys: Uint32Array, counts: Int32Array): void {
  for (let i = 0; i < keys.length; i++) counts[keys[i] >>> 22]++
}
