import { describe, expect, it } from 'vitest'
import type { TickOutput } from '../../engine/port.ts'
import type { LoggedBlock } from '../../log/log.ts'
import type { Running } from '../running.ts'
import { InputTicks } from './live-input.ts'

const running = {} as Running
const read = 1
const unread = 2

function tickOf(tick: number): TickOutput {
  const standing = { watermarks: [], late: [], dueMicros: null, stateBytes: 0 }
  return { kind: 'tick', tick, timeMicros: BigInt(tick * 10), deltas: [], wantsCapture: false, ...standing }
}

function blockOf(topic: number, bytes: number): LoggedBlock {
  return { topic, partition: 0, firstOffset: 0, appendedAtMicros: 0n, rows: 1, bytes: new Uint8Array(bytes) }
}

const others = blockOf(unread, 1 << 20)

function fed(ticks: number, bytes: number): InputTicks {
  const input = new InputTicks(running, new Set([read]), new Map())
  const own = blockOf(read, bytes)
  for (let i = 1; i <= ticks; i++) input.add(tickOf(i), [own, others])
  return input
}

describe('the ticks that a query has still to take', () => {
  it('come one by one as long as few wait, with what it reads alone', () => {
    const input = fed(3, 8)
    expect([1, 2, 3].map(() => input.take(false))).toMatchObject(
      [1, 2, 3].map((tick) => ({ tick, timeMicros: BigInt(tick * 10), blocks: [{ topic: read }] })),
    )
    expect([input.hasBeenEmpty, input.take(false), input.hasBeenEmpty]).toEqual([false, null, true])
  })

  it('come together where many wait, up to a size, unless their numbers matter', () => {
    expect(fed(100, 8).take(false)).toMatchObject({ tick: 100, blocks: { length: 100 } })
    expect(fed(100, 8).take(true)).toMatchObject({ tick: 1, blocks: { length: 1 } })
    const large = fed(20, 1 << 20)
    expect(large.take(false)?.tick).toBe(3)
    expect(large.take(false)?.tick).toBe(6)
  })

  it('are dropped where too much waits', () => {
    expect(fed(31, 1 << 20).lost).toBe(false)
    const input = fed(40, 1 << 20)
    expect([input.lost, input.take(false)]).toEqual([true, null])
    expect(fed(10_001, 0).lost).toBe(true)
  })
})
