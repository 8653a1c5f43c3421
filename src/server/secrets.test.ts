import { pino } from 'pino'
import { afterEach, expect, it } from 'vitest'
import { type Running, startRunning } from '../../test/support/running-server.ts'

let running: Running | null = null

afterEach(async () => {
  await running?.stop()
  running = null
})

const sql = `
CREATE TABLE person (id text PRIMARY KEY, name text, note text);
CREATE TABLE visit (person text NOT NULL, "at" timestamp NOT NULL, amount bigint, note text) WITH (event_time = 'at');
CREATE MATERIALIZED VIEW visits AS SELECT person, count(*) AS n, max(note) AS note FROM visit GROUP BY person;
CREATE MATERIALIZED VIEW shares AS SELECT person, 100 / amount AS share FROM visit;
`

/** Every one of these is planted somewhere and must be found nowhere but in reads of the data itself. */
const secrets = Array.from({ length: 20 }, (_, i) => `s3cret${String(i).padStart(2, '0')}x`)

it('tells nothing of events, keys and headers in logs, metrics, status or the errors of others', async () => {
  const lines: string[] = []
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) })
  running = await startRunning({ logger }, sql)
  const { url } = running
  let next = 0
  const planted: string[] = []
  const secret = (): string => {
    planted.push(secrets[next])
    return secrets[next++]
  }
  const send = (path: string, body: unknown, headers: Record<string, string> = {}, method = 'POST') =>
    fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(method === 'POST' ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {}),
    })
  const visit = { person: secret(), at: '2026-11-21T10:00:00', amount: 0, note: secret() }
  expect((await send('/v1/topics/visit/events', visit)).status).toBe(201)
  const keyed = { 'idempotency-key': secret(), authorization: `Bearer ${secret()}`, cookie: `session=${secret()}` }
  expect((await send('/v1/topics/visit/events', [visit], keyed)).status).toBe(201)
  expect((await send('/v1/topics/visit/events', [visit, visit], keyed)).status).toBe(422)
  const row = { id: secret(), name: secret(), note: secret(), [secret()]: secret() }
  expect((await send('/v1/append', { events: [{ topic: 'person', data: row }] })).status).toBe(201)
  const gone = { events: [{ topic: 'person', op: 'delete', data: { id: secret() } }] }
  expect((await send('/v1/append', gone)).status).toBe(201)
  const wrong = [{ person: secret(), at: secret(), amount: secret() }, { person: secret() }]
  expect((await send('/v1/topics/visit/events', wrong)).status).toBe(422)
  expect((await send('/v1/topics/visit/events?on_invalid=skip', wrong)).status).toBe(201)
  expect((await send('/v1/topics/visit/events', `{"person": "${secret()}`)).status).toBe(400)
  const params = { sql: 'SELECT * FROM visits WHERE person = $1', params: [secret()] }
  expect((await send('/v1/sql', params)).status).toBe(200)
  expect((await send(`/v1/views/visits?person=${secret()}`, null, {}, 'GET')).status).toBe(200)
  expect((await send(`/v1/views/visits?token=${secret()}`, null, {}, 'GET')).status).toBe(400)
  expect((await send('/v1/views/visits', null, { 'x-api-key': secret() }, 'GET')).status).toBe(200)
  expect(planted).toEqual(secrets)

  const { tick } = running.database.status()
  await running.database.waitForTick(tick)
  const told: Record<string, string> = { logs: lines.join('\n') }
  for (const path of ['/metrics', '/v1/status', '/v1/topology', '/v1/time', '/v1/catalog', '/readyz', '/livez']) {
    told[path] = await (await fetch(url + path)).text()
  }
  told.errors = await (await fetch(`${url}/v1/views/nothing`)).text()
  expect(told.logs).toContain('"request"')
  for (const [where, text] of Object.entries(told)) {
    for (const each of secrets) expect(text.includes(each) ? `${each} in ${where}` : null).toBeNull()
  }
})
