import { beforeAll, describe, expect, it } from 'vitest'
import { MillraceError } from '../data/errors.ts'
import { loadParser, parseSql } from '../sql/parse.ts'
import { type BindOptions, bindSelect } from './bind.ts'
import type { Catalog } from './catalog.ts'
import { defineProgram } from './definition.ts'

const schema = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint NOT NULL, at timestamp NOT NULL) WITH (event_time = 'at');
CREATE TABLE t (id int PRIMARY KEY, a int, b int, s text, j jsonb, ts timestamp, d date, i interval);
CREATE TABLE u (a int, c int);
CREATE MATERIALIZED VIEW mv AS SELECT auction, count(*) AS n FROM bid GROUP BY auction;
`
let catalog: Catalog
beforeAll(async () => {
  await loadParser()
  catalog = defineProgram(parseSql(schema), bindSelect).catalog
})

function refusalOf(sql: string, options: BindOptions): MillraceError {
  const [statement] = parseSql(sql, 'query.sql')
  if (statement.kind !== 'select') throw new Error(`no query: ${sql}`)
  try {
    bindSelect(catalog, statement.node, statement, options)
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error(`accepted: ${sql}`)
}

/** Code, words of the message, and the text at the place: where in the query the caret stands. */
type Refusal = readonly [sql: string, code: string, message: string, at: string]

const names: readonly Refusal[] = [
  ['SELECT nope FROM t', 'unknown-column', 'column "nope" does not exist', 'nope'],
  ['SELECT t.nope FROM t', 'unknown-column', 'column "t.nope" does not exist', 't.nope'],
  ['SELECT _offset FROM t', 'unknown-column', 'column "_offset" does not exist', '_offset'],
  ['SELECT x.a FROM t', 'unknown-relation', 'FROM has no relation "x"', 'x.a'],
  ['SELECT t.a FROM t x', 'unknown-relation', 'FROM has no relation "t"', 't.a'],
  ['SELECT x.* FROM t', 'unknown-relation', 'FROM has no relation "x"', 'x.*'],
  ['SELECT 1 FROM nope', 'unknown-relation', 'relation "nope" does not exist', 'nope'],
  ['SELECT a FROM t, u', 'ambiguous', 'column reference "a" is ambiguous', 'a FROM'],
  ['SELECT 1 FROM t x, u x', 'ambiguous', 'relation name "x" is given more than once', 'u x'],
  ['SELECT x FROM (SELECT a AS x, b AS X FROM t) y', 'ambiguous', '"x" is ambiguous', 'x FROM'],
  ['SELECT a AS k, b AS k FROM t ORDER BY k', 'ambiguous', 'ORDER BY "k" is ambiguous', 'k'],
  ['SELECT lowr(s) FROM t', 'unknown-function', 'function lowr(text) does not exist', 'lowr'],
  ['SELECT * FROM t JOIN u USING (c)', 'unknown-column', 'column "c" does not exist', 'u USING'],
  ['SELECT t FROM t', 'unsupported', 'the row of "t" as a value', 't FROM'],
  ['SELECT 1 FROM public.t', 'unsupported', 'a schema before a name', 'public'],
  ['SELECT *', 'definition', 'SELECT * with no relations', '*'],
  ['SELECT * FROM (VALUES (1)) v (x, y)', 'definition', 'has 1 columns, but 2 names', '1)'],
]

const grouping: readonly Refusal[] = [
  ['SELECT a, count(*) FROM t', 'grouping', 'column "t.a" must appear in the GROUP BY clause', 'a, count'],
  ['SELECT a, b FROM t GROUP BY a', 'grouping', 'column "t.b" must appear', 'b FROM'],
  ['SELECT a FROM t GROUP BY a ORDER BY b', 'grouping', 'column "t.b" must appear', 'b'],
  ['SELECT count(*) FROM t HAVING a > 1', 'grouping', 'column "t.a" must appear', 'a > 1'],
  ['SELECT a FROM t WHERE sum(a) > 1', 'grouping', 'aggregate functions are not allowed in WHERE', 'sum'],
  ['SELECT sum(sum(a)) FROM t', 'grouping', 'aggregate functions are not allowed in an aggregate', 'sum(a)'],
  ['SELECT a FROM t GROUP BY sum(a)', 'grouping', 'aggregate functions are not allowed in GROUP BY', 'sum'],
  ['SELECT 1 FROM t JOIN u ON max(t.a) = 1', 'grouping', 'not allowed in JOIN conditions', 'max'],
  ['SELECT a FROM t GROUP BY 2', 'grouping', 'GROUP BY position 2 is not in select list', '2'],
  ['SELECT a FROM t ORDER BY 2', 'grouping', 'ORDER BY position 2 is not in select list', '2'],
  ["SELECT a FROM t GROUP BY 'x'", 'grouping', 'non-integer constant in GROUP BY', "'x'"],
  ['SELECT DISTINCT a FROM t ORDER BY b', 'grouping', 'ORDER BY expressions must appear in select list', 'b'],
  ['SELECT DISTINCT ON (a) a FROM t ORDER BY b', 'grouping', 'must match initial ORDER BY', 'b'],
  [
    'SELECT a FROM t WHERE row_number() OVER () = 1',
    'grouping',
    'window functions are not allowed in WHERE',
    'row_number',
  ],
  ['SELECT a FROM t GROUP BY ROLLUP (a)', 'unsupported', 'GROUPING SETS', 'ROLLUP'],
  ['SELECT stddev(a) FROM t', 'unsupported', 'the aggregate stddev', 'stddev'],
  ["SELECT string_agg(s, ',') FROM t", 'unsupported', 'the aggregate string_agg', 'string_agg'],
  ['SELECT mode() WITHIN GROUP (ORDER BY a) FROM t', 'unsupported', 'WITHIN GROUP', 'mode'],
  ['SELECT lower(DISTINCT s) FROM t', 'unsupported', 'lower is not an aggregate', 'lower'],
  ['SELECT bool_and(a) FROM t', 'type', 'function bool_and(integer) does not exist', 'bool_and'],
  ['SELECT a FROM t ORDER BY j', 'unsupported', 'ORDER BY a jsonb', 'j'],
]

const types: readonly Refusal[] = [
  ['SELECT a FROM t WHERE a', 'type', 'argument of WHERE must be type boolean', 'a'],
  ['SELECT a FROM t WHERE a = s', 'type', 'operator integer = text does not exist', '= s'],
  ["SELECT a FROM t WHERE a = 'x'", 'type', 'invalid input syntax for type integer', "= 'x'"],
  ['SELECT a FROM t UNION SELECT s FROM t', 'type', 'UNION types integer and text cannot be matched', 's FROM'],
  ['SELECT a FROM t UNION SELECT a, b FROM t', 'type', 'each UNION query must have the same number', 'a, b'],
  ['VALUES (1, 2), (3)', 'type', 'VALUES lists must all be the same length', '3'],
  ['SELECT CASE WHEN a THEN 1 END FROM t', 'type', 'must be type boolean', 'CASE'],
  ['SELECT a FROM t LIMIT -1', 'value', 'LIMIT must not be negative', '-1'],
  ['SELECT $2', 'parameter', '$2 has no value', '$2'],
  ['SELECT (SELECT a, b FROM t)', 'type', 'subquery must return only one column', '(SELECT a'],
  ['SELECT a FROM t WHERE (a, b) IN (SELECT a FROM u)', 'type', 'the subquery of IN has 1 columns, not 2', 'IN'],
]

const unsupported: readonly Refusal[] = [
  ['SELECT 1 FROM t, LATERAL (SELECT t.a) x', 'unsupported', 'LATERAL is not supported', 't.a'],
  ['SELECT 1 FROM t TABLESAMPLE SYSTEM (1)', 'unsupported', 'TABLESAMPLE is not supported', 'SYSTEM'],
  ['SELECT a FROM t FOR UPDATE', 'unsupported', 'FOR UPDATE', 'a FROM'],
  ['SELECT a INTO x FROM t', 'unsupported', 'SELECT INTO is not supported', 'a INTO'],
  ['SELECT a FROM t ORDER BY a FETCH FIRST 2 ROWS WITH TIES', 'unsupported', 'WITH TIES', 'a FROM'],
  ['SELECT a FROM t EXCEPT ALL SELECT a FROM u', 'unsupported', 'EXCEPT ALL', 'a FROM u'],
  ['SELECT a FROM t UNION SELECT b FROM t ORDER BY a + 1', 'grouping', 'ORDER BY around UNION', '+ 1'],
  ['SELECT 1 FROM t FULL JOIN u ON t.a < u.a', 'unsupported', 'FULL JOIN without an equality', 'u ON'],
  [
    'WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) SELECT * FROM r',
    'unsupported',
    'a WITH query that reads itself',
    'r) SELECT',
  ],
  ['WITH r AS (DELETE FROM t RETURNING *) SELECT * FROM r', 'unsupported', 'a WITH query that changes data', 'r AS'],
  ['SELECT rank() OVER (ORDER BY a) FROM t', 'unsupported', 'rank() OVER', 'rank'],
  ['SELECT sum(a) OVER () FROM t', 'unsupported', 'sum() OVER', 'sum'],
  ['SELECT row_number() OVER (ORDER BY a ROWS 1 PRECEDING) FROM t', 'unsupported', 'a window frame', '(ORDER'],
  ['SELECT row_number() FROM t', 'unsupported', 'row_number() without OVER', 'row_number'],
  ['SELECT unnest(ARRAY[1])', 'unsupported', 'the set-returning function unnest', 'unnest'],
  ['SELECT ARRAY[1]', 'unsupported', 'ARRAY[…]', 'ARRAY'],
  ['SELECT ROW(1, 2)', 'unsupported', 'a row as a value', 'ROW'],
  ['SELECT (j)[1] FROM t', 'unsupported', 'a subscript', 'j)'],
  ["SELECT s SIMILAR TO 'x' FROM t", 'unsupported', 'SIMILAR TO', 'SIMILAR'],
  ['SELECT a FROM t WHERE a = ANY (ARRAY[1])', 'unsupported', '= ANY (array)', '= ANY'],
  ['SELECT s COLLATE "de_DE" FROM t', 'unsupported', 'COLLATE "de_DE"', 'COLLATE'],
  ['SELECT random()', 'unsupported', 'random() is not supported: it is not a function of the log', 'random'],
  ['SELECT gen_random_uuid()', 'unsupported', 'not a function of the log', 'gen_random_uuid'],
  ["SELECT interval '1-2' year to month", 'unsupported', 'this form of interval', 'interval'],
]

const subqueries: readonly Refusal[] = [
  ['SELECT (SELECT a FROM u)', 'unsupported', 'may have more than one row', '(SELECT a'],
  ['SELECT (SELECT c FROM u WHERE u.a = t.a) FROM t', 'unsupported', 'may have more than one row', '(SELECT c'],
  ['SELECT a FROM t WHERE a > ALL (SELECT a FROM u)', 'unsupported', '> ALL (SELECT …)', '> ALL'],
  ['SELECT ARRAY(SELECT a FROM t)', 'unsupported', 'ARRAY (SELECT …)', 'ARRAY'],
  [
    'SELECT a FROM t WHERE a NOT IN (SELECT c FROM u WHERE u.a = t.b)',
    'unsupported',
    'NOT IN (SELECT …)',
    'NOT IN (SELECT c',
  ],
  [
    'SELECT a FROM t WHERE a IN (SELECT c FROM u WHERE u.a IN (SELECT auction FROM bid WHERE price = t.b))',
    'unsupported',
    'two levels around',
    't.b))',
  ],
  [
    'SELECT (SELECT max(c) + t.b FROM u WHERE u.a = t.a) FROM t',
    'unsupported',
    'reads the query around other than',
    '(SELECT max',
  ],
  [
    'SELECT 1 FROM t JOIN u ON t.a = (SELECT max(c) FROM u)',
    'unsupported',
    'a subquery in JOIN conditions',
    '(SELECT max',
  ],
  ['SELECT a FROM t GROUP BY a, (SELECT 1)', 'unsupported', 'a subquery in GROUP BY', '(SELECT 1'],
]

const time: readonly Refusal[] = [
  ['SELECT now()', 'unsupported', 'now() in SELECT', 'now'],
  ['SELECT current_date', 'unsupported', 'CURRENT_DATE', 'current_date'],
  ['SELECT a FROM t WHERE ts = now()', 'unsupported', 'this use of now()', 'now'],
  ['SELECT a FROM t WHERE ts > now() OR a = 1', 'unsupported', 'this use of now()', 'now'],
  ["SELECT a FROM t WHERE ts > now() - interval '1 month'", 'unsupported', 'this use of now()', 'now'],
  ['SELECT a FROM t WHERE ts > now() - i', 'unsupported', 'this use of now()', 'now'],
  ["SELECT a FROM t WHERE date_trunc('day', now()) < ts", 'unsupported', 'this use of now()', 'now'],
  ['SELECT count(*) FROM t HAVING max(ts) > now()', 'unsupported', 'now() in HAVING', 'now'],
  ['SELECT 1 FROM t JOIN u ON ts > now()', 'unsupported', 'now() in JOIN conditions', 'now'],
  ["SELECT * FROM tumble(bid, at, interval '1 month')", 'unsupported', 'a window of months', 'interval'],
  ["SELECT * FROM tumble(bid, at, interval '0')", 'value', 'the size of a window is more than 0', 'interval'],
  ["SELECT * FROM tumble(bid, price, interval '1 s')", 'type', 'the time of a window is a timestamp', 'price'],
  ["SELECT * FROM tumble(bid, nope, interval '1 s')", 'unknown-column', 'column "nope"', 'nope'],
  ['SELECT * FROM tumble(bid, at)', 'type', 'tumble takes 3 arguments, not 2', 'tumble'],
  [
    "SELECT * FROM tumble((SELECT 1), at, interval '1 s')",
    'unsupported',
    'a window over anything but the name',
    '(SELECT 1',
  ],
  ["SELECT * FROM session(bid, at, interval '1 s')", 'unsupported', 'session() is not supported', 'session'],
  ['SELECT tumble(price) FROM bid', 'unsupported', 'tumble(…) outside FROM', 'tumble'],
]

const finals: readonly Refusal[] = [
  ['SELECT a FROM t', 'unsupported', `emit = 'final' over "t", which has no event time`, 't'],
  ['SELECT n FROM mv', 'unsupported', `emit = 'final' over the materialized view "mv"`, 'mv'],
  ['SELECT count(*) FROM bid', 'unsupported', 'of a query whose rows have no window', 'count'],
  ['SELECT topic FROM _late', 'unsupported', '_late in a query of events on time', '_late'],
]

function check(refusals: readonly Refusal[], options: BindOptions): void {
  it.each(refusals)('%s', (sql, code, message, at) => {
    const error = refusalOf(sql, options)
    expect(error.code).toBe(`sql/${code}`)
    expect(error.message).toContain(message)
    expect(error.hint, 'a hint').toBeTypeOf('string')
    expect(error.place).toMatchObject({ file: 'query.sql', line: 1, source: sql })
    expect(sql.slice((error.place.column ?? 0) - 1), 'the text at the place').toMatch(
      new RegExp(`^${at.replace(/[$()[\]*+?.^|]/g, '\\$&')}`, 'i'),
    )
  })
}

const adHoc: BindOptions = { adHoc: true, parameters: ['1'] }
describe('names', () => check(names, adHoc))
describe('grouping', () => check(grouping, adHoc))
describe('types', () => check(types, adHoc))
describe('what is not supported', () => check(unsupported, adHoc))
describe('subqueries', () => check(subqueries, adHoc))
describe('time', () => check(time, adHoc))
describe("emit = 'final'", () => check(finals, { final: true }))
describe('views', () =>
  check(
    [
      ['SELECT a FROM t ORDER BY b', 'unsupported', 'a view ordered by what it does not show', 'b'],
      ['SELECT $1 FROM t', 'parameter', '$1 has no value in a definition', '$1'],
    ],
    {},
  ))
