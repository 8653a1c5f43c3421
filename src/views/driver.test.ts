import { describe, expect, it } from 'vitest'
import { MillraceError } from '../data/errors.ts'
import type { EngineHost } from '../engine/host.ts'
import type { TickInput, TickOutput } from '../engine/port.ts'
import { VirtualClock } from '../io/twin/virtual-clock.ts'
import type { SealedTick } from '../log/log.ts'
import { TickDriver } from './driver.ts'
import { ViewSet } from './view-set.ts'

/** An engine that answers when it is told to. */
class ManualHost implements EngineHost {
  readonly inputs: TickInput[] = []
  readonly #answers: { resolve(output: TickOutput): void; reject(error: Error): void }[] = []
  answered = 0
  /** Ticks that nobody waits for. */
  together = 0
  dueMicros: bigint | null = null

  get underWay(): number {
    return this.#answers.length - this.answered
  }

  step(input: TickInput, together = false): Promise<TickOutput> {
    this.inputs.push(input)
    if (together) this.together++
    return new Promise((resolve, reject) => this.#answers.push({ resolve, reject }))
  }

  async answer(): Promise<void> {
    const { tick, timeMicros } = this.inputs[this.answered]
    const { dueMicros } = this
    const empty = { deltas: [], watermarks: [], late: [], stateBytes: 0, wantsCapture: false }
    this.#answers[this.answered++].resolve({ kind: 'tick', tick, timeMicros, dueMicros, ...empty })
    await turn()
  }

  async fail(): Promise<void> {
    this.#answers[this.answered++].reject(new MillraceError('engine/stopped', 'it broke'))
    await turn()
  }

  status = notAsked
  figures = notAsked
  tap = notAsked
  beginCapture = notAsked
  capture = notAsked
  adopt = notAsked

  async stop(): Promise<void> {}
}

async function notAsked(): Promise<never> {
  throw new Error('the driver only steps')
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

function sealed(tick: number): SealedTick {
  const block = { partition: 0, firstOffset: tick, appendedAtMicros: 0n, rows: 1, bytes: new Uint8Array() }
  return { tick, timeMicros: BigInt(tick), blocks: [0, 1].map((topic) => ({ ...block, topic })) }
}

function setUp(): { clock: VirtualClock; host: ManualHost; views: ViewSet; driver: TickDriver; seals: boolean[] } {
  const clock = new VirtualClock({ idle: 'stand' })
  const host = new ManualHost()
  const views = new ViewSet(clock, [])
  const seals: boolean[] = []
  const driver = new TickDriver(clock, views, new Set([1]), (even) => seals.push(even))
  driver.start(host)
  return { clock, host, views, driver, seals }
}

describe('driving ticks', () => {
  it('keeps few ticks under way, in order, without the topics that the engine does not know', async () => {
    const { host, views, driver } = setUp()
    driver.goLive()
    for (let tick = 1; tick <= 4; tick++) driver.take(sealed(tick))
    expect(host.inputs.map(({ tick }) => tick)).toEqual([1, 2])
    expect(host.inputs[0].blocks.map(({ topic }) => topic)).toEqual([1])
    expect(driver.idle).toBe(false)
    await host.answer()
    expect(views.tick).toBe(1)
    expect(host.inputs.map(({ tick }) => tick)).toEqual([1, 2, 3])
    for (let i = 0; i < 3; i++) await host.answer()
    expect(views.tick).toBe(4)
    expect(driver.idle).toBe(true)
    expect(driver.events).toBe(4)
  })

  it('hands over many small ticks of a replay at a time, and few large ones', async () => {
    const { host, driver } = setUp()
    for (let tick = 1; tick <= 200; tick++) driver.take(sealed(tick))
    expect(host.inputs.length).toBe(96)
    expect(host.together).toBe(96)
    let room = false
    void driver.room().then(() => {
      room = true
    })
    for (let i = 0; i < 8; i++) await host.answer()
    expect(room).toBe(false)
    await host.answer()
    expect(room).toBe(true)
    expect(host.inputs.length).toBe(105)
    while (host.underWay > 0) await host.answer()
    const large = (tick: number): SealedTick => {
      const { blocks, ...of } = sealed(tick)
      return { ...of, blocks: blocks.map((block) => ({ ...block, bytes: new Uint8Array(100_000) })) }
    }
    for (let tick = 201; tick <= 210; tick++) driver.take(large(tick))
    expect(host.underWay).toBe(2)
    while (host.underWay > 0) {
      await host.answer()
      expect(host.underWay).toBeLessThanOrEqual(2)
    }
    for (let tick = 211; tick <= 220; tick++) driver.take(sealed(tick))
    expect(host.underWay).toBe(10)
    // From then on somebody waits for each.
    driver.goLive()
    while (host.underWay > 0) await host.answer()
    for (let tick = 221; tick <= 230; tick++) driver.take(sealed(tick))
    expect(host.underWay).toBe(2)
    expect(host.together).toBe(host.inputs.length - 2)
  })

  it('works on a tick that is being synced, and shows it once it is durable', async () => {
    const { clock, host, views, driver } = setUp()
    const answered: number[] = []
    driver.onAnswered = (tick) => answered.push(tick)
    driver.goLive()
    driver.begin(sealed(1))
    expect(driver.idle).toBe(false)
    await host.answer()
    expect(answered).toEqual([1])
    expect([views.tick, driver.events]).toEqual([0, 0])
    driver.take(sealed(1))
    expect(views.tick).toBe(0)
    await clock.advance(1)
    expect([views.tick, driver.events, driver.idle]).toEqual([1, 1, true])
    // Durable before the engine is done with it.
    driver.begin(sealed(2))
    driver.take(sealed(2))
    expect(views.tick).toBe(1)
    await host.answer()
    expect([views.tick, driver.idle]).toEqual([2, true])
    expect(host.inputs.map(({ tick }) => tick)).toEqual([1, 2])
  })

  it('shows ticks in order where the next one is answered first', async () => {
    const { clock, host, views, driver } = setUp()
    const seen: number[] = []
    driver.onFinished = ({ tick }) => seen.push(tick)
    driver.goLive()
    driver.begin(sealed(1))
    await host.answer()
    driver.take(sealed(1))
    driver.take(sealed(2))
    await host.answer()
    await clock.advance(1)
    expect(seen).toEqual([1, 2])
    expect(views.tick).toBe(2)
  })

  it('never shows a tick that was begun and did not become durable', async () => {
    const { clock, host, views, driver } = setUp()
    driver.goLive()
    driver.begin(sealed(1))
    await host.answer()
    let pinned: boolean | null = null
    driver.behindTick(
      () => {},
      (reached) => {
        pinned = reached
      },
    )
    expect(pinned).toBe(null)
    driver.fail(new MillraceError('log/poisoned', 'a sync failed'))
    await clock.advance(10)
    await turn()
    expect([views.tick, pinned]).toEqual([0, false])
    driver.begin(sealed(2))
    expect(host.inputs).toHaveLength(1)
  })

  it('begins nothing while a tick is under way, held back, or before it is live', async () => {
    const { host, driver } = setUp()
    driver.begin(sealed(1))
    expect(host.inputs).toHaveLength(0)
    driver.take(sealed(1))
    driver.goLive()
    driver.begin(sealed(2))
    expect(host.inputs).toHaveLength(1)
    await host.answer()
    driver.holdBehind(1)
    driver.begin(sealed(2))
    expect(host.inputs).toHaveLength(1)
    driver.take(sealed(2))
    driver.holdBehind(null)
    expect(host.inputs.map(({ tick }) => tick)).toEqual([1, 2])
  })

  it('holds appenders back while too much waits', async () => {
    const { host, driver } = setUp()
    driver.goLive()
    for (let tick = 1; tick <= 6; tick++) driver.take(sealed(tick))
    let room = false
    void driver.room().then(() => {
      room = true
    })
    await turn()
    expect(room).toBe(false)
    await host.answer()
    await host.answer()
    expect(room).toBe(true)
  })

  it('asks for a seal as soon as it is free, once it is live', async () => {
    const { host, driver, seals } = setUp()
    driver.take(sealed(1))
    await host.answer()
    expect(seals).toEqual([])
    driver.goLive()
    driver.take(sealed(2))
    driver.take(sealed(3))
    await host.answer()
    expect(seals).toEqual([])
    await host.answer()
    expect(seals).toEqual([false])
  })

  it('asks for an empty tick when one is due, at most once a second', async () => {
    const { clock, host, driver, seals } = setUp()
    driver.goLive()
    host.dueMicros = clock.nowMicros() + 5_000_000n
    driver.take(sealed(1))
    await host.answer()
    await clock.advance(4_900)
    expect(seals).toEqual([false])
    await clock.advance(200)
    expect(seals).toEqual([false, true])
    host.dueMicros = clock.nowMicros()
    driver.take(sealed(2))
    await host.answer()
    await clock.advance(800)
    expect(seals).toEqual([false, true, false])
    await clock.advance(200)
    expect(seals).toEqual([false, true, false, true])
  })

  it('tells those who wait for a tick when it is there, and when it takes too long', async () => {
    const { clock, host, driver } = setUp()
    const reached = driver.waitFor(1, 1000)
    const missed = driver.waitFor(2, 1000).catch((error: MillraceError) => error.code)
    driver.take(sealed(1))
    await host.answer()
    await reached
    await clock.advance(1001)
    expect(await missed).toBe('tick/not-reached')
    await driver.waitFor(1, 0)
  })

  it('tells everybody when the engine fails, and takes nothing more', async () => {
    const { host, views, driver } = setUp()
    driver.goLive()
    for (let tick = 1; tick <= 6; tick++) driver.take(sealed(tick))
    await host.answer()
    const waiting = driver.waitFor(6, 60_000).catch((error: MillraceError) => error.code)
    const room = driver.room()
    await host.fail()
    expect(await waiting).toBe('engine/stopped')
    await room
    await expect(driver.drained()).rejects.toThrow('it broke')
    driver.take(sealed(7))
    await host.answer()
    expect(host.inputs.length).toBe(3)
    expect(views.tick).toBe(1)
  })
})
