import { describe, expect, it } from 'vitest'
import { MillraceError } from '../data/errors.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { type FileLogOptions, openFileLog } from './file-log.ts'
import type { AppendBlock, Log, SealedTick } from './log.ts'

const folder = 'd/log'
const sizes = { fileBytes: 8192, stepBytes: 2048, largeBytes: 1500, reserveBytes: 512 }

const open = (io: SimulatedIo, options: Partial<FileLogOptions> = {}): Promise<Log> =>
  openFileLog(io, folder, { sealNow: () => true, sizes, ...options })

const block = (topic: number, rows: number, bytes = 40 * rows): AppendBlock => ({
  topic,
  rows,
  bytes: new Uint8Array(bytes).map((_, i) => i + rows),
})

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(MillraceError)
  return (error as MillraceError).code
}

async function replayed(log: Log, mergeRows?: number): Promise<SealedTick[]> {
  const ticks: SealedTick[] = []
  await log.replay(({ tick, timeMicros, blocks }) => {
    ticks.push({ tick, timeMicros, blocks })
  }, mergeRows)
  return ticks
}

function listen(log: Log): SealedTick[] {
  const ticks: SealedTick[] = []
  log.onTick((tick) => ticks.push(tick))
  return ticks
}

describe('opened again', () => {
  it('replays every tick as it was delivered, over many files, and goes on', async () => {
    const io = simulatedIo(1)
    const log = await open(io)
    const ticks = listen(log)
    for (let i = 0; i < 100; i++) await log.append({ blocks: [block(i % 3, 1 + (i % 5)), block(7, 1)] })
    const position = log.position()
    await log.close()
    expect((await io.disk.list(folder)).length).toBeGreaterThan(4)
    const again = await open(io)
    expect(again.position()).toEqual(position)
    const blocks = await replayed(again)
    expect(blocks).toEqual(ticks)
    for (const tick of blocks) for (const { bytes } of tick.blocks) expect(bytes.byteOffset % 8).toBe(0)
    expect(await again.append({ blocks: [block(7, 2)] })).toEqual({
      tick: 101,
      offsets: [{ topic: 7, firstOffset: 100, lastOffset: 101 }],
      repeated: false,
    })
    await again.close()
  })

  it('hands over neighbouring ticks as one, up to so many rows', async () => {
    const io = simulatedIo(2)
    const log = await open(io)
    const ticks = listen(log)
    for (const rows of [3, 4, 20, 1, 1, 5, 4]) await log.append({ blocks: [block(1, rows)] })
    log.requestSeal(true)
    await log.close()
    const again = await open(io)
    const merged = await replayed(again, 10)
    expect(merged.map(({ tick, blocks }) => [tick, ...blocks.map(({ rows }) => rows)])).toEqual([
      [2, 3, 4],
      [3, 20],
      [6, 1, 1, 5],
      [8, 4],
    ])
    expect(merged.map(({ timeMicros }) => timeMicros)).toEqual([2, 3, 6, 8].map((tick) => ticks[tick - 1].timeMicros))
    expect(merged.flatMap(({ blocks }) => blocks)).toEqual(ticks.flatMap(({ blocks }) => blocks))
    await again.close()
  })

  it('knows the idempotency keys, also of what was never sealed', async () => {
    const io = simulatedIo(3)
    const log = await open(io, { sealNow: () => false })
    const append = (key: string, digest = 1) => ({
      blocks: [block(1, 2), block(2, 1)],
      idempotency: { scope: '/v1/topics/ä/events', key, digest: Uint8Array.of(digest, 0, 255) },
    })
    const first = await log.append(append('ключ'))
    const empty = await log.append({ ...append('none'), blocks: [] })
    const next = io.restart()
    const again = await open(next)
    expect(await again.append(append('ключ'))).toEqual({ ...first, repeated: true })
    expect(await again.append({ ...append('none'), blocks: [] })).toEqual({ ...empty, repeated: true })
    expect(await codeOf(again.append(append('ключ', 2)))).toBe('append/idempotency-conflict')
    expect(again.position()).toMatchObject({
      tick: 1,
      offsets: new Map([
        [1, 2],
        [2, 1],
      ]),
    })
    await again.close()
  })

  it('reads blocks that are larger than a file or a chunk', async () => {
    const io = simulatedIo(4)
    const log = await open(io)
    const ticks = listen(log)
    for (const bytes of [10, 3_000_000, 20_000, 1, 1_500_000]) {
      await log.append({ blocks: [block(1, 1, bytes), block(2, 1, 13)] })
    }
    const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
    expect(same((await log.readTopic(1, 1, 1))[0].bytes, ticks[1].blocks[0].bytes)).toBe(true)
    await log.close()
    const again = await open(io)
    const read = (await replayed(again)).flatMap(({ blocks }) => blocks)
    expect(read).toHaveLength(10)
    for (const [i, logged] of ticks.flatMap(({ blocks }) => blocks).entries()) {
      expect(read[i].firstOffset).toBe(logged.firstOffset)
      expect(same(read[i].bytes, logged.bytes)).toBe(true)
    }
    expect((await again.readTopic(1, 3, 9)).map(({ bytes, tick }) => [bytes.length, tick])).toEqual([
      [1, 4],
      [1_500_000, 5],
    ])
    await again.close()
  })

  it('finds a rare topic among others without reading everything', async () => {
    const io = simulatedIo(5)
    const log = await open(io, { sizes: { ...sizes, fileBytes: 1 << 20 } })
    for (let i = 0; i < 60; i++) {
      await log.append({ blocks: [block(1, 1, 100_000)] })
      if (i % 20 === 5) await log.append({ blocks: [block(2, 1, 8)] })
    }
    const found = await log.readTopic(2, 0, 10)
    expect(found.map(({ firstOffset, tick }) => [firstOffset, tick])).toEqual([
      [0, 7],
      [1, 28],
      [2, 49],
    ])
    await log.close()
  })

  it('keeps time from going back when the clock does', async () => {
    const io = simulatedIo(6)
    const now = { micros: 5_000n }
    const clock = { ...io.clock, nowMicros: () => now.micros, monotonicMs: () => 0, after: io.clock.after }
    const log = await openFileLog({ ...io, clock }, folder, { sealNow: () => true, sizes })
    const ticks = listen(log)
    await log.append({ blocks: [block(1, 1)] })
    now.micros = 1_000n
    await log.append({ blocks: [block(1, 1)] })
    await log.close()
    const again = await openFileLog({ ...io, clock }, folder, { sealNow: () => true, sizes })
    const later = listen(again)
    await again.append({ blocks: [block(1, 1)] })
    expect([...ticks, ...later].map(({ timeMicros }) => timeMicros)).toEqual([5_000n, 5_000n, 5_000n])
    expect(later[0].blocks[0].appendedAtMicros).toBe(5_000n)
    await again.close()
  })
})

describe('a tick that is being synced', () => {
  it('is told of with all its blocks before it is durable, and of no tick that finds no room', async () => {
    const io = simulatedIo(17)
    const written: { readonly tick: SealedTick; readonly durable: number }[] = []
    let idle = false
    const onWritten = (tick: SealedTick): void => void written.push({ tick, durable: log.position().tick })
    const log = await open(io, { sealNow: () => idle, onWritten })
    const ticks = listen(log)
    await log.append({ blocks: [block(1, 2)] })
    expect(written).toEqual([])
    idle = true
    await log.append({ blocks: [block(2, 1), block(1, 1)] })
    expect(written).toEqual([{ tick: ticks[0], durable: 0 }])
    io.disk.plan = { capacityBytes: 0 }
    expect(await codeOf(log.append({ blocks: [block(1, 1, 9000)] }))).toBe('log/full')
    io.disk.plan = {}
    await log.append({ blocks: [block(1, 1)] })
    expect(written.map(({ tick }) => tick)).toEqual(ticks)
    expect(written[1].durable).toBe(1)
    io.disk.plan = { failSyncs: [io.disk.syncs + 1] }
    expect(await codeOf(log.append({ blocks: [block(1, 1)] }))).toBe('log/poisoned')
    expect([written.length, ticks.length]).toEqual([3, 2])
    await log.close()
    expect(written).toHaveLength(3)
  })
})

it('is open in one place at a time', async () => {
  const io = simulatedIo(7)
  const log = await open(io)
  expect(await codeOf(open(io))).toBe('log/locked')
  await log.close()
  await (await open(io)).close()
})

describe('a full disk', () => {
  it.each([8, 9, 10, 11, 12, 13, 14, 15])(
    'refuses appends, keeps what is there, and takes them again later (seed %i)',
    async (seed) => {
      const io = simulatedIo(seed, { disk: { capacityBytes: 20_000 + seed * 777 } })
      let idle = true
      const log = await open(io, { sealNow: () => idle })
      const ticks = listen(log)
      const sizesTried = [40, 3000, 900, 40, 40, 5000, 40, 1600]
      let taken = 0
      let refused = 0
      for (let i = 0; i < 60; i++) {
        idle = i % 3 > 0
        const append = {
          blocks: [block(1, 1, sizesTried[(i + seed) % sizesTried.length])],
          idempotency: { scope: '', key: `${i}`, digest: new Uint8Array(1) },
        }
        const answer = await log.append(append).catch((error: MillraceError) => {
          expect(error.code).toBe('log/full')
          return null
        })
        if (answer === null) refused++
        else expect(answer.offsets[0].firstOffset).toBe(taken++)
      }
      expect(refused).toBeGreaterThan(5)
      idle = false
      for (let full = false; !full; ) {
        await log.append({ blocks: [block(1, 1, 8)] }).then(
          () => taken++,
          () => (full = true),
        )
      }
      // What was answered becomes visible although there is no room for more.
      log.requestSeal(false)
      await io.clock.advance(100)
      expect(ticks.flatMap(({ blocks }) => blocks)).toHaveLength(taken)
      io.disk.plan = {}
      idle = true
      const answer = await log.append({
        blocks: [block(1, 1)],
        idempotency: { scope: '', key: 'later', digest: new Uint8Array(1) },
      })
      expect(answer.offsets[0].firstOffset).toBe(taken)
      const again = await open(io.restart())
      expect((await replayed(again)).flatMap(({ blocks }) => blocks)).toEqual(ticks.flatMap(({ blocks }) => blocks))
      await again.close()
    },
  )

  it('still seals what was answered, when the seal was to go with an append that is refused', async () => {
    const io = simulatedIo(16)
    const log = await open(io, { sealNow: () => false })
    const ticks = listen(log)
    await log.append({ blocks: [block(1, 1)] })
    io.disk.plan = { capacityBytes: 0 }
    const refused = codeOf(log.append({ blocks: [block(1, 1, 5000)] }))
    log.requestSeal(false)
    expect(await refused).toBe('log/full')
    await io.clock.advance(10)
    expect(ticks.map(({ blocks }) => blocks.length)).toEqual([1])
    await log.close()
  })

  it('from the start is said so, and leaves nothing behind', async () => {
    const io = simulatedIo(12, { disk: { capacityBytes: 1000 } })
    expect(await codeOf(open(io))).toBe('log/full')
    io.disk.plan = {}
    await (await open(io)).close()
  })
})

describe('a failed sync', () => {
  it('is named when it happens while the log is opened', async () => {
    const whole = simulatedIo(14)
    const opened = await open(whole)
    const { syncs } = whole.disk
    await opened.close()
    for (let fail = 1; fail <= syncs; fail++) {
      const io = simulatedIo(14, { disk: { failSyncs: [fail] } })
      const code = await codeOf(open(io).then((log) => log.close()))
      expect(code, `sync ${fail}`).toBe('log/poisoned')
    }
  })

  it('poisons: who waits is refused, nothing of it is delivered, nothing is taken any more', async () => {
    const io = simulatedIo(13)
    const log = await open(io)
    const ticks = listen(log)
    const poisonings: MillraceError[] = []
    log.onPoisoned((error) => poisonings.push(error))
    await log.append({ blocks: [block(1, 1)] })
    io.disk.plan = { failSyncs: [io.disk.syncs + 1] }
    const waiting = [1, 2, 3].map(() => codeOf(log.append({ blocks: [block(1, 1)] })))
    await new Promise(setImmediate)
    waiting.push(codeOf(log.append({ blocks: [block(1, 1)] })))
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => 'log/poisoned'))
    expect(await codeOf(log.append({ blocks: [block(1, 1)] }))).toBe('log/poisoned')
    log.requestSeal(true)
    await io.clock.advance(10)
    expect(ticks).toHaveLength(1)
    expect(poisonings.map(({ code }) => code)).toEqual(['log/poisoned'])
    expect(log.position().offsets.get(1)).toBe(1)
    await log.close()
    const again = await open(io.restart())
    expect((await replayed(again))[0]).toEqual(ticks[0])
    await again.close()
  })

  it('does not remember keys whose answer nobody got', async () => {
    const io = simulatedIo(14, { disk: { capacityBytes: 4000 } })
    const log = await open(io)
    const idempotency = { scope: '', key: 'k', digest: Uint8Array.of(1) }
    expect(await codeOf(log.append({ blocks: [block(1, 1, 9000)], idempotency }))).toBe('log/full')
    expect((await log.append({ blocks: [block(1, 1, 8)], idempotency })).repeated).toBe(false)
    await log.close()
  })
})
