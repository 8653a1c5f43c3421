import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Change, LiveStep } from '../app/database-shape.ts'
import { type Followed, LiveRowsStore, liveRowsOf } from './live-rows.ts'

interface Row {
  readonly id: number
  readonly n: number | bigint
}

/** A view whose steps the test gives. */
class Told implements Followed<Row> {
  streams = 0
  ended = 0
  #waiting: ((step: LiveStep<Row> | Error) => void) | null = null

  async *live({ signal }: { signal?: AbortSignal } = {}): AsyncGenerator<LiveStep<Row>> {
    this.streams++
    try {
      for (;;) {
        const step = await new Promise<LiveStep<Row> | Error | null>((resolve) => {
          this.#waiting = resolve
          signal?.addEventListener('abort', () => resolve(null))
        })
        if (step === null) return
        if (step instanceof Error) throw step
        yield step
      }
    } finally {
      this.ended++
    }
  }

  async tell(
    kind: LiveStep<Row>['kind'],
    tick: number,
    changes: [number, number | bigint, number][],
    complete = kind !== 'reset',
  ) {
    await expect.poll(() => this.#waiting).not.toBeNull()
    const step = this.#waiting!
    this.#waiting = null
    step({ kind, tick, complete, changes: changes.map(([id, n, weight]): Change<Row> => ({ row: { id, n }, weight })) })
    await new Promise((resolve) => setTimeout(resolve))
  }

  async fail(error: Error) {
    await expect.poll(() => this.#waiting).not.toBeNull()
    this.#waiting?.(error)
    await new Promise((resolve) => setTimeout(resolve))
  }
}

const shown = (store: LiveRowsStore<Row>): string =>
  store
    .current()
    .rows.map(({ id, n }) => `${id}=${n}`)
    .join(' ')

afterEach(() => vi.useRealTimers())

describe('rows that stay up to date', () => {
  it('are a snapshot, in pieces, and its changes', async () => {
    const view = new Told()
    const store = new LiveRowsStore(view)
    let told = 0
    const leave = store.subscribe(() => told++)
    expect(store.current()).toEqual({ state: 'connecting', tick: 0, rows: [], error: null })
    await view.tell('snapshot', 3, [[1, 10, 1]], false)
    expect([told, store.current().state]).toEqual([0, 'connecting'])
    await view.tell('snapshot', 3, [[2, 20n, 2]])
    expect([told, store.current().tick, shown(store)]).toEqual([1, 3, '1=10 2=20 2=20'])
    await view.tell('change', 4, [
      [2, 20n, -1],
      [3, 30, 1],
    ])
    expect([told, store.current().tick, shown(store)]).toEqual([2, 4, '1=10 2=20 3=30'])
    leave()
  })

  it('tell a bigint from a number, as views do', async () => {
    const view = new Told()
    const store = new LiveRowsStore(view)
    const leave = store.subscribe(() => {})
    await view.tell('snapshot', 1, [[1, 2n ** 60n, 1]])
    await view.tell('change', 2, [[1, 2n ** 60n, -1]])
    expect(shown(store)).toBe('')
    leave()
  })

  it('keep their places by key, in whatever order a change tells of them', async () => {
    const view = new Told()
    const store = new LiveRowsStore(view, { key: ['id'] })
    const leave = store.subscribe(() => {})
    await view.tell('snapshot', 1, [
      [1, 10, 1],
      [2, 20, 1],
      [3, 30, 1],
    ])
    await view.tell('change', 2, [
      [1, 10, -1],
      [1, 11, 1],
      [2, 21, 1],
      [2, 20, -1],
      [3, 30, -1],
    ])
    expect(shown(store)).toBe('1=11 2=21')
    leave()
  })

  it('are shown until a reset is made good', async () => {
    const view = new Told()
    const store = new LiveRowsStore(view)
    const leave = store.subscribe(() => {})
    await view.tell('snapshot', 1, [[1, 10, 1]])
    await view.tell('reset', 5, [])
    expect([store.current().tick, shown(store)]).toEqual([1, '1=10'])
    await view.tell('snapshot', 6, [[7, 70, 1]])
    expect([store.current().tick, shown(store)]).toEqual([6, '7=70'])
    leave()
  })

  it('share a stream, which outlives a short absence and ends after a long one', async () => {
    const view = new Told()
    const store = liveRowsOf<Row>(view)
    expect(liveRowsOf<Row>(view)).toBe(store)
    expect(liveRowsOf<Row>(view, { key: ['id'] })).not.toBe(store)
    const first = store.subscribe(() => {})
    const second = store.subscribe(() => {})
    await view.tell('snapshot', 1, [[1, 10, 1]])
    vi.useFakeTimers()
    first()
    second()
    vi.advanceTimersByTime(500)
    const third = store.subscribe(() => {})
    expect([view.streams, shown(store)]).toEqual([1, '1=10'])
    third()
    await vi.advanceTimersByTimeAsync(2000)
    expect([view.ended, store.current().state]).toEqual([1, 'connecting'])
    vi.useRealTimers()
    const fourth = store.subscribe(() => {})
    expect(view.streams).toBe(2)
    fourth()
  })

  it('say that they failed, and begin anew for the next who asks', async () => {
    const view = new Told()
    const store = new LiveRowsStore(view)
    const leave = store.subscribe(() => {})
    await view.tell('snapshot', 1, [[1, 10, 1]])
    await view.fail(new Error('no such view'))
    expect(store.current()).toMatchObject({ state: 'failed', rows: [{ id: 1 }], error: new Error('no such view') })
    leave()
    const again = store.subscribe(() => {})
    await view.tell('snapshot', 2, [])
    expect(store.current()).toMatchObject({ state: 'live', tick: 2, rows: [] })
    again()
  })
})
