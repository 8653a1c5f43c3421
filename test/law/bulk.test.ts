import { describe, expect, it } from 'vitest'
import type { CaseEvent } from './case-file.ts'
import { compare, printDifference } from './compare.ts'
import { EngineSubject } from './engine-subject.ts'
import { Random } from './fuzz/random.ts'
import { sharedOracle } from './oracle.ts'
import type { ViewStates } from './subject.ts'

// Many rows: more than a batch holds in a tick, more groups than a page, tables that grow and shrink. PostgreSQL is
// asked after every tick, over the tables as they stand then.
const definition = `
CREATE TABLE sale (shop int, product int, amount numeric(10,2), qty bigint, note text);
CREATE TABLE product (id int PRIMARY KEY, name text, price numeric(8,2), kind int);
CREATE MATERIALIZED VIEW per_product AS
  SELECT product, count(*) AS n, sum(amount) AS total, avg(qty) AS mean, min(note) AS first, max(amount) AS top
  FROM sale GROUP BY product;
CREATE MATERIALIZED VIEW priced AS
  SELECT s.shop, s.product, p.name, s.qty * p.price AS worth FROM sale s JOIN product p ON s.product = p.id
  WHERE s.qty > 90;
CREATE MATERIALIZED VIEW per_kind AS
  SELECT p.kind, count(*) AS n, count(s.product) AS sold, sum(s.amount) AS total, count(DISTINCT s.shop) AS shops
  FROM product p LEFT JOIN sale s ON p.id = s.product GROUP BY p.kind;
CREATE MATERIALIZED VIEW best AS
  SELECT kind, id, name, price FROM
    (SELECT *, row_number() OVER (PARTITION BY kind ORDER BY price DESC NULLS LAST, id) AS rn FROM product) x
  WHERE rn <= 3;
CREATE MATERIALIZED VIEW pairs AS SELECT DISTINCT shop, product % 100 AS bucket FROM sale;
CREATE MATERIALIZED VIEW extremes AS
  SELECT kind, min(price) AS low, max(price) AS high, min(name) AS first, count(*) AS n FROM product GROUP BY kind;
CREATE MATERIALIZED VIEW unsold AS
  SELECT id FROM product WHERE NOT EXISTS (SELECT 1 FROM sale WHERE sale.product = product.id);
`

const names = ['per_product', 'priced', 'per_kind', 'best', 'pairs', 'extremes', 'unsold']

interface Rows {
  readonly sales: string[]
  readonly products: Map<string, string>
}

function event(random: Random, rows: Rows): CaseEvent {
  const text = (value: string): string => JSON.stringify(value)
  const cents = (most: number): string => `${random.integer(0, most)}.${random.integer(10, 99)}`
  const id = String(random.integer(1, 9000))
  if (random.chance(0.6)) {
    const fields = [
      ['shop', String(random.integer(1, 400))],
      ['product', random.chance(0.02) ? 'null' : id],
      ['amount', cents(90000)],
      ['qty', String(random.integer(1, 100))],
      ['note', text(`note ${random.integer(1, 100000).toString(36)}`)],
    ] as const
    rows.sales.push(`{${fields.map(([key, value]) => `"${key}":${value}`).join(',')}}`)
    return { topic: 'sale', operation: 'upsert', fields, at: null }
  }
  if (random.chance(0.3)) {
    rows.products.delete(id)
    return { topic: 'product', operation: 'delete', fields: [['id', id]], at: null }
  }
  const fields = [
    ['id', id],
    ['name', text(`product ${random.integer(1, 5000)} ${'x'.repeat(random.integer(0, 40))}`)],
    ['price', random.chance(0.05) ? 'null' : cents(999)],
    ['kind', String(random.integer(1, 300))],
  ] as const
  rows.products.set(id, `{${fields.map(([key, value]) => `"${key}":${value}`).join(',')}}`)
  return { topic: 'product', operation: 'upsert', fields, at: null }
}

describe('the law over many rows', () => {
  for (const { state, seed, size, count } of [
    { state: undefined, seed: 1, size: 20_000, count: 2 },
    { state: 'reopen', seed: 2, size: 5_000, count: 3 },
    { state: 'spill', seed: 3, size: 2_000, count: 4 },
    { state: 'disk', seed: 4, size: 3_000, count: 4 },
  ] as const) {
    it(`holds at ticks of ${size}${state ? `, ${state}` : ''}`, async () => {
      const oracle = await sharedOracle()
      const subject = await EngineSubject.load()
      const random = new Random(seed)
      const rows: Rows = { sales: [], products: new Map() }
      const ticks: CaseEvent[][] = []
      const wanted: string[][] = []
      for (let tick = 0; tick < count; tick++) {
        ticks.push(Array.from({ length: size }, () => event(random, rows)))
        wanted.push([`[${rows.sales.join(',')}]`, `[${[...rows.products.values()].join(',')}]`])
      }
      await oracle.exec(`CREATE SCHEMA bulk; SET search_path = bulk; ${definition.replaceAll('MATERIALIZED ', '')}`)
      try {
        let tick = 0
        for await (const states of subject.run(definition, ticks, state === undefined ? {} : { state })) {
          if (tick === count) break
          await fill(oracle.exec.bind(oracle), wanted[tick++])
          expect(await differences(states)).toEqual([])
        }
      } finally {
        await oracle.exec('DROP SCHEMA bulk CASCADE; RESET search_path')
      }
    })
  }
})

async function fill(exec: (sql: string) => Promise<unknown>, [sales, products]: readonly string[]): Promise<void> {
  await exec(`TRUNCATE sale, product;
    INSERT INTO sale SELECT * FROM json_populate_recordset(null::sale, '${sales}');
    INSERT INTO product SELECT * FROM json_populate_recordset(null::product, '${products}'); ANALYZE sale, product`)
}

async function differences(states: ViewStates): Promise<string[]> {
  const oracle = await sharedOracle()
  const found: string[] = []
  for (const name of names) {
    const difference = compare(name, await oracle.ask(`SELECT * FROM ${name}`), states.get(name))
    if (difference) found.push(printDifference(difference))
  }
  return found
}
