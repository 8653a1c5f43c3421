import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'

// Real processes of what `npm run build` made.
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const children = new Set<ChildProcess>()
let folder: string

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-cli-past-'))
  const app = `
    CREATE TABLE bid (auction bigint NOT NULL, price bigint NOT NULL);
    CREATE TABLE account (id bigint PRIMARY KEY, owner text);
    CREATE MATERIALIZED VIEW totals AS SELECT auction, sum(price) AS total FROM bid GROUP BY auction;`
  writeFileSync(path.join(folder, 'app.sql'), app)
})

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** Runs until it says something; kept until `stop`. */
async function begin(args: readonly string[], until: RegExp) {
  const child = spawn(process.execPath, [main, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  let said = ''
  let look = (): void => {}
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
      look()
    })
  }
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const heard = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      look = () => pattern.test(said) && resolve()
      look()
      void ended.then(() => reject(new Error(`ended before saying ${pattern}: ${said}`)))
    })
  await heard(until)
  return {
    said: () => said,
    heard,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd: folder }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

async function serve(): Promise<{ url: string; stop(): Promise<void> }> {
  const server = await begin(['start', 'app.sql', '--port', '0', '--data', 'data'], /http:\/\/\S+/)
  return { url: /http:\/\/[^\s]+/.exec(server.said())![0], stop: server.stop }
}

it('asks and tails as of a tick, refuses what is forgotten, and replays it when asked', async () => {
  let server = await serve()
  const append = async (topic: string, event: object): Promise<number> => {
    writeFileSync(path.join(folder, 'event.ndjson'), `${JSON.stringify(event)}\n`)
    const { out } = await cli('append', topic, 'event.ndjson', '--json', '--url', server.url)
    return Number(/"tick":(\d+)/.exec(out)![1])
  }
  const query = (...args: string[]) =>
    cli('query', 'SELECT auction, total FROM totals', '--url', server.url, '--format', 'ndjson', ...args)
  const then: { tick: number; out: string; time: string }[] = []
  for (let price = 1; price <= 3; price++) {
    const tick = await append('bid', { auction: 7, price })
    const out = `{"auction":7,"total":${(price * (price + 1)) / 2}}\n`
    // It is acknowledged a little before it is visible.
    await expect.poll(() => query('--as-of', String(tick))).toEqual({ code: 0, out, err: '' })
    then.push({ tick, out, time: new Date().toISOString() })
  }
  for (const { tick, out, time } of then) {
    expect((await query('--as-of', String(tick))).out).toBe(out)
    expect((await query('--as-of', time)).out).toBe(out)
  }
  const changes = then
    .slice(1)
    .flatMap(({ tick }, i) => [
      `{"tick":${tick},"row":${then[i].out.trim()},"weight":-1}`,
      `{"tick":${tick},"row":${then[i + 1].out.trim()},"weight":1}`,
    ])
  const last = changes[changes.length - 1]
  const tail = await begin(['tail', 'totals', '--from-tick', String(then[0].tick), '--url', server.url], /"weight":1}/)
  await tail.heard(new RegExp(last.replace(/[{}]/g, '\\$&')))
  expect(tail.said().trim().split('\n').sort()).toEqual(changes.sort())
  await tail.stop()
  await append('account', { id: 1, owner: 'ada' })
  const later = await append('account', { id: 1, owner: 'bob' })
  const topic = await begin(['tail', 'account', '--from-tick', String(later - 1), '--url', server.url], /bob.*\n/)
  expect(topic.said().trim().split('\n')).toEqual([
    `{"tick":${later},"row":{"id":1,"owner":"ada"},"weight":-1}`,
    `{"tick":${later},"row":{"id":1,"owner":"bob"},"weight":1}`,
  ])
  await topic.stop()
  const future = await query('--as-of', '999')
  expect([future.code, future.err.split('\n')[0]]).toEqual([1, expect.stringContaining('tick/future')])
  await server.stop()

  server = await serve()
  const expired = await query('--as-of', String(then[1].tick))
  expect([expired.code, expired.out]).toEqual([1, ''])
  expect(expired.err).toMatch(/tick\/expired.*\n.*replay/s)
  expect(await query('--as-of', String(then[1].tick), '--replay')).toMatchObject({ code: 0, out: then[1].out })
  const refused = await cli('tail', 'totals', '--from-tick', String(then[0].tick), '--url', server.url)
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('tick/expired')])
  expect((await cli('tail', 'totals', '--from-tick', 'x')).code).toBe(2)
  await server.stop()
})
