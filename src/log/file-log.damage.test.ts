// One bit turns anywhere: the log refuses by name, or cuts what nobody could know to be durable; it never misreads.
import { describe, expect, it } from 'vitest'
import { wideBlock } from '../../test/support/wide-block.ts'
import { MillraceError } from '../data/errors.ts'
import { Prng } from '../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { openFileLog } from './file-log.ts'
import { viewOf } from './frame.ts'
import { encodeFileHeader } from './journal-file.ts'
import type { Log, SealedTick } from './log.ts'

const folder = 'd/log'
const sizes = { fileBytes: 2500, stepBytes: 1024, largeBytes: 700, reserveBytes: 256, sectionBytes: 64 }
const history = { rewrite: false }

async function write(io: SimulatedIo, seed: number): Promise<Log> {
  const prng = new Prng(seed)
  const log = await openFileLog(io, folder, { sealNow: () => prng.chance(0.7), sizes, history })
  for (let i = 0; i < 12; i++) {
    // Bytes that have one checksum with all of their frame, and blocks whose large columns have their own.
    const rows = 1 + prng.below(10)
    const bytes = prng.chance(0.5) ? prng.bytes(prng.below(400)) : wideBlock(prng, rows)
    const blocks = [{ topic: prng.below(2), rows, bytes }]
    const idempotency = { scope: `/${seed}`, key: `k${i}`, digest: prng.bytes(32) }
    await log.append(prng.chance(0.5) ? { blocks } : { blocks, idempotency })
  }
  return log
}

async function read(io: SimulatedIo): Promise<SealedTick[]> {
  const log = await openFileLog(io, folder, { sealNow: () => true, sizes, history })
  const ticks: SealedTick[] = []
  await log.replay((tick) => {
    ticks.push(tick)
  })
  await log.close()
  return ticks
}

async function journal(io: SimulatedIo): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  for (const name of await io.disk.list(folder)) files.set(`${folder}/${name}`, io.disk.contentOf(`${folder}/${name}`))
  return files
}

function machineWith(files: ReadonlyMap<string, Uint8Array>): SimulatedIo {
  const io = simulatedIo(1)
  for (const [path, bytes] of files) io.disk.place(path, bytes)
  return io
}

/** Each block as a line: comparing bytes one by one would take most of the time. */
const flatten = (ticks: readonly SealedTick[]): string[] =>
  ticks.flatMap(({ tick, blocks }) =>
    blocks.map(
      ({ bytes, ...rest }) => `${tick} ${Object.values(rest).join(' ')} ${Buffer.from(bytes).toString('hex')}`,
    ),
  )

async function flipAndRead(files: ReadonlyMap<string, Uint8Array>, path: string, byte: number, bit: number) {
  const io = machineWith(files)
  io.disk.flipBit(path, byte, bit)
  return read(io).catch((error: unknown) => error)
}

describe('a turned bit', () => {
  it.each([1, 2, 3])(
    'below the mark of a clean close is refused, elsewhere it changes nothing (seed %i)',
    async (seed) => {
      const io = simulatedIo(seed)
      await (await write(io, seed)).close()
      const files = await journal(io)
      expect(files.size).toBeGreaterThan(2)
      const whole = await read(machineWith(files))
      expect(flatten(whole)).toHaveLength(12)
      const prng = new Prng(seed)
      const last = [...files.keys()].at(-1)!
      let refused = 0
      for (const [path, bytes] of files) {
        for (let i = 0; i < 250; i++) {
          const byte = prng.below(bytes.length)
          const bit = prng.below(8)
          const label = `seed ${seed}, ${path}, byte ${byte}, bit ${bit}`
          const result = await flipAndRead(files, path, byte, bit)
          if (Array.isArray(result)) {
            expect(flatten(result), label).toEqual(flatten(whole))
          } else {
            expect(result, label).toBeInstanceOf(MillraceError)
            const { code, place } = result as MillraceError
            expect(code, label).toBe('log/corrupt')
            expect(place.file, label).toBe(path)
            expect(place.offset, label).toBeLessThanOrEqual(byte)
            refused++
          }
          if (path === last || byte < 512) continue
          // All of a file but its last zeros was durable when the next one was begun.
          const used = usedBytes(files, path)
          expect(Array.isArray(result), label).toBe(byte >= used)
        }
      }
      expect(refused).toBeGreaterThan(200)
    },
  )

  it.each([4, 5, 6])('above all marks is cut, with its commit and nothing else (seed %i)', async (seed) => {
    const io = simulatedIo(seed)
    await write(io, seed)
    const files = await journal(io.rerun())
    const whole = flatten(await read(machineWith(files)))
    const prng = new Prng(seed)
    let cut = 0
    for (const [path, bytes] of files) {
      for (let i = 0; i < 250; i++) {
        const [byte, bit] = [prng.below(bytes.length), prng.below(8)]
        const label = `seed ${seed}, ${path}, byte ${byte}, bit ${bit}`
        const result = await flipAndRead(files, path, byte, bit)
        if (!Array.isArray(result)) {
          expect((result as MillraceError).code, label).toBe('log/corrupt')
          continue
        }
        const blocks = flatten(result)
        expect(blocks, label).toEqual(whole.slice(0, blocks.length))
        expect(blocks.length, label).toBeGreaterThanOrEqual(whole.length - 1)
        if (blocks.length < whole.length) cut++
      }
    }
    expect(cut).toBeGreaterThan(3)
  })
})

/** Where the frames of a file that is not the last one end. */
function usedBytes(files: ReadonlyMap<string, Uint8Array>, path: string): number {
  const paths = [...files.keys()]
  const base = (at: number): number => Number(viewOf(files.get(paths[at])!).getBigUint64(32, true))
  const at = paths.indexOf(path)
  return base(at + 1) - base(at)
}

describe('files', () => {
  async function refusal(change: (files: Map<string, Uint8Array>, paths: string[]) => void): Promise<MillraceError> {
    const io = simulatedIo(9)
    await (await write(io, 9)).close()
    const files = await journal(io)
    change(files, [...files.keys()])
    const error = await read(machineWith(files)).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(MillraceError)
    return error as MillraceError
  }

  it('that are missing are named', async () => {
    for (const at of [0, 1]) {
      const error = await refusal((files, paths) => files.delete(paths[at]))
      expect(error.code).toBe('log/corrupt')
      expect(error.message).toContain(`0000000${at + 1}.journal is missing`)
    }
  })

  it('that were cut short, or exchanged, are refused', async () => {
    const short = await refusal((files, paths) => files.set(paths[0], files.get(paths[0])!.slice(0, 900)))
    expect(short.code).toBe('log/corrupt')
    const exchanged = await refusal((files, paths) => {
      const first = files.get(paths[0])!
      files.set(paths[0], files.get(paths[1])!)
      files.set(paths[1], first)
    })
    expect(exchanged.code).toBe('log/corrupt')
  })

  it('of another journal are not taken for their own', async () => {
    const io = simulatedIo(10)
    await (await write(io, 10)).close()
    const others = await journal(io)
    const error = await refusal((files, paths) => files.set(paths[1], others.get(paths[1])!))
    expect(error.code).toBe('log/corrupt')
  })

  it('of a later format are refused by version', async () => {
    const error = await refusal((files, paths) => {
      const header = encodeFileHeader({ number: 1, epoch: 1n, base: 0, sequence: 1, previous: 0, stale: 0 })
      files.set(paths[0], withVersion(header, 2))
    })
    expect(error.code).toBe('log/version')
    expect(error.message).toContain('format version 2')
  })

  it('whose making was cut short are made again', async () => {
    const io = simulatedIo(11)
    await (await write(io, 11)).close()
    const files = await journal(io)
    const whole = flatten(await read(machineWith(files)))
    for (const torn of [new Uint8Array(0), new Uint8Array(1024), new Uint8Array(512).fill(7)]) {
      const machine = machineWith(files)
      machine.disk.place(`${folder}/${String(files.size + 1).padStart(8, '0')}.journal`, torn)
      expect(flatten(await read(machine))).toEqual(whole)
      const log = await write(machine, 12)
      await log.close()
      expect(flatten(await read(machine))).toHaveLength(whole.length + 12)
    }
  })
})

/** The header as a later version, whose checksum is right, would write it. */
function withVersion(header: Uint8Array, version: number): Uint8Array {
  viewOf(header).setUint32(8, version, true)
  viewOf(header).setUint32(4, crc(header.subarray(8)), true)
  return header
}

function crc(bytes: Uint8Array): number {
  let value = -1
  for (const byte of bytes) {
    value ^= byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  }
  return ~value >>> 0
}
