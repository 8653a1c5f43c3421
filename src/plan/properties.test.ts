import { beforeAll, describe, expect, it } from 'vitest'
import { loadParser, parseSql } from '../sql/parse.ts'
import { bindSelect } from './bind.ts'
import { type Defined, defineProgram } from './definition.ts'
import { canFail } from './failure.ts'
import { optimise } from './optimise.ts'
import type { Plan } from './plan.ts'
import { appendOnly, atMostOneRow, type PrimaryKeyOf, uniqueKeys } from './properties.ts'

let defined: Defined
beforeAll(async () => {
  await loadParser()
  defined = defineProgram(
    parseSql(`
    CREATE TABLE bid (auction bigint NOT NULL, price bigint, at timestamp NOT NULL) WITH (event_time = 'at');
    CREATE TABLE item (id int PRIMARY KEY, name text, seller int, n numeric(5,2));
    CREATE MATERIALIZED VIEW rising AS SELECT * FROM bid WHERE price > 10;
    CREATE MATERIALIZED VIEW counts AS SELECT auction, count(*) AS n FROM bid GROUP BY auction;
  `),
    bindSelect,
  )
})

function plan(sql: string): Plan {
  const [statement] = parseSql(sql)
  if (statement.kind !== 'select') throw new Error(`no query: ${sql}`)
  return optimise(bindSelect(defined.catalog, statement.node, statement, { adHoc: true }).plan, () => false)
}

const primaryKeyOf: PrimaryKeyOf = (id) => {
  const relation = defined.catalog.byId(id)
  return relation.kind === 'view' ? [] : relation.definition.primaryKey
}

describe('appendOnly', () => {
  it.each([
    ['SELECT price + 1 FROM bid WHERE price > 1', true],
    ["SELECT * FROM tumble(bid, at, interval '1 s') UNION ALL SELECT *, at, at FROM bid", true],
    ['SELECT DISTINCT price FROM bid', true],
    ['SELECT a.price FROM bid a JOIN bid b ON a.auction = b.auction', true],
    ['SELECT price FROM bid WHERE price IN (SELECT auction FROM bid)', true],
    ['SELECT price FROM rising', true],
    ['SELECT name FROM item', false],
    ['SELECT n FROM counts', false],
    ['SELECT a.price FROM bid a LEFT JOIN bid b ON a.auction = b.auction', false],
    ['SELECT price FROM bid WHERE NOT EXISTS (SELECT 1 FROM item WHERE id = auction)', false],
    ['SELECT price FROM bid JOIN item ON id = auction', false],
    ['SELECT count(*) FROM bid', false],
    ['SELECT price FROM bid ORDER BY price LIMIT 3', false],
    ['SELECT price FROM bid WHERE at > now()', false],
  ])('%s', (sql, expected) => {
    expect(appendOnly(plan(sql), defined.program)).toBe(expected)
  })
})

describe('uniqueKeys', () => {
  it.each<[string, number[][]]>([
    ['SELECT name, id FROM item', [[1]]],
    ['SELECT name FROM item', []],
    ['SELECT price FROM bid', []],
    ['SELECT count(*), auction, price FROM bid GROUP BY auction, price', [[1, 2]]],
    ['SELECT count(*) FROM bid', [[]]],
    ['SELECT DISTINCT price FROM bid', [[0]]],
    ['SELECT a.price, b.id FROM bid a JOIN item b ON a.auction = b.id', []],
    ['SELECT a.name, a.id, b.name FROM item a JOIN item b ON a.seller = b.id', [[1]]],
    ['SELECT auction, name, id FROM item LEFT JOIN (SELECT DISTINCT auction FROM bid) b ON id = auction', [[0, 2]]],
    ['SELECT id FROM item UNION ALL SELECT id FROM item', []],
  ])('%s', (sql, expected) => {
    const keys = uniqueKeys(plan(sql), primaryKeyOf).map((key) => [...key].sort())
    for (const key of expected) expect(keys).toContainEqual(key)
    if (expected.length === 0) expect(keys).toEqual([])
  })
})

describe('atMostOneRow', () => {
  it.each([
    ['SELECT max(price) FROM bid', true],
    ['SELECT max(price) FROM bid HAVING max(price) > 1', true],
    ['SELECT price FROM bid LIMIT 1', true],
    ['SELECT 1', true],
    ['SELECT name FROM item WHERE id = 3', true],
    ['SELECT name FROM item WHERE 3 = id AND name IS NOT NULL', true],
    ['SELECT name FROM item WHERE seller = 3', false],
    ['SELECT name FROM item WHERE id = 3 OR id = 4', false],
    ['SELECT max(price) FROM bid GROUP BY auction', false],
    ['SELECT price FROM bid LIMIT 2', false],
    ['SELECT 1 UNION ALL SELECT 2', false],
    ['SELECT max(price) FROM bid CROSS JOIN item', true],
  ])('%s', (sql, expected) => {
    expect(atMostOneRow(plan(sql), primaryKeyOf)).toBe(expected)
  })
})

describe('canFail', () => {
  it.each([
    ['id', false],
    ["id = 3 AND name LIKE 'a%' OR name IS NULL", false],
    ["lower(name) || 'x' = substring(name, 1, 2)", false],
    ['id::bigint = 3', false],
    ['n::numeric(8,2) > 1', false],
    ['coalesce(id, seller) IN (1, 2)', false],
    ['CASE WHEN id > 3 THEN name END', false],
    ['id + 1', true],
    ['id / seller', true],
    ['name::int', true],
    ['id::smallint', true],
    ['n::numeric(5,3)', true],
    ['name LIKE name', true],
    ['CASE WHEN seller <> 0 THEN id / seller END', true],
    ['substring(name, 1, id)', true],
  ])('%s', (expression, expected) => {
    const bound = plan(`SELECT ${expression} FROM item`)
    if (bound.op !== 'map') expect(expected).toBe(false)
    else
      expect(
        canFail(
          bound.outputs[0],
          bound.input.columns.map(() => false),
        ),
      ).toBe(expected)
  })
})
