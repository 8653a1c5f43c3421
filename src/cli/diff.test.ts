import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bidJson, type Running, startRunning } from '../../test/support/running-server.ts'
import { describeDifference } from './diff.ts'

// A real process of what `npm run build` made, against a server in this one.
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
let folder: string
let running: Running

const topics = `CREATE TABLE bid (auction bigint NOT NULL, price numeric(20,2), channel text, at timestamp NOT NULL)
  WITH (event_time = 'at');\n`
const served = `${topics}
CREATE MATERIALIZED VIEW prices AS SELECT auction, price FROM bid WHERE auction < 3;
CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS bids FROM bid;
CREATE MATERIALIZED VIEW old AS SELECT price FROM bid;`

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-diff-'))
  running = await startRunning({}, served)
  const events = [1, 1, 2, 3, '9007199254740993'].map((auction) => bidJson(auction))
  const { tick } = await running.database.appendText('bid', new TextEncoder().encode(`[${events.join()}]`), 'json')
  await running.database.waitForTick(tick)
  file('millrace.sql', served.replace('auction < 3', 'auction > 1').replace('VIEW old', 'VIEW fresh'))
})

afterAll(async () => {
  await running.stop()
  rmSync(folder, { recursive: true, force: true })
})

function file(name: string, text: string): void {
  writeFileSync(path.join(folder, name), text)
}

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

function diff(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const all = [main, 'diff', '--url', running.url, ...args]
    execFile(process.execPath, all, { cwd: folder, encoding: 'utf8' }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err })
    })
  })
}

describe('millrace diff', () => {
  it('shows a line per view, then the rows that differ as the server wrote them', async () => {
    const ran = await diff()
    expect(ran).toMatchObject({ code: 0, err: expect.stringContaining('millrace.sql compared with what is served') })
    const [table, changes, ...rest] = ran.out.split('\n\n')
    expect(rest).toEqual([])
    expect(table).toMatch(/prices +│? *\|? *3 +.*2 rows more, 2 fewer/)
    expect(table).toMatch(/counts .*unchanged/)
    expect(table).toMatch(/fresh .*new, 5 rows/)
    expect(table).toMatch(/old .*dropped/)
    expect(changes).toBe(
      'prices\n- {"auction":1,"price":1.50}  (2 times)\n+ {"auction":3,"price":1.50}\n+ {"auction":9007199254740993,"price":1.50}\n',
    )
    expect((await diff('--rows', '1')).out).toContain('(2 times)\n… and 2 more\n')
    expect((await diff('--rows', '0')).out).toMatch(/\nprices\n… and 4 more\n$/)
    const json = await diff('--json')
    expect(JSON.parse(json.out)).toMatchObject({
      tick: expect.any(Number),
      views: [{ added: 2, removed: 2 }, {}, {}, {}],
    })
    expect(json.out).toContain('9007199254740993')
  })

  it('takes a module as well', async () => {
    file(
      'app.ts',
      `import { defineApp, sql, t, topic, view } from 'millrace'
       const bid = topic('bid', { schema: {
         auction: t.bigint(), price: t.numeric(20, 2).nullable(), channel: t.text().nullable(), at: t.timestamp() }, time: 'at' })
       const prices = view('prices', sql\`SELECT auction, price FROM \${bid} WHERE auction < 3\`)
       const counts = view('counts', sql\`SELECT count(*) AS bids FROM \${bid}\`)
       const old = view('old', sql\`SELECT price FROM \${bid} WHERE auction < 0\`)
       export default defineApp({ bid, prices, counts, old })`,
    )
    const ran = await diff('app.ts', '--rows', '0')
    expect(ran).toMatchObject({ code: 0 })
    expect(ran.out).toMatch(/prices .*unchanged/)
    expect(ran.out).toMatch(/counts .*unchanged/)
    expect(ran.out).toMatch(/old .*0 rows more, 5 fewer/)
  })

  it('fails as the contract says', async () => {
    file('wrong.sql', `${topics} CREATE MATERIALIZED VIEW v AS SELECT nope FROM bid;`)
    file('other.sql', topics.replace('price numeric(20,2)', 'price bigint'))
    const cases: readonly [readonly string[], number, string][] = [
      [['wrong.sql'], 3, 'wrong.sql:'],
      [['other.sql'], 2, 'schema/incompatible'],
      [['nothing.sql'], 2, 'app/load'],
      [['--rows', 'x'], 2, '--rows'],
      [['--rows', '1001'], 1, 'request/parameter'],
      [['--url', 'http://127.0.0.1:4'], 4, 'server/unreachable'],
    ]
    for (const [args, code, text] of cases) {
      const ran = await diff(...args)
      expect(ran, args.join(' ')).toMatchObject({ code, out: '', err: expect.stringContaining(text) })
    }
  })
})

it('says in words what becomes of a view', () => {
  const none = { before: null, after: 0 }
  const told = (before: number | null, after: number | null) => ({ before, after })
  expect(describeDifference({ kind: 'changed', rows: told(3, 4), errors: told(0, 0), added: 1, removed: 0 })).toBe(
    '1 row more, 0 fewer',
  )
  expect(describeDifference({ kind: 'changed', rows: told(3, 3), errors: told(0, 2) })).toBe(
    'no row differs, 2 error rows instead of 0',
  )
  expect(describeDifference({ kind: 'new', rows: told(null, 1), errors: none })).toBe('new, 1 row')
  expect(describeDifference({ kind: 'new', rows: told(null, 1), errors: { before: null, after: 1 } })).toBe(
    'new, 1 row, 1 error row',
  )
  expect(describeDifference({ kind: 'reshaped', rows: told(7, 1), errors: told(1, 1) })).toBe(
    'other columns, 1 row instead of 7',
  )
  expect(describeDifference({ kind: 'dropped', rows: told(7, null), errors: told(1, null) })).toBe('dropped')
})
