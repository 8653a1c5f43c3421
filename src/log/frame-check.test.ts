// Large columns of a frame's blocks have checksums of their own: who doesn't read one doesn't look at it.
import { describe, expect, it } from 'vitest'
import { wideBlock } from '../../test/support/wide-block.ts'
import { blockColumn, openBlock } from '../data/block.ts'
import { crc32 } from '../data/crc32.ts'
import { MillraceError } from '../data/errors.ts'
import { Prng } from '../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { checkLog } from './check.ts'
import { openFileLog } from './file-log.ts'
import { frameHeaderBytes, readFrameHeader, viewOf } from './frame.ts'
import { readSection, sectionEntryBytes } from './frame-sections.ts'
import { fileHeaderBytes } from './journal-file.ts'
import type { ColumnsRead, Log, LoggedBlock } from './log.ts'

const folder = 'd/log'
const path = `${folder}/00000001.journal`
const sizes = { sectionBytes: 128, stepBytes: 1024, largeBytes: 700, reserveBytes: 256 }
const options = { sealNow: () => true, sizes, history: { rewrite: false } }

async function journalOf(seed: number, rows: readonly number[]): Promise<{ io: SimulatedIo; blocks: Uint8Array[] }> {
  const io = simulatedIo(seed)
  const prng = new Prng(seed)
  const log = await openFileLog(io, folder, options)
  const blocks = rows.map((count) => wideBlock(prng, count))
  for (let i = 0; i < blocks.length; i += 2) {
    const both = [i, i + 1].filter((at) => at < blocks.length)
    await log.append({ blocks: both.map((at) => ({ topic: 1 + (at % 2), rows: rows[at], bytes: blocks[at] })) })
  }
  await log.close()
  return { io, blocks }
}

const rows = [40, 30, 1, 100, 2, 60]

async function replayed(log: Log, columns?: ColumnsRead): Promise<LoggedBlock[]> {
  const found: LoggedBlock[] = []
  await log.replay(
    ({ blocks }) => {
      for (const block of blocks) found.push({ ...block, bytes: block.bytes.slice() })
    },
    0,
    0,
    undefined,
    columns,
  )
  return found
}

interface FoundSection {
  readonly frame: number
  readonly topic: number
  readonly column: number
  readonly from: number
  readonly to: number
}

function sectionsIn(bytes: Uint8Array): FoundSection[] {
  const view = viewOf(bytes)
  const found: FoundSection[] = []
  for (let at = fileHeaderBytes; ; ) {
    const frame = readFrameHeader(bytes, view, at)
    if (frame === null) return found
    const list = at + frame.length - frame.sections * sectionEntryBytes
    for (let i = 0; i < frame.sections; i++) {
      const { block, column, start, length } = readSection(view, list + i * sectionEntryBytes)
      const topic = view.getUint32(at + frame.directory + block * 32, true)
      found.push({ frame: at, topic, column, from: at + start, to: at + start + length })
    }
    at += frame.length
  }
}

describe('a frame with large columns', () => {
  it('is of version 2, and gives every block back byte by byte', async () => {
    const { io, blocks } = await journalOf(1, rows)
    const bytes = io.disk.contentOf(path)
    expect(readFrameHeader(bytes, viewOf(bytes), fileHeaderBytes)).toMatchObject({ version: 2 })
    const sections = sectionsIn(bytes)
    expect(new Set(sections.map(({ topic }) => topic))).toEqual(new Set([1, 2]))
    expect(sections.length).toBeGreaterThan(8)
    const log = await openFileLog(io, folder, options)
    expect((await replayed(log)).map((block) => block.bytes)).toEqual(blocks)
    await log.close()
    expect(await checkLog(io.disk, folder)).toMatchObject({ blocks: rows.length })
  })

  it('without any is of version 1', async () => {
    const { io } = await journalOf(1, [1, 1, 2])
    const bytes = io.disk.contentOf(path)
    expect(readFrameHeader(bytes, viewOf(bytes), fileHeaderBytes)).toMatchObject({ version: 1, sections: 0 })
  })

  it('gives who reads some columns just those, and the small ones', async () => {
    const { io, blocks } = await journalOf(2, rows)
    const log = await openFileLog(io, folder, options)
    const read = await replayed(log, new Map([[1, new Set([0, 3])]]))
    expect(read).toHaveLength(rows.length)
    for (const [i, { topic, bytes, rows: count }] of read.entries()) {
      const [was, is] = [openBlock(blocks[i]), openBlock(bytes)]
      expect(is.rows).toBe(count)
      const large = rows[i] > 20
      for (const [id, section] of was.columns) {
        const kept = !large || is.columns.has(id)
        const wanted = topic === 1 && (id === 0 || id === 3 || id === blockColumn.operation)
        if (wanted) expect(kept, `column ${id}`).toBe(true)
        if (large && !wanted && section.length >= 128) expect(kept, `column ${id}`).toBe(false)
        if (kept) expect(is.columns.get(id)).toEqual(section)
      }
    }
    await log.close()
  })

  it('that is damaged in what nobody reads is refused as soon as somebody does', async () => {
    const { io } = await journalOf(3, rows)
    const log = await openFileLog(io, folder, options)
    const section = sectionsIn(io.disk.contentOf(path)).find(({ topic, column }) => topic === 1 && column === 2)!
    io.disk.flipBit(path, section.from + 3, 5)
    const others: ColumnsRead = new Map([
      [1, new Set([0, 1, 3])],
      [2, new Set([2])],
    ])
    expect(await replayed(log, others)).toHaveLength(rows.length)
    const refusal = { code: 'log/corrupt', place: { file: path, offset: section.frame } }
    await expect(replayed(log, new Map([[1, new Set([2])]]))).rejects.toMatchObject(refusal)
    await expect(replayed(log)).rejects.toMatchObject(refusal)
    await expect(log.readTopic(1, 0, 1000)).rejects.toMatchObject(refusal)
    await log.close()
    await expect(openFileLog(io, folder, options)).rejects.toMatchObject(refusal)
    await expect(checkLog(io.disk, folder)).rejects.toMatchObject(refusal)
  })

  it('that is damaged anywhere is refused by who opens the log, and never read wrongly by who has it open', async () => {
    const { io } = await journalOf(4, [17, 16, 2])
    const whole = io.disk.contentOf(path).slice()
    const opened = machineWith(whole)
    const log = await openFileLog(opened, folder, options)
    const columns: ColumnsRead = new Map([[1, new Set([1])]])
    const expected = lines(await replayed(log, columns))
    const prng = new Prng(4)
    let unread = 0
    for (let byte = fileHeaderBytes; byte < lastFrame(whole); byte++) {
      const label = `byte ${byte}`
      const bit = prng.below(8)
      opened.disk.flipBit(path, byte, bit)
      const some = await replayed(log, columns).then(lines, codeOf)
      if (some !== 'log/corrupt') expect(some, label).toBe(expected)
      if (some === expected) unread++
      expect(await replayed(log).then(lines, codeOf), label).toBe('log/corrupt')
      const damaged = machineWith(opened.disk.contentOf(path))
      expect(await openFileLog(damaged, folder, options).then(() => 'opened', codeOf), label).toBe('log/corrupt')
      opened.disk.flipBit(path, byte, bit)
    }
    expect(unread).toBeGreaterThan(300)
    expect(lines(await replayed(log, columns))).toBe(expected)
    await log.close()
  })

  it('of a later version is refused by name, by who opens the log as by who has it open', async () => {
    const { io } = await journalOf(5, [40, 30])
    const log = await openFileLog(io, folder, options)
    const bytes = io.disk.contentOf(path).slice()
    const view = viewOf(bytes)
    view.setUint16(fileHeaderBytes + 12, 3, true)
    const sum = crc32(bytes.subarray(fileHeaderBytes + 8, fileHeaderBytes + frameHeaderBytes))
    view.setUint32(fileHeaderBytes + 4, sum, true)
    io.disk.place(path, bytes)
    await expect(replayed(log)).rejects.toMatchObject({ code: 'log/version' })
    await expect(openFileLog(machineWith(bytes), folder, options)).rejects.toThrow('format version 3')
    await log.close().catch(() => {})
  })
})

/** Rows and columns of blocks, as one text: what stands between is nobody's concern. */
function lines(blocks: readonly LoggedBlock[]): string {
  return blocks
    .map(({ topic, firstOffset, bytes }) => {
      const { memory, rows, columns } = openBlock(bytes)
      const cells = [...columns].map(([id, { data, length, state }]) => {
        const states = state === 0 ? '' : Buffer.from(memory.u8.subarray(state, state + rows)).toString('hex')
        return `${id} ${Buffer.from(memory.u8.subarray(data, data + length)).toString('hex')} ${states}`
      })
      return `${topic} ${firstOffset} ${rows} ${cells.join()}`
    })
    .join('\n')
}

const codeOf = (error: unknown): string => (error instanceof MillraceError ? error.code : String(error))

function machineWith(bytes: Uint8Array): SimulatedIo {
  const io = simulatedIo(1)
  io.disk.place(path, bytes.slice())
  return io
}

/** Where the last frame starts, the mark of a clean close: what is before it was durable. */
function lastFrame(bytes: Uint8Array): number {
  const view = viewOf(bytes)
  let last = fileHeaderBytes
  for (let at = last; ; ) {
    const frame = readFrameHeader(bytes, view, at)
    if (frame === null) return last
    last = at
    at += frame.length
  }
}
