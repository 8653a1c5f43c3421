import { describe, expect, it } from 'vitest'
import { simulatedIo } from '../../io/twin/simulated-io.ts'
import { TickTimes } from './tick-times.ts'

describe('the times of ticks', () => {
  it('are known of ticks since the start, with the first push of each', () => {
    const { clock } = simulatedIo(1)
    const times = new TickTimes(clock)
    const now = clock.nowMicros()
    times.visible(1, now - 1n)
    times.visible(2, now)
    times.visible(3, now)
    expect(times.of(1)).toBeNull()
    expect(times.of(3)).toMatchObject({ pushedMicros: null })
    times.pushed(2, 3)
    expect(times.of(2)!.pushedMicros).toBeNull()
    const first = times.of(3)!.pushedMicros
    expect(first).not.toBeNull()
    times.pushed(0, 3)
    expect(times.of(3)!.pushedMicros).toBe(first)
  })

  it('are forgotten in the order of the ticks', () => {
    const { clock } = simulatedIo(1)
    const times = new TickTimes(clock)
    for (let tick = 1; tick <= 5000; tick++) times.visible(tick, clock.nowMicros())
    expect(times.of(5000 - 4096)).toBeNull()
    expect(times.of(5000 - 4095)).not.toBeNull()
  })
})
