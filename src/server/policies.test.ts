import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bearer, gatewayOf, makeSigner, type Signer } from '../../test/support/gateway.ts'
import { type Running, startRunning } from '../../test/support/running-server.ts'
import { claim, policy } from '../app/gateway.ts'
import { sql } from '../app/sql-text.ts'
import { sqlDefinition } from '../engine/definitions.ts'

const app = `
CREATE TABLE sale (tenant text NOT NULL, item text, amount bigint NOT NULL, email text);
CREATE TABLE customer (id bigint PRIMARY KEY, tenant text, email text);
CREATE MATERIALIZED VIEW revenue AS SELECT tenant, item, sum(amount) AS amount, max(email) AS email FROM sale GROUP BY tenant, item;
CREATE MATERIALIZED VIEW people AS SELECT id, tenant, email FROM customer ORDER BY email, id;
CREATE MATERIALIZED VIEW hidden AS SELECT count(*) AS n FROM sale;
CREATE VIEW totals AS SELECT tenant, sum(amount) AS total FROM revenue GROUP BY tenant;
CREATE VIEW spy AS SELECT n FROM hidden;
`
const own = sql`tenant = ${claim('tenant')}`
const roles = {
  boss: { admin: true },
  tenant: { read: ['revenue', 'people', 'sale', 'customer', 'totals', 'spy'], append: ['sale'], sql: true },
  auditor: { read: ['people', 'revenue'], sql: true },
}
const policies = [
  policy('revenue', { role: 'tenant', rows: own, mask: { email: 'null' } }),
  policy('people', { role: 'tenant', rows: own, mask: { email: 'hash' } }),
  policy('sale', { role: 'tenant', rows: own, mask: { email: sql`left(email, 1) || '…'` } }),
  policy('customer', { role: 'tenant', rows: own }),
  policy('people', { role: 'auditor', mask: { email: 'null', tenant: 'null' } }),
]

let folder: string
let signer: Signer
let running: Running | null = null

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-policies-'))
  signer = await makeSigner('one')
  await writeFile(path.join(folder, 'keys.json'), JSON.stringify(signer.jwks))
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(async () => {
  await running?.stop()
  running = null
})

const sales = [
  { tenant: 'a', item: 'x', amount: 5, email: 'ann@a' },
  { tenant: 'a', item: 'y', amount: 7, email: 'al@a' },
  { tenant: 'b', item: 'x', amount: 1000, email: 'bob@b' },
  { tenant: "' OR true --", item: 'z', amount: 1, email: 'eve' },
]
const customers = [
  { id: 1, tenant: 'a', email: 'z@a' },
  { id: 2, tenant: 'b', email: 'b@b' },
  { id: 3, tenant: 'a', email: 'a@a' },
]

async function start(): Promise<string> {
  const gateway = gatewayOf(path.join(folder, 'keys.json'), { roles, policies })
  running = await startRunning({ gateway, allowedOrigins: ['https://app.example'] }, app)
  const boss = await signer.sign({ sub: 'boss', role: 'boss' })
  await ask('/v1/topics/sale/events', boss, sales)
  const { body } = await ask('/v1/topics/customer/events', boss, customers)
  await running.database.waitForTick(body.tick as number)
  return running.url
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly body: Record<string, unknown>
}

async function ask(target: string, token: string | null, body?: unknown, headers = {}): Promise<Answer> {
  const response = await fetch(running!.url + target, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(token === null ? {} : bearer(token)),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, text, body: JSON.parse(text) }
}

const tenant = (name: unknown): Promise<string> => signer.sign({ sub: `u-${name}`, role: 'tenant', tenant: name })

async function rowsOf(sqlText: string, token: string): Promise<unknown> {
  const { body, status } = await ask('/v1/sql', token, { sql: sqlText })
  const seen = status === 200 ? body.rows : body.code
  // What is followed shows exactly the same.
  expect([sqlText, await liveRowsOf(sqlText, token)]).toEqual([sqlText, seen])
  return seen
}

/** The snapshot of a live query. */
async function liveRowsOf(sqlText: string, token: string): Promise<unknown> {
  const ending = new AbortController()
  const response = await fetch(`${running!.url}/v1/sql/live`, {
    method: 'POST',
    headers: { ...bearer(token), 'content-type': 'application/json' },
    body: JSON.stringify({ sql: sqlText }),
    signal: ending.signal,
  })
  if (response.status !== 200) return ((await response.json()) as { code: string }).code
  const reader = response.body!.getReader()
  let text = ''
  while (!/^id: \d+[\s\S]*\n\n/m.test(text)) text += new TextDecoder().decode((await reader.read()).value)
  ending.abort()
  return (JSON.parse(/^data: (.*)$/m.exec(text)![1]) as { rows: unknown }).rows
}

describe('policies', () => {
  it('filter and mask view reads, whatever is asked for', async () => {
    await start()
    const a = await tenant('a')
    const { body } = await ask('/v1/views/revenue', a)
    expect(body.rows).toEqual([
      { tenant: 'a', item: 'x', amount: 5, email: null },
      { tenant: 'a', item: 'y', amount: 7, email: null },
    ])
    expect((await ask('/v1/views/revenue?order=-amount&limit=1', a)).body.rows).toMatchObject([{ amount: 7 }])
    expect((await ask('/v1/views/revenue?item=x', a)).body.rows).toMatchObject([{ amount: 5 }])
    expect((await ask('/v1/views/revenue?tenant=b', a)).body.rows).toEqual([])
    for (const by of ['email=ann@a', 'order=email', 'order=-email', 'isnull=email']) {
      expect(await ask(`/v1/views/revenue?${by}`, a)).toMatchObject({ status: 403, body: { code: 'auth/forbidden' } })
    }
    const people = (await ask('/v1/views/people', a)).body.rows as { id: number; email: string }[]
    // By what is open, not by the addresses.
    expect(people.map(({ id }) => id)).toEqual([1, 3])
    for (const { email } of people) expect(email).toMatch(/^[0-9a-f]{32}$/)
    expect(people[0].email).not.toBe(people[1].email)
    const past = await ask(`/v1/views/revenue?as_of=${body.tick}`, a)
    expect(past.body.rows).toEqual(body.rows)
    const auditor = await signer.sign({ sub: 'c', role: 'auditor' })
    expect((await ask('/v1/views/people', auditor)).body.rows).toEqual(
      [1, 2, 3].map((id) => ({ id, tenant: null, email: null })),
    )
  })

  it('keep to claims as values, and refuse who lacks them', async () => {
    await start()
    const odd = await ask('/v1/views/revenue', await tenant("' OR true --"))
    expect(odd.body.rows).toEqual([{ tenant: "' OR true --", item: 'z', amount: 1, email: null }])
    expect((await ask('/v1/views/revenue', await tenant("x' OR 'a'='a"))).body.rows).toEqual([])
    expect((await ask('/v1/views/revenue', await tenant(['a']))).body.rows).toEqual([])
    for (const none of [undefined, null]) {
      expect(await ask('/v1/views/revenue', await tenant(none))).toMatchObject({
        status: 403,
        body: { code: 'auth/forbidden' },
      })
    }
  })

  it('hold in queries, joins, aggregates, named queries and errors', async () => {
    await start()
    const a = await tenant('a')
    expect(await rowsOf('SELECT count(*), sum(amount), max(email) FROM sale', a)).toEqual([[2, 12, 'a…']])
    expect(await rowsOf('SELECT sum(amount) FROM revenue', a)).toEqual([[12]])
    expect(await rowsOf('SELECT tenant, total FROM totals', a)).toEqual([['a', 12]])
    expect(await rowsOf('SELECT count(*) FROM revenue r JOIN sale s ON r.item = s.item', a)).toEqual([[2]])
    expect(await rowsOf('SELECT id FROM customer ORDER BY id', a)).toEqual([[1], [3]])
    expect(await rowsOf("SELECT count(*) FROM people WHERE email = 'z@a'", a)).toEqual([[0]])
    expect(await rowsOf('SELECT 1 / (amount - 1000) FROM revenue', a)).toHaveLength(2)
    for (const secret of ['SELECT * FROM hidden', 'SELECT * FROM spy', 'SELECT * FROM hiden']) {
      const refused = await ask('/v1/sql', a, { sql: secret })
      expect(refused).toMatchObject({ status: 404, body: { code: 'sql/unknown-relation' } })
      expect(refused.text).not.toContain('did you mean hidden')
    }
    expect(await rowsOf('SELECT _offset FROM sale', a)).toBe('sql/unsupported')
    expect(await rowsOf('SELECT * FROM _late', a)).toEqual([])
    expect(await rowsOf('SELECT count(*) FROM sale', await signer.sign({ role: 'auditor' }))).toBe(
      'sql/unknown-relation',
    )
  })

  it('show of a topic the own events, at their own offsets, and of a table none', async () => {
    await start()
    const a = await tenant('a')
    expect((await ask('/v1/topics/sale/events?from=1', a)).body).toMatchObject({
      events: [{ offset: 1, op: 'append', data: { tenant: 'a', item: 'y', amount: 7, email: 'a…' } }],
      next: 4,
    })
    expect(await ask('/v1/topics/customer/events', a)).toMatchObject({ status: 403 })
  })

  it('tell of what leaves a reader’s sight as a removal, and of nothing else', async () => {
    await start()
    const boss = await signer.sign({ sub: 'boss', role: 'boss' })
    const stream = await fetch(`${running!.url}/v1/views/people/live`, { headers: bearer(await tenant('a')) })
    const reader = stream.body!.getReader()
    let text = ''
    const until = async (wanted: RegExp): Promise<void> => {
      while (!wanted.test(text)) text += new TextDecoder().decode((await reader.read()).value)
    }
    await until(/event: snapshot[\s\S]*?\n\n/)
    expect(text.match(/"id":\d+/g)).toEqual(['"id":1', '"id":3'])
    text = ''
    await ask('/v1/topics/customer/events', boss, { id: 2, tenant: 'b', email: 'secret@b' })
    await ask('/v1/topics/customer/events', boss, { id: 3, tenant: 'b', email: 'secret@b' })
    await ask('/v1/topics/customer/events', boss, { id: 4, tenant: 'a', email: 'new@a' })
    await until(/"id":4[\s\S]*?\n\n/)
    expect(text.match(/"id":\d+/g)).toEqual(['"id":3', '"id":4'])
    expect(text.match(/"weight":-?\d+/g)).toEqual(['"weight":-1', '"weight":1'])
    expect(text).not.toContain('secret')
    expect(text).not.toContain('new@a')
    await reader.cancel()
  })

  it('say nothing where only what is masked changes', async () => {
    await start()
    const boss = await signer.sign({ sub: 'boss', role: 'boss' })
    const auditor = bearer(await signer.sign({ role: 'auditor' }))
    const stream = await fetch(`${running!.url}/v1/views/people/live`, { headers: auditor })
    const reader = stream.body!.getReader()
    await ask('/v1/topics/customer/events', boss, { id: 2, tenant: 'b', email: 'other@b' })
    await ask('/v1/topics/customer/events', boss, { id: 9, tenant: 'b', email: 'nine@b' })
    let text = ''
    while (!text.includes('"id":9')) text += new TextDecoder().decode((await reader.read()).value)
    const changes = text.slice(text.indexOf('event: change'))
    expect(changes.includes('event: snapshot') ? '' : changes.match(/"id":\d+/g)?.join()).toBe('"id":9')
    await reader.cancel()
  })

  it('let an admin see what somebody else would', async () => {
    await start()
    const boss = await signer.sign({ sub: 'boss', role: 'boss' })
    const as = { 'millrace-act-as': '{"role":"tenant","claims":{"tenant":"b"}}' }
    expect((await ask('/v1/views/revenue', boss, undefined, as)).body.rows).toMatchObject([{ tenant: 'b' }])
    expect((await ask('/v1/whoami', boss, undefined, as)).body).toMatchObject({ role: 'tenant', actor: 'token boss' })
    expect(await ask('/v1/views/revenue', await tenant('a'), undefined, as)).toMatchObject({ status: 403 })
    expect(await ask('/v1/views/revenue', null, undefined, as)).toMatchObject({ status: 401 })
  })

  it('keep the answers of two readers apart for caches, small and large', async () => {
    const url = await start()
    const boss = await signer.sign({ sub: 'boss', role: 'boss' })
    const tags = async (): Promise<readonly (string | null)[]> => {
      const found: (string | null)[] = []
      for (const token of [boss, await tenant('a'), await tenant('b')]) {
        const headers = { ...bearer(token), origin: 'https://app.example', 'if-none-match': found.join() }
        const response = await fetch(`${url}/v1/views/revenue`, { headers })
        await response.arrayBuffer()
        expect([response.status, response.headers.get('vary')]).toEqual([200, 'Authorization, Origin'])
        found.push(response.headers.get('etag'))
      }
      return found
    }
    expect(new Set(await tags()).size).toBe(3)
    const many = Array.from({ length: 4000 }, (_, i) => ({
      tenant: i % 2 === 0 ? 'a' : 'b',
      item: `${'long '.repeat(20)}${i}`,
      amount: 1,
      email: 'x',
    }))
    const { body } = await ask('/v1/topics/sale/events', boss, many)
    await running!.database.waitForTick(body.tick as number)
    expect(new Set(await tags()).size).toBe(3)
  })

  it('tell no names of what a caller may not see, where he asks for a topic as a view or for a view as a topic', async () => {
    await start()
    const token = await tenant('a')
    const boss = await signer.sign({ sub: 'boss', role: 'boss' })
    for (const target of ['/v1/topics/totally/events', '/v1/views/sale', '/v1/topics/revenue/events']) {
      const { status, body } = await ask(target, boss)
      expect([target, status, typeof body.hint]).toEqual([target, 404, 'string'])
    }
    for (const target of ['/v1/views/sale', '/v1/topics/revenue/events']) {
      for (const more of ['', '/live', '?limit=1']) {
        const { status, body } = await ask(target.replace('/events', more === '/live' ? '' : '/events') + more, token)
        expect([target, more, status, body.hint]).toEqual([target, more, 404, undefined])
      }
    }
  })

  it('leave out of the catalog what a caller may not see', async () => {
    await start()
    const { body, text } = await ask('/v1/catalog', await tenant('a'))
    const names = (key: string): string[] => (body[key] as { name: string }[]).map(({ name }) => name)
    expect([...names('topics'), ...names('views')]).toEqual(['sale', 'customer', 'revenue', 'people'])
    expect(text).not.toContain('hidden')
    expect(body.views).toMatchObject([{ rows: 0, sql: '' }, { rows: 0 }])
  })

  it('let see a journey only who sees all of what its event reaches', async () => {
    const all = ['sale', 'customer', 'revenue', 'people', 'hidden']
    const reading = (...read: readonly string[]) => ({ read })
    const gateway = gatewayOf(path.join(folder, 'keys.json'), {
      roles: {
        ...roles,
        whole: reading(...all),
        some: reading('sale', 'revenue'),
        blind: reading('revenue', 'hidden'),
        masked: reading(...all),
        filtered: reading(...all),
      },
      policies: [
        policy('revenue', { role: 'masked', mask: { email: 'null' } }),
        policy('sale', { role: 'filtered', rows: 'amount > 0' }),
      ],
    })
    running = await startRunning({ gateway }, app)
    const token = await signer.sign({ role: 'boss' })
    await ask('/v1/topics/sale/events', token, sales)
    await ask('/v1/topics/customer/events', token, customers)
    const journey = async (topic: string, role: string, headers = {}): Promise<number> => {
      const own = bearer(await signer.sign({ role: Object.keys(headers).length > 0 ? 'boss' : role }))
      const target = `${running!.url}/v1/topics/${topic}/events/0/journey`
      const response = await fetch(target, { headers: { ...own, ...headers } })
      const text = await response.text()
      if (response.status !== 200)
        for (const secret of ['hidden', 'ann@a', '"rows"']) expect(text).not.toContain(secret)
      return response.status
    }
    for (const [role, sale, customer] of [
      ['boss', 200, 200],
      ['whole', 200, 200],
      ['some', 403, 403],
      ['blind', 403, 403],
      ['masked', 403, 200],
      ['filtered', 403, 200],
    ] as const) {
      expect([role, await journey('sale', role), await journey('customer', role)]).toEqual([role, sale, customer])
      const acting = { 'millrace-act-as': JSON.stringify({ role }) }
      if (role !== 'boss') expect(await journey('sale', role, acting)).toBe(sale)
    }
  })

  it('order a live view that is redefined by nothing that is masked', async () => {
    await start()
    const response = await fetch(`${running!.url}/v1/views/people/live`, { headers: bearer(await tenant('a')) })
    const reader = response.body!.getReader()
    let text = ''
    const until = async (pattern: RegExp): Promise<string> => {
      while (!pattern.test(text)) text += new TextDecoder().decode((await reader.read()).value)
      return text
    }
    await until(/event: snapshot\n[\s\S]*\n\n/)
    const redefined = app.replace(
      'SELECT id, tenant, email FROM customer ORDER BY email, id',
      'SELECT email, tenant, id FROM customer ORDER BY email',
    )
    await running!.database.redefine(sqlDefinition(redefined))
    const after = await until(/event: reset\n[\s\S]*event: snapshot\n[\s\S]*\n\n/)
    await reader.cancel()
    // By the address it would be 3 before 1.
    const ids = [...after.slice(after.indexOf('event: reset')).matchAll(/"id":(\d)/g)].map(([, id]) => id)
    expect(ids).toEqual(['1', '3'])
  })

  it('must be about something that is there', async () => {
    for (const relation of ['revenu', 'totals']) {
      const gateway = gatewayOf(path.join(folder, 'keys.json'), {
        roles,
        policies: [policy(relation, { role: 'tenant' })],
      })
      await expect(startRunning({ gateway }, app)).rejects.toThrow(`a policy names ${relation}`)
    }
  })
})
