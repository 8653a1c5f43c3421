// What every log must do, whatever it is kept in.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { MillraceError } from '../data/errors.ts'
import { nodeIo } from '../io/node.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { openFileLog } from './file-log.ts'
import type { Append, AppendBlock, Idempotency, Log, LogOptions, SealedTick } from './log.ts'
import { openMemoryLog } from './memory-log.ts'

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))

const logs: Record<string, (options: LogOptions) => Promise<Log>> = {
  memory: async (options) => openMemoryLog(nodeIo(), options),
  'file, simulated': (options) => openFileLog(simulatedIo(1), 'd/log', { ...options, sizes: smallFiles }),
  'file and history, simulated': (options) =>
    openFileLog(simulatedIo(2), 'd/log', { ...options, sizes: tinyFiles, history: { share: 1, busyShare: 1 } }),
  'file, on disk': async (options) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'millrace-log-'))
    folders.push(folder)
    return openFileLog(nodeIo(), folder, options)
  },
}
const tinyFiles = { fileBytes: 2048, stepBytes: 512, largeBytes: 400, reserveBytes: 256 }
const smallFiles = { fileBytes: 65536, stepBytes: 4096, largeBytes: 2048, reserveBytes: 1024 }

function block(topic: number, rows = 1, fill = rows): AppendBlock {
  return { topic, rows, bytes: new Uint8Array(rows * 16).fill(fill) }
}
const one = (topic: number, rows?: number): Append => ({ blocks: [block(topic, rows)] })
const keyed = (key: string, digest = 1, scope = '/a'): Idempotency => ({
  scope,
  key,
  digest: Uint8Array.of(digest, 200),
})

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(MillraceError)
  return (error as MillraceError).code
}

async function opened(open: (options: LogOptions) => Promise<Log>, idle = true) {
  const engine = { idle }
  const log = await open({ sealNow: () => engine.idle })
  const ticks: SealedTick[] = []
  let arrived = (): void => {}
  log.onTick((tick) => {
    ticks.push(tick)
    arrived()
  })
  const tick = async (number: number): Promise<SealedTick> => {
    while (ticks.length < number) await new Promise<void>((resolve) => (arrived = resolve))
    return ticks[number - 1]
  }
  return { log, engine, ticks, tick }
}

describe.each(Object.entries(logs))('%s', (_name, open) => {
  it('gives offsets from 0 per topic, and names the tick that shows them', async () => {
    const { log, tick } = await opened(open)
    expect(log.position()).toEqual({ tick: 0, timeMicros: 0n, offsets: new Map() })
    expect(await log.append(one(7, 3))).toEqual({
      tick: 1,
      offsets: [{ topic: 7, firstOffset: 0, lastOffset: 2 }],
      repeated: false,
    })
    const first = await tick(1)
    expect(first.tick).toBe(1)
    expect(first.blocks).toEqual([
      { ...block(7, 3), partition: 0, firstOffset: 0, appendedAtMicros: first.blocks[0].appendedAtMicros },
    ])
    const answer = await log.append({ blocks: [block(7, 2), block(9, 1), block(7, 5)] })
    expect(answer).toEqual({
      tick: 2,
      offsets: [
        { topic: 7, firstOffset: 3, lastOffset: 9 },
        { topic: 9, firstOffset: 0, lastOffset: 0 },
      ],
      repeated: false,
    })
    const second = await tick(2)
    expect(second.blocks.map(({ topic, firstOffset, rows }) => [topic, firstOffset, rows])).toEqual([
      [7, 3, 2],
      [9, 0, 1],
      [7, 5, 5],
    ])
    expect(second.timeMicros).toBeGreaterThanOrEqual(first.timeMicros)
    expect(log.position()).toEqual({
      tick: 2,
      timeMicros: second.timeMicros,
      offsets: new Map([
        [7, 10],
        [9, 1],
      ]),
    })
    await log.close()
  })

  it('seals nothing while the engine is busy, until asked', async () => {
    const { log, ticks, tick } = await opened(open, false)
    expect((await log.append(one(1))).tick).toBe(1)
    expect((await log.append(one(1, 2))).tick).toBe(1)
    expect(ticks).toEqual([])
    expect(log.position().offsets.get(1)).toBeUndefined()
    expect(await log.readTopic(1, 0, 10)).toEqual([])
    log.requestSeal(false)
    expect((await tick(1)).blocks.map(({ rows }) => rows)).toEqual([1, 2])
    expect((await log.append(one(1))).tick).toBe(2)
    expect(log.position().offsets.get(1)).toBe(3)
    await log.close()
  })

  it('writes a tick without events only when asked for it', async () => {
    const { log, ticks, tick } = await opened(open, false)
    log.requestSeal(false)
    await log.append(one(1))
    expect((await tick(1)).blocks).toHaveLength(1)
    log.requestSeal(false)
    log.requestSeal(true)
    expect((await tick(2)).blocks).toEqual([])
    expect(ticks).toHaveLength(2)
    expect((await log.append(one(1))).tick).toBe(3)
    await log.close()
  })

  it('hands over every tick where none may be merged, those without events, too', async () => {
    const { log, tick } = await opened(open)
    const count = 60
    for (let i = 1; i <= count; i++) {
      if (i % 20 === 0) await log.append(one(1))
      else log.requestSeal(true)
      await tick(i)
    }
    const replayed: number[] = []
    await log.replay((one) => {
      replayed.push(one.tick)
      one.release?.()
    }, 0)
    expect(replayed).toEqual(Array.from({ length: count }, (_, i) => i + 1))
    await log.close()
  })

  it('a seal asked for while another is under way makes a tick of its own', async () => {
    const { log, tick } = await opened(open)
    const appended = log.append(one(1))
    // The commit is under way after a turn; what is asked for now must not be taken for done by it.
    await null
    await null
    log.requestSeal(true)
    await appended
    expect((await tick(1)).blocks).toHaveLength(1)
    expect((await tick(2)).blocks).toHaveLength(0)
    await log.close()
  })

  it('seals by force what has grown large', async () => {
    const { log, ticks } = await opened(open, false)
    for (let i = 0; i < 17; i++) {
      expect((await log.append({ blocks: [{ topic: 1, rows: 16384, bytes: new Uint8Array(8) }] })).tick).toBe(
        i < 16 ? 1 : 2,
      )
    }
    expect(ticks).toHaveLength(1)
    expect(ticks[0].blocks).toHaveLength(16)
    await log.close()
  })

  it('answers a repeated key with the first answer, also while that is under way', async () => {
    const { log } = await opened(open)
    await log.append(one(1, 4))
    const idempotency = keyed('k')
    const [first, twin] = await Promise.all([
      log.append({ ...one(1), idempotency }),
      log.append({ ...one(1), idempotency: keyed('k') }),
    ])
    expect(first).toEqual({ tick: 2, offsets: [{ topic: 1, firstOffset: 4, lastOffset: 4 }], repeated: false })
    expect(twin).toEqual({ ...first, repeated: true })
    await log.append(one(1))
    expect(await log.append({ ...one(1), idempotency })).toEqual({ ...first, repeated: true })
    expect((await log.append({ ...one(1), idempotency: keyed('k', 1, '/b') })).repeated).toBe(false)
    expect(log.position().offsets.get(1)).toBe(7)
    await log.close()
  })

  it('refuses a key with another body', async () => {
    const { log } = await opened(open)
    const [, other] = await Promise.allSettled([
      log.append({ ...one(1), idempotency: keyed('k', 1) }),
      log.append({ ...one(1), idempotency: keyed('k', 2) }),
    ])
    expect(other).toMatchObject({ status: 'rejected', reason: { code: 'append/idempotency-conflict' } })
    expect(await codeOf(log.append({ ...one(1), idempotency: keyed('k', 3) }))).toBe('append/idempotency-conflict')
    expect(log.position().offsets.get(1)).toBe(1)
    await log.close()
  })

  it('remembers a key under which nothing was appended', async () => {
    const { log } = await opened(open)
    expect(await log.append({ blocks: [] })).toEqual({ tick: 0, offsets: [], repeated: false })
    const append = { blocks: [], idempotency: keyed('k') }
    expect(await log.append(append)).toEqual({ tick: 1, offsets: [], repeated: false })
    expect(await log.append(append)).toEqual({ tick: 1, offsets: [], repeated: true })
    await log.close()
  })

  it('refuses what is too large for one append, and goes on', async () => {
    const { log } = await opened(open)
    const bytes = new Uint8Array(33 << 20)
    expect(await codeOf(log.append({ blocks: [{ topic: 1, rows: 1, bytes }] }))).toBe('event/too-large')
    expect((await log.append(one(1))).offsets[0].firstOffset).toBe(0)
    await log.close()
  })

  it('takes 1024 appenders at once, each event once and in order', async () => {
    const { log, ticks } = await opened(open)
    const rounds = 4
    const answers = await Promise.all(
      Array.from({ length: 1024 }, async (_, i) => {
        const got: number[] = []
        for (let round = 0; round < rounds; round++) {
          const { offsets, tick } = await log.append({ blocks: [block(i % 3, 1, i & 255)] })
          got.push(offsets[0].firstOffset, tick)
        }
        return got
      }),
    )
    await log.close()
    const blocks = ticks.flatMap((tick) => tick.blocks.map((logged) => ({ ...logged, tick: tick.tick })))
    expect(blocks).toHaveLength(1024 * rounds)
    expect(ticks.map(({ tick }) => tick)).toEqual(ticks.map((_, i) => i + 1))
    expect(ticks.length).toBeLessThan(100)
    for (let topic = 0; topic < 3; topic++) {
      const own = blocks.filter((logged) => logged.topic === topic)
      expect(own.map(({ firstOffset }) => firstOffset)).toEqual(own.map((_, i) => i))
      for (const [i, got] of answers.entries()) {
        if (i % 3 !== topic) continue
        for (let round = 0; round < rounds; round++) {
          const logged = own[got[round * 2]]
          expect([logged.bytes[0], logged.tick]).toEqual([i & 255, got[round * 2 + 1]])
        }
      }
    }
  })

  it('reads a topic from any offset', async () => {
    const { log } = await opened(open)
    for (let i = 0; i < 300; i++) await log.append({ blocks: [block(1, 3, i & 255), block(2, 1, 255 - (i & 255))] })
    for (const from of [0, 1, 2, 3, 448, 899]) {
      const blocks = await log.readTopic(1, from, 7)
      const start = Math.floor(from / 3) * 3
      expect(blocks[0]).toMatchObject({ topic: 1, firstOffset: start, rows: 3, tick: start / 3 + 1, partition: 0 })
      expect(blocks[0].bytes).toEqual(block(1, 3, (start / 3) & 255).bytes)
      const last = blocks[blocks.length - 1]
      const rows = last.firstOffset + last.rows - from
      expect(rows).toBeGreaterThanOrEqual(Math.min(7, 900 - from))
      expect(rows).toBeLessThan(7 + 3)
      expect(blocks.map(({ firstOffset }) => firstOffset)).toEqual(blocks.map((_, i) => start + i * 3))
    }
    expect(await log.readTopic(1, 900, 7)).toEqual([])
    expect(await log.readTopic(3, 0, 7)).toEqual([])
    expect(await log.readTopic(2, 0, 1000)).toHaveLength(300)
    await log.close()
  })

  it('finds the first event that was appended at a time or later', async () => {
    const { log, ticks } = await opened(open)
    for (let i = 0; i < 60; i++) {
      await log.append({ blocks: [block(1 + (i % 2), 3), ...(i % 5 === 0 ? [block(1, 2)] : [])] })
    }
    const events = ticks.flatMap(({ blocks }) => blocks)
    const wantedAt = (topic: number, micros: bigint): number =>
      events.find((logged) => logged.topic === topic && logged.appendedAtMicros >= micros)?.firstOffset ??
      log.position().offsets.get(topic)!
    const times = events.flatMap(({ appendedAtMicros }) => [
      appendedAtMicros - 1n,
      appendedAtMicros,
      appendedAtMicros + 1n,
    ])
    for (const micros of [0n, ...times, times.at(-1)! + 10_000_000n]) {
      for (const topic of [1, 2]) expect(await log.findOffset(topic, micros)).toBe(wantedAt(topic, micros))
    }
    expect(await log.findOffset(9, 0n)).toBe(0)
    await log.close()
  })

  it('finishes what is queued when it closes, then refuses', async () => {
    const { log } = await opened(open)
    const queued = Array.from({ length: 5 }, () => log.append(one(1)))
    const closed = log.close()
    expect(await codeOf(log.append(one(1)))).toBe('log/closed')
    expect((await Promise.all(queued)).map(({ offsets }) => offsets[0].firstOffset)).toEqual([0, 1, 2, 3, 4])
    await closed
    await log.close()
    log.requestSeal(true)
    expect(await codeOf(log.append(one(1)))).toBe('log/closed')
  })
})
