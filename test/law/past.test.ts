import { describe, expect, it } from 'vitest'
import { printRow } from '../../src/data/json-print.ts'
import { Database } from '../../src/database.ts'
import { sqlDefinition } from '../../src/engine/definitions.ts'
import { engineThread } from '../../src/engine/thread.ts'
import { simulatedIo } from '../../src/io/twin/simulated-io.ts'
import { keeperThread } from '../../src/state/snapshots/keeper-thread.ts'
import type { Rows } from '../../src/views/rows.ts'
import { Random } from './fuzz/random.ts'
import { sharedOracle } from './oracle.ts'

// The law of the past: what is told as of tick n is what PostgreSQL says of the events up to tick n, whether views
// still know it, the log is read again, or a query looks at topics and views together.
const tables = `
CREATE TABLE sale (shop int NOT NULL, product int, amount numeric(10,2), note text);
CREATE TABLE product (id int PRIMARY KEY, name text, price numeric(8,2), kind int);`
const views = {
  per_product: `SELECT product, count(*) AS n, sum(amount) AS total, max(note) AS last FROM sale GROUP BY product`,
  priced: `SELECT s.shop, p.name, s.amount * p.price AS worth FROM sale s JOIN product p ON s.product = p.id`,
  per_kind: `SELECT p.kind, count(s.product) AS sold, min(p.price) AS low FROM product p
    LEFT JOIN sale s ON p.id = s.product GROUP BY p.kind`,
  best: `SELECT kind, id, price FROM (SELECT *, row_number() OVER (PARTITION BY kind ORDER BY price DESC NULLS LAST, id)
    AS rn FROM product) x WHERE rn <= 2`,
  unsold: `SELECT id FROM product WHERE NOT EXISTS (SELECT 1 FROM sale WHERE sale.product = product.id)`,
  shops: `SELECT DISTINCT shop FROM sale WHERE amount > 20`,
}
const queries = [
  `SELECT p.name, v.n FROM product p JOIN per_product v ON v.product = p.id`,
  `SELECT count(*) AS n, sum(amount) AS s FROM sale`,
  `SELECT id, name, price, kind FROM product`,
]
const definition = `${tables}
${Object.entries(views)
  .map(([name, sql]) => `CREATE MATERIALIZED VIEW ${name} AS ${sql};`)
  .join('\n')}`

interface Content {
  readonly sales: readonly string[]
  readonly products: readonly string[]
}

/** Appends an event to what is there. @returns it as the log takes it */
function event(random: Random, sales: string[], products: Map<number, string>): string {
  const id = random.integer(1, 12)
  if (random.chance(0.5)) {
    const product = random.chance(0.1) ? 'null' : id
    const amount = `${random.integer(0, 40)}.${random.integer(10, 99)}`
    const data = `{"shop":${random.integer(1, 4)},"product":${product},"amount":${amount},"note":"n${random.integer(1, 9)}"}`
    sales.push(data)
    return `{"topic":"sale","data":${data}}`
  }
  if (random.chance(0.3)) {
    products.delete(id)
    return `{"topic":"product","op":"delete","data":{"id":${id}}}`
  }
  const price = random.chance(0.1) ? 'null' : `${random.integer(1, 9)}.${random.integer(10, 99)}`
  const data = `{"id":${id},"name":"p${random.integer(1, 5)}","price":${price},"kind":${random.integer(1, 3)}}`
  products.set(id, data)
  return `{"topic":"product","data":${data}}`
}

function printed(rows: Rows): string[] {
  const lines: string[] = []
  rows.forEach((page, row, weight) => {
    for (let n = 0; n < weight; n++) lines.push(printRow(rows.columns, page.memory, page.columns, row))
  })
  return lines.sort()
}

async function wanted({ sales, products }: Content, sql: string): Promise<string[]> {
  const oracle = await sharedOracle()
  await oracle.exec(`TRUNCATE sale, product;
    INSERT INTO sale SELECT * FROM json_populate_recordset(null::sale, '[${sales.join()}]');
    INSERT INTO product SELECT * FROM json_populate_recordset(null::product, '[${products.join()}]')`)
  const { rows } = await oracle.ask(`SELECT row_to_json(v)::text FROM (${sql}) v`)
  return rows.map(([row]) => row!).sort()
}

describe('the past', () => {
  it.each([1, 2, 3])("is PostgreSQL's answer over the events up to then (seed %i)", async (seed) => {
    const oracle = await sharedOracle()
    const random = new Random(seed)
    const io = simulatedIo(seed, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
    const open = () => Database.open({ io, data: 'd', definition: sqlDefinition(definition) })
    let db = await open()
    const history: (Content & { readonly tick: number })[] = []
    const sales: string[] = []
    const products = new Map<number, string>()
    for (let i = 0; i < 24; i++) {
      const events = Array.from({ length: random.integer(1, 15) }, () => event(random, sales, products))
      const { tick } = await db.appendMixed(new TextEncoder().encode(`{"events":[${events.join()}]}`))
      history.push({ tick, sales: [...sales], products: [...products.values()] })
    }
    await db.waitForTick(history.at(-1)!.tick)
    const plain = definition.replaceAll('MATERIALIZED ', '')
    await oracle.exec(`CREATE SCHEMA past; SET search_path = past; ${plain}`)
    try {
      const check = async (then: (typeof history)[number], replay: boolean): Promise<void> => {
        const asOf = replay ? { at: { tick: then.tick }, replay: {} } : { at: { tick: then.tick } }
        // Several appends may have become visible together: that tick ends with the last of them.
        const content = history.filter(({ tick }) => tick === then.tick).at(-1)!
        const answers = await db.readAll(Object.keys(views), { asOf })
        for (const { view, rows, tick } of answers) {
          expect([view.name, tick, printed(rows)]).toEqual([
            view.name,
            then.tick,
            await wanted(content, views[view.name as keyof typeof views]),
          ])
        }
        for (const sql of queries) {
          expect(printed((await db.query(sql, { asOf })).rows)).toEqual(await wanted(content, sql))
        }
      }
      for (let i = 0; i < history.length; i += 3) await check(history[i], false)
      await db.close()
      db = await open()
      for (let i = 1; i < history.length; i += 9) await check(history[i], true)
    } finally {
      await oracle.exec('DROP SCHEMA past CASCADE; RESET search_path')
      await db.close()
    }
  })
})
