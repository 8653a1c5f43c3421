import { afterEach, describe, expect, it } from 'vitest'
import { Database } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { simulatedIo } from '../../io/twin/simulated-io.ts'
import type { StepBody } from '../../protocol/why.ts'

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

async function append(...events: readonly (readonly [topic: string, data: object, op?: 'delete'])[]): Promise<number> {
  const body = { events: events.map(([topic, data, op]) => ({ topic, data, ...(op === undefined ? {} : { op }) })) }
  const { tick } = await database.appendMixed(new TextEncoder().encode(JSON.stringify(body)))
  await database.waitForTick(tick)
  return tick
}

const order = (id: number, customer: number, amount = '1', status = 'paid', second = id) =>
  [
    'orders',
    { id, customer, amount, status, at: new Date(1_000_000_000_000 + second * 1000).toISOString().slice(0, 19) },
  ] as const
const customer = (id: number, country = 'DE') => ['customer', { id, name: `n${id}`, country }] as const

/** Why there is no such row, and the operators from the top down to what came nearest. */
async function whyNot(view: string, where: Record<string, string | null>): Promise<[string, string]> {
  const body = await database.explanations.why(view, { where })
  expect(body).toMatchObject({ found: false, row: null, step: null, events: { count: 0 } })
  return [body.absent!.reason, body.absent!.nearest === null ? '' : shape(body.absent!.nearest)]
}

function shape({ op, label, inputs, passed }: StepBody): string {
  const name = `${op === 'scan' ? label : op}${passed === false ? '!' : ''}`
  return inputs.length === 0 ? name : `${name}(${inputs.map(shape).join(', ')})`
}

describe('why a row is not there', () => {
  it('there is no such event, or none that has all of it', async () => {
    await start('CREATE MATERIALIZED VIEW v AS SELECT customer, status, id FROM orders')
    expect(await whyNot('v', { customer: '7' })).toEqual(['no event of orders has customer = 7.', ''])
    await append(order(1, 7), order(2, 7), order(3, 8))
    expect(await whyNot('v', { customer: '9' })).toEqual(['no event of orders has customer = 9.', ''])
    expect(await whyNot('v', { customer: '7', status: 'new' })).toEqual([
      "2 events of orders have customer = 7, but none of them has status = 'new'.",
      'orders',
    ])
  })

  it('a filter drops it: the row that fails the fewest conditions is shown', async () => {
    await start("CREATE MATERIALIZED VIEW v AS SELECT id, customer FROM orders WHERE amount > 10 AND status = 'paid'")
    await append(order(1, 7, '12', 'new'), order(2, 7, '3', 'new'), order(3, 8, '4'))
    expect(await whyNot('v', { id: '3' })).toEqual([
      '1 row of orders has id = 3, but WHERE drops it: amount > 10 is false: amount = 4.00.',
      'filter!(orders)',
    ])
    expect(await whyNot('v', { customer: '7' })).toEqual([
      "2 rows of orders have customer = 7, but WHERE drops them, for example: status = 'paid' is false: status = 'new'.",
      'filter!(orders)',
    ])
  })

  it('what is computed is something else', async () => {
    await start('CREATE MATERIALIZED VIEW v AS SELECT id, amount * 2 AS twice FROM orders')
    await append(order(1, 7, '12'))
    expect(await whyNot('v', { id: '1', twice: '25' })).toEqual([
      '1 row of orders has id = 1, but twice = amount * 2 is 25.00 for none: 12.00 * 2.',
      'project!(orders)',
    ])
  })

  it('something of it cannot be computed', async () => {
    await start(`CREATE MATERIALIZED VIEW v AS SELECT id, 10 / customer AS share FROM orders;
      CREATE MATERIALIZED VIEW w AS SELECT id FROM orders WHERE 10 / customer > 1;
      CREATE MATERIALIZED VIEW sums AS SELECT status, sum(10 / customer) AS total FROM orders GROUP BY status`)
    await append(order(1, 0))
    const fails = '1 row of orders has id = 1, but 10 / customer fails (division by zero): customer = 0.'
    expect(await whyNot('v', { id: '1' })).toEqual([fails, 'project!(orders)'])
    expect((await whyNot('w', { id: '1' }))[0]).toBe(fails.replace('10 / customer', '(10 / customer) > 1'))
    expect((await whyNot('sums', { status: 'paid' }))[0]).toBe(
      "1 row of orders has status = 'paid', but 10 / customer fails (division by zero): customer = 0.",
    )
  })

  it('HAVING drops the group, or its sums are others', async () => {
    await start(`CREATE MATERIALIZED VIEW v AS SELECT customer, count(*) AS n, sum(amount) AS total FROM orders
      GROUP BY customer HAVING count(*) > 2`)
    await append(order(1, 7, '1'), order(2, 7, '2'), order(3, 8), order(4, 8), order(5, 8))
    expect((await whyNot('v', { customer: '7' }))[0]).toBe(
      'the group is there, but HAVING drops it: count(*) > 2 is false: count(*) = 2.',
    )
    expect((await whyNot('v', { customer: '8', total: '99' }))[0]).toBe(
      '1 group has customer = 8, but sum(amount) is 3.00, not 99.00.',
    )
    expect((await whyNot('v', { customer: '9' }))[0]).toBe('no event of orders has customer = 9.')
  })

  it('a join finds no partner', async () => {
    await start(
      `CREATE MATERIALIZED VIEW v AS SELECT o.id, c.country FROM orders o JOIN customer c ON c.id = o.customer`,
    )
    await append(customer(1), order(1, 1), order(2, 2))
    expect(await whyNot('v', { id: '2' })).toEqual([
      '1 row of orders has id = 2, but it finds no partner: no row of customer has id = 2.',
      'join!(orders)',
    ])
    expect((await whyNot('v', { id: '1', country: 'FR' }))[0]).toContain("has not country = 'FR' since its last upsert")
    await append(['customer', { id: 1 }, 'delete'])
    expect((await whyNot('v', { id: '1' }))[0]).toMatch(
      /^1 row of orders has id = 1, but it finds no partner: the row of customer with id = 1 was deleted \(offset 1, tick 3\)\.$/,
    )
  })

  it('a row that must not be there is there', async () => {
    await start(`CREATE MATERIALIZED VIEW v AS SELECT id FROM orders o
      WHERE NOT EXISTS (SELECT 1 FROM customer c WHERE c.id = o.customer)`)
    await append(customer(1), order(1, 1))
    expect(await whyNot('v', { id: '1' })).toEqual([
      '1 row of orders has id = 1, but it must match nothing: 1 row of customer matches: id = 1.',
      'join!(orders, customer)',
    ])
  })

  it('it is beyond the rows that stay', async () => {
    await start('CREATE MATERIALIZED VIEW v AS SELECT id, amount FROM orders ORDER BY amount DESC LIMIT 2')
    await append(order(1, 7, '1'), order(2, 7, '2'), order(3, 8, '3'), order(4, 8, '4'))
    expect(await whyNot('v', { id: '1' })).toEqual([
      '1 row of orders has id = 1, but it is 4th of 4, and only the first 2 stay.',
      'top!(orders)',
    ])
  })

  it('its window is open, or the event was late', async () => {
    await start(`CREATE MATERIALIZED VIEW v WITH (emit = 'final') AS SELECT window_start, window_end, customer, count(*) AS n
      FROM tumble(orders, at, interval '10 seconds') GROUP BY window_start, window_end, customer`)
    await append(order(1, 7), order(30, 7))
    await append(order(2, 9, '1', 'paid', 2))
    expect((await whyNot('v', { window_start: '2001-09-09 01:47:10' }))[0]).toBe(
      "the window that ends at '2001-09-09 01:47:20' is still open: the watermark of orders is 2001-09-09 01:47:05.",
    )
    expect((await whyNot('v', { customer: '9' }))[0]).toBe(
      '1 row of orders has customer = 9, but it was late, and late events are left out here.',
    )
    expect((await whyNot('v', { customer: '7', window_end: '2001-09-09 01:50:00' }))[0]).toBe(
      "2 rows of orders have customer = 7, but none lies in the window with window_end = '2001-09-09 01:50:00': at = '2001-09-09 01:46:41'.",
    )
  })

  it('goes down through views, unions and DISTINCT', async () => {
    await start(`CREATE MATERIALIZED VIEW paid AS SELECT DISTINCT customer FROM orders WHERE status = 'paid';
      CREATE MATERIALIZED VIEW v AS SELECT customer FROM paid UNION ALL SELECT id FROM customer`)
    await append(order(1, 7, '1', 'new'))
    expect(await whyNot('v', { customer: '7' })).toEqual([
      "1 row of orders has customer = 7, but WHERE drops it: status = 'paid' is false: status = 'new'. no row of customer has id = 7.",
      'view!(filter!(orders))',
    ])
  })
})
