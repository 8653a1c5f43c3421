// Random queries over four small relations, and rows for them.
import fc from 'fast-check'
import type { Data, Row } from './evaluate.ts'

export const schema = `
CREATE TABLE t (a int, b int, c int);
CREATE TABLE u (a int, d int NOT NULL);
CREATE TABLE w (k int PRIMARY KEY, a int, e int);
CREATE TABLE h (a int, b int, at timestamp NOT NULL) WITH (event_time = 'at');
`
/** Random SQL over relations whose columns are integers: conditions may divide by zero. */
const column = fc.constantFrom('a', 'b', 'c')
const number = fc.integer({ min: -1, max: 3 }).map(String)
const value: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: column.map((name) => `x.${name}`) },
  { weight: 2, arbitrary: number },
  { weight: 1, arbitrary: fc.tuple(column, column).map(([p, q]) => `x.${p} / x.${q}`) },
  { weight: 1, arbitrary: fc.tuple(column, number).map(([p, n]) => `(x.${p} + ${n})`) },
)
const condition: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(value, fc.constantFrom('=', '<', '>=', '<>'), value).map((parts) => parts.join(' ')),
  },
  { weight: 1, arbitrary: column.map((name) => `x.${name} IS NULL`) },
  { weight: 1, arbitrary: column.map((name) => `x.${name} IS NOT NULL`) },
  { weight: 1, arbitrary: fc.tuple(column, number).map(([name, n]) => `(x.${name} = ${n} OR x.a = x.b)`) },
  { weight: 1, arbitrary: column.map((name) => `x.${name} IN (SELECT a FROM u)`) },
  { weight: 1, arbitrary: column.map((name) => `NOT EXISTS (SELECT 1 FROM w WHERE w.a = x.${name} AND w.e <> x.b)`) },
  { weight: 1, arbitrary: column.map((name) => `(x.${name} NOT IN (SELECT e FROM w) OR x.c = 1)`) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'x.a > (SELECT count(*) FROM u WHERE u.a = x.b)',
      'x.b >= (SELECT count(*) FROM u WHERE u.a < x.b AND u.d <> x.a)',
      'x.a <> (SELECT max(w.e) FROM w WHERE w.a = x.b AND w.k > x.c)',
      'x.c = (SELECT e FROM w WHERE w.k = x.a)',
      '(EXISTS (SELECT 1 FROM w WHERE w.e < x.b) OR x.c = 1)',
      '(NOT EXISTS (SELECT 1 FROM w WHERE w.e < x.b AND w.a = x.a) OR x.c IS NULL)',
      '(EXISTS (SELECT 1 FROM w WHERE w.e = x.b AND w.a = x.a)) IS NOT TRUE',
    ),
  },
)
const where = fc
  .array(condition, { maxLength: 3 })
  .map((list) => (list.length === 0 ? '' : `WHERE ${list.join(' AND ')}`))

/** A query with columns a, b and c. */
export const query: fc.Arbitrary<string> = fc.letrec<{ query: string }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constant('SELECT a, b, c FROM t'),
    fc.constant('SELECT a, d AS b, d - 1 AS c FROM u'),
    fc.constant('SELECT k AS a, a AS b, e AS c FROM w'),
    fc.tuple(tie('query'), where).map(([of, filter]) => `SELECT c AS a, a AS b, b AS c FROM (${of}) x ${filter}`),
    fc.tuple(tie('query'), value, where).map(([of, v, filter]) => `SELECT a, ${v} AS b, c FROM (${of}) x ${filter}`),
    fc.tuple(tie('query'), where).map(([of, filter]) => `SELECT DISTINCT a, b, c FROM (${of}) x ${filter}`),
    fc
      .tuple(tie('query'), where)
      .map(([of, filter]) => `SELECT a, sum(b) AS b, count(*) AS c FROM (${of}) x ${filter} GROUP BY a`),
    fc
      .tuple(tie('query'), where, number)
      .map(
        ([of, filter, n]) =>
          `SELECT a, b, r AS c FROM (SELECT a, b, row_number() OVER (PARTITION BY a ORDER BY c) AS r FROM (${of}) x ${filter}) y WHERE r <= ${n} AND a > 0`,
      ),
    fc
      .tuple(tie('query'), tie('query'))
      .map(([p, q]) => `SELECT a, b, c FROM (${p}) p UNION ALL SELECT c, a, b FROM (${q}) q`),
    fc
      .tuple(tie('query'), tie('query'))
      .map(([p, q]) => `SELECT a, b, c FROM (${p}) p EXCEPT SELECT c, a, b FROM (${q}) q`),
    fc
      .tuple(tie('query'), tie('query'), fc.constantFrom('JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN'), where)
      .map(
        ([p, q, kind, filter]) =>
          `SELECT a, b, c FROM (SELECT p.a, q.b, p.c FROM (${p}) p ${kind} (${q}) q ON p.a = q.a) x ${filter}`,
      ),
    fc
      .tuple(tie('query'), fc.constantFrom('JOIN', 'LEFT JOIN'), where)
      .map(
        ([p, kind, filter]) =>
          `SELECT a, b, c FROM (SELECT p.a, w.e AS b, p.c FROM (${p}) p ${kind} w ON p.a = w.a AND w.e > 0 AND p.b < w.k) x ${filter}`,
      ),
    fc
      .tuple(tie('query'), tie('query'), where)
      .map(
        ([p, q, filter]) =>
          `SELECT p.a, q.b, w.e AS c FROM (${p}) p, (${q}) q, w, t x ${filter === '' ? 'WHERE' : `${filter} AND`} w.a = p.b AND q.c = w.k AND x.a = p.c`,
      ),
  ),
})).query

/** Queries with keys that are windows' edges. */
const edges = fc.subarray(['window_start', 'window_end', 'a'], { minLength: 1 }).map((list) => list.join(', '))
export const windowed: fc.Arbitrary<string> = fc.oneof(
  edges.map((keys) => `SELECT ${keys}, count(*), sum(b) FROM hop(h, at, '2 s', '6 s') GROUP BY ${keys}`),
  edges.map(
    (keys) =>
      `WITH c AS (SELECT a, window_start, window_end, count(*) AS n FROM tumble(h, at, '3 s') GROUP BY a, window_start, window_end)
       SELECT ${keys}, max(n) FROM c GROUP BY ${keys}`,
  ),
  fc.tuple(edges, fc.constantFrom('JOIN', 'LEFT JOIN', 'FULL JOIN'), fc.constantFrom('4 s', '6 s')).map(
    ([keys, kind, size]) =>
      `SELECT * FROM (SELECT ${keys}, count(*) AS n FROM hop(h, at, '2 s', '6 s') GROUP BY ${keys}) l
       ${kind} (SELECT ${keys}, max(b) AS m FROM hop(h, at, '2 s', '${size}') GROUP BY ${keys}) r USING (${keys})`,
  ),
)

const cell = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -1, max: 3 }).map(BigInt) },
  { weight: 1, arbitrary: fc.constant(null) },
)
const present = fc.integer({ min: -1, max: 3 }).map(BigInt)
export const data: fc.Arbitrary<Data> = fc
  .record({
    t: fc.array(fc.tuple(cell, cell, cell), { maxLength: 6 }),
    u: fc.array(fc.tuple(cell, present), { maxLength: 6 }),
    w: fc.uniqueArray(fc.tuple(present, cell, cell), { maxLength: 5, selector: ([key]) => key }),
    h: fc.array(
      fc.tuple(
        cell,
        cell,
        fc.integer({ min: 0, max: 12 }).map((second) => BigInt(second) * 1_000_000n),
      ),
      { maxLength: 6 },
    ),
  })
  .map(
    ({ t, u, w, h }) =>
      new Map([
        [1, t],
        [2, u],
        [3, w],
        [4, h],
      ] as [number, Row[]][]),
  )
