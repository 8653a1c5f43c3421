// Who follows a topic misses nothing and is told nothing twice, whatever is appended, trimmed and shown meanwhile.
import { describe, expect, it } from 'vitest'
import { blockColumn, openBlock } from '../../data/block.ts'
import { BlockBuilder } from '../../data/block-builder.ts'
import { MillraceError } from '../../data/errors.ts'
import type { ColumnSchema } from '../../data/sql-type.ts'
import { Prng } from '../../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { openFileStore } from '../../log/file-log.ts'
import { type AppendBlock, type Log, offsetOf, rowFrom } from '../../log/log.ts'
import { openMemoryLog } from '../../log/memory-log.ts'
import type { TopicDefinition } from '../../plan/program.ts'
import { ViewSet } from '../../views/view-set.ts'
import type { TopicLiveOptions } from '../contract.ts'
import type { Running } from '../running.ts'
import { TopicCursor, type TopicMessage } from './topic-cursor.ts'

const columns: readonly ColumnSchema[] = [
  { name: 'key', type: { kind: 'integer' }, nullable: false },
  { name: 'value', type: { kind: 'integer' }, nullable: false },
]

function topic(id: number, name: string, primaryKey: readonly number[]): TopicDefinition {
  return { id, name, columns, primaryKey, eventTime: null, latenessMicros: '0' }
}

const plain = topic(1, 'plain', [])
const table = topic(2, 'table', [0])

interface Event {
  readonly offset: number
  readonly tick: number
  readonly key: number
  readonly value: number
  readonly deletes: boolean
}

function eventsIn({ blocks, from }: Extract<TopicMessage, { kind: 'events' }>): Event[] {
  const events: Event[] = []
  for (const logged of blocks) {
    const { memory, columns: cells } = openBlock(logged.bytes)
    const operations = cells.get(blockColumn.operation)
    const at = (id: number, row: number): number => memory.i32[(cells.get(id)!.data >>> 2) + row]
    for (let row = rowFrom(logged, from); row < logged.rows; row++) {
      const deletes = operations !== undefined && memory.i32[(operations.data >>> 2) + row] === 1
      events.push({
        offset: offsetOf(logged, row),
        tick: logged.tick,
        key: at(0, row),
        value: at(1, row),
        deletes,
      })
    }
  }
  return events
}

/** A log whose ticks are shown when the test likes. */
class Place {
  readonly io: SimulatedIo
  readonly log: Log
  readonly settle: () => Promise<void>
  readonly views: ViewSet
  readonly all = new Map<number, Event[]>([
    [1, []],
    [2, []],
  ])
  readonly #hidden: { readonly tick: number; readonly timeMicros: bigint }[] = []
  failure: MillraceError | null = null
  topics: readonly TopicDefinition[] = [plain, table]
  #serial = 0

  private constructor(io: SimulatedIo, log: Log, settle: () => Promise<void>) {
    this.io = io
    this.log = log
    this.settle = settle
    this.views = new ViewSet(io.clock, [])
    log.onTick((tick) => {
      for (const block of tick.blocks) {
        const message = { blocks: [{ ...block, tick: tick.tick }], from: 0 } as never
        this.all.get(block.topic)!.push(...eventsIn(message))
      }
      this.#hidden.push(tick)
    })
  }

  static async open(kind: 'memory' | 'file', seed: number): Promise<Place> {
    const io = simulatedIo(seed, { idle: 'advance' })
    const sealNow = (): boolean => true
    if (kind === 'memory') return new Place(io, openMemoryLog(io, { sealNow }), async () => {})
    const sizes = { fileBytes: 3000, stepBytes: 1024, largeBytes: 700, reserveBytes: 256 }
    const history = { share: 1, busyShare: 1, mergeFiles: 3, mergeBytes: 6000 }
    const { log, store } = await openFileStore(io, 'd/log', { sealNow, sizes, history })
    return new Place(io, log, () => store.settle())
  }

  follow(name: string, options: TopicLiveOptions): TopicCursor {
    const running = { views: this.views, driver: this, program: this }
    const world = {
      log: this.log,
      current: () => running as unknown as Running,
      checkOpen: () => {},
    }
    return new TopicCursor(world, name, options)
  }

  /** @param topics where each event goes */
  async append(topics: readonly number[], prng: Prng): Promise<void> {
    const blocks: AppendBlock[] = []
    for (const id of topics) {
      const rows = prng.chance(0.1) ? 400 : 1 + prng.below(8)
      const builder = new BlockBuilder(columns)
      for (let i = 0; i < rows; i++) {
        builder.beginRow()
        builder.columns[0].setI32(builder.rows, prng.below(20))
        builder.columns[1].setI32(builder.rows, this.#serial++)
        if (id === 2 && prng.chance(0.3)) builder.setDelete()
        builder.commitRow()
      }
      blocks.push({ topic: id, rows, bytes: builder.finish() })
    }
    await this.log.append({ blocks })
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.io.clock.after(ms, resolve)
    })
  }

  /** Shows some of the ticks that are sealed. */
  show(prng: Prng | null): void {
    while (this.#hidden.length > 0 && (prng === null || prng.chance(0.7))) {
      this.views.apply({ ...this.#hidden.shift()!, deltas: [] })
    }
  }

  async trim(prng: Prng): Promise<void> {
    // Nothing goes that nobody could have seen: a cut lies behind a snapshot.
    const cuts = this.log.cuts().filter(({ tick }) => tick <= this.views.tick)
    if (cuts.length === 0) return
    const { tick } = cuts[prng.below(cuts.length)]
    await this.log.trim([
      { topic: 1, throughTick: tick, keep: 'nothing' },
      { topic: 2, throughTick: tick, keep: { key: [0] } },
    ])
  }
}

/** What one reader was told, checked as it comes. */
class Reader {
  readonly #place: Place
  readonly #id: number
  /** What it has of a table. */
  readonly rows = new Map<number, number>()
  /** Null before it knows. */
  next: number | null = null
  resets = 0
  told = 0

  constructor(place: Place, id: number) {
    this.#place = place
    this.#id = id
  }

  take(message: TopicMessage): void {
    const { log, views } = this.#place
    const firstWhole = log.starts().get(this.#id)?.firstOffset ?? 0
    expect(message.tick).toBeLessThanOrEqual(views.tick)
    if (message.kind === 'reset') {
      this.resets++
      expect(firstWhole, 'a reset is for what is gone').toBeGreaterThan(this.next ?? 0)
      this.rows.clear()
      this.next = message.next
      return
    }
    const own = this.#place.all.get(this.#id)!
    const events = eventsIn(message)
    this.next ??= message.from
    expect(message.from).toBe(this.next)
    let expected = this.next
    expect(events).toEqual(events.map(({ offset }) => own[offset]))
    for (const { offset, tick, deletes, key, value } of events) {
      // Offsets are missing where a compacted past is told, and nowhere else.
      const follows = offset === expected || (offset > expected && offset <= firstWhole)
      if (!follows || tick > views.tick) expect.fail(`${offset} at ${tick} comes where ${expected} is awaited`)
      expected = offset + 1
      if (deletes) this.rows.delete(key)
      else this.rows.set(key, value)
    }
    expect(message.next).toBeGreaterThanOrEqual(expected)
    this.next = message.next
    this.told += events.length
    if (message.complete && this.#id === 2) expect(this.rows).toEqual(this.#tableAt(message.tick))
    if (message.complete) {
      const behind = own.find(({ offset, tick }) => offset >= message.next && tick <= message.tick)
      expect(behind, 'complete is complete').toBeUndefined()
    }
  }

  #tableAt(tick: number): Map<number, number> {
    const rows = new Map<number, number>()
    for (const event of this.#place.all.get(2)!) {
      if (event.tick > tick) continue
      if (event.deletes) rows.delete(event.key)
      else rows.set(event.key, event.value)
    }
    return rows
  }
}

const seeds = Array.from({ length: Number(process.env['MILLRACE_SEEDS'] ?? 4) }, (_, i) => i + 1)

describe.each(['memory', 'file'] as const)('a topic is followed in a log: %s', (kind) => {
  it.each(seeds)('without gap or duplicate (seed %i)', async (seed) => {
    const prng = new Prng(seed)
    const place = await Place.open(kind, seed)
    let over = false
    const reading = [1, 2, 1, 2].map(async (id) => {
      const own = new Prng(Math.imul(seed, 7919) + prng.below(1e6))
      const reader = new Reader(place, id)
      let next: number | null = null
      while (!over || reader.next !== place.all.get(id)!.length) {
        const options = next === null ? { from: 0 } : { from: next, resumes: true }
        if (next === null) reader.rows.clear()
        const cursor = place.follow(id === 1 ? 'plain' : 'table', options)
        for (let pulls = 1 + own.below(30); pulls > 0; pulls--) {
          if (own.chance(0.5)) await place.sleep(own.below(200))
          // A pull that finds nothing is left where it waits, as a stream is that its reader closes.
          const pulled = await Promise.race([cursor.next(), place.sleep(5000).then(() => null)])
          if (pulled === null) break
          reader.take(pulled.value)
          next = reader.next
        }
        await cursor.return()
        expect((await cursor.next()).done).toBe(true)
      }
      return reader
    })
    for (let step = 0; step < 80; step++) {
      await place.append([[1], [2], [1, 2]][prng.below(3)], prng)
      if (prng.chance(0.3)) await place.sleep(prng.below(300))
      place.show(prng)
      if (prng.chance(0.2)) await place.settle()
      if (prng.chance(0.15)) await place.trim(prng)
    }
    place.show(null)
    over = true
    const readers = await Promise.all(reading)
    for (const { told } of readers) expect(told).toBeGreaterThan(0)
    await place.log.close()
  })
})

describe('who follows a topic', () => {
  const prng = new Prng(1)

  it('begins at the end unless he says otherwise, and is told where that is', async () => {
    const place = await Place.open('memory', 1)
    await place.append([1], prng)
    const end = place.all.get(1)!.length
    const cursor = place.follow('plain', {})
    const first = cursor.next()
    // What is durable and not visible yet is behind him once it is.
    place.show(null)
    expect((await first).value).toMatchObject({ kind: 'events', from: end, next: end, complete: true, tick: 1 })
    await place.append([1], prng)
    place.show(null)
    const { value } = await cursor.next()
    expect(eventsIn(value)).toEqual(place.all.get(1)!.slice(end))
  })

  it('sees no event before its tick is visible', async () => {
    const place = await Place.open('memory', 1)
    await place.append([1], prng)
    const cursor = place.follow('plain', { from: 0 })
    expect((await cursor.next()).value).toMatchObject({ kind: 'events', blocks: [], complete: true, tick: 0 })
    let told: TopicMessage | null = null
    const pulled = cursor.next().then(({ value }) => {
      told = value
    })
    await place.sleep(1000)
    expect(told).toBeNull()
    place.show(null)
    await pulled
    expect(told).toMatchObject({ kind: 'events', from: 0, complete: true, tick: 1 })
  })

  it('may name an offset that is to come, and gets it then', async () => {
    const place = await Place.open('memory', 1)
    await place.append([1], prng)
    place.show(null)
    const end = place.all.get(1)!.length
    const cursor = place.follow('plain', { from: end + 2 })
    const pulled = cursor.next()
    while (place.all.get(1)!.length <= end + 2) await place.append([1], prng)
    place.show(null)
    expect(eventsIn((await pulled).value)[0].offset).toBe(end + 2)
  })

  it('is reset where he comes with an offset of another log', async () => {
    const place = await Place.open('memory', 1)
    await place.append([1], prng)
    place.show(null)
    const cursor = place.follow('plain', { from: 1000, resumes: true })
    expect((await cursor.next()).value).toEqual({ kind: 'reset', tick: 1, next: 0 })
    expect((await cursor.next()).value).toMatchObject({ kind: 'events', from: 0, complete: true })
  })

  it('is told why nothing comes any more', async () => {
    const place = await Place.open('memory', 1)
    const cursor = place.follow('plain', { from: 0 })
    await cursor.next()
    const pulled = cursor.next()
    pulled.catch(() => {})
    place.failure = new MillraceError('engine/memory', 'too much')
    place.views.wake()
    await expect(pulled).rejects.toMatchObject({ code: 'engine/memory' })
    expect((await cursor.next()).done).toBe(true)
    place.failure = null
    const dropped = place.follow('plain', { from: 0 })
    place.topics = [table, { ...plain, id: 7 }]
    await expect(dropped.next()).rejects.toMatchObject({ code: 'topic/unknown' })
    expect(() => place.follow('nope', {})).toThrow('there is no topic nope')
  })

  it('ends with his signal, also while he waits', async () => {
    const place = await Place.open('memory', 1)
    const ending = new AbortController()
    const cursor = place.follow('plain', { from: 0, signal: ending.signal })
    await cursor.next()
    const pulled = cursor.next()
    ending.abort()
    expect((await pulled).done).toBe(true)
    expect((await place.follow('plain', { signal: ending.signal }).next()).done).toBe(true)
  })

  it('reads the log with all others that wait at its end', async () => {
    const place = await Place.open('memory', 1)
    const read = place.log.readTopic.bind(place.log)
    let reads = 0
    place.log.readTopic = (...asked) => {
      reads++
      return read(...asked)
    }
    const cursors = Array.from({ length: 5 }, () => place.follow('plain', {}))
    for (let round = 1; round <= 3; round++) {
      for (const cursor of cursors) if (round === 1) await cursor.next()
      const pulled = cursors.map((cursor) => cursor.next())
      await place.append([1], prng)
      place.show(null)
      for (const one of pulled) expect(eventsIn((await one).value).at(-1)).toEqual(place.all.get(1)!.at(-1))
      expect(reads).toBe(round)
    }
  })

  it('has a page in hand however large events are', async () => {
    const place = await Place.open('memory', 1)
    for (let i = 0; i < 3000; i++) await place.append([1], new Prng(3))
    place.show(null)
    const cursor = place.follow('plain', { from: 0 })
    let next = 0
    for (let complete = false; !complete; ) {
      const { value } = await cursor.next()
      expect(eventsIn(value).length).toBeLessThanOrEqual(4096 + 400)
      complete = value.complete
      next = value.next
    }
    expect(next).toBe(place.all.get(1)!.length)
  })
})
