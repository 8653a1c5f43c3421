import { describe, expect, it } from 'vitest'
import type { TickOutput } from '../../engine/port.ts'
import type { Clock } from '../../io/io.ts'
import { FiguresRing } from './figures-ring.ts'
import { DurationRing, SecondRing } from './rings.ts'
import { Vitals } from './vitals.ts'

function clockAt(): Clock & { ms: number } {
  return {
    ms: 5000,
    nowMicros() {
      return BigInt(this.ms) * 1000n
    },
    monotonicMs() {
      return this.ms
    },
    after: () => () => {},
  }
}

const output = (tick: number, views: readonly number[], late = 0): TickOutput => ({
  kind: 'tick',
  tick,
  timeMicros: 0n,
  deltas: views.map((view) => ({ view, blocks: [], errors: [{ code: 2, reason: '', weight: 1 }] })),
  watermarks: [],
  late: [{ topic: 1, events: late }],
  dueMicros: null,
  stateBytes: 0,
  wantsCapture: false,
})

describe('vitals', () => {
  it('time what an append waits for until its change is visible, by view', async () => {
    const clock = clockAt()
    const vitals = new Vitals(clock, String)
    const append = { blocks: [{ topic: 1, rows: 3, bytes: new Uint8Array(0) }] }
    const durable = async () => {
      clock.ms += 2
      return { tick: 1, offsets: [], repeated: false }
    }
    await vitals.append(append, durable)
    vitals.handed(1)
    clock.ms += 8
    vitals.finished(output(1, [10]))
    const freshness = vitals.view(10).freshness.summary(clock.ms, 60_000)
    expect(freshness).toEqual({ p50: 10, p99: 10, longest: 10 })
    expect(vitals.view(10).lastFreshnessMs).toBe(10)
    expect(vitals.view(11).freshness.summary(clock.ms, 60_000).p50).toBeNull()
    expect(vitals.ticks.summary(clock.ms, 60_000).longest).toBe(8)
    expect(vitals.totals).toEqual({ events: 3, changes: 1, appends: 1, reads: 0, ticks: 1 })
    clock.ms += 120_000
    expect(vitals.view(10).freshness.summary(clock.ms, 60_000).p50).toBeNull()
  })

  it('do not count an answer that was given before', async () => {
    const vitals = new Vitals(clockAt(), String)
    await vitals.append({ blocks: [] }, async () => ({ tick: 1, offsets: [], repeated: true }))
    expect(vitals.totals.appends).toBe(0)
  })

  it('know how long the engine has had its oldest tick', () => {
    const clock = clockAt()
    const vitals = new Vitals(clock, String)
    expect(vitals.waitingSinceMs).toBeNull()
    vitals.handed(1)
    vitals.handed(2)
    clock.ms += 100
    expect(vitals.waitingSinceMs).toBe(5000)
    vitals.finished(output(1, []))
    expect(vitals.waitingSinceMs).toBe(5100)
    vitals.restarted()
    expect(vitals.waitingSinceMs).toBeNull()
  })

  it('blame no engine for a tick that waits for its sync', () => {
    const clock = clockAt()
    const stuck: number[] = []
    const vitals = new Vitals(
      {
        ...clock,
        monotonicMs: () => clock.ms,
        after: (ms, task) => {
          timers.push({ at: clock.ms + ms, task })
          return () => {}
        },
      },
      String,
    )
    const timers: { readonly at: number; task(): void }[] = []
    const wait = (ms: number): void => {
      clock.ms += ms
      for (const { task } of timers.splice(0)) task()
    }
    vitals.onStuck = (ms) => stuck.push(ms)
    vitals.handed(1)
    clock.ms += 5
    vitals.answered(1)
    expect(vitals.waitingSinceMs).toBeNull()
    wait(30_000)
    expect(stuck).toEqual([])
    vitals.handed(2)
    expect(vitals.waitingSinceMs).toBe(35_005)
    wait(20_000)
    expect(stuck).toEqual([20_000])
    vitals.finished(output(1, []))
    expect(vitals.waitingSinceMs).toBe(35_005)
  })

  it('count late events of the last minute, not those of before', () => {
    const clock = clockAt()
    const vitals = new Vitals(clock, String)
    vitals.finished(output(1, [], 500))
    expect(vitals.lately(1).late).toBe(0)
    vitals.finished(output(2, [], 507))
    expect(vitals.lately(1).late).toBe(7)
    clock.ms += 61_000
    expect(vitals.lately(1).late).toBe(0)
  })

  it('remember the latest happenings only', () => {
    const vitals = new Vitals(clockAt(), String)
    for (let i = 0; i < 150; i++) vitals.happened('notice', String(i))
    expect(vitals.recent.length).toBe(100)
    expect(vitals.recent[0].message).toBe('149')
  })
})

describe('rings', () => {
  it('sum by the second and forget after two minutes', () => {
    const ring = new SecondRing()
    for (let second = 0; second < 200; second++) ring.add(second * 1000 + 500, second)
    expect(ring.at(199)).toBe(199)
    expect(ring.at(80)).toBe(80)
    expect(ring.at(79)).toBe(0)
    expect(ring.rate(199_999, 0)).toBeCloseTo((189 + 199) / 2, -1)
    expect(ring.rate(400_000, 0)).toBe(0)
    expect(new SecondRing().rate(0, 0)).toBe(0)
  })

  it('keep quantiles to an eighth', () => {
    const ring = new DurationRing(1000, 10)
    for (let ms = 1; ms <= 100; ms++) ring.add(0, ms)
    const { p50, p99, longest } = ring.summary(0, 10_000)
    expect(Math.abs(p50! - 50)).toBeLessThan(7)
    expect(Math.abs(p99! - 99)).toBeLessThan(13)
    expect(longest).toBe(100)
    ring.add(10_000, 5)
    expect(ring.summary(10_000, 5000).longest).toBe(5)
  })

  it('make rates of two figures of an engine, and forget one whose place another took', () => {
    const ring = new FiguresRing()
    const at = (atMs: number, rows: number, busyMs: number) => ({
      kind: 'figures' as const,
      atMs,
      busyMs,
      memoryBytes: 0,
      nodes: [{ id: 'a', rows, busyMs, stateBytes: null, stateKeys: null }],
      disorder: [],
      windows: [],
    })
    expect(ring.rates().size).toBe(0)
    ring.add(at(1000, 100, 10))
    expect(ring.rates().get('a')).toMatchObject({ rowsPerSecond: 0, busyShare: 0 })
    ring.add(at(3000, 300, 510))
    expect(ring.rates().get('a')).toMatchObject({ rowsPerSecond: 100, busyShare: 0.25 })
    for (let s = 4; s < 40; s++) ring.add(at(s * 1000, 300, 510))
    expect(ring.rates().get('a')).toMatchObject({ rowsPerSecond: 0, busyShare: 0 })
    ring.clear()
    expect(ring.rates().size).toBe(0)
  })
})
