import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ServerProcess } from './server-process.ts'

// Regular expressions and functions that take long over one event, under a real server: whoever asks for them is told
// that it takes too long, and nobody else waits.

/** Twenty-seven letters take the engine a second or so; each one more takes it twice as long. */
const slowText = `${'a'.repeat(27)}b`
const endlessText = `${'a'.repeat(70)}b`

const app = `
import { defineApp, fn, sql, t, topic, view } from 'millrace'

const spun = fn('spun', { args: [t.text()], returns: t.integer() }, (s) => {
  let n = 0
  for (let i = 0; i < (s.length > 20 ? 3e8 : 3); i++) n = (n * 31 + i) % 1000003
  return n % 2
})
const line = topic('line', { schema: { id: t.integer(), text: t.text() } })
const plain = view('plain', sql\`SELECT id FROM \${line}\`)
const odd = view('odd', sql\`SELECT id FROM \${line} WHERE NOT text ~ '^(a+)+$'\`)
const spinning = view('spinning', sql\`SELECT id, \${spun}(text) AS spin FROM \${line}\`)
const failing = view('failing', sql\`SELECT id, 1 / (id - 7) AS part FROM \${line} WHERE NOT text ~ '^(a+)+$'\`)
const counted = view('counted', sql\`SELECT count(*) AS n FROM \${line} WHERE NOT text ~ '^(a+)+x$'\`)
export default defineApp({ line, plain, odd, spinning, failing, counted })
`

let folder: string
let server: ServerProcess
let url: string

interface Answer {
  readonly status: number
  readonly code?: string
  readonly [more: string]: unknown
}

async function ask(route: string, body?: object): Promise<Answer> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(`${url}${route}`, body === undefined ? {} : init)
  return { ...((await response.json()) as object), status: response.status }
}

/** One round of others may end beside a question that holds everybody up; two don't. */
const rounds = 2
/** Nor do they where the machine stands still for a while: it is asked again. */
const attempts = 20

/** What a question is answered with that takes up its time, and whether others were answered meanwhile. */
async function beside(route: string, body?: object): Promise<{ readonly answer: Answer; readonly others: number }> {
  for (let attempt = 1; ; attempt++) {
    let over = false
    const asked = ask(route, body).finally(() => {
      over = true
    })
    let others = 0
    for (; !over; others++) {
      expect((await ask('/livez')).status).toBe(200)
      expect((await ask('/v1/views/plain?limit=1')).status).toBe(200)
    }
    const answer = await asked
    if (others >= rounds || answer.status === 200 || attempt === attempts) return { answer, others }
  }
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-hostile-'))
  mkdirSync(path.join(folder, 'node_modules'))
  symlinkSync(fileURLToPath(new URL('../..', import.meta.url)), path.join(folder, 'node_modules/millrace'))
  writeFileSync(path.join(folder, 'app.ts'), app)
  const args = ['start', path.join(folder, 'app.ts'), '--data', path.join(folder, 'data'), '--port', '0']
  server = new ServerProcess([...args, '--query-timeout', '300'])
  url = await server.serving
  const { tick } = await ask('/v1/topics/line/events', [{ id: 7, text: slowText }])
  // The running engine gets through it: what is asked below computes the same once more.
  while ((await ask('/v1/views/odd')).tick !== tick) await new Promise((resolve) => setTimeout(resolve, 100))
})

afterAll(async () => {
  await server.kill()
  rmSync(folder, { recursive: true, force: true })
})

describe('what takes long over one event', () => {
  it.each([
    ['a query', '/v1/sql', { sql: `SELECT id FROM line WHERE '${endlessText}' ~ '^(a+)+$'` }],
    ['a query over events', '/v1/sql', { sql: "SELECT id FROM line WHERE regexp_like(text, '^(a+)+$')" }],
    ['a query with a function of the app', '/v1/sql', { sql: 'SELECT spun(text) AS n FROM line' }],
    ['a live query', '/v1/sql/live', { sql: "SELECT id FROM line WHERE regexp_like(text, '^(a+)+$')" }],
    ['why a row is there', '/v1/views/odd/why?id=7', undefined],
    ['why a row is there that a function made', '/v1/views/spinning/why?id=7', undefined],
    ['error rows', '/v1/views/failing/errors', undefined],
    ['the journey of an event', '/v1/topics/line/events/0/journey', undefined],
  ])('%s ends within its bound, and others are answered meanwhile', async (_, route, body) => {
    const { answer, others } = await beside(route, body)
    expect(answer).toMatchObject({ status: 504, code: 'request/timeout' })
    expect(answer['detail']).toMatch(/300 ms/)
    expect(others).toBeGreaterThanOrEqual(rounds)
  })

  it('a sample of an operator ends so, too', async () => {
    const { nodes } = (await ask('/v1/topology')) as unknown as { nodes: { id: string; kind: string; op?: string }[] }
    const codes: unknown[] = []
    for (const { id } of nodes.filter(({ kind }) => kind === 'operator')) {
      const { answer, others } = await beside(`/v1/topology/${encodeURIComponent(id)}/sample`)
      if (answer.status !== 200) codes.push(answer.code)
      if (answer.status !== 200) expect(others).toBeGreaterThanOrEqual(rounds)
    }
    expect(new Set(codes)).toEqual(new Set(['request/timeout']))
  })

  it('searching events asks nothing of the kind', async () => {
    await expect.poll(() => ask('/v1/topics/line/find?id=7')).toMatchObject({ status: 200, searched: 1 })
  })
})

it('an engine that does not come to an end says so, and the log goes on', async () => {
  const told = (): number => server.err.match(/has worked on one tick/g)?.length ?? 0
  const before = told()
  const { tick } = await ask('/readyz')
  expect(await ask('/readyz')).toMatchObject({ status: 200 })
  expect((await ask('/v1/topics/line/events', { id: 8, text: endlessText })).status).toBe(201)
  let ready = await ask('/readyz')
  for (; ready.status === 200; ready = await ask('/readyz')) await new Promise((resolve) => setTimeout(resolve, 200))
  expect(ready.status).toBe(503)
  const words = /^views stand at tick \d+: the engine has worked on one tick for \d+ s; .* are called by odd, spinning/
  expect(ready['detail']).toMatch(words)
  const status = (await ask('/v1/status')) as unknown as { verdict: { problems: { code: string; message: string }[] } }
  expect(status.verdict.problems[0]).toMatchObject({ code: 'stuck', message: expect.stringMatching(words) })
  await expect.poll(told).toBe(before + 1)
  expect(await ask('/livez')).toMatchObject({ status: 200 })
  expect((await ask('/v1/topics/line/events', { id: 9, text: 'ok' })).status).toBe(201)
  expect(await ask('/v1/views/plain')).toMatchObject({ status: 200, tick, rows: [{ id: 7 }] })
})
