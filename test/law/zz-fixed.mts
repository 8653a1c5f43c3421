import fc from 'fast-check'
import { EngineSubject } from './engine-subject.ts'
import { sharedOracle } from './oracle.ts'
import { runCase } from './run-case.ts'
import { parseCase } from './case-file.ts'
const oracle = await sharedOracle(), subject = await EngineSubject.load()
const opt = <T,>(a: fc.Arbitrary<T>) => fc.oneof({ weight: 4, arbitrary: a }, { weight: 1, arbitrary: fc.constant(null) })
const num = fc.constantFrom('1.0', '1.00', '2', '2.50', '2.5', '-1', '0', '0.0')
const int = fc.integer({ min: -1, max: 3 })
const txt = fc.constantFrom('a', 'b', 'A', '', 'ab')
const ts = fc.integer({ min: 0, max: 40 }).map(s => `2026-01-01T00:00:${String(s).padStart(2, '0')}`)
const iv = fc.constantFrom('1 day', '24:00:00', '30 days', '1 mon', '00:00:00')
const event = fc.oneof(
  fc.record({ a: opt(int), n: opt(num.map(Number)), s: opt(txt), at: ts }).map(d => ({ topic: 'e', data: d })),
  fc.record({ id: int, a: opt(int), n: opt(num), m: opt(num), s: opt(txt), i: opt(iv), f: opt(fc.constantFrom(0.5, 1, 2, -1)) }).map(d => ({ topic: 'r', data: d })),
  int.map(id => ({ topic: 'r', op: 'delete', data: { id } })),
)
const schema = `CREATE TABLE e (a int, n numeric(4,2), s text, at timestamp NOT NULL) WITH (event_time = 'at', lateness = '5 seconds');
CREATE TABLE r (id int PRIMARY KEY, a int, n numeric, m numeric(5,1), s varchar(5), i interval, f real);`
const list: (string | [string, string])[] = [
  ['SELECT DISTINCT n FROM r', 'SELECT DISTINCT trim_scale(n) AS n FROM r'],
  ['SELECT n, count(*) FROM r GROUP BY n', 'SELECT trim_scale(n) AS n, count(*) FROM r GROUP BY n'],
  'SELECT count(DISTINCT n) AS x, count(DISTINCT i) AS y, count(DISTINCT m) AS z FROM r',
  ['SELECT count(*), i FROM r GROUP BY i', `SELECT count(*), make_interval(months => (extract(epoch from i) / 2592000)::int, days => (mod(extract(epoch from i), 2592000) / 86400)::int) AS i FROM r GROUP BY i`],
  'SELECT x.id AS p, y.id AS q FROM r x JOIN r y ON x.n = y.m',
  'SELECT x.id AS p, y.id AS q FROM r x JOIN r y ON x.i = y.i',
  'SELECT x.id AS p, y.id AS q FROM r x LEFT JOIN r y ON x.a = y.f',
  'SELECT x.id, e.a FROM r x LEFT JOIN e ON x.s = e.s AND e.n > x.n',
  'SELECT x.id, e.a FROM r x FULL JOIN e ON x.m = e.n AND e.a > x.a',
  'SELECT id FROM r WHERE n IN (SELECT m FROM r)',
  'SELECT id FROM r WHERE n NOT IN (SELECT e.n FROM e)',
  'SELECT id FROM r WHERE s NOT IN (SELECT s FROM e WHERE a > 1) OR a = 1',
  'SELECT id, n IN (SELECT n FROM e) FROM r',
  'SELECT id, EXISTS (SELECT 1 FROM e WHERE e.n = r.n AND e.s = r.s) FROM r',
  'SELECT id, (SELECT count(*) FROM e WHERE e.n = r.n) AS p, (SELECT max(s) FROM e WHERE e.a >= r.a) FROM r',
  'SELECT id, (SELECT sum(e.a) + count(*) FROM e WHERE e.a < r.n) FROM r',
  'SELECT a FROM e INTERSECT SELECT a FROM r',
  'SELECT s FROM e EXCEPT SELECT s FROM r',
  ['SELECT n FROM r INTERSECT SELECT m FROM r', 'SELECT trim_scale(n) AS n FROM r INTERSECT SELECT trim_scale(m) FROM r'],
  'SELECT a, n FROM e UNION ALL SELECT a, m FROM r',
  'SELECT a, s FROM e UNION SELECT id, s FROM r',
  ['SELECT DISTINCT ON (a) a, id, n FROM r ORDER BY a, n DESC', 'SELECT DISTINCT ON (a) a, id, n FROM r ORDER BY a, n DESC, a, id, n'],
  ['SELECT id, n FROM r ORDER BY n LIMIT 3', 'SELECT id, n FROM r ORDER BY n, id LIMIT 3'],
  ['SELECT id FROM r ORDER BY n DESC, s LIMIT 2 OFFSET 1', 'SELECT id FROM r ORDER BY n DESC, s COLLATE "C", id LIMIT 2 OFFSET 1'],
  ['SELECT id FROM r OFFSET 2', 'SELECT id FROM r ORDER BY id OFFSET 2'],
  'SELECT id FROM r LIMIT 0',
  ['SELECT id, r FROM (SELECT id, row_number() OVER (PARTITION BY n ORDER BY i DESC) AS r FROM r) x WHERE r < 3', 'SELECT id, r FROM (SELECT id, row_number() OVER (PARTITION BY n ORDER BY i DESC, id) AS r FROM r) x WHERE r < 3'],
  ['SELECT a, row_number() OVER (ORDER BY count(*) DESC, sum(n)) AS r FROM r GROUP BY a', 'SELECT a, row_number() OVER (ORDER BY count(*) DESC, sum(n), a) AS r FROM r GROUP BY a'],
  'SELECT a, sum(n) FROM r GROUP BY a HAVING sum(n) > (SELECT avg(n) FROM e)',
  'SELECT * FROM (SELECT a, s FROM e) x JOIN (SELECT a, id FROM r) y USING (a)',
  'SELECT a, x.a AS xa, y.a AS ya, id FROM (SELECT a, s FROM e) x FULL JOIN (SELECT a, id FROM r) y USING (a)',
  'SELECT a, id FROM (SELECT a::bigint AS a FROM e) x RIGHT JOIN (SELECT a, id FROM r) y USING (a)',
  'SELECT e.a, x.id FROM e, r x, r y WHERE e.a = x.id AND y.id = x.a AND e.n > y.n',
  "SELECT e.a FROM e, r WHERE (e.a = r.a AND r.s = 'a') OR (e.a = r.a AND e.s = 'b')",
  "SELECT window_start, window_end, count(*), sum(n) FROM tumble(e, at, interval '10 seconds') GROUP BY window_start, window_end",
  "SELECT window_start, a, max(n) FROM hop(e, at, interval '4 seconds', interval '10 seconds') GROUP BY a, window_start",
  "SELECT w.a, w.window_start, c FROM tumble(e, at, interval '10 seconds') w JOIN (SELECT window_start, window_end, count(*) AS c FROM tumble(e, at, interval '10 seconds') GROUP BY window_start, window_end) k ON w.window_start = k.window_start AND w.window_end = k.window_end",
  "SELECT e.a FROM e WHERE at > (SELECT max(at) - interval '10 seconds' FROM e)",
  'SELECT id, s FROM r WHERE (a, s) IN (SELECT a, s FROM e)',
  'SELECT id FROM r WHERE NOT EXISTS (SELECT 1 FROM e WHERE e.a = r.a AND e.n <> r.n)',
  'SELECT id, a, n, s, count(e_s) FROM (SELECT r.*, e.s AS e_s FROM r LEFT JOIN e ON r.a = e.a) x GROUP BY id, a, n, s',
  'SELECT r.id, r.s, count(e.a) FROM r LEFT JOIN e ON r.a = e.a GROUP BY r.id',
  'WITH m AS (SELECT a, max(n) AS top FROM e GROUP BY a) SELECT e.a, e.s FROM e JOIN m ON e.a = m.a AND e.n = m.top',
  'SELECT avg(x) FROM (SELECT a, count(*) AS x FROM e GROUP BY a) y WHERE x > 1',
  'SELECT bool_and(a > 0) AS p, bool_or(s = \'a\') AS q, min(s), max(at), every(n > 0) AS r FROM e',
  'SELECT count(*) FILTER (WHERE a > 1), sum(n) FILTER (WHERE s = \'a\') FROM e WHERE a IS NOT NULL',
  'SELECT CASE WHEN a IS NULL THEN \'none\' ELSE s END AS k, count(*) FROM r GROUP BY 1',
  'SELECT lower(s) AS k, count(*) FROM e GROUP BY k HAVING count(*) > 1',
  "SELECT window_start FROM (SELECT window_start, a FROM tumble(e, at, interval '10 seconds') WHERE a > 0) x GROUP BY window_start",
  'VALUES (1, NULL), (2, 3)',
  'SELECT (SELECT max(a) FROM e) AS m, (SELECT s FROM r WHERE id = 1) AS s',
  'SELECT x.id, (SELECT y.s FROM r y WHERE y.id = x.a) FROM r x',
]
let n = 0, bad = 0
for (const seed of process.argv.slice(2).map(Number)) for (const item of list) {
  const [sql, o] = typeof item === 'string' ? [item, item] : item
  const events = fc.sample(fc.array(event, { minLength: 12, maxLength: 30 }), { numRuns: 1, seed: seed * 1000 + n })[0]
  const at0 = events
  const names = sql
  const text = `-- x\n\n-- schema\n${schema}\n\n-- events\n${at0.map(e => JSON.stringify(e)).join('\n')}\n\n-- view\nCREATE MATERIALIZED VIEW v (${'abcdefgh'.split('').slice(0, 0).join(', ')}) AS ${names};\n\n-- oracle v\n${o}\n`.replace('v ()', 'v')
  let m: string | null = null; try { m = await runCase(oracle, subject, parseCase('x', text)) } catch (e) { m = (e as Error).message }
  n++
  if (m !== null) { bad++; console.log('-----', sql, '\n', m.slice(0, 1200)) }
}
console.log({ n, bad })
process.exit(0)
