import { beforeAll, describe, expect, it } from 'vitest'
import { MillraceError } from '../data/errors.ts'
import { loadParser, parseSql } from './parse.ts'
import { aliasSpelling, listSpelling, placeAt, spelling } from './source.ts'

beforeAll(loadParser)

function refused(sql: string, file?: string): MillraceError {
  try {
    parseSql(sql, file)
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error(`accepted: ${sql.slice(0, 80)}`)
}

describe('parseSql', () => {
  it('splits a text into statements with their own words', () => {
    const sql = `-- events
      CREATE TABLE a (x int); ;
      CREATE VIEW b AS SELECT 1 /* kept */ + 1;
      CREATE MATERIALIZED VIEW c AS SELECT 2;;
      SELECT ';' ; DROP VIEW b; INSERT INTO a VALUES (1) -- last`
    const statements = parseSql(sql)
    expect(statements.map(({ kind }) => kind)).toEqual([
      'createTopic',
      'createView',
      'createMaterializedView',
      'select',
      'drop',
      'other',
    ])
    expect(statements[1].text).toBe('CREATE VIEW b AS SELECT 1 /* kept */ + 1')
    expect(statements[5].text).toBe('INSERT INTO a VALUES (1)')
    for (const { text, start } of statements) expect(sql.slice(start, start + text.length)).toBe(text)
  })

  it('finds statements behind characters of several bytes', () => {
    const [first, second] = parseSql(`SELECT 'é😀€'; SELECT "日本" FROM t`)
    expect(first.text).toBe(`SELECT 'é😀€'`)
    expect(second.text).toBe(`SELECT "日本" FROM t`)
  })

  it('has no statements in an empty text', () => {
    expect(parseSql('')).toEqual([])
    expect(parseSql(' \n -- nothing\n /* at all */')).toEqual([])
    expect(parseSql(';;')).toEqual([])
  })
})

describe('places', () => {
  it('count lines and columns from 1, in characters', () => {
    const error = refused("SELECT 'é😀',\n  x FROM WHERE", 'app.sql')
    expect(error.code).toBe('sql/syntax')
    expect(error.message).toBe('syntax error at or near "WHERE"')
    expect(error.place).toEqual({ file: 'app.sql', line: 2, column: 10, source: '  x FROM WHERE' })
    expect(error.hint).toBeDefined()
  })

  it('point behind the last word when something is missing', () => {
    const error = refused('SELECT 1,\n\n')
    expect(error.place).toEqual({ line: 1, column: 10, source: 'SELECT 1,' })
  })

  it('count characters behind a pair of surrogates on the same line', () => {
    expect(refused("SELECT '😀' FROM WHERE").place.column).toBe(18)
  })

  it('are found for every node of the tree', () => {
    const [{ node, source }] = parseSql("SELECT 'é😀',\r\n  someColumn FROM t")
    const target = 'targetList' in node ? node.targetList?.[1] : undefined
    const location = target !== undefined && 'ResTarget' in target ? target.ResTarget.location : undefined
    expect(placeAt(source, location)).toEqual({ line: 2, column: 3, source: '  someColumn FROM t' })
    expect(placeAt({ source }, -1)).toEqual({})
  })

  it('leave out lines that the user did not write', () => {
    const place = (() => {
      try {
        parseSql('CREATE VIEW v AS\nSELECT 1\nFROM FROM', 'view v', 1)
      } catch (error) {
        return error instanceof MillraceError ? error.place : null
      }
      return null
    })()
    expect(place).toEqual({ file: 'view v', line: 2, column: 6, source: 'FROM FROM' })
  })

  it('leave out a line that is too long to help', () => {
    expect(refused(`SELECT '${'x'.repeat(1000)}' FROM FROM`).place).toEqual({ line: 1, column: 1016 })
  })
})

describe('spellings', () => {
  const sql = `SELECT o.userId, "a""B" AS "É x", count(*) Total, x IS DISTINCT FROM y AS isY FROM "Orders" o (A, "b")`
  const at = (words: string): number => new TextEncoder().encode(sql.slice(0, sql.indexOf(words))).length

  it('of names come back from the text', () => {
    const [statement] = parseSql(sql)
    expect(spelling(statement, at('o.userId'))).toBe('o')
    expect(spelling(statement, at('o.userId'), 1)).toBe('userId')
    expect(spelling(statement, at('"a""B"'))).toBe('a"B')
    expect(spelling(statement, at('"Orders"'))).toBe('Orders')
  })

  it('of aliases come back from the text', () => {
    const [statement] = parseSql(sql)
    expect(aliasSpelling(statement, at('"a""B"'), 'É x')).toBe('É x')
    expect(aliasSpelling(statement, at('count(*)'), 'total')).toBe('Total')
    expect(aliasSpelling(statement, at('x IS'), 'isy')).toBe('isY')
    const [other] = parseSql('SELECT (SELECT 1 AS A FROM t) + 2 a FROM b AS A')
    expect(aliasSpelling(other, 7, 'a')).toBe('a')
  })

  it('of lists of names come back from the text', () => {
    const [statement] = parseSql(sql)
    expect(listSpelling(statement, at('"Orders"'), ['a', 'b'])).toEqual(['A', 'b'])
    expect(listSpelling(statement, at('"Orders"'), ['c'])).toEqual(['c'])
  })
})

describe('other dialects', () => {
  it.each([
    ['SELECT * FROM a ASOF JOIN b ON true', 'ASOF JOIN', 17],
    ['SELECT * FROM a asof left JOIN b ON true', 'ASOF JOIN', 17],
    ['SELECT * FROM a LEFT ASOF JOIN b ON true', 'ASOF JOIN', 22],
    ['SELECT * FROM a x ANTI JOIN b ON true', 'ANTI JOIN', 19],
    ['SELECT * FROM a SEMI JOIN b ON true', 'SEMI JOIN', 17],
    ['SELECT * FROM a MATCH_RECOGNIZE (x)', 'MATCH_RECOGNIZE', 17],
    ['SELECT * FROM a MATCH_RECOGNIZE (PARTITION BY x)', 'MATCH_RECOGNIZE', 17],
    ['SELECT * FROM a PIVOT (x)', 'PIVOT', 17],
  ])('%s is refused by name', (sql, name, column) => {
    const error = refused(sql)
    expect(error.code).toBe('sql/unsupported')
    expect(error.message).toContain(name)
    expect(error.place).toMatchObject({ line: 1, column })
    expect(error.hint).toBeDefined()
  })

  it.each([
    'SELECT * FROM a AS asof JOIN b ON true',
    'SELECT * FROM asof JOIN b ON true',
    'SELECT * FROM a, anti JOIN b ON true',
    'SELECT * FROM a "asof" JOIN b ON true',
    'SELECT asof, semi.pivot FROM semi',
    'CREATE TABLE pivot (a int)',
    "SELECT 'a ASOF JOIN b' -- MATCH_RECOGNIZE (x)",
  ])('%s is plain SQL', (sql) => {
    expect(parseSql(sql)).toHaveLength(1)
  })

  it.each([
    ['CREATE TABLE a (x int, WATERMARK FOR x AS x)', 'event_time'],
    ['CREATE SINK a', 'live'],
    ['CREATE STREAM a (x int)', 'CREATE TABLE'],
    ['SELECT * FROM a EMIT CHANGES', 'MATERIALIZED VIEW'],
    ['SELECT * FROM a QUALIFY row_number() OVER () = 1', 'subquery'],
    ['SELECT `a` FROM b', 'double quotes'],
  ])('%s gets the fitting hint', (sql, words) => {
    const error = refused(sql)
    expect(error.code).toBe('sql/syntax')
    expect(error.hint).toContain(words)
  })
})

describe('hostile texts', () => {
  const deep: Readonly<Record<string, (n: number) => string>> = {
    brackets: (n) => `SELECT ${'('.repeat(n)}1${')'.repeat(n)}`,
    subqueries: (n) => `SELECT * FROM ${'(SELECT * FROM '.repeat(n)}t${') x'.repeat(n)}`,
    sums: (n) => `SELECT 1${'+1'.repeat(n)}`,
    signs: (n) => `SELECT ${'-+'.repeat(n)}1`,
    nots: (n) => `SELECT ${'NOT '.repeat(n)}true`,
    unions: (n) => `SELECT 1${' UNION SELECT 1'.repeat(n)}`,
    joins: (n) => `SELECT 1 FROM t${' CROSS JOIN t'.repeat(n)}`,
    cases: (n) => `SELECT ${'CASE WHEN true THEN '.repeat(n)}1${' END'.repeat(n)}`,
    'cases with columns named end': (n) => `SELECT ${'CASE a.end WHEN '.repeat(n)}1${' THEN 2 END'.repeat(n)}`,
    casts: (n) => `SELECT 1${'::int'.repeat(n)}`,
    tests: (n) => `SELECT a${' ISNULL'.repeat(n)}`,
    betweens: (n) => `SELECT a${' BETWEEN 1 AND 2 IS NULL'.repeat(n)}`,
    'sums of columns named and': (n) => `SELECT a${' + a.and'.repeat(n)}`,
    calls: (n) => `SELECT ${'f('.repeat(n)}1${')'.repeat(n)}`,
    arrays: (n) => `SELECT ${'ARRAY['.repeat(n)}1${']'.repeat(n)}`,
    ctes: (n) => `${'WITH a AS ('.repeat(n)}SELECT 1${') SELECT 1'.repeat(n)}`,
    'calls behind a string in pieces': (n) => `SELECT E'a'\n'\\''${'||f('.repeat(n)}1${')'.repeat(n)}`,
    'calls behind a comment': (n) => `SELECT 1 <--'\n +${'f('.repeat(n)}1${')'.repeat(n)}`,
  }

  it.each(Object.keys(deep))('nested %s are refused and do no harm', (name) => {
    for (const n of [2500, 20_000]) {
      const error = refused(deep[name](n))
      expect(error.code).toBe('sql/unsupported')
      expect(error.message).toContain('deep')
      expect(error.place.line).toBeDefined()
    }
    // In between lies the bound itself: either side of it the parser must hold.
    for (const n of [100, 250, 450, 700, 1000, 1500, 1999]) {
      try {
        parseSql(deep[name](n))
      } catch (error) {
        expect(error, String(error)).toBeInstanceOf(MillraceError)
      }
    }
    expect(parseSql('SELECT 1')).toHaveLength(1)
  })

  it('long flat statements are parsed', () => {
    const list = Array.from({ length: 50_000 }, (_, i) => i)
    expect(parseSql(`SELECT a IN (${list.join(', ')})`)).toHaveLength(1)
    expect(
      parseSql(
        `SELECT ${list
          .slice(0, 10_000)
          .map((i) => `a = ${i}`)
          .join(' OR ')}`,
      ),
    ).toHaveLength(1)
    expect(parseSql(`SELECT '${'x'.repeat(1_000_000)}'`)).toHaveLength(1)
    expect(parseSql('SELECT 1; '.repeat(10_000))).toHaveLength(10_000)
  })

  it('texts beyond the bound are refused', () => {
    const error = refused(`SELECT '${'x'.repeat(1 << 20)}'`, 'big.sql')
    expect(error.code).toBe('sql/unsupported')
    expect(error.place).toEqual({ file: 'big.sql' })
  })

  it.each([
    ['a NUL', 'SELECT 1\0 FROM nowhere', 9],
    ['half a surrogate pair', "SELECT '\ud83d'", 9],
    ['the other half', "SELECT '\ude00x'", 9],
  ])('%s is refused', (_, sql, column) => {
    const error = refused(sql)
    expect(error.code).toBe('sql/syntax')
    expect(error.place).toMatchObject({ line: 1, column })
  })

  it('names that PostgreSQL would cut off are refused', () => {
    const error = refused(`SELECT ${'é'.repeat(32)}`)
    expect(error.code).toBe('sql/definition')
    expect(error.place.column).toBe(8)
    expect(parseSql(`SELECT "${'é'.repeat(31)}"`)).toHaveLength(1)
  })

  it.each([
    "SELECT '",
    'SELECT "',
    'SELECT /*',
    'SELECT $x$',
    ')',
    'SELECT (',
    '\\',
    "SELECT E'\\",
    '‮SELECT 1',
    'SELECT 5a',
    'SELECT U&"\\zzzz"',
  ])('%j is a syntax error', (sql) => {
    const error = refused(sql)
    expect(error.code).toBe('sql/syntax')
    expect(error.place.line).toBe(1)
  })
})
