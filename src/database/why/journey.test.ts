import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { Database } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { simulatedIo } from '../../io/twin/simulated-io.ts'
import type { JourneyBody } from '../../protocol/why.ts'
import { plainChanges } from '../embedded.ts'

const topics = `
CREATE TABLE orders (id bigint NOT NULL, customer bigint, amount integer, at timestamp NOT NULL)
  WITH (event_time = 'at', lateness = '5 seconds');
CREATE TABLE customer (id bigint PRIMARY KEY, country text);
`

let database: Database

afterEach(() => database.close())

async function start(views: string): Promise<void> {
  const io = simulatedIo(1, { idle: 'advance' })
  database = await Database.open({ io, definition: sqlDefinition(topics + views), data: null, engine: 'inline' })
}

type Given = readonly [topic: string, data: object, op?: 'delete']

async function append(...events: readonly Given[]): Promise<number> {
  const body = { events: events.map(([topic, data, op]) => ({ topic, data, ...(op === undefined ? {} : { op }) })) }
  const { tick } = await database.appendMixed(new TextEncoder().encode(JSON.stringify(body)))
  await database.waitForTick(tick)
  return tick
}

const order = (id: number, customer: number, amount: number, second = id): Given => [
  'orders',
  { id, customer, amount, at: new Date(1_000_000_000_000 + second * 1000).toISOString().slice(0, 19) },
]
const customer = (id: number, country: string): Given => ['customer', { id, country }]

/** Operators with what became of the event there. */
async function way(topic: string, offset: number): Promise<string[]> {
  const { steps } = await database.explanations.journey(topic, offset)
  return steps.map(({ op, outcome, detail }) => `${op}: ${outcome}${detail === '' ? '' : ` (${detail})`}`)
}

describe('the journey of an event', () => {
  it('ends at a filter, with the condition that was false', async () => {
    await start('CREATE MATERIALIZED VIEW v AS SELECT id FROM orders WHERE amount > 10 AND customer = 1')
    await append(order(1, 1, 5), order(2, 1, 12))
    expect(await way('orders', 0)).toEqual(['scan: passed', 'filter: filtered (amount > 10 is false: amount = 5)'])
    expect(await way('orders', 1)).toEqual([
      'scan: passed',
      'filter: passed (customer = 1, amount = 12)',
      'view: passed (1 row changed)',
    ])
  })

  it('goes into a group: what its sums were and are', async () => {
    await start(
      'CREATE MATERIALIZED VIEW v AS SELECT customer, sum(amount) AS total, count(*) AS n FROM orders GROUP BY customer',
    )
    await append(order(1, 1, 5), order(2, 1, 12), order(3, 2, 1))
    const body = await database.explanations.journey('orders', 1)
    expect(body.steps[1]).toMatchObject({
      ...{ op: 'aggregate', outcome: 'aggregated', views: ['v'] },
      detail: 'customer = 1: sum(amount) 5 → 17, count(*) 1 → 2',
    })
    expect(body.changes).toEqual([
      {
        ...{ view: 'v', key: { customer: 1 }, tick: body.event.tick },
        before: { customer: 1, total: 5, n: 1 },
        after: { customer: 1, total: 17, n: 2 },
      },
    ])
    expect(body.times).toMatchObject({ tick: body.event.tick, appended_at: body.event.appended_at })
    expect(body.times.visible_at! >= body.times.sealed_at).toBe(true)
    expect(body.times.pushed_at).toBeUndefined()
  })

  it('waits for a match, finds one, takes the place of a row', async () => {
    await start(
      'CREATE MATERIALIZED VIEW v AS SELECT o.id, c.country FROM orders o JOIN customer c ON c.id = o.customer',
    )
    await append(order(1, 1, 5))
    await append(customer(1, 'DE'))
    await append(customer(1, 'FR'))
    await append(['customer', { id: 1 }, 'delete'])
    await append(['customer', { id: 1 }, 'delete'])
    expect((await way('orders', 0))[1]).toBe('join: no match yet (there is no row of customer with id = 1)')
    const changes = async (offset: number) => (await database.explanations.journey('customer', offset)).changes
    expect(await changes(0)).toMatchObject([{ before: null, after: { id: 1, country: 'DE' } }])
    expect(await way('customer', 1)).toContain('scan: superseded (takes the place of the row before)')
    expect(await changes(1)).toMatchObject([
      { before: { country: 'DE' }, after: null },
      { before: null, after: { country: 'FR' } },
    ])
    expect(await way('customer', 2)).toContain('scan: superseded (takes the row away)')
    expect(await way('customer', 3)).toEqual(['scan: nothing changed (there was no such row)'])
  })

  it('comes late, or waits for its window to close', async () => {
    await start(`CREATE MATERIALIZED VIEW v WITH (emit = 'final') AS SELECT window_start, window_end, count(*) AS n
      FROM tumble(orders, at, interval '10 seconds') GROUP BY window_start, window_end`)
    await append(order(1, 1, 5), order(30, 1, 5), order(13, 1, 5))
    const late = 'late by 00:00:12: the watermark was 2001-09-09T01:47:05'
    expect(await way('orders', 2)).toEqual([`scan: passed (${late})`, `scan: late (${late})`])
    expect((await way('orders', 0)).at(-1)).toBe(
      "final: held (the window that ends at '2001-09-09 01:46:50' is still open)",
    )
    expect((await way('orders', 1)).slice(-2)).toEqual([
      'final: passed (the watermark came to the end of windows: 1 row)',
      'view: passed (1 row changed)',
    ])
  })

  it('becomes an error row', async () => {
    await start('CREATE MATERIALIZED VIEW v AS SELECT id, 10 / amount AS share FROM orders')
    await append(order(1, 1, 0))
    expect((await way('orders', 0)).at(-1)).toMatch(/^view: error \(division by zero/)
  })

  it('is of an event that is there', async () => {
    await start('CREATE MATERIALIZED VIEW v AS SELECT id FROM orders')
    await append(order(1, 1, 0))
    await expect(database.explanations.journey('orders', 1)).rejects.toMatchObject({ code: 'not-found' })
    await expect(database.explanations.journey('nothing', 1)).rejects.toMatchObject({ code: 'topic/unknown' })
  })
})

const views = `
CREATE MATERIALIZED VIEW sums AS SELECT customer, sum(amount) AS total, max(amount) AS most FROM orders GROUP BY customer;
CREATE MATERIALIZED VIEW joined AS SELECT o.id, o.amount, c.country FROM orders o LEFT JOIN customer c ON c.id = o.customer;
CREATE MATERIALIZED VIEW top AS SELECT id, amount FROM orders ORDER BY amount DESC LIMIT 2;
CREATE MATERIALIZED VIEW countries AS SELECT country, count(*) AS n FROM joined GROUP BY country HAVING count(*) > 1;
CREATE MATERIALIZED VIEW none AS SELECT id FROM customer EXCEPT SELECT customer FROM orders;
`

const given: fc.Arbitrary<Given> = fc.oneof(
  fc.tuple(fc.nat(30), fc.nat(3), fc.integer({ min: -5, max: 5 })).map(([id, of, amount]) => order(id, of, amount)),
  fc.tuple(fc.nat(3), fc.constantFrom('DE', 'FR')).map(([id, country]) => customer(id, country)),
  fc.nat(3).map((id): Given => ['customer', { id }, 'delete']),
)

/** A view's change in a tick: rows that came, rows that went. */
async function changeAt(view: string, tick: number): Promise<string[]> {
  const rows: string[] = []
  for (const [at, sign] of [
    [tick, 1],
    [tick - 1, -1],
  ] as const) {
    if (at === 0) continue
    const read = await database.read(view, { asOf: { at: { tick: at } } })
    for (const { row, weight } of plainChanges(read.rows))
      rows.push(...Array(weight).fill(`${sign} ${JSON.stringify(row)}`))
  }
  // What is there before and after cancels.
  const after = rows.filter((row) => row.startsWith('1 ')).map((row) => row.slice(2))
  const before = rows.filter((row) => row.startsWith('-1 ')).map((row) => row.slice(3))
  for (const row of [...after]) {
    if (!before.includes(row)) continue
    before.splice(before.indexOf(row), 1)
    after.splice(after.indexOf(row), 1)
  }
  return [...after.map((row) => `+ ${row}`), ...before.map((row) => `- ${row}`)].sort()
}

function told({ changes }: JourneyBody, view: string): string[] {
  return changes
    .filter((change) => change.view === view)
    .flatMap(({ before, after }) => [
      ...(after === null ? [] : [`+ ${JSON.stringify(after)}`]),
      ...(before === null ? [] : [`- ${JSON.stringify(before)}`]),
    ])
    .sort()
}

describe('the changes of an event', () => {
  it('are what its tick changed, where it was alone in it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(given, { minLength: 1, maxLength: 8 }), async (events) => {
        await start(views)
        try {
          const next = new Map([
            ['orders', 0],
            ['customer', 0],
          ])
          for (const event of events) {
            const tick = await append(event)
            const offset = next.get(event[0])!
            next.set(event[0], offset + 1)
            const body = await database.explanations.journey(event[0], offset)
            for (const view of ['sums', 'joined', 'top', 'countries', 'none']) {
              expect(told(body, view), view).toEqual(await changeAt(view, tick))
            }
          }
        } finally {
          await database.close()
        }
      }),
      { numRuns: 12 },
    )
  })
})
