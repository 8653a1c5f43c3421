import { describe, expect, it } from 'vitest'
import type { ThreadEntry } from '../io.ts'
import { Prng } from './prng.ts'
import { simulatedIo } from './simulated-io.ts'

describe('the clock', () => {
  it('stands until told, and runs what falls due on the way, in order', async () => {
    const { clock } = simulatedIo(1)
    const start = clock.nowMicros()
    const ran: string[] = []
    clock.after(20, () => ran.push('b'))
    clock.after(10, () => {
      ran.push('a')
      clock.after(5, () => ran.push('a2'))
    })
    clock.after(10, () => ran.push('cancelled'))()
    clock.after(40, () => ran.push('c'))
    await new Promise(setImmediate)
    expect(ran).toEqual([])
    await clock.advance(30)
    expect(ran).toEqual(['a', 'a2', 'b'])
    expect(clock.nowMicros() - start).toBe(30_000n)
    expect(clock.monotonicMs()).toBe(30)
  })

  it('moves with the work of the disk, but not to a timer beyond it', async () => {
    const io = simulatedIo(2)
    let fired = false
    io.clock.after(1000, () => {
      fired = true
    })
    await io.disk.open('d/a', { create: true })
    expect(io.clock.monotonicMs()).toBeGreaterThan(0)
    await new Promise(setImmediate)
    expect(fired).toBe(false)
    expect(io.clock.monotonicMs()).toBeLessThan(1)
  })

  it('jumps to the next timer when asked to and nothing else can run', async () => {
    const { clock } = simulatedIo(3, { idle: 'advance' })
    await new Promise<void>((resolve) => clock.after(3_600_000, resolve))
    expect(clock.monotonicMs()).toBe(3_600_000)
  })
})

describe('threads', () => {
  const echo: ThreadEntry = (post) => (message) => {
    if (message === 'fail') throw new Error('told to')
    post(message)
  }

  it('deliver in the order of posting on a port, between ports in any', async () => {
    const orders = new Set<string>()
    for (let seed = 0; seed < 20; seed++) {
      const io = simulatedIo(seed, { threads: { engine: echo } })
      const got: string[] = []
      await new Promise<void>((resolve, reject) => {
        const port = (name: string) =>
          io.threads.start('engine', (message) => got.push(`${name}${message}`) === 8 && resolve(), reject)
        const [a, b] = [port('a'), port('b')]
        for (let i = 0; i < 4; i++) {
          a.post(i)
          b.post(i)
        }
      })
      for (const name of ['a', 'b']) {
        expect(got.filter((text) => text.startsWith(name))).toEqual([0, 1, 2, 3].map((i) => name + i))
      }
      orders.add(got.join())
    }
    expect(orders.size).toBeGreaterThan(5)
  })

  it('clone messages, move what is transferred, and report failures', async () => {
    const io = simulatedIo(1, { threads: { engine: echo } })
    const sent = { deep: { n: 1 } }
    const buffer = new ArrayBuffer(8)
    const [back] = await new Promise<unknown[]>((resolve, reject) => {
      const port = io.threads.start('engine', (message) => resolve([message]), reject)
      port.post({ sent, buffer }, [buffer])
      sent.deep.n = 2
    })
    expect(back).toEqual({ sent: { deep: { n: 1 } }, buffer: new ArrayBuffer(8) })
    expect(buffer.byteLength).toBe(0)
    const failure = await new Promise<Error>((resolve) => {
      io.threads.start('engine', () => {}, resolve).post('fail')
    })
    expect(failure.message).toBe('told to')
  })

  it('see the machine that they run on', async () => {
    const look: ThreadEntry = (post, io) => () => post(io.clock.nowMicros())
    const io = simulatedIo(1, { threads: { engine: look } })
    const seen = await new Promise((resolve, reject) => io.threads.start('engine', resolve, reject).post(null))
    expect(seen).toBeGreaterThan(0n)
    expect(seen).toBeLessThanOrEqual(io.clock.nowMicros())
  })

  it('say nothing after they were stopped', async () => {
    const io = simulatedIo(1, { threads: { engine: echo } })
    const got: unknown[] = []
    const port = io.threads.start(
      'engine',
      (message) => got.push(message),
      () => {},
    )
    port.post(1)
    await port.stop()
    await io.clock.advance(10)
    expect(got).toEqual([])
  })
})

it('the generator is even and repeats by seed', () => {
  const prng = new Prng(42)
  const counts = new Array<number>(10).fill(0)
  for (let i = 0; i < 100_000; i++) counts[prng.below(10)]++
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500)
  expect([...new Prng(9).bytes(8)]).toEqual([...new Prng(9).bytes(8)])
  expect([...new Prng(9).bytes(8)]).not.toEqual([...new Prng(10).bytes(8)])
})
