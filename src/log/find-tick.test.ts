// Ticks are found again by number and by time, and replayed up to one, whatever the log is kept in.
import { describe, expect, it } from 'vitest'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { openFileLog } from './file-log.ts'
import type { Log, LogOptions, SealedTick, TickMark } from './log.ts'
import { openMemoryLog } from './memory-log.ts'

const sizes = { fileBytes: 1 << 20, stepBytes: 65536, largeBytes: 2048, reserveBytes: 1024 }
const io = (seed: number) => simulatedIo(seed, { idle: 'advance' })
type Machine = ReturnType<typeof io>

const logs: Record<string, (io: Machine, options: LogOptions) => Promise<Log>> = {
  memory: async (machine, options) => openMemoryLog(machine, options),
  file: (machine, options) => openFileLog(machine, 'd/log', { ...options, sizes }),
}

/** Ticks of very different sizes, over several files and strides of the index. */
async function fill(machine: Machine, log: Log, ticks: number): Promise<TickMark[]> {
  const marks: TickMark[] = []
  log.onTick(({ tick, timeMicros }) => marks.push({ tick, timeMicros }))
  for (let i = 0; i < ticks; i++) {
    const rows = i % 17 === 0 ? 4000 : 1
    await log.append({ blocks: [{ topic: 1 + (i % 3), rows, bytes: new Uint8Array(rows * 16).fill(i) }] })
    // Some ticks have the same time, others are far apart.
    if (i % 5 === 0) await new Promise<void>((resolve) => machine.clock.after(i % 3, resolve))
  }
  return marks
}

async function check(log: Log, marks: readonly TickMark[]): Promise<void> {
  for (const mark of marks) {
    expect(await log.findTick({ tick: mark.tick })).toEqual(mark)
    for (const timeMicros of [mark.timeMicros, mark.timeMicros + 1n, mark.timeMicros - 1n]) {
      const newest = marks.filter((other) => other.timeMicros <= timeMicros).at(-1) ?? null
      expect(await log.findTick({ timeMicros })).toEqual(newest)
    }
  }
  expect(await log.findTick({ tick: 0 })).toBe(null)
  expect(await log.findTick({ tick: marks.length + 1 })).toBe(null)
  expect(await log.findTick({ timeMicros: marks[0].timeMicros - 1n })).toBe(null)
}

describe.each(Object.entries(logs))('a log in %s', (name, open) => {
  it('finds each tick by its number and by times around its own', async () => {
    const machine = io(3)
    const log = await open(machine, { sealNow: () => true })
    expect(await log.findTick({ tick: 1 })).toBe(null)
    expect(await log.findTick({ timeMicros: machine.clock.nowMicros() })).toBe(null)
    const marks = await fill(machine, log, 120)
    expect(marks).toHaveLength(120)
    await check(log, marks)
    await log.close()
    if (name === 'memory') return
    const again = await open(machine, { sealNow: () => true })
    await check(again, marks)
    await again.close()
  })

  it('replays up to a tick, merged or not, also while it is written to', async () => {
    const machine = io(4)
    const log = await open(machine, { sealNow: () => true })
    await fill(machine, log, 60)
    for (const [through, merge] of [
      [1, 0],
      [35, 0],
      [35, 5000],
      [60, 1_000_000],
      [99, 0],
    ] as const) {
      const last = log.position().tick
      const seen: SealedTick[] = []
      await log.replay(
        async (tick) => {
          if (seen.push(tick) === 1) await log.append({ blocks: [{ topic: 9, rows: 1, bytes: new Uint8Array(16) }] })
        },
        merge,
        0,
        through,
      )
      expect(seen.at(-1)!.tick).toBe(Math.min(through, last))
      const rows = seen.flatMap(({ blocks }) => blocks).reduce((sum, block) => sum + block.rows, 0)
      let expected = 0
      for (let i = 0; i < Math.min(through, 60); i++) expected += i % 17 === 0 ? 4000 : 1
      expect(rows - seen.flatMap(({ blocks }) => blocks).filter(({ topic }) => topic === 9).length).toBe(expected)
    }
    await log.close()
  })
})
