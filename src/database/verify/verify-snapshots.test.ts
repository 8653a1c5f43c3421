// Snapshots that are whole and right by their checksums, and yet not what the log makes, are found.
import { describe, expect, it } from 'vitest'
import { Database, type DatabaseOptions } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { engineThread } from '../../engine/thread.ts'
import type { Io } from '../../io/io.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { type OpenedLog, openFileStore } from '../../log/file-log.ts'
import type { Log, LogOptions } from '../../log/log.ts'
import { keeperThread } from '../../state/snapshots/keeper-thread.ts'
import { encodeManifest, type Manifest, manifestNames, readManifest } from '../../state/snapshots/manifest.ts'
import { Slices } from '../../views/slices.ts'
import { View } from '../../views/view.ts'
import { ViewFiles } from '../../views/view-files.ts'
import type { About } from '../snapshots/snapshot-notes.ts'
import { type CheckedData, type CheckResult, verifyData } from './verify.ts'

const topics = (retention = ''): string => `
CREATE TABLE bid (auction bigint NOT NULL, price bigint, note text, at timestamp NOT NULL)
  WITH (event_time = 'at', lateness = '2 seconds'${retention});
CREATE TABLE account (id bigint PRIMARY KEY, owner text);
`
const totals = 'CREATE MATERIALIZED VIEW totals AS SELECT auction, sum(price) AS total FROM bid GROUP BY auction;'
const views = `${totals}
CREATE MATERIALIZED VIEW owned AS
  SELECT b.auction, b.price, a.owner FROM bid b LEFT JOIN account a ON a.id = b.auction;
CREATE MATERIALIZED VIEW best AS
  SELECT auction, price, note FROM (
    SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rank FROM bid) ranked WHERE rank <= 3;
CREATE MATERIALIZED VIEW recent AS
  SELECT auction, count(*) AS n FROM bid WHERE at > now() - interval '30 seconds' GROUP BY auction;
CREATE MATERIALIZED VIEW per_window WITH (emit = 'final') AS
  SELECT window_start, count(*) AS n FROM tumble(bid, at, interval '5 seconds') GROUP BY window_start;
CREATE MATERIALIZED VIEW parts AS SELECT auction, 10 / price AS part FROM bid;
`
const state = 'data/state'

class Site {
  readonly io: SimulatedIo
  #opened: OpenedLog | null = null
  #appended = 0

  constructor(seed: number) {
    this.io = simulatedIo(seed, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
  }

  open(text: string, options: Partial<DatabaseOptions> = {}): Promise<Database> {
    const definition = sqlDefinition(text)
    const { io } = this
    const snapshots = { everyBytes: 6000, closeBytes: 1 }
    return Database.open({
      io,
      definition,
      data: 'data',
      engine: 'inline',
      snapshots,
      openLog: this.#openLog,
      ...options,
    })
  }

  readonly #openLog = async (io: Io, folder: string, options: LogOptions): Promise<Log> => {
    const sizes = { fileBytes: 24_000, stepBytes: 4096, largeBytes: 12_000, reserveBytes: 512 }
    this.#opened = await openFileStore(io, folder, { ...options, sizes, history: { share: 1, busyShare: 1 } })
    return this.#opened.log
  }

  async append(db: Database, times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      const n = this.#appended++
      const at = new Date(Number(this.io.clock.nowMicros() / 1000n)).toISOString()
      await json(db, 'bid', { auction: n % 5, price: n % 7, note: n % 3 === 0 ? null : `n${n}`, at })
      if (n % 3 === 0) await json(db, 'account', { id: n % 5, owner: `o${n}` })
      await new Promise<void>((resolve) => this.io.clock.after(700, resolve))
    }
  }

  async close(db: Database): Promise<void> {
    await this.#opened!.store.settle()
    await db.close()
  }

  verify(full = true, more: Partial<CheckedData> = {}): Promise<readonly CheckResult[]> {
    return verifyData({ io: this.io, folder: 'data', full, ...more })
  }

  /** The snapshots there are, the newest first. */
  async manifests(): Promise<readonly Manifest[]> {
    const { disk } = this.io
    return manifestNames(await disk.list(state)).map((name) => readManifest(disk, state, name))
  }

  /** Writes the manifest of a snapshot anew, with a right checksum. */
  async put(manifest: Manifest): Promise<void> {
    const name = manifestNames(await this.io.disk.list(state)).find((one) => Number(one.slice(9, 24)) === manifest.tick)
    const file = await this.io.disk.open(`${state}/${name}`)
    const bytes = encodeManifest(manifest)
    await file.truncate(bytes.byteLength)
    await file.write(bytes, 0)
    await file.sync()
    await file.close()
  }
}

async function json(db: Database, topic: string, event: unknown): Promise<void> {
  const { tick } = await db.appendText(topic, new TextEncoder().encode(JSON.stringify(event)), 'json')
  await db.waitForTick(tick)
}

async function filled(seed: number, text = topics() + views): Promise<Site> {
  const site = new Site(seed)
  const db = await site.open(text)
  await site.append(db, 120)
  await site.close(db)
  return site
}

const found = (results: readonly CheckResult[]): CheckResult => results.find(({ check }) => check === 'replay')!

/** Takes rows of the first view out of the newest snapshot: the first page of its oldest run. */
async function takeRows(site: Site, text: string): Promise<void> {
  const db = await site.open(text)
  const [definition] = db.catalog().views
  await site.close(db)
  const { disk, clock } = site.io
  const [newest] = await site.manifests()
  const about = newest.about as About
  const files = await ViewFiles.open(disk, state)
  const view = new View(definition)
  const held = await files.load(view, about.views[0].stored)
  const [first, ...rest] = held.version.runs
  const shorter = { ...first, pages: first.pages.slice(1), rows: first.rows - first.pages[0].rows }
  const version = { ...held.version, runs: [shorter, ...rest] }
  const [stored] = await files.save([{ ...held, version }], new Slices(clock))
  await files.close()
  const changed = about.views.map((one, i) => (i === 0 ? { ...one, stored } : one))
  const named = [...new Set(changed.flatMap((one) => one.stored.runs.map(({ file }) => file)))]
  await site.put({ ...newest, about: { ...about, files: named, views: changed } })
}

describe('a snapshot', () => {
  it('that is what the log makes passes, and nothing is written', async () => {
    const site = await filled(1)
    const { disk } = site.io
    const files = async (): Promise<readonly (readonly [string, unknown])[]> => {
      const paths = ['data/log', state].map(async (folder) =>
        (await disk.list(folder)).map((name) => `${folder}/${name}`),
      )
      return (await Promise.all(paths)).flat().map((path) => [path, disk.contentOf(path)])
    }
    const before = await files()
    const { problem, found: facts } = found(await site.verify())
    expect(problem).toBeNull()
    expect(facts!.notes).toEqual([])
    expect(facts!.facts).toMatchObject({ snapshots: 2, from_tick: 0 })
    expect(facts!.facts['views']).toBeGreaterThanOrEqual(18)
    expect(facts!.facts['rows']).toBeGreaterThan(100)
    const sample = found(await site.verify(false))
    expect(sample.problem).toBeNull()
    expect(sample.found!.facts).toMatchObject({ snapshots: 1, views: 4 })
    const told: number[] = []
    const threads = await site.verify(true, { engine: 'worker', onReplay: (tick) => told.push(tick) })
    expect(found(threads).problem).toBeNull()
    expect(Math.max(...told)).toBe((await site.manifests())[0].tick)
    expect(await files()).toEqual(before)
  })

  it('with other rows is named, with its first rows, in full and by a sample', async () => {
    const site = await filled(2, topics() + totals)
    await takeRows(site, topics() + totals)
    for (const full of [true, false]) {
      const { problem, found: facts } = found(await site.verify(full))
      expect(problem).toMatchObject({
        code: 'state/corrupt',
        hint: expect.stringContaining('delete data/state/snapshot-'),
      })
      expect(problem!.message).toMatch(
        /is not what the log makes: totals at tick \d+: \d+ rows are missing, 0 too many; missing: \{"auction":/,
      )
      expect(facts!.differing![0]).toMatchObject({
        view: 'totals',
        extra: 0,
        file: expect.stringMatching(/^snapshot-/),
      })
    }
  })

  it('with another count of rows, or other error rows, is named', async () => {
    const site = await filled(3)
    const [newest] = await site.manifests()
    const about = newest.about as About
    const alter = (i: number, change: Partial<About['views'][0]['stored']>): Promise<void> => {
      const altered = about.views.map((one, k) => (k === i ? { ...one, stored: { ...one.stored, ...change } } : one))
      return site.put({ ...newest, about: { ...about, views: altered } })
    }
    await alter(0, { rows: 77 })
    expect(found(await site.verify()).problem?.message).toContain('totals at tick')
    const { errorRows } = about.views[5].stored
    expect(errorRows.length).toBeGreaterThan(0)
    await alter(5, { errorRows: errorRows.map((row) => ({ ...row, weight: row.weight + 1 })) })
    expect(found(await site.verify()).problem?.message).toMatch(
      /parts at tick \d+: 0 rows are missing, \d+ too many; too many: .*zero/,
    )
  })

  it('whose views are right and whose engine would go on wrongly is named', async () => {
    const site = await filled(4)
    const [newest, older] = await site.manifests()
    // The engine's runs of the one before, under the name of the newest: both can be read.
    await site.put({ ...newest, files: older.files })
    const db = await site.open(topics() + views, { snapshots: { everyBytes: 1 << 30, closeBytes: 1 << 30 } })
    await site.append(db, 20)
    await site.close(db)
    const { problem } = found(await site.verify())
    expect(problem?.message).toContain(
      `snapshot-${String(newest.tick).padStart(15, '0')}.json is not what the log makes`,
    )
    expect(problem?.message).not.toContain(`at tick ${newest.tick}:`)
  })

  it('of definitions of before is compared with what they make', async () => {
    const site = await filled(5)
    const db = await site.open(topics() + views.replace('sum(price) AS total', 'sum(price) + 1 AS total'))
    await site.append(db, 4)
    await site.close(db)
    const { problem, found: facts } = found(await site.verify())
    expect(problem).toBeNull()
    expect(facts!.facts['snapshots']).toBe(2)
  })

  it('is compared with what the base and the log behind it make', async () => {
    const site = new Site(6)
    const text = topics(", retention = '0 MiB'") + views
    let db = await site.open(text)
    for (let life = 0; life < 3; life++) {
      await site.append(db, 60)
      await site.close(db)
      db = await site.open(text)
    }
    await site.append(db, 30)
    await site.close(db)
    expect((await site.io.disk.list(state)).some((name) => name.startsWith('base-'))).toBe(true)
    for (const full of [true, false]) expect(found(await site.verify(full)).problem).toBeNull()
    await takeRows(site, text)
    expect(found(await site.verify()).problem?.message).toContain('totals at tick')
  })
})
