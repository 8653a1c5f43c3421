import { beforeAll, describe, expect, it } from 'vitest'
import { typeName } from '../data/sql-type.ts'
import { loadParser, parseSql } from '../sql/parse.ts'
import { type BindOptions, type Bound, bindSelect } from './bind.ts'
import type { Catalog } from './catalog.ts'
import { defineProgram } from './definition.ts'
import { explainPlan, printOrder } from './explain.ts'
import { mayFailIn } from './failure.ts'
import { optimise } from './optimise.ts'

const schema = `
CREATE TABLE bid (
  auction bigint NOT NULL, bidder bigint NOT NULL, price bigint NOT NULL, channel text, dateTime timestamp NOT NULL
) WITH (event_time = 'dateTime', lateness = '4 seconds');
CREATE TABLE click (userId text NOT NULL, url text, at timestamptz NOT NULL) WITH (event_time = 'at');
CREATE TABLE account (id int PRIMARY KEY, owner text, balance numeric(12,2), opened date);
CREATE TABLE p (a int, b int, n numeric, j jsonb);
CREATE MATERIALIZED VIEW total AS SELECT auction, sum(price) AS paid FROM bid GROUP BY auction;
CREATE VIEW big AS SELECT * FROM bid WHERE price > 1000;
`
let catalog: Catalog
beforeAll(async () => {
  await loadParser()
  catalog = defineProgram(parseSql(schema), bindSelect).catalog
})

type Query = string | readonly [sql: string, options: BindOptions]

function bind(query: Query): { readonly sql: string; readonly bound: Bound } {
  const [sql, options] = typeof query === 'string' ? [query, { adHoc: true }] : query
  const [statement] = parseSql(sql, 'query.sql')
  if (statement.kind !== 'select') throw new Error(`no query: ${sql}`)
  return { sql, bound: bindSelect(catalog, statement.node, statement, options) }
}

/** The query and its plan at both stages. */
function print(query: Query): string {
  const { sql, bound } = bind(query)
  const nameOf = (id: number): string => catalog.byId(id).name
  const columns = bound.columns.map(
    ({ name, type, nullable }) => `${name} ${typeName(type)}${nullable ? '' : ' not null'}`,
  )
  const names = bound.plan.columns.map(({ name }) => name)
  const order = bound.order.map((item) => printOrder(item, (column) => names[column]))
  const optimised = optimise(bound.plan, mayFailIn(catalog))
  return [
    typeof query === 'string' ? sql : `${sql}  ${JSON.stringify(query[1])}`,
    `→ ${columns.join(', ')}${order.length === 0 ? '' : ` | by ${order.join(', ')}`}`,
    explainPlan(bound.plan, nameOf),
    explainPlan(optimised, nameOf),
  ].join('\n')
}

const final: BindOptions = { final: true }

const features: Readonly<Record<string, readonly Query[]>> = {
  projection: [
    'SELECT 1',
    "SELECT 1 AS one, 'x', NULL, 1.50, 12345678901, -3",
    'SELECT * FROM bid',
    'SELECT b.*, b.PRICE AS Paid, datetime FROM bid AS B',
    "SELECT lower(channel), coalesce(price, 0), price::text, CASE WHEN price > 1 THEN 'a' END, (price), -price FROM bid",
    'SELECT _partition, _offset, _tick, _appended_at FROM bid',
    "SELECT 1 + 1 AS two, interval '1 day' * 2 AS days, date '2020-01-01' + 3 AS later",
    'SELECT x, Y FROM (VALUES (1, NULL), (2.5, 3)) AS v (x, Y)',
    'SELECT n FROM generate_series(1, 3) AS n',
    ['SELECT $1 + a, $2 FROM p WHERE b = $1', { adHoc: true, parameters: ['5', null] }],
  ],
  filter: [
    "SELECT auction FROM bid WHERE price > 10 AND channel LIKE 'a%' OR bidder IN (1, 2)",
    'SELECT auction FROM (SELECT auction, price * 2 AS twice FROM bid) x WHERE twice > 10 AND auction = 1',
    'SELECT a FROM p WHERE a / b > 1 AND b IS NOT NULL AND a > 0',
    'SELECT a FROM p WHERE 1 = 1 AND (a, b) = (1, 2)',
    'SELECT a FROM p WHERE 1 = 2',
    'SELECT price FROM big WHERE price < 2000',
  ],
  aggregate: [
    'SELECT count(*) FROM bid',
    'SELECT auction, count(*) AS n, sum(price) + 1 AS total FROM bid GROUP BY auction HAVING count(*) > 2 ORDER BY total DESC',
    'SELECT a + 1 AS k, avg(b) FROM p GROUP BY k ORDER BY 1',
    'SELECT count(DISTINCT n), sum(a) FILTER (WHERE b > 1), bool_or(a = b), every(a > 1), min(b), max(n) FROM p',
    'SELECT n, j, count(*) FROM p GROUP BY n, j',
    'SELECT id, owner, count(*) FROM account JOIN p ON a = id GROUP BY id',
    'SELECT auction FROM (SELECT auction, max(price) AS top, count(*) FROM bid GROUP BY auction) x WHERE top > 3 AND auction > 5',
    'SELECT DISTINCT a, n FROM p ORDER BY a',
  ],
  join: [
    'SELECT price, owner FROM bid JOIN account ON bidder = id AND balance > price WHERE channel IS NULL',
    "SELECT * FROM p LEFT JOIN account ON a = id AND opened > date '2020-01-01' AND b > 1",
    'SELECT a, owner FROM p RIGHT JOIN account ON a = id AND b > id WHERE id < 10',
    'SELECT p.a, owner FROM p FULL JOIN account ON a = id',
    'SELECT * FROM p x JOIN p y USING (a, n)',
    'SELECT a, x.a, y.a FROM p x FULL JOIN p y USING (a)',
    'SELECT * FROM (SELECT id AS a, owner FROM account) x NATURAL JOIN p',
    "SELECT p.a FROM p LEFT JOIN account ON a = id WHERE owner = 'x'",
    'SELECT p.a, q.b FROM p, account, p q WHERE p.a = id AND q.b = id AND q.a > 1 AND p.b < q.b',
    'SELECT p.a FROM p, account x, account y WHERE y.id = p.b',
    "SELECT p.a FROM p, account WHERE (a = id AND b > 1) OR (a = id AND owner = 'x')",
    'SELECT p.a FROM p CROSS JOIN (SELECT max(id) AS m FROM account) x WHERE a = m',
    'SELECT p.a FROM p JOIN account ON a < id',
  ],
  subquery: [
    'SELECT a FROM p WHERE a IN (SELECT id FROM account)',
    'SELECT id FROM account WHERE id NOT IN (SELECT id FROM account WHERE balance > 0)',
    'SELECT a FROM p WHERE a NOT IN (SELECT b FROM p)',
    'SELECT a FROM p WHERE EXISTS (SELECT 1 FROM bid WHERE bidder = a AND price > b)',
    'SELECT a FROM p WHERE NOT EXISTS (SELECT * FROM bid WHERE bidder = a) OR b = 1',
    'SELECT a, (SELECT owner FROM account WHERE id = a), (SELECT max(price) FROM bid) FROM p',
    'SELECT a, (SELECT count(*) + 1 FROM bid WHERE bidder = a) FROM p',
    'SELECT a FROM p WHERE b > (SELECT avg(b) FROM p q WHERE q.a < p.a)',
    'SELECT a, count(*) FROM p GROUP BY a HAVING count(*) > (SELECT avg(id) FROM account WHERE id = p.a)',
    'WITH x AS (SELECT a FROM p), y (Z) AS (SELECT a FROM x) SELECT * FROM x JOIN y ON x.a = z',
  ],
  union: [
    'SELECT a FROM p UNION ALL SELECT id FROM account UNION ALL SELECT 3',
    "SELECT a, 'x' FROM p UNION SELECT auction, NULL FROM bid ORDER BY a LIMIT 3",
    'SELECT n FROM p INTERSECT SELECT a FROM p',
    'SELECT a FROM p EXCEPT SELECT b FROM p',
    'SELECT a FROM (SELECT a, b FROM p UNION ALL SELECT b, a FROM p) x WHERE b > 1',
  ],
  top: [
    'SELECT price FROM bid ORDER BY price DESC NULLS LAST, auction LIMIT 10 OFFSET 2',
    'SELECT a FROM p ORDER BY b',
    ['SELECT a FROM p ORDER BY b LIMIT 3', {}],
    'SELECT a FROM p ORDER BY n LIMIT 3',
    'SELECT DISTINCT ON (a) a, b FROM p ORDER BY a, b DESC',
    'SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rn FROM bid) x WHERE rn <= 3',
    'SELECT auction, price FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rn FROM bid) x WHERE rn = 1 AND auction > 5',
    'SELECT a, row_number() OVER w + 1 AS r FROM p WINDOW w AS (PARTITION BY n ORDER BY b)',
    'SELECT b, row_number() OVER (ORDER BY count(*) DESC) FROM p GROUP BY b',
  ],
  time: [
    "SELECT window_start, window_end, count(*) FROM tumble(bid, dateTime, interval '1 minute') GROUP BY window_start, window_end",
    "SELECT w.window_end, w.price FROM hop(bid, DATETIME, interval '1' minute, '5 minutes') AS w WHERE price > 3",
    "WITH c AS (SELECT *, price * 2 AS twice FROM bid) SELECT sum(twice) FROM tumble(c, dateTime, interval '1 hour') GROUP BY window_start",
    "SELECT price FROM bid WHERE dateTime > now() - interval '1 hour' AND price > 1",
    "SELECT userId FROM click WHERE at BETWEEN now() - interval '1 day' AND now()",
    "SELECT price FROM bid WHERE now() - dateTime <= interval '90 minutes'",
    'SELECT id FROM account WHERE opened < now()',
    'SELECT * FROM _late',
    'SELECT topic, count(*) FROM _late GROUP BY topic',
    'SELECT * FROM total WHERE paid > 3',
  ],
  final: [
    [
      "SELECT window_start, auction, count(*) AS bids FROM tumble(bid, dateTime, interval '1 minute') GROUP BY window_start, auction",
      final,
    ],
    [
      "SELECT window_end, count(*) FROM hop(big, dateTime, interval '1 minute', interval '1 hour') GROUP BY window_end ORDER BY 2",
      final,
    ],
    ["SELECT count(*) FROM tumble(bid, dateTime, interval '1 minute') GROUP BY window_end", final],
    [
      "SELECT b.price, c.url FROM tumble(bid, dateTime, interval '1 minute') b JOIN tumble(click, at, interval '1 minute') c ON b.window_start = c.window_start",
      final,
    ],
    ['SELECT auction, count(*) FROM bid GROUP BY auction', { lateDrop: true }],
  ],
}

describe('plans', () => {
  it.each(Object.keys(features))('%s', async (feature) => {
    await expect(features[feature].map(print).join('\n')).toMatchFileSnapshot(`./golden/${feature}.txt`)
  })
})
