// A log whose closed files became history says the same as one that keeps its journal.
import { describe, expect, it } from 'vitest'
import { cellState, rawCell } from '../../data/batch.ts'
import { openBlock } from '../../data/block.ts'
import { BlockBuilder } from '../../data/block-builder.ts'
import { MillraceError } from '../../data/errors.ts'
import type { ColumnSchema } from '../../data/sql-type.ts'
import type { Io } from '../../io/io.ts'
import { Prng } from '../../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { checkLog } from '../check.ts'
import { openFileStore } from '../file-log.ts'
import type { Append, AppendBlock, Log, LoggedBlock, SealedTick } from '../log.ts'
import { restoreBackup } from '../restore.ts'
import type { RewriteOptions } from './rewrite.ts'
import type { HistoryStore } from './store.ts'

const folder = 'd/log'
const sizes = { fileBytes: 20_000, stepBytes: 4096, largeBytes: 3000, reserveBytes: 512 }

const column = (name: string, kind: 'bigint' | 'integer' | 'double' | 'text', nullable: boolean): ColumnSchema => ({
  name,
  type: { kind },
  nullable,
})
const schema = [
  column('id', 'bigint', false),
  column('at', 'bigint', true),
  column('n', 'integer', true),
  column('price', 'double', true),
  column('url', 'text', true),
  column('channel', 'text', false),
]
const times = 1_700_000_000_000_000

/** Events as they come: counters, times, few and many different texts, NULLs, deletes, unknown fields. */
function block(prng: Prng, topic: number, rows: number): AppendBlock {
  const builder = new BlockBuilder(schema)
  const sparse = prng.chance(0.3)
  for (let i = 0; i < rows; i++) {
    builder.beginRow()
    const row = builder.rows
    const [id, at, n, price, url, channel] = builder.columns
    if (prng.chance(0.02)) id.setBig(row, 2n ** 62n + BigInt(i))
    else id.setI64(row, 1000 + i)
    if (sparse || prng.chance(0.2)) at.setNull(row)
    else at.setI64(row, times + i * 1000)
    if (prng.chance(0.1)) n.setNull(row)
    else n.setI32(row, prng.below(200) - 100)
    if (sparse) price.setNull(row)
    else price.setF64(row, prng.below(1000) / 8)
    if (prng.chance(0.1)) url.setNull(row)
    else url.setText(row, `https://example.com/ä/${prng.below(1_000_000)}`)
    channel.setText(row, ['app', 'web', ''][prng.below(3)])
    if (topic === 2 && prng.chance(0.1)) builder.setDelete()
    if (topic === 3 && prng.chance(0.1)) builder.setRest(new TextEncoder().encode('{"x":1}'), 0, 7)
    builder.commitRow()
  }
  return { topic, rows, bytes: builder.finish() }
}

function makeAppend(prng: Prng, i: number, opaque = true): Append {
  const blocks = Array.from({ length: 1 + prng.below(3) }, () =>
    opaque && prng.chance(0.05)
      ? { topic: 9, rows: 2, bytes: prng.bytes(1 + prng.below(300)) }
      : block(prng, 1 + prng.below(3), 1 + prng.below(prng.chance(0.1) ? 200 : 12)),
  )
  if (prng.chance(0.6)) return { blocks }
  return { blocks, idempotency: { scope: '/ä', key: `k${i}`, digest: prng.bytes(8) } }
}

interface Opened<I = SimulatedIo> {
  readonly io: I
  readonly log: Log
  readonly store: HistoryStore
}

async function open<I extends Io>(io: I, history: Partial<RewriteOptions>, seed: number): Promise<Opened<I>> {
  const prng = new Prng(seed)
  const opened = await openFileStore(io, folder, { sealNow: () => prng.chance(0.6), sizes, history })
  return { io, ...opened }
}

async function emptyTick(log: Log): Promise<void> {
  const { tick } = log.position()
  log.requestSeal(true)
  while (log.position().tick === tick) await new Promise(setImmediate)
}

/** The same appends into a log that keeps its journal and one that rewrites it. */
async function twins(
  seed: number,
  history: Partial<RewriteOptions> = {},
  opaque = true,
): Promise<readonly [Opened, Opened]> {
  const made: Opened[] = []
  for (const options of [{ rewrite: false }, { share: 1, busyShare: 1, ...history }]) {
    const io = simulatedIo(seed, { idle: 'advance' })
    // Both shall have the same times, whatever else their disks do.
    let micros = BigInt(times)
    const { clock } = io
    const clocked = {
      ...io,
      clock: {
        nowMicros: () => (micros += 997n),
        monotonicMs: () => clock.monotonicMs(),
        after: (ms: number, task: () => void) => clock.after(ms, task),
      },
    }
    const opened = await open(clocked, options, seed)
    const prng = new Prng(seed)
    for (let i = 0; i < 250; i++) {
      await opened.log.append(makeAppend(prng, i, opaque))
      // Ticks without events, one after the other.
      for (let k = 0; k < 2 && i % 20 === 19; k++) await emptyTick(opened.log)
    }
    opened.log.requestSeal(true)
    await opened.store.settle()
    await io.clock.advance(1000)
    made.push({ ...opened, io })
  }
  const [plain, old] = made
  expect(old.log.position()).toEqual(plain.log.position())
  return [plain, old]
}

/** What an event says, wherever its block begins. */
function rowsOf({ bytes, rows, topic, firstOffset, ...logged }: LoggedBlock, tick: number): string[] {
  const opened = topic === 9 ? null : openBlock(bytes)
  let part = 0
  return Array.from({ length: rows }, (_, row) => {
    const { commits } = logged
    if (commits !== undefined && row >= commits.ends[part]) part++
    const micros = commits === undefined ? logged.appendedAtMicros : BigInt(commits.micros[part])
    const where = `${topic} ${firstOffset + row} ${micros} ${commits === undefined ? tick : commits.ticks[part]}`
    if (opened === null) return `${where} ${Buffer.from(bytes).toString('hex')}`
    const cells = [...opened.columns]
      .sort(([a], [b]) => a - b)
      .map(([id, cell]) => [id, cellState(opened.memory, cell, row), rawCell(opened.memory, cell, row)] as const)
      // A column that isn't there is NULL, and no operation is an append.
      .filter(([id, state, value]) => (id === 65534 ? value !== 0 : state !== 1))
    return `${where} ${cells.map(([id, state, value]) => `${id}:${state}:${value}`).join(' ')}`
  })
}

interface Replayed {
  readonly ticks: readonly { readonly tick: number; readonly timeMicros: bigint; readonly rows: string[] }[]
  readonly blocks: number
}

async function replayed(log: Log, ...range: [mergeRows?: number, after?: number, through?: number]): Promise<Replayed> {
  const ticks: Replayed['ticks'][number][] = []
  let blocks = 0
  let late: SealedTick['release']
  await log.replay(
    (sealed) => {
      const rows = sealed.blocks.flatMap((logged) => rowsOf(logged, sealed.tick))
      ticks.push({ tick: sealed.tick, timeMicros: sealed.timeMicros, rows })
      blocks += sealed.blocks.length
      late?.()
      late = sealed.release
    },
    ...range,
  )
  return { ticks, blocks }
}

describe.each([1, 2, 3])('a log with history (seed %i)', (seed) => {
  it('replays each tick as a journal does, from any tick to any other', async () => {
    const [plain, old] = await twins(seed)
    expect(old.store.files).toBeGreaterThan(3)
    const all = await replayed(plain.log)
    expect(await replayed(old.log)).toEqual(all)
    const prng = new Prng(seed)
    const last = all.ticks.length
    for (let i = 0; i < 20; i++) {
      const range = [0, prng.below(last + 2), prng.below(last + 2)] as const
      expect(await replayed(old.log, ...range), `${range}`).toEqual(await replayed(plain.log, ...range))
    }
    const again = await open(old.io.restart(), {}, seed)
    expect(await replayed(again.log)).toEqual(all)
    expect(again.log.position()).toEqual(plain.log.position())
  })

  it('merges ticks into larger blocks, each event with its own commit and tick', async () => {
    const [plain, old] = await twins(seed)
    const all = (await replayed(plain.log)).ticks.flatMap(({ rows }) => rows)
    for (const mergeRows of [1, 50, 700, 100_000]) {
      const { ticks, blocks } = await replayed(old.log, mergeRows)
      const rows = ticks.flatMap((tick) => tick.rows)
      const byTopic = (lines: readonly string[]): string[] => [...lines].sort((a, b) => keyOf(a) - keyOf(b))
      const history = old.store.endTick
      const inHistory = (lines: readonly string[]): string[] => lines.filter((line) => tickOf(line) <= history)
      expect(byTopic(inHistory(rows)).join('\n') === byTopic(inHistory(all)).join('\n')).toBe(true)
      expect(rows).toHaveLength(all.length)
      for (let i = 1; i < ticks.length; i++) expect(ticks[i].tick).toBeGreaterThan(ticks[i - 1].tick)
      if (mergeRows === 100_000) expect(blocks).toBeLessThan((await replayed(plain.log)).blocks / 2)
    }
  })

  it('reads the wanted columns of the wanted topics, and nothing else', async () => {
    const [plain, old] = await twins(seed)
    const columns = new Map([
      [1, new Set([0, 4])],
      [2, new Set([5])],
      [3, new Set<number>()],
    ])
    const { endTick } = old.store
    const kept = (line: string): string => {
      const [topic, offset, micros, tick, ...cells] = line.split(' ')
      const read = cells.filter(
        (cell) => columns.get(Number(topic))!.has(parseInt(cell, 10)) || cell.startsWith('65534'),
      )
      return [topic, offset, micros, tick, ...read].join(' ')
    }
    const linesOf = async (log: Log, mergeRows: number, wanted?: typeof columns): Promise<string[]> => {
      const lines: string[] = []
      const each = ({ blocks, tick }: SealedTick): void => {
        for (const logged of blocks) if (columns.has(logged.topic)) lines.push(...rowsOf(logged, tick))
      }
      await log.replay(each, mergeRows, 0, endTick, wanted)
      return lines.map(kept).sort()
    }
    const all = (await linesOf(plain.log, 0)).join('\n')
    for (const mergeRows of [0, 300, 100_000]) {
      const lines = await linesOf(old.log, mergeRows, columns)
      expect(lines.join('\n') === all, `merging ${mergeRows}`).toBe(true)
    }
    const seen: number[] = []
    await old.log.replay(({ blocks }) => void seen.push(...blocks.map(({ topic }) => topic)), 0, 0, endTick, new Map())
    expect(seen).toEqual([])
  })

  it('reads a topic from any offset, and finds ticks by number and time', async () => {
    const [plain, old] = await twins(seed)
    const prng = new Prng(seed)
    const { offsets, tick } = plain.log.position()
    for (let i = 0; i < 60; i++) {
      const topic = [1, 2, 3, 9, 10][prng.below(5)]
      const range = [topic, prng.below((offsets.get(topic) ?? 0) + 3), 1 + prng.below(300)] as const
      const lines = (blocks: readonly (LoggedBlock & { tick: number })[]): string[] =>
        blocks.flatMap((each) => rowsOf(each, each.tick))
      const read = await old.log.readTopic(...range)
      expect(lines(read), `${range}`).toEqual(lines(await plain.log.readTopic(...range)))
    }
    for (let i = 0; i < 60; i++) {
      const number = { tick: prng.below(tick + 3) }
      expect(await old.log.findTick(number)).toEqual(await plain.log.findTick(number))
      const time = { timeMicros: BigInt(times + prng.below(1_000_000)) }
      const at = [1 + prng.below(4), BigInt(times + prng.below(300_000))] as const
      expect(await old.log.findOffset(...at), `${at}`).toBe(await plain.log.findOffset(...at))
      expect(await old.log.findTick(time)).toEqual(await plain.log.findTick(time))
    }
  })

  it('is checked, backed up and restored whole, and remembers its keys', async () => {
    const [plain, old] = await twins(seed, {}, false)
    const all = await replayed(plain.log)
    await old.log.backup('copy')
    await restoreBackup(old.io.disk, 'copy', 'new')
    const restored = await openFileStore(old.io, 'new/log', { sealNow: () => true, sizes })
    expect(await replayed(restored.log)).toEqual(all)
    await old.log.close()
    const again = await open(old.io, { rewrite: false }, seed)
    const prng = new Prng(seed)
    for (let i = 0; i < 250; i++) {
      const append = makeAppend(prng, i, false)
      if (append.idempotency === undefined) continue
      for (const log of [again.log, restored.log]) expect((await log.append(append)).repeated).toBe(true)
    }
    await again.log.close()
    const [report, copied] = [await checkLog(old.io.disk, folder), await checkLog(plain.io.disk, folder)]
    const { files, bytes, tornBytes, unsealedCommits, commits, ...rest } = copied!
    expect(report).toMatchObject({ tornBytes, unsealedCommits, ...rest, commits: commits + 2 })
    expect([report!.files, report!.bytes].every((count, i) => count < [files, bytes][i])).toBe(true)
  })
})

const tickOf = (line: string): number => Number(line.split(' ')[3])
const keyOf = (line: string): number => Number(line.split(' ')[0]) * 1e9 + Number(line.split(' ')[1])

describe('history', () => {
  it('takes less room than the journal, and none of it stays', async () => {
    const [plain, old] = await twins(4)
    const bytes = async ({ io }: Opened): Promise<number> => {
      let sum = 0
      for (const name of await io.disk.list(folder)) {
        if (!name.endsWith('.lock')) sum += io.disk.contentOf(`${folder}/${name}`).length
      }
      return sum
    }
    expect(await bytes(old)).toBeLessThan((await bytes(plain)) * 0.9)
    expect((await old.io.disk.list(folder)).filter((name) => name.endsWith('.journal')).length).toBeLessThan(4)
  })

  it('keeps closed files when told to, and can be switched off and on', async () => {
    const [, old] = await twins(5, { keepFiles: 2 })
    const names = await old.io.disk.list(folder)
    expect(names.filter((name) => name.endsWith('.journal'))).toHaveLength(3)
    expect(names.filter((name) => name.endsWith('.history')).length).toBeGreaterThan(0)
    const all = await replayed(old.log)
    await old.log.close()
    const off = await open(old.io, { rewrite: false }, 5)
    expect(await replayed(off.log)).toEqual({ ...all, ticks: expect.arrayContaining([...all.ticks]) })
    await off.store.settle()
    expect(await old.io.disk.list(folder)).toEqual(names)
    await off.log.close()
  })

  it('leaves files alone that somebody reads', async () => {
    const io = simulatedIo(6, { idle: 'advance' })
    const { log, store } = await open(io, { share: 1, busyShare: 1 }, 6)
    const prng = new Prng(6)
    for (let i = 0; i < 20; i++) await log.append(makeAppend(prng, i))
    let through = 0
    let appended = 20
    await log.replay(async ({ tick }) => {
      through = tick
      // Files are closed and rewritten while their ticks are on their way.
      await log.append(makeAppend(prng, appended++))
      await store.settle()
    })
    expect(through).toBeGreaterThan(3)
    expect((await io.disk.list(folder)).filter((name) => name.endsWith('.journal')).length).toBeGreaterThanOrEqual(1)
    await log.close()
  })

  it('refuses any turned bit by file and place, or reads what was there', async () => {
    const [plain, old] = await twins(7)
    const all = await replayed(plain.log)
    await old.log.close()
    const prng = new Prng(7)
    const names = (await old.io.disk.list(folder)).filter((name) => name.endsWith('.history'))
    let refused = 0
    for (let i = 0; i < 50; i++) {
      const path = `${folder}/${names[prng.below(names.length)]}`
      const [byte, bit] = [prng.below(old.io.disk.contentOf(path).length), prng.below(8)]
      old.io.disk.flipBit(path, byte, bit)
      const label = `${path} byte ${byte} bit ${bit}`
      const read = async (): Promise<Replayed> => {
        const { log } = await open(old.io, { rewrite: false }, 7)
        try {
          return await replayed(log, 0, 0, all.ticks.length)
        } finally {
          await log.close()
        }
      }
      const result = await read().catch((error: unknown) => error)
      old.io.disk.flipBit(path, byte, bit)
      if (!(result instanceof Error)) {
        expect(result, label).toEqual(all)
        continue
      }
      refused++
      expect(result, label).toBeInstanceOf(MillraceError)
      const { code, place } = result as MillraceError
      expect([code, place.file], label).toEqual(['log/corrupt', path])
      expect(place.offset, label).toBeLessThanOrEqual(byte)
    }
    expect(refused).toBeGreaterThan(25)
  })

  it('says which file is missing', async () => {
    const [, old] = await twins(8)
    await old.log.close()
    for (const [name, missing] of [
      ['00000001.history', '00000001.history'],
      ['00000002.history', '00000002.history'],
    ]) {
      const bytes = old.io.disk.contentOf(`${folder}/${name}`)
      await old.io.disk.remove(`${folder}/${name}`)
      await expect(open(old.io, {}, 8)).rejects.toThrow(missing)
      old.io.disk.place(`${folder}/${name}`, bytes)
    }
    const last = (await old.io.disk.list(folder)).filter((name) => name.endsWith('.history')).at(-1)!
    await old.io.disk.remove(`${folder}/${last}`)
    await expect(open(old.io, {}, 8)).rejects.toThrow(/journal is missing/)
  })
})
