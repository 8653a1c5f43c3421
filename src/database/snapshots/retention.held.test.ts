// Events go while somebody reads them: who reads holds the files.
import { describe, expect, it } from 'vitest'
import { printRow } from '../../data/json-print.ts'
import { Database } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { engineThread } from '../../engine/thread.ts'
import { simulatedIo } from '../../io/twin/simulated-io.ts'
import { openFileStore } from '../../log/file-log.ts'
import type { Log, LogReader } from '../../log/log.ts'
import { keeperThread } from '../../state/snapshots/keeper-thread.ts'
import { LogPast } from '../log-past.ts'

const definition = `
CREATE TABLE bid (auction bigint NOT NULL, note text) WITH (retention = '0 MiB');
CREATE MATERIALIZED VIEW totals AS SELECT auction, count(*) AS bids FROM bid GROUP BY auction;
`
const count = 'SELECT count(*) AS n, sum(auction) AS auctions FROM bid'

/** A reader whose first read waits until it is let go on. */
class Gate {
  /** Somebody waits. */
  readonly reached: Promise<void>
  open: () => void = () => {}
  isClosed = false
  readonly #opened: Promise<void>
  #tell: () => void = () => {}

  constructor() {
    this.reached = new Promise((resolve) => {
      this.#tell = resolve
    })
    this.#opened = new Promise((resolve) => {
      this.open = resolve
    })
  }

  log(log: Log): Log {
    return this.#with(log, 'reader', (mostIdleMs?: number) => this.#reader(log.reader(mostIdleMs)))
  }

  #reader(reader: LogReader): LogReader {
    if (!this.isClosed) return reader
    return this.#with(reader, 'readTopic', async (...asked: Parameters<LogReader['readTopic']>) => {
      this.#tell()
      await this.#opened
      return reader.readTopic(...asked)
    })
  }

  #with<T extends object>(target: T, name: keyof T, instead: unknown): T {
    return new Proxy(target, {
      get: (_, key) => {
        if (key === name) return instead
        const value = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
}

describe('events that a topic does not keep', () => {
  it('go while a query reads on that holds them, and are all in its answer', async () => {
    const io = simulatedIo(5, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
    const gate = new Gate()
    const sizes = { fileBytes: 24_000, stepBytes: 4096, largeBytes: 12_000, reserveBytes: 512 }
    const logs: Log[] = []
    const db = await Database.open({
      io,
      definition: sqlDefinition(definition),
      data: 'data',
      engine: 'inline',
      snapshots: { everyBytes: 20_000, closeBytes: 1 },
      openLog: async (given, folder, options) => {
        const { log } = await openFileStore(given, folder, { ...options, sizes, history: { share: 1, busyShare: 1 } })
        logs.push(log)
        return gate.log(log)
      },
    })
    const gone = (): number => logs[0].starts().get(1)?.firstOffset ?? 0
    let appended = 0
    const feed = async (): Promise<void> => {
      const rows = Array.from({ length: 10 }, () => ({ auction: appended++, note: 'x'.repeat(100) }))
      const { tick } = await db.appendText('bid', new TextEncoder().encode(JSON.stringify(rows)), 'json')
      await db.waitForTick(tick)
    }
    while (gone() === 0) await feed()
    const [first, last] = [gone(), appended]
    gate.isClosed = true
    const asked = db.query(count)
    await gate.reached
    gate.isClosed = false
    while (gone() === first) await feed()
    gate.open()
    const { rows } = await asked
    const lines: string[] = []
    rows.forEach((page, row) => {
      lines.push(printRow(rows.columns, page.memory, page.columns, row))
    })
    const auctions = ((last - first) * (first + last - 1)) / 2
    expect(lines).toEqual([`{"n":${last - first},"auctions":${auctions}}`])
    await db.close()
  })

  it('stay while somebody reads who does not hold them', async () => {
    const past = new LogPast(null as never)
    let trims = 0
    const trim = (): Promise<boolean> => past.unread(async () => void trims++)
    const reads: { held: () => void; end: () => void }[] = []
    const read = () => past.reading((held) => new Promise<void>((end) => reads.push({ held, end })))
    const ends = [read(), read()]
    expect(await trim()).toBe(false)
    reads[0].held()
    reads[0].held()
    expect(await trim()).toBe(false)
    reads[0].end()
    await ends[0]
    expect(await trim()).toBe(false)
    reads[1].held()
    expect(await trim()).toBe(true)
    reads[1].end()
    await ends[1]
    expect(trims).toBe(1)
    expect(past.isRead).toBe(false)
  })
})
