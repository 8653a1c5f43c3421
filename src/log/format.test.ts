// Both format versions stay readable, and what is written stays as it is. The files are made by
// MILLRACE_GOLDEN=write; they never change for a version that was released.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { wideBlock } from '../../test/support/wide-block.ts'
import type { Io } from '../io/io.ts'
import { Prng } from '../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { openFileLog } from './file-log.ts'
import { readFrameHeader, viewOf } from './frame.ts'
import { fileHeaderBytes } from './journal-file.ts'
import type { Append, Log } from './log.ts'

const folder = 'd/log'
const sizes = { fileBytes: 1600, stepBytes: 512, largeBytes: 600, reserveBytes: 256, sectionBytes: 100 }
const history = { rewrite: false }

/** Bytes that nobody could take for a block's columns: a whole frame has one checksum. */
const opaque: readonly Append[] = [
  { blocks: [{ topic: 1, rows: 2, bytes: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9) }] },
  {
    blocks: [
      { topic: 1, rows: 1, bytes: Uint8Array.of(10) },
      { topic: 4_000_000_000, rows: 16384, bytes: new Uint8Array(300).fill(7) },
    ],
    idempotency: { scope: '/v1/topics/flight/events', key: 'Schlüssel', digest: new Uint8Array(32).fill(0xab) },
  },
  { blocks: [], idempotency: { scope: '', key: 'nothing', digest: new Uint8Array(0) } },
  { blocks: [{ topic: 2, rows: 3, bytes: new Uint8Array(700).map((_, i) => i) }] },
  { blocks: [{ topic: 1, rows: 5, bytes: new Uint8Array(24).fill(1) }] },
]

/** Blocks with large columns, which have checksums of their own, beside others. */
const wide: readonly Append[] = [
  { blocks: [{ topic: 1, rows: 16, bytes: wideBlock(new Prng(1), 16) }] },
  {
    blocks: [
      { topic: 2, rows: 3, bytes: wideBlock(new Prng(2), 3) },
      { topic: 1, rows: 20, bytes: wideBlock(new Prng(3), 20) },
      { topic: 3, rows: 14, bytes: wideBlock(new Prng(4), 14) },
    ],
    idempotency: { scope: '/v1/topics/wide/events', key: 'k', digest: new Uint8Array(32).fill(0xcd) },
  },
  { blocks: [{ topic: 1, rows: 1, bytes: wideBlock(new Prng(5), 1) }] },
  { blocks: [{ topic: 2, rows: 30, bytes: wideBlock(new Prng(6), 30) }] },
]

/** The same workload always gives the same bytes: time and epochs are counted. */
async function write(io: SimulatedIo, appends: readonly Append[]): Promise<void> {
  let micros = 1_700_000_000_000_000n
  let epochs = 0
  const counted: Io = {
    ...io,
    clock: { ...io.clock, nowMicros: () => (micros += 1_000n), monotonicMs: () => 0, after: () => () => {} },
    random: { bytes: (length) => new Uint8Array(length).fill(++epochs) },
  }
  let commits = 0
  const open = (): Promise<Log> => openFileLog(counted, folder, { sealNow: () => commits++ % 2 === 1, sizes, history })
  const log = await open()
  for (const append of appends) await log.append(append)
  log.requestSeal(true)
  await log.close()
  await (await open()).close()
}

async function describeLog(io: SimulatedIo, appends: readonly Append[]): Promise<unknown> {
  const log = await openFileLog(io, folder, { sealNow: () => true, sizes, history })
  const ticks: unknown[] = []
  await log.replay(({ tick, timeMicros, blocks }) => {
    ticks.push({
      tick,
      timeMicros: `${timeMicros}`,
      blocks: blocks.map(({ bytes, appendedAtMicros, ...block }) => ({
        ...block,
        appendedAtMicros: `${appendedAtMicros}`,
        hex: Buffer.from(bytes).toString('hex'),
      })),
    })
  })
  const answers = []
  for (const append of appends) if (append.idempotency !== undefined) answers.push(await log.append(append))
  await log.close()
  return { ticks, answers }
}

describe.each([
  { version: 1, appends: opaque },
  { version: 2, appends: wide },
])('version $version', ({ version, appends }) => {
  const golden = fileURLToPath(new URL(`../../test/golden/log-v${version}`, import.meta.url))

  if (process.env['MILLRACE_GOLDEN'] === 'write') {
    it('writes the golden files', async () => {
      const io = simulatedIo(1)
      await write(io, appends)
      await mkdir(golden, { recursive: true })
      for (const name of await io.disk.list(folder)) {
        await writeFile(`${golden}/${name}`, io.disk.contentOf(`${folder}/${name}`))
      }
      await writeFile(`${golden}/log.json`, `${JSON.stringify(await describeLog(io, appends), null, 2)}\n`)
    })
  }

  it('is read', async () => {
    const io = simulatedIo(2)
    for (const name of await readdir(golden)) {
      if (name.endsWith('.journal')) io.disk.place(`${folder}/${name}`, await readFile(`${golden}/${name}`))
    }
    expect(await describeLog(io, appends)).toEqual(JSON.parse(await readFile(`${golden}/log.json`, 'utf8')))
  })

  it('is written, the same bytes', async () => {
    const io = simulatedIo(3)
    await write(io, appends)
    const names = (await readdir(golden)).filter((name) => name.endsWith('.journal'))
    expect(await io.disk.list(folder)).toEqual(names)
    for (const name of names) {
      const [now, then] = [io.disk.contentOf(`${folder}/${name}`), await readFile(`${golden}/${name}`)]
      expect(Buffer.from(now).toString('hex'), name).toBe(then.toString('hex'))
    }
  })

  it('is what the frames say', async () => {
    const found = new Set<number>()
    for (const name of (await readdir(golden)).filter((each) => each.endsWith('.journal'))) {
      const bytes = await readFile(`${golden}/${name}`)
      const view = viewOf(bytes)
      for (let at = fileHeaderBytes; ; ) {
        const frame = readFrameHeader(bytes, view, at)
        if (frame === null) break
        found.add(frame.version)
        at += frame.length
      }
    }
    expect(Math.max(...found)).toBe(version)
  })
})
