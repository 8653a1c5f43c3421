import { describe, expect, it } from 'vitest'
import { MillraceError } from '../data/errors.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { unreachable } from '../protocol/problem.ts'
import { Patience } from './patience.ts'

const gone = unreachable('http://localhost:1', new Error('refused'))

function machine(): { patience: Patience; nowMs: () => number; stop: AbortController } {
  const { clock } = simulatedIo(1, { idle: 'advance' })
  const stop = new AbortController()
  return { patience: new Patience(clock, stop.signal), nowMs: () => clock.monotonicMs(), stop }
}

describe('patience', () => {
  it('has none with a server that was never there', async () => {
    await expect(machine().patience.after(gone)).rejects.toBe(gone)
  })

  it('lasts thirty seconds, each time anew', async () => {
    const { patience, nowMs } = machine()
    for (let i = 0; i < 2; i++) {
      patience.answered()
      const startMs = nowMs()
      await expect(
        (async () => {
          for (;;) await patience.after(gone)
        })(),
      ).rejects.toBe(gone)
      expect(nowMs() - startMs).toBeGreaterThanOrEqual(30_000)
      expect(nowMs() - startMs).toBeLessThan(35_000)
    }
  })

  it('has none with what will not pass, or when it is told to stop', async () => {
    const { patience, stop } = machine()
    patience.answered()
    const refused = new MillraceError('view/unknown', 'there is no view x')
    await expect(patience.after(refused)).rejects.toBe(refused)
    stop.abort()
    await expect(patience.after(gone)).rejects.toThrow('abort')
  })
})
