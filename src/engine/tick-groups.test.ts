import { describe, expect, it } from 'vitest'
import type { PackedTick } from './pack.ts'
import { TickGroups } from './tick-groups.ts'

function tickOf(tick: number): PackedTick {
  return { kind: 'tick', tick, timeMicros: 0n, buffers: [], places: new ArrayBuffer(0) }
}

describe('ticks that nobody waits for', () => {
  it('go one by one to an engine that has little to do, and together to one that is busy', () => {
    let underWay = 0
    const posted: number[][] = []
    const transfers: number[] = []
    const groups = new TickGroups(
      () => underWay,
      (message, transfer) => {
        posted.push(message.kind === 'ticks' ? message.ticks.map(({ tick }) => tick) : [message.tick])
        transfers.push(transfer.length)
      },
    )
    const add = (tick: number): void => {
      underWay++
      groups.add(tickOf(tick), [new ArrayBuffer(1)])
    }
    for (let tick = 1; tick <= 90; tick++) add(tick)
    expect(posted.slice(0, 32)).toEqual(Array.from({ length: 32 }, (_, i) => [i + 1]))
    expect(posted.slice(32).map((ticks) => ticks.length)).toEqual([32])
    expect(transfers).toEqual([...new Array(32).fill(1), 32])
    // As long as the engine has enough to do, more may come.
    underWay -= 32
    groups.answered()
    expect(posted.length).toBe(33)
    underWay--
    groups.answered()
    expect(posted.at(-1)).toEqual(Array.from({ length: 26 }, (_, i) => 65 + i))
    groups.flush()
    expect(posted.flat()).toEqual(Array.from({ length: 90 }, (_, i) => i + 1))
  })
})
