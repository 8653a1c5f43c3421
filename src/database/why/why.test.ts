import { afterEach, describe, expect, it } from 'vitest'
import { Database } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { simulatedIo } from '../../io/twin/simulated-io.ts'
import type { StepBody, WhyBody } from '../../protocol/why.ts'

const topics = `
CREATE TABLE orders (id bigint NOT NULL, customer bigint, amount numeric(12,2), status text, at timestamp NOT NULL)
  WITH (event_time = 'at', lateness = '5 seconds');
CREATE TABLE customer (id bigint PRIMARY KEY, name text, country text);
`

let database: Database

afterEach(() => database.close())

async function start(views: string): Promise<void> {
  const io = simulatedIo(1, { idle: 'advance' })
  database = await Database.open({ io, definition: sqlDefinition(topics + views), data: null, engine: 'inline' })
}

async function append(topic: string, ...events: readonly object[]): Promise<number> {
  const { tick } = await database.appendText(topic, new TextEncoder().encode(JSON.stringify(events)), 'json')
  await database.waitForTick(tick)
  return tick
}

const order = (id: number, customer: number | null, amount: string, status = 'paid', second = id) => ({
  ...{ id, customer, amount, status },
  at: new Date(1_000_000_000_000 + second * 1000).toISOString().slice(0, 19),
})

function why(view: string, where: Record<string, string | null>): Promise<WhyBody> {
  return database.explanations.why(view, { where })
}

const offsets = ({ events }: WhyBody): string[] => events.listed.map(({ topic, offset }) => `${topic} ${offset}`)

/** Operators from the top down, each with its inputs in parentheses. */
function shape({ op, label, inputs, more }: StepBody): string {
  const below = [...inputs.map(shape), ...(more === undefined ? [] : [`+${more}`])]
  return `${op === 'scan' ? label : op}${below.length === 0 ? '' : `(${below.join(', ')})`}`
}

describe('why a row is there', () => {
  it('names the event of a projection, and shows each cell that was computed', async () => {
    await start("CREATE MATERIALIZED VIEW v AS SELECT id, amount * 2 AS twice FROM orders WHERE status = 'paid'")
    await append('orders', order(1, 7, '1.50'), order(2, 7, '2.00', 'new'), order(3, 8, '4.25'))
    const body = await why('v', { id: '3' })
    expect(body).toMatchObject({ found: true, row: { id: 3, twice: '8.50' }, copies: 1, events: { count: 1, gone: 0 } })
    expect(offsets(body)).toEqual(['orders 2'])
    expect(body.events.first).toMatchObject({ op: 'append', data: { id: 3, customer: 8, amount: '4.25' } })
    expect(body.step).toMatchObject({
      op: 'project',
      arithmetic: [{ column: 'twice', expression: 'amount * 2', value: '8.50', shown: '4.25 * 2 = 8.50' }],
      inputs: [{ op: 'filter', passed: true, condition: { text: "status = 'paid'", values: { status: 'paid' } } }],
    })
  })

  it('takes sums apart, counts all terms and lists the first', async () => {
    await start(`CREATE MATERIALIZED VIEW v AS SELECT customer, count(*) AS n, sum(amount) AS total, avg(amount) AS mean,
      min(amount) AS least, count(DISTINCT status) AS kinds, bool_and(amount > 2) AS big FROM orders GROUP BY customer`)
    const many = Array.from({ length: 1204 }, (_, i) => order(i, 1, `${i % 7}`))
    await append('orders', order(0, 2, '5'), order(1, 2, '-3.00'), order(2, 2, '10'), ...many)
    const few = await why('v', { customer: '2' })
    expect(few.events.count).toBe(3)
    const shown = (body: WhyBody): unknown => body.step!.arithmetic!.map((part) => part.shown)
    expect(shown(few)).toEqual([
      '3 rows',
      '5.00 − 3.00 + 10.00 = 12.00',
      '12.00 / 3 = 4.0000000000000000',
      'the least of 3 values: -3.00',
      "1 different value: 'paid'",
      'one of 3 values is false',
    ])
    const [, , , least, , big] = few.step!.arithmetic!
    expect(least.terms).toMatchObject([{ value: '-3.00', event: { offset: 1 } }])
    expect(big.terms).toMatchObject([{ value: false, event: { offset: 1 } }])
    const all = await why('v', { customer: '1' })
    expect(all.events).toMatchObject({ count: 1204, first: { offset: 3 }, last: { offset: 1206 } })
    expect(all.events.listed).toHaveLength(20)
    expect((shown(all) as string[])[1]).toBe('0.00 + 1.00 + 2.00 + 3.00 + 4.00 + 5.00 + … (1,204 terms) = 3,612.00')
    expect(shape(all.step!)).toBe(`aggregate(${Array(5).fill('project(orders)').join(', ')}, +1199)`)
  })

  it('keeps NULL, a group of its own, apart from all others', async () => {
    await start('CREATE MATERIALIZED VIEW v AS SELECT customer, sum(amount) AS total FROM orders GROUP BY customer')
    await append('orders', order(1, null, '1'), order(2, 0, '2'), order(3, null, '4'))
    expect(offsets(await why('v', { customer: null }))).toEqual(['orders 0', 'orders 2'])
    expect(offsets(await why('v', { customer: '0' }))).toEqual(['orders 1'])
  })

  it('goes through joins to both sides, and of a table to the last upsert', async () => {
    await start(`CREATE MATERIALIZED VIEW v AS SELECT c.country, sum(o.amount) AS total FROM orders o
      LEFT JOIN customer c ON c.id = o.customer GROUP BY c.country`)
    await append('customer', { id: 1, name: 'Ann', country: 'FR' }, { id: 2, name: 'Bo', country: 'DE' })
    await append('orders', order(1, 1, '1'), order(2, 2, '2'), order(3, 3, '4'))
    await append('customer', { id: 1, name: 'Ann', country: 'DE' })
    const body = await why('v', { country: 'DE' })
    expect(offsets(body)).toEqual(['customer 1', 'orders 0', 'orders 1', 'customer 2'])
    expect(shape(body.step!)).toBe('aggregate(join(orders, customer), join(orders, customer))')
    const missing = await why('v', { country: null })
    expect(missing.step!.inputs[0].inputs[1]).toMatchObject({ row: null, detail: 'no row of customer has id = 3' })
    expect(offsets(missing)).toEqual(['orders 2'])
  })

  it('tells the two sides of a relation that is joined with itself apart', async () => {
    await start(
      `CREATE MATERIALIZED VIEW v AS SELECT a.id, b.id AS other FROM orders a
       JOIN orders b ON a.customer = b.customer AND a.id <> b.id`,
    )
    await append('orders', order(1, 7, '1.50'), order(2, 7, '2.00'))
    const { step } = await why('v', { id: '1', other: '2' })
    const join = JSON.stringify(step)
    expect(join).toContain('JOIN ON left.customer = right.customer AND left.id <> right.id')
    expect(join).toContain('"left.id":1,"left.customer":7,"right.id":2,"right.customer":7')
  })

  it('goes through views to the events, and through aggregates of aggregates', async () => {
    await start(`CREATE MATERIALIZED VIEW per AS SELECT window_start, customer, count(*) AS n
        FROM tumble(orders, at, interval '10 seconds') GROUP BY window_start, customer;
      CREATE MATERIALIZED VIEW most AS SELECT customer, max(n) AS top, count(*) AS windows FROM per GROUP BY customer`)
    await append('orders', order(1, 1, '1'), order(2, 1, '1'), order(3, 2, '1'), order(11, 1, '1'))
    const body = await why('most', { customer: '1' })
    expect(shape(body.step!)).toBe(
      'aggregate(view(aggregate(window(orders), window(orders))), view(aggregate(window(orders))))',
    )
    expect(body.events.count).toBe(3)
    expect(body.step!.arithmetic![0].shown).toBe('the greatest of 2 values: 2')
  })

  it('says by which rows of others it is there, or by whose absence', async () => {
    await start(`CREATE MATERIALIZED VIEW known AS SELECT id FROM orders WHERE customer IN (SELECT id FROM customer);
      CREATE MATERIALIZED VIEW unknown AS SELECT id FROM orders o
        WHERE NOT EXISTS (SELECT 1 FROM customer c WHERE c.id = o.customer)`)
    await append('customer', { id: 1, name: 'Ann', country: 'FR' })
    await append('orders', order(1, 1, '1'), order(2, 2, '2'))
    const body = await why('known', { id: '1' })
    expect(shape(body.step!)).toBe('join(orders, customer)')
    expect(offsets(body)).toEqual(['customer 0', 'orders 0'])
    const other = await why('unknown', { id: '2' })
    expect(other.step).toMatchObject({ op: 'join', detail: 'no row of customer matches: none has id = 2' })
    expect(offsets(other)).toEqual(['orders 1'])
  })

  it('ranks the rows of a top-N, and says which input of a union it is of', async () => {
    await start(`CREATE MATERIALIZED VIEW top AS SELECT id, amount FROM orders ORDER BY amount DESC LIMIT 2;
      CREATE MATERIALIZED VIEW all_ids AS SELECT id FROM orders UNION ALL SELECT id FROM customer;
      CREATE MATERIALIZED VIEW once AS SELECT DISTINCT status FROM orders`)
    await append('orders', order(1, 1, '1'), order(2, 1, '3'), order(3, 1, '2'))
    await append('customer', { id: 4, name: 'Ann', country: 'FR' })
    expect((await why('top', { id: '3' })).step).toMatchObject({ op: 'top', detail: '2nd of 3 rows' })
    expect((await why('all_ids', { id: '4' })).step).toMatchObject({ op: 'union', label: 'UNION ALL, 2nd of 2' })
    const once = await why('once', { status: 'paid' })
    expect(once.step).toMatchObject({ op: 'distinct', detail: "3 rows with status = 'paid'" })
    expect(once.events.count).toBe(3)
  })

  it('says which watermark closed a window', async () => {
    await start(`CREATE MATERIALIZED VIEW v WITH (emit = 'final') AS SELECT window_start, window_end, count(*) AS n
      FROM tumble(orders, at, interval '10 seconds') GROUP BY window_start, window_end`)
    await append('orders', order(1, 1, '1'), order(2, 1, '1'), order(40, 1, '1'))
    const body = await why('v', { n: '2' })
    expect(body.step).toMatchObject({ op: 'final' })
    expect(body.step!.detail).toBe(
      "the window that ends at '2001-09-09 01:46:50' is closed: the watermark of orders is 2001-09-09 01:47:15",
    )
    expect(body.events.count).toBe(2)
  })

  it('explains a past tick as it was', async () => {
    await start('CREATE MATERIALIZED VIEW v AS SELECT sum(amount) AS total FROM orders')
    const first = await append('orders', order(1, 1, '1'))
    await append('orders', order(2, 1, '2'))
    const at = { tick: first }
    expect(await database.explanations.why('v', { where: {}, asOf: { at } })).toMatchObject({
      ...{ tick: first, row: { total: '1.00' }, events: { count: 1 } },
    })
    expect(await why('v', {})).toMatchObject({ row: { total: '3.00' }, events: { count: 2 } })
  })

  it('refuses columns that there are not, values that are none, and several rows at once', async () => {
    await start('CREATE MATERIALIZED VIEW v AS SELECT id, status FROM orders')
    await append('orders', order(1, 1, '1'), order(2, 1, '2'), order(2, 1, '2'))
    await expect(why('v', { state: 'x' })).rejects.toThrow('v has no column state')
    await expect(why('v', { id: 'x' })).rejects.toMatchObject({ code: 'request/parameter' })
    await expect(why('v', { status: 'paid' })).rejects.toMatchObject({ hint: 'say which id: there are 1, 2' })
    await expect(why('w', {})).rejects.toMatchObject({ code: 'view/unknown' })
    expect(await why('v', { id: '2' })).toMatchObject({ copies: 2, events: { count: 2 } })
  })
})
