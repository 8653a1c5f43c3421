import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { appToSql, defineApp } from '../src/app/app.ts'
import { from } from '../src/app/builder/from.ts'
import { t } from '../src/app/column-type.ts'
import { table, topic, view } from '../src/app/definitions.ts'
import { dateTrunc } from '../src/app/functions/datetime.ts'
import { sql } from '../src/app/sql-text.ts'
import { createClient } from '../src/client/client.ts'
import { MillraceError } from '../src/data/errors.ts'
import { appDefinition } from '../src/engine/definitions.ts'
import { open } from '../src/index.ts'
import { startServer } from '../src/server/listen.ts'
import { startRunning } from './support/running-server.ts'

const payments = topic('payments', {
  schema: {
    id: t.bigint(),
    amount: t.numeric(30, 2),
    at: t.timestamptz(),
    raw: t.bytea().nullable(),
    more: t.jsonb().nullable(),
  },
  time: 'at',
})
const users = table('users', {
  schema: z.object({ id: z.string(), born: z.date(), score: z.number().min(0) }),
  key: 'id',
})
const byId = view(
  'byId',
  sql<{ id: number | bigint; spent: number | string }>`
  SELECT id, sum(amount) AS spent FROM ${payments} GROUP BY id`,
)
const all = view('all', sql<{ id: string; score: number }>`SELECT id, score FROM ${users} ORDER BY score DESC`)
const app = defineApp({ payments, users, byId, all })

let stops: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const stop of stops.reverse()) await stop()
  stops = []
})

async function start() {
  const running = await startRunning({}, appToSql(app))
  stops.push(() => running.stop())
  return { ...running, db: createClient<typeof app>({ url: running.url }) }
}

const births = view(
  'births',
  from({ u: users }).select(({ u }) => ({ id: u.id, born: u.born, year: dateTrunc('year', u.born) })),
)

const at = new Date('2026-11-21T10:00:00.123Z')

describe('createClient', () => {
  it("shows values as the server's app says, without having the app itself", async () => {
    const served = defineApp({ users, births })
    const running = await startRunning({}, appDefinition(served))
    stops.push(() => running.stop())
    const db = createClient<typeof served>({ url: running.url })
    const born = new Date('1990-05-01T00:00:00Z')
    const { tick } = await db.users.append({ id: 'a', born, score: 1 })
    expect((await db.users.read()).events[0].data.born).toEqual(born)
    const year = new Date('1990-01-01T00:00:00Z')
    expect((await db.births.get({ minTick: tick })).rows).toEqual([{ id: 'a', born, year }])
    for await (const { changes } of db.births.live()) {
      expect(changes[0].row).toEqual({ id: 'a', born, year })
      break
    }
    const asked = await db.sql(from({ b: births }).select(({ b }) => ({ born: b.born })))
    expect(asked.rows).toEqual([{ born }])
    await db.close()
  })

  it('appends what the app takes and reads what it gives', async () => {
    const { db } = await start()
    const receipt = await db.payments.append([
      { id: 9007199254740993n, amount: '12345678901234567.89', at, raw: new Uint8Array([1, 255]), more: { a: [1] } },
      { id: 2, amount: 1.5, at: '2026-11-21T11:00:00+01:00' },
    ])
    expect(receipt).toMatchObject({ firstOffset: 0, lastOffset: 1 })
    const { events, next } = await db.payments.read({ limit: 5 })
    expect(next).toBe(2)
    expect(events).toEqual([
      {
        offset: 0,
        tick: receipt.tick,
        op: 'append',
        data: {
          id: 9007199254740993n,
          amount: '12345678901234567.89',
          at: '2026-11-21T10:00:00.123+00:00',
          raw: '\\x01ff',
          more: { a: [1] },
        },
      },
      {
        offset: 1,
        tick: receipt.tick,
        op: 'append',
        data: { id: 2, amount: 1.5, at: '2026-11-21T10:00:00+00:00', raw: null, more: null },
      },
    ])
    const read = await db.byId.get({ minTick: receipt.tick, order: '-id' })
    expect(read).toEqual({
      tick: receipt.tick,
      errors: 0,
      rows: [
        { id: 9007199254740993n, spent: '12345678901234567.89' },
        { id: 2, spent: 1.5 },
      ],
    })
    expect((await db.byId.get({ where: { id: 9007199254740993n } })).rows.length).toBe(1)
    expect((await db.byId.get({ limit: 1 })).rows.length).toBe(1)
  })

  it('upserts, deletes, and checks by the app where it has it', async () => {
    const { url, db } = await start()
    const checked = createClient<typeof app>({ url, app })
    await checked.users.append([
      { id: 'a', born: at, score: 1 },
      { id: 'b', born: at, score: 2 },
    ])
    const deleted = await db.users.delete({ id: 'a' })
    expect((await db.all.get({ minTick: deleted.tick })).rows).toEqual([{ id: 'b', score: 2 }])
    expect((await checked.users.read()).events.map(({ op, data }) => [op, data.id, data.born])).toEqual([
      ['upsert', 'a', at],
      ['upsert', 'b', at],
      ['delete', 'a', undefined],
    ])
    await expect(checked.users.append({ id: 'c', born: at, score: -1 })).rejects.toMatchObject({
      code: 'event/invalid',
      errors: [{ pointer: '/0/score' }],
    })
    // Without the app the server's columns decide.
    await expect(db.users.append({ id: 'c', born: at, score: 'x' as unknown as number })).rejects.toMatchObject({
      code: 'event/invalid',
      errors: [{ pointer: '/0/score' }],
    })
  })

  it('runs SQL', async () => {
    const { db } = await start()
    const { tick } = await db.payments.append({ id: 9007199254740993n, amount: 2, at })
    await db.byId.get({ minTick: tick })
    const answer = await db.sql<{ id: bigint; at: string }>('SELECT id, at FROM payments WHERE id = $1', {
      params: [9007199254740993n],
    })
    expect(answer).toEqual({
      tick,
      columns: [
        { name: 'id', type: 'bigint' },
        { name: 'at', type: 'timestamp with time zone' },
      ],
      rows: [{ id: 9007199254740993n, at: '2026-11-21T10:00:00.123+00:00' }],
    })
    await expect(db.sql('SELECT nope FROM payments')).rejects.toMatchObject({ code: 'sql/unknown-column' })
  })

  it('repeats an append under its key without appending twice', async () => {
    const { db } = await start()
    const event = { id: 1, amount: 1, at }
    const first = await db.payments.append(event, { idempotencyKey: 'k' })
    expect(await db.payments.append(event, { idempotencyKey: 'k' })).toEqual(first)
    await expect(db.payments.append({ ...event, id: 2 }, { idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'append/idempotency-conflict',
    })
  })

  it('says what is wrong', async () => {
    const { url, db } = await start()
    const other = createClient<Record<string, never>>({ url }) as unknown as typeof db
    await expect((other as unknown as { nope: typeof db.byId }).nope.get()).rejects.toMatchObject({
      code: 'view/unknown',
      hint: expect.stringContaining('byId'),
    })
    const nobody = createClient<typeof app>({ url: 'http://127.0.0.1:1' })
    const refused = await nobody.byId.get().catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(MillraceError)
    expect(refused).toMatchObject({ code: 'server/unreachable' })
    const web = createServer((_, response) => response.writeHead(500).end('<h1>no</h1>')).listen(0, '127.0.0.1')
    stops.push(async () => void web.close())
    await new Promise((resolve) => web.once('listening', resolve))
    const { port } = web.address() as AddressInfo
    await expect(createClient<typeof app>({ url: `http://127.0.0.1:${port}` }).byId.get()).rejects.toMatchObject({
      code: 'server/unreachable',
      message: expect.stringContaining('500'),
    })
    await expect(db.byId.get({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
    expect(await Promise.resolve(db)).toBe(db)
  })
})

describe('live', () => {
  it('gives rows, then changes, until aborted', async () => {
    const { db } = await start()
    const { tick } = await db.payments.append({ id: 1, amount: 1, at })
    await db.byId.get({ minTick: tick })
    const abort = new AbortController()
    const told: unknown[] = []
    for await (const step of db.byId.live({ signal: abort.signal })) {
      told.push([step.kind, step.changes])
      if (told.length === 1) await db.payments.append({ id: 1, amount: 2, at })
      if (told.length === 2) abort.abort()
    }
    expect(told).toEqual([
      ['snapshot', [{ row: { id: 1, spent: 1 }, weight: 1 }]],
      [
        'change',
        expect.arrayContaining([
          { row: { id: 1, spent: 1 }, weight: -1 },
          { row: { id: 1, spent: 3 }, weight: 1 },
        ]),
      ],
    ])
  })

  it('goes on behind the last tick when the server comes back', async () => {
    const { db, server, database } = await start()
    const abort = new AbortController()
    const told: string[] = []
    let spent = 0
    for await (const { kind, changes } of db.byId.live({ signal: abort.signal })) {
      told.push(kind)
      for (const { row, weight } of changes) spent += Number(row.spent) * weight
      if (told.length === 1) {
        await server.close()
        const { tick } = await database.appendText(
          'payments',
          new TextEncoder().encode('{"id":1,"amount":5,"at":"2026-11-21T10:00:00Z"}'),
          'json',
        )
        await database.waitForTick(tick)
        const again = await startServer(database, { port: server.port })
        stops.push(() => again.close())
      }
      if (told.length === 2) abort.abort()
    }
    expect([told, spent]).toEqual([['snapshot', 'change'], 5])
  })

  it('begins a snapshot anew that broke off', async () => {
    const answers = [
      'event: snapshot\ndata: {"tick":3,"rows":[{"id":"1","spent":"2"}]}\n\n',
      'event: snapshot\ndata: {"tick":4,"rows":[{"id":"1","spent":"2"}]}\n\n' +
        'event: snapshot\nid: 4\ndata: {"tick":4,"rows":[{"id":"2","spent":"3"}]}\n\n',
      'event: reset\ndata: {"tick":9}\n\nevent: snapshot\nid: 9\ndata: {"tick":9,"rows":[]}\n\n',
      'event: problem\ndata: {"code":"engine/stopped","detail":"it stopped"}\n\n',
    ]
    const asked: (string | null)[] = []
    const columns = [
      { name: 'id', type: 'bigint', nullable: true },
      { name: 'spent', type: 'numeric', nullable: true },
    ]
    const db = createClient<typeof app>({
      url: 'http://localhost',
      fetch: async (url, init) => {
        if (url.endsWith('/v1/catalog')) {
          return Response.json({ tick: 1, topics: [], views: [{ name: 'byId', columns }] })
        }
        asked.push(new Headers(init?.headers).get('last-event-id'))
        return new Response(answers[asked.length - 1])
      },
    })
    const told: string[] = []
    const reading = (async () => {
      for await (const { kind, tick, changes } of db.byId.live({ fromTick: 2 }))
        told.push(`${kind} ${tick} ${changes.length}`)
    })()
    await expect(reading).rejects.toMatchObject({ code: 'engine/stopped' })
    expect(told).toEqual(['snapshot 3 1', 'reset 3 0', 'snapshot 4 1', 'snapshot 4 1', 'reset 9 0', 'snapshot 9 0'])
    expect(asked).toEqual(['2', null, '4', '9'])
  })

  it('ends when the consumer has enough, and throws what will not pass', async () => {
    const { db, url } = await start()
    for await (const _ of db.byId.live()) break
    const free = async () => (await fetch(`${url}/metrics`)).text()
    await expect.poll(free).toContain('millrace_live_streams 0')
    const nope = (db as unknown as { nope: typeof db.byId }).nope
    await expect(nope.live()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'view/unknown' })
    const waiting = db.byId.live()[Symbol.asyncIterator]()
    await waiting.next()
    const next = waiting.next()
    await db.close()
    expect(await next).toEqual({ done: true, value: undefined })
  })

  it('follows SQL, in this process and from afar alike', async () => {
    const { db, url } = await start()
    const near = await open(app, { engine: 'inline' })
    stops.push(() => near.close())
    for (const one of [near, db]) {
      const { tick } = await one.payments.append({ id: 9007199254740993n, amount: 2, at })
      await one.byId.get({ minTick: tick })
      const told: unknown[] = []
      const abort = new AbortController()
      const query = sql<{
        id: bigint
        spent: number
      }>`SELECT id, sum(amount) AS spent FROM ${payments} WHERE id > $1 GROUP BY id`
      for await (const step of one.sql.live(query, { params: [7n], signal: abort.signal })) {
        told.push({ ...step, tick: step.tick - tick })
        if (told.length === 1)
          await one.payments.append([
            { id: 1, amount: 1, at },
            { id: 9007199254740993n, amount: 1, at },
          ])
        if (told.length === 2) abort.abort()
      }
      const columns = [
        { name: 'id', type: 'bigint' },
        { name: 'spent', type: expect.stringMatching(/^numeric/) },
      ]
      const row = (spent: number) => ({ id: 9007199254740993n, spent })
      expect(told).toEqual([
        { kind: 'snapshot', tick: 0, complete: true, columns, order: [], changes: [{ row: row(2), weight: 1 }] },
        {
          kind: 'change',
          tick: 1,
          complete: true,
          columns,
          order: [],
          changes: expect.arrayContaining([
            { row: row(2), weight: -1 },
            { row: row(3), weight: 1 },
          ]),
        },
      ])
      const refused = one.sql.live('SELECT nope FROM payments')[Symbol.asyncIterator]()
      await expect(refused.next()).rejects.toMatchObject({ code: 'sql/unknown-column' })
      expect(
        await one.sql.live('SELECT 1', { signal: AbortSignal.abort() })[Symbol.asyncIterator]().next(),
      ).toMatchObject({
        done: true,
      })
    }
    const free = async () => (await fetch(`${url}/metrics`)).text()
    await expect.poll(free).toContain('millrace_live_streams 0')
  })

  it('follows a topic, in this process and from afar alike', async () => {
    const { db, url } = await start()
    const near = await open(app, { engine: 'inline' })
    stops.push(() => near.close())
    for (const one of [near, db]) {
      const { tick } = await one.payments.append([
        { id: 9007199254740993n, amount: 2, at },
        { id: 1, amount: '0.50', at, more: { a: 1 } },
      ])
      await one.byId.get({ minTick: tick })
      const event = (offset: number, id: number | bigint, amount: number, more: unknown, sent: number) => {
        const data = { id, amount, at: '2026-11-21T10:00:00.123+00:00', raw: null, more }
        return { offset, tick: tick + sent, op: 'append', data }
      }
      const told: unknown[] = []
      const abort = new AbortController()
      for await (const step of one.payments.live({ from: 0, signal: abort.signal })) {
        told.push(step)
        if (told.length === 1) await one.payments.append({ id: 2, amount: 3, at })
        if (told.length === 2) abort.abort()
      }
      const first = [event(0, 9007199254740993n, 2, null, 0), event(1, 1, 0.5, { a: 1 }, 0)]
      expect(told).toEqual([
        { kind: 'events', tick, next: 2, complete: true, events: first },
        { kind: 'events', tick: tick + 1, next: 3, complete: true, events: [event(2, 2, 3, null, 1)] },
      ])
      for await (const { events, next } of one.payments.live()) {
        expect([events, next]).toEqual([[], 3])
        break
      }
      for await (const { events } of one.payments.live({ from: 2 })) {
        expect(events.map(({ offset }) => offset)).toEqual([2])
        break
      }
      const bad = one.payments.live({ from: -1 })[Symbol.asyncIterator]()
      await expect(bad.next()).rejects.toMatchObject({ code: 'request/parameter' })
      const over = one.payments.live({ signal: AbortSignal.abort() })[Symbol.asyncIterator]()
      expect((await over.next()).done).toBe(true)
    }
    const free = async () => (await fetch(`${url}/metrics`)).text()
    await expect.poll(free).toContain('millrace_live_streams 0')
  })

  it('knows a topic from a view, with the app at hand or without', async () => {
    const { url } = await start()
    const db = createClient<typeof app>({ url, app })
    stops.push(() => db.close())
    const { tick } = await db.users.append({ id: 'a', born: at, score: 1 })
    for await (const { events } of db.users.live({ from: 0 })) {
      expect(events).toEqual([{ offset: 0, tick, op: 'upsert', data: { id: 'a', born: at, score: 1 } }])
      break
    }
    const waiting = db.users.live()[Symbol.asyncIterator]()
    await waiting.next()
    const next = waiting.next()
    await db.close()
    expect((await next).done).toBe(true)
  })

  it('goes on with a topic where it was when the server comes back', async () => {
    const { db, server, database } = await start()
    const ids: number[] = []
    let came = 0
    for await (const { kind, events, next } of db.payments.live()) {
      expect(kind).toBe('events')
      for (const { data } of events) ids.push(Number(data.id))
      expect(next).toBe(ids.length)
      if (came++ === 0) {
        await server.close()
        const line = (id: number): string => `{"id":${id},"amount":5,"at":"2026-11-21T10:00:00Z"}`
        await database.appendText('payments', new TextEncoder().encode([1, 2].map(line).join('\n')), 'ndjson')
        const again = await startServer(database, { port: server.port })
        stops.push(() => again.close())
      }
      if (ids.length === 2) break
    }
    expect(ids).toEqual([1, 2])
  })

  it('tells of a topic whose events are gone, and goes on with what is left', async () => {
    const answers = [
      'event: events\ndata: {"events":[],"tick":3,"complete":true}\nid: 5\n\n',
      'event: reset\nid: 9\ndata: {"tick":7}\n\n',
      'event: problem\ndata: {"code":"auth/invalid","detail":"no more"}\n\n',
    ]
    const asked: string[] = []
    const topics = [{ name: 'payments', columns: [{ name: 'id', type: 'bigint', nullable: false }] }]
    const db = createClient<typeof app>({
      url: 'http://localhost',
      fetch: async (url, init) => {
        if (url.endsWith('/v1/catalog')) return Response.json({ tick: 1, topics, views: [] })
        asked.push(`${new URL(url).search} ${new Headers(init?.headers).get('last-event-id')}`)
        return new Response(answers[asked.length - 1])
      },
    })
    const told: unknown[] = []
    const reading = (async () => {
      for await (const step of db.payments.live({ from: 4 })) told.push(step)
    })()
    await expect(reading).rejects.toMatchObject({ code: 'auth/invalid' })
    expect(told).toEqual([
      { kind: 'events', tick: 3, next: 5, complete: true, events: [] },
      { kind: 'reset', tick: 7, next: 9, complete: false, events: [] },
    ])
    const query = '?numbers=string&from=4'
    expect(asked).toEqual([`${query} null`, `${query} 5`, `${query} 9`])
  })

  it('begins SQL anew when the server comes back', async () => {
    const { db, server, database } = await start()
    const abort = new AbortController()
    const told: unknown[] = []
    for await (const { kind, changes } of db.sql.live('SELECT count(*) AS n FROM payments', { signal: abort.signal })) {
      told.push([kind, changes])
      if (told.length === 1) {
        await server.close()
        const body = new TextEncoder().encode('{"id":1,"amount":5,"at":"2026-11-21T10:00:00Z"}')
        const { tick } = await database.appendText('payments', body, 'json')
        await database.waitForTick(tick)
        const again = await startServer(database, { port: server.port })
        stops.push(() => again.close())
      }
      if (told.length === 3) abort.abort()
    }
    expect(told).toEqual([
      ['snapshot', [{ row: { n: 0 }, weight: 1 }]],
      ['reset', []],
      ['snapshot', [{ row: { n: 1 }, weight: 1 }]],
    ])
  })
})
