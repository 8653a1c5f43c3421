import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

// Real processes of what `npm run build` made.
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

let folder: string
const children = new Set<ChildProcess>()

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-serve-'))
  file('app.sql', app)
})

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function file(name: string, text: string): void {
  writeFileSync(path.join(folder, name), text)
}

const app = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint NOT NULL, at timestamp NOT NULL) WITH (event_time = 'at');
CREATE TABLE account (id bigint PRIMARY KEY, owner text);
CREATE MATERIALIZED VIEW totals AS SELECT auction, sum(price) AS total FROM bid GROUP BY auction;
`

interface Running {
  readonly child: ChildProcess
  readonly url: string
  out(): string
  err(): string
  /** Resolves when the text has been said on stderr or printed on stdout. */
  said(text: string): Promise<void>
  ended: Promise<number | null>
}

async function running(args: readonly string[], ready: string): Promise<Running> {
  const child = spawn(process.execPath, [main, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  let out = ''
  let err = ''
  let look = (): void => {}
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
    look()
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text
    look()
  })
  // Not at 'exit': by then, what it said last may be still on its way.
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  const said = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      look = () => {
        if (err.includes(text) || out.includes(text)) resolve()
      }
      look()
      void ended.then((code) => reject(new Error(`ended with ${code} before saying ${text}: ${err}`)))
    })
  await said(ready)
  const url = /http:\/\/\S+/.exec(err)?.[0] ?? ''
  return { child, url, out: () => out, err: () => err, said, ended }
}

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

function millrace(args: readonly string[], input = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], { cwd: folder, encoding: 'utf8' }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err })
    })
    child.stdin?.end(input)
  })
}

/** What was acknowledged becomes visible a little later. */
async function prints(args: readonly string[], out: string): Promise<void> {
  await expect.poll(() => millrace(args)).toEqual({ code: 0, out, err: '' })
}

function bids(...prices: number[]): string {
  return prices.map((price, i) => `{"auction":${i % 2},"price":${price},"at":"2026-01-01T00:00:0${i}"}\n`).join('')
}

describe('a running server', () => {
  let server: Running

  beforeAll(async () => {
    server = await running(['start', 'app.sql', '--data', 'served', '--port', '0'], 'serving')
  })

  afterAll(async () => {
    server.child.kill()
    await server.ended
  })

  it('takes files of every format, and answers queries exactly', async () => {
    const url = ['--url', server.url]
    expect(await millrace(['append', 'bid', ...url, '--json'], bids(1, 2))).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\{"tick":\d+,"first_offset":0,"last_offset":1\}\n$/),
      err: 'appended 2 events to bid\n',
    })
    file('more.csv', 'at,price,auction,note\n2026-01-01 00:01:00,9007199254740993,7,kept\n')
    file('more.json', '[{"auction": 8, "price": 5, "at": "2026-01-01T00:01:00Z", "note": "kept too"}]')
    expect((await millrace(['append', 'bid', 'more.csv', ...url])).code).toBe(0)
    expect((await millrace(['append', 'BID', 'more.json', ...url])).code).toBe(0)
    await prints(
      ['query', 'SELECT * FROM totals ORDER BY auction DESC', ...url],
      '{"auction":8,"total":5}\n{"auction":7,"total":9007199254740993}\n{"auction":1,"total":2}\n{"auction":0,"total":1}\n',
    )
    const one = ['query', 'SELECT total FROM totals WHERE auction = $1', '--param', '7', ...url]
    expect((await millrace([...one, '--format', 'csv'])).out).toBe('total\n9007199254740993\n')
    expect((await millrace([...one, '--json', '--numbers', 'string'])).out).toBe('[\n{"total":"9007199254740993"}\n]\n')
    // What the topic has no column for went along.
    const events = await (await fetch(`${server.url}/v1/topics/bid/events?from=2`)).text()
    expect(events).toContain('"price":9007199254740993')
  })

  it('names file and line of a bad event', async () => {
    file('bad.ndjson', `${bids(1)}\n{"auction":1,"price":"x","at":"2026-01-01T00:00:00"}\n`)
    const ran = await millrace(['append', 'bid', 'bad.ndjson', '--url', server.url])
    expect(ran.code).toBe(1)
    expect(ran.err).toContain('bad.ndjson:3')
    expect(ran.err).toContain('/price')
    file('bad.csv', 'auction,price,at\n1,2,2026-01-01\n1,x,2026-01-01\n')
    const csv = await millrace(['append', 'bid', 'bad.csv', '--url', server.url])
    expect(csv).toMatchObject({ code: 1, err: expect.stringContaining('bad.csv:3') })
  })

  it('counts lines and pointers from the begin of a file that takes several requests', async () => {
    const wide = `{"auction":1,"price":1,"at":"2026-01-01T00:00:00","x":"${'x'.repeat(100_000)}"}\n`
    file('large.ndjson', `${wide.repeat(50)}{"auction":1,"price":"x","at":"2026-01-01T00:00:00"}\n`)
    const ran = await millrace(['append', 'bid', 'large.ndjson', '--url', server.url])
    expect(ran).toMatchObject({ code: 1, err: expect.stringContaining('large.ndjson:51 /50/price') })
  })

  it('follows a view, a topic and a table until interrupted', async () => {
    const url = ['--url', server.url]
    await millrace(['append', 'account', ...url], '{"id":1,"owner":"a"}\n{"id":1,"owner":"b"}\n')
    const view = await running(['tail', 'totals', ...url], '"auction":0')
    const table = await running(['tail', 'account', ...url], '"owner":"b"')
    const topic = await running(['tail', 'bid', ...url], '"price":')
    expect(table.out()).not.toContain('"owner":"a"')
    await millrace(['append', 'account', ...url], '{"id":1,"owner":"c"}\n')
    await millrace(['append', 'bid', ...url], bids(100))
    await Promise.all([view.said('"weight":-1'), table.said('"owner":"c"'), topic.said('"price":100')])
    const last = table
      .out()
      .trim()
      .split('\n')
      .slice(-2)
      .map((text) => JSON.parse(text))
    expect(last).toMatchObject([
      { row: { id: 1, owner: 'b' }, weight: -1 },
      { row: { id: 1, owner: 'c' }, weight: 1 },
    ])
    for (const followed of [view, table, topic]) followed.child.kill('SIGINT')
    expect(await Promise.all([view.ended, table.ended, topic.ended])).toEqual([130, 130, 130])
  })

  it('follows a query until interrupted', async () => {
    const url = ['--url', server.url]
    const query = 'SELECT price, count(*) AS n FROM bid WHERE price = $1 GROUP BY price'
    const followed = await running(['query', '--live', query, '--param', '201', ...url, '--numbers', 'string'], '')
    await millrace(['append', 'bid', ...url], bids(201))
    await followed.said('"weight":1')
    await millrace(['append', 'bid', ...url], bids(201))
    await followed.said('"n":"2"')
    const lines = followed
      .out()
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text))
    expect(lines).toMatchObject([
      { row: { price: '201', n: '1' }, weight: 1 },
      { row: { price: '201', n: '1' }, weight: -1 },
      { row: { price: '201', n: '2' }, weight: 1 },
    ])
    followed.child.kill('SIGINT')
    expect(await followed.ended).toBe(130)
  })

  it('passes refusals on with their exit codes', async () => {
    const url = ['--url', server.url]
    const cases: readonly [readonly string[], number, string][] = [
      [['query', 'SELECT nope FROM totals', ...url], 3, 'sql/unknown-column'],
      [['query', 'DELETE FROM bid', ...url], 3, 'sql/not-select'],
      [['query', '--live', 'SELECT nope FROM totals', ...url], 3, 'sql/unknown-column'],
      [['query', '--live', 'SELECT 1', '--as-of', '1', ...url], 2, '--as-of'],
      [['query', 'SELECT 1 / 0 AS x', ...url], 1, 'division by zero'],
      [['append', 'nope', 'more.csv', ...url], 2, 'topic/unknown'],
      [['append', 'bid', 'nope.csv', ...url], 2, 'nope.csv'],
      // Without events on standard input.
      [['append', 'nope', ...url], 2, 'topic/unknown'],
      [['append', 'bid', '--url', 'http://127.0.0.1:4'], 4, 'server/unreachable'],
      [['tail', 'nope', ...url], 2, 'view/unknown'],
      [['tail', 'totls', ...url], 2, 'did you mean totals?'],
      [['append', 'bidd', 'more.csv', ...url], 2, 'did you mean bid?'],
      [['why', 'totls', 'auction=0', ...url], 2, 'did you mean totals?'],
      [['why', 'totals', 'auktion=0', ...url], 2, 'did you mean auction?'],
      [['find', 'nope', 'auction=0', ...url], 2, 'topic/unknown'],
      [['find', 'bid', 'auktion=0', ...url], 2, 'did you mean auction?'],
      [['journey', 'nope', '0', ...url], 2, 'topic/unknown'],
      [['query', 'SELECT * FROM totls', ...url], 3, 'did you mean totals?'],
      [['query', 'SELECT auktion FROM totals', ...url], 3, 'did you mean auction?'],
      [['explain', 'app.sql', 'totls'], 2, 'did you mean totals?'],
      [['run', 'app.sql', '--view', 'totls'], 2, 'totls'],
      [['query', 'SELECT 1', '--url', 'nonsense'], 2, '--url'],
      [['query', 'SELECT 1', '--url', 'http://127.0.0.1:4'], 4, 'server/unreachable'],
      [['tail', 'totals', '--url', 'http://127.0.0.1:4'], 4, 'server/unreachable'],
      [['start', 'app.sql', '--data', 'served', '--port', '0'], 1, 'log/locked'],
      [['run', 'app.sql', '--data', 'served'], 1, 'log/locked'],
      [['start', 'app.sql', '--data', 'other', '--port', new URL(server.url).port], 2, '--port'],
      [['start', 'app.sql', '--port', '99999'], 2, '--port'],
    ]
    file('more.csv', 'auction,price,at\n')
    for (const [args, code, text] of cases) {
      const ran = await millrace(args)
      expect(ran, args.join(' ')).toMatchObject({ code, out: '' })
      expect(ran.err, args.join(' ')).toContain(text)
    }
  })
})

describe('millrace start', () => {
  it('ends with 0 when told to, with 130 when interrupted, and finds everything again, also after a kill', async () => {
    const args = ['start', 'app.sql', '--data', 'again', '--port', '0']
    const first = await running(args, 'serving')
    await millrace(['append', 'bid', '--url', first.url], bids(1, 2))
    first.child.kill('SIGTERM')
    expect(await first.ended).toBe(0)
    const second = await running(args, 'serving')
    await millrace(['append', 'bid', '--url', second.url], bids(3))
    second.child.kill('SIGKILL')
    await second.ended
    const third = await running(args, 'serving')
    const query = ['query', 'SELECT * FROM totals ORDER BY auction', '--url', third.url]
    await prints(query, '{"auction":0,"total":4}\n{"auction":1,"total":2}\n')
    third.child.kill('SIGINT')
    expect(await third.ended).toBe(130)
  })
})

describe('millrace tail', () => {
  it('goes on when the server comes back', async () => {
    const data = ['start', 'app.sql', '--data', 'restarted', '--port']
    const first = await running([...data, '0'], 'serving')
    const { port } = new URL(first.url)
    const url = ['--url', first.url]
    await millrace(['append', 'bid', ...url], bids(1, 2))
    const view = await running(['tail', 'totals', ...url], '"total":1')
    const topic = await running(['tail', 'bid', ...url], '"price":2')
    first.child.kill('SIGTERM')
    expect(await first.ended).toBe(0)
    await Promise.all([view.said('trying again for 30 s'), topic.said('trying again for 30 s')])
    const second = await running([...data, port], 'serving')
    await millrace(['append', 'bid', ...url], bids(77))
    await Promise.all([view.said('the server is back'), topic.said('"price":77')])
    await view.said('"total":78')
    const prices = topic.out().trim().split('\n')
    expect(prices.map((text) => JSON.parse(text).row.price)).toEqual([1, 2, 77])
    for (const followed of [view, topic]) followed.child.kill('SIGINT')
    expect(await Promise.all([view.ended, topic.ended])).toEqual([130, 130])
    second.child.kill('SIGTERM')
    expect(await second.ended).toBe(0)
  })
})

describe('millrace tail of a topic', () => {
  it('tells each event once, whenever the server is killed', async () => {
    const data = ['start', 'app.sql', '--data', 'killed', '--port']
    let server = await running([...data, '0'], 'serving')
    const { url, port } = { url: ['--url', server.url], port: new URL(server.url).port }
    await millrace(['append', 'bid', ...url], bids(0, 1))
    await millrace(['append', 'account', ...url], '{"id":1,"owner":"o0"}\n')
    // Each has been answered before the server goes: who never was does not wait for it.
    const topic = await running(['tail', 'bid', ...url], '"price":1')
    const later = await running(['tail', 'bid', '--from-offset', '1', ...url], '"price":1')
    const table = await running(['tail', 'account', ...url], '"owner":"o0"')
    for (let round = 1; round <= 2; round++) {
      await millrace(['append', 'bid', ...url], bids(2 * round, 2 * round + 1))
      await millrace(['append', 'account', ...url], `{"id":1,"owner":"o${round}"}\n`)
      server.child.kill('SIGKILL')
      await server.ended
      server = await running([...data, port], 'serving')
    }
    await Promise.all([topic, later].map((tail) => tail.said('"price":5')))
    await table.said('"owner":"o2"')
    const told = (tail: Running) =>
      tail
        .out()
        .trim()
        .split('\n')
        .map((text) => JSON.parse(text) as { row: { price?: number; owner?: string }; weight: number })
    expect(told(topic).map(({ row }) => row.price)).toEqual([0, 1, 2, 3, 4, 5])
    expect(told(later).map(({ row }) => row.price)).toEqual([1, 2, 3, 4, 5])
    const owners = told(table).map(({ row, weight }) => `${weight} ${row.owner}`)
    expect(owners).toEqual(['1 o0', '-1 o0', '1 o1', '-1 o1', '1 o2'])
    for (const tail of [topic, later, table]) tail.child.kill('SIGINT')
    await Promise.all([topic, later, table].map(({ ended }) => ended))
    server.child.kill('SIGTERM')
    expect(await server.ended).toBe(0)
  })

  it('says where offsets have no meaning', async () => {
    const server = await running(['start', 'app.sql', '--data', 'offsets', '--port', '0'], 'serving')
    for (const [relation, why] of [
      ['totals', 'is a view'],
      ['account', 'is a table'],
    ]) {
      const ran = await millrace(['tail', relation, '--from-offset', '1', '--url', server.url])
      expect(ran).toMatchObject({ code: 2, err: expect.stringContaining(why) })
    }
    expect((await millrace(['tail', 'bid', '--from-offset', '1', '--from-tick', '1'])).code).toBe(2)
    server.child.kill('SIGTERM')
    await server.ended
  })
})

describe('millrace dev', () => {
  it('takes a saved app over, and stays with the old one while the new one is wrong', async () => {
    file('dev.sql', app)
    const dev = await running(['dev', 'dev.sql', '--data', 'dev', '--port', '0'], 'serving')
    const url = ['--url', dev.url]
    await millrace(['append', 'bid', ...url], bids(1, 2, 3))
    file('dev.sql', `${app} CREATE MATERIALIZED VIEW wrong AS SELECT nope FROM bid;`)
    await dev.said('sql/unknown-column')
    await prints(['query', 'SELECT count(*) AS n FROM totals', ...url], '{"n":2}\n')
    file('dev.sql', `${app} CREATE MATERIALIZED VIEW best AS SELECT max(price) AS best FROM bid;`)
    await dev.said('reloaded')
    await dev.said('best: new, 1 row\n')
    expect(dev.err()).not.toContain('totals:')
    await prints(['query', 'SELECT * FROM best', ...url], '{"best":3}\n')
    const best = 'CREATE MATERIALIZED VIEW best AS SELECT max(price) AS best FROM bid;'
    file('dev.sql', app.replace('FROM bid', 'FROM bid WHERE price > 1') + best)
    await dev.said('totals: 1 row more, 1 fewer\n')
    file('dev.sql', app.replace('owner text', 'owner bigint'))
    await dev.said('goes on as it was')
    await prints(['query', 'SELECT * FROM best', ...url], '{"best":3}\n')
    dev.child.kill('SIGTERM')
    expect(await dev.ended).toBe(0)
  })

  it('takes over who may ask what, and stays with the old one while the new one is wrong', async () => {
    const gated = (
      rows: string,
      read: string,
    ): string => `import { defineApp, defineGateway, policy, sql, t, topic, view } from 'millrace'
      const sale = topic('sale', { schema: { tenant: t.text(), amount: t.bigint() } })
      const all = view('sales', sql\`SELECT tenant, amount FROM \${sale}\`)
      export default defineApp({ sale, sales: all })
      export const gateway = defineGateway({
        auth: { apiKeys: { file: 'gated-keys.json' } },
        anonymous: 'guest',
        roles: { guest: { append: ['sale'], read: [${read}] } },
        policies: [policy('sales', { role: 'guest', rows: ${rows} })],
      })`
    file('gated.ts', gated(`"tenant = 'a'"`, `'sales'`))
    const dev = await running(['dev', 'gated.ts', '--data', 'gated', '--port', '0'], 'serving')
    const url = ['--url', dev.url]
    await millrace(['append', 'sale', ...url], '{"tenant":"a","amount":1}\n{"tenant":"b","amount":2}')
    const tail = await running(['tail', 'sales', ...url], '"amount"')
    await tail.said('{"tenant":"a","amount":1}')
    file('gated.ts', gated(`"tennant = 'a'"`, `'sales'`))
    await dev.said('the policy of sales for the role guest (rows): column "tennant" does not exist')
    await dev.said("1 | tennant = 'a'")
    file('gated.ts', gated(`"tenant = 'a'"`, `'salles'`))
    await dev.said('the role guest names salles, which the app lacks')
    await dev.said('at gated.ts')
    file('gated.ts', gated(`"tenant = 'b'"`, `'sales'`))
    await dev.said('reloaded the gateway: policy of sales for guest changed')
    await tail.said('{"tenant":"b","amount":2}')
    file('gated.ts', gated(`"tenant = 'b'"`, ''))
    await dev.said('role guest changed')
    await dev.said('1 live stream may not go on and ended')
    expect(await tail.ended).toBe(1)
    expect(tail.err()).toContain('auth/forbidden')
    dev.child.kill('SIGTERM')
    expect(await dev.ended).toBe(0)
  })

  it('shows charts as they were saved last, and builds nothing for them', async () => {
    const charted = (options: string): string => `import { chart, defineApp, sql, t, topic, view } from 'millrace'
      const bid = topic('bid', { schema: { auction: t.bigint(), price: t.bigint() } })
      const totals = view('totals', sql\`SELECT auction, sum(price) AS total FROM \${bid} GROUP BY auction\`)
      const drawn = chart(totals, ${options})
      export default defineApp({ bid, totals, drawn })`
    file('charts.ts', charted("{ x: 'auction', y: 'total', mark: 'bar' }"))
    const dev = await running(['dev', 'charts.ts', '--data', 'charts', '--port', '0'], 'serving')
    const ask = async (): Promise<unknown> => (await fetch(`${dev.url}/v1/charts`)).json()
    const drawn = { name: 'drawn', view: 'totals', x: 'auction', y: 'total', dashboard: 'main' }
    expect(await ask()).toEqual({ charts: [{ ...drawn, mark: 'bar', title: 'drawn' }] })
    file('charts.ts', charted("{ x: 'auction', y: 'nope', mark: 'bar' }"))
    await dev.said('names nope, which is no column of totals')
    expect(await ask()).toEqual({ charts: [{ ...drawn, mark: 'bar', title: 'drawn' }] })
    file('charts.ts', charted("{ x: 'auction', y: 'total', mark: 'line', title: 'Totals' }"))
    await dev.said('reloaded the charts')
    expect(await ask()).toEqual({ charts: [{ ...drawn, mark: 'line', title: 'Totals' }] })
    dev.child.kill('SIGTERM')
    expect(await dev.ended).toBe(0)
  })
})

describe('millrace start', () => {
  it('reads the file of --auth again when it is told to', async () => {
    const auth = (roles: object): void =>
      file(
        'auth.json',
        JSON.stringify({ auth: { apiKeys: { file: 'start-keys.json' } }, anonymous: 'guest', roles }, null, 2),
      )
    auth({ guest: { read: ['totals'] } })
    file('gated.sql', app)
    const args = ['start', 'gated.sql', '--data', 'gated-start', '--port', '0', '--auth', 'auth.json']
    const server = await running(args, 'serving')
    const read = async (): Promise<number> => (await fetch(`${server.url}/v1/views/totals`)).status
    expect(await read()).toBe(200)
    auth({ guest: { reed: ['totals'] } })
    server.child.kill('SIGHUP')
    await server.said('gateway.roles.guest.reed must be one of')
    await server.said('at auth.json:10:15')
    await server.said('the gateway stays as it was')
    auth({ guest: {} })
    expect(await read()).toBe(200)
    server.child.kill('SIGHUP')
    await server.said('reloaded the gateway: role guest changed')
    expect(await read()).toBe(403)
    server.child.kill('SIGTERM')
    expect(await server.ended).toBe(0)
  })
})

describe('apps', () => {
  it('may be modules, which give what a SQL file gives', async () => {
    file(
      'millrace.ts',
      `import { defineApp, sql, t, topic, view } from 'millrace'
       const bid = topic('bid', { schema: { auction: t.bigint(), price: t.bigint() } })
       const totals = view('totals', sql\`SELECT auction, sum(price) AS total FROM \${bid} GROUP BY auction\`)
       export default defineApp({ bid, totals })`,
    )
    file('bids.ndjson', '{"auction":1,"price":2}\n{"auction":1,"price":3}\n')
    const ran = await millrace(['run', '--input', 'bid=bids.ndjson'])
    expect(ran).toEqual({ code: 0, err: '', out: '{"auction":1,"total":5}\n' })
    file('none.ts', 'export const x: number = 1\n')
    expect(await millrace(['run', 'none.ts'])).toMatchObject({ code: 2, err: expect.stringContaining('app/load') })
    file('broken.ts', 'export default nothing.there\n')
    expect(await millrace(['run', 'broken.ts'])).toMatchObject({ code: 2, err: expect.stringContaining('nothing') })
    file(
      'wrong.ts',
      `import { defineApp, sql, t, topic, view } from 'millrace'
       const bid = topic('bid', { schema: { auction: t.bigint() } })
       export default defineApp({ bid, v: view('v', sql\`SELECT nope FROM \${bid}\`) })`,
    )
    expect(await millrace(['run', 'wrong.ts'])).toMatchObject({ code: 3, err: expect.stringContaining('nope') })
  })

  it('can be explained', async () => {
    const ran = await millrace(['explain', 'app.sql', 'totals'])
    expect(ran.code).toBe(0)
    expect(ran.out).toContain('aggregate by auction')
    expect(JSON.parse((await millrace(['explain', 'app.sql', 'totals', '--json'])).out)).toMatchObject({
      view: 'totals',
    })
    expect((await millrace(['explain', 'app.sql', 'nope'])).code).toBe(2)
  })
})
