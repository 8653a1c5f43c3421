import { beforeAll, describe, expect, it } from 'vitest'
import { loadParser, parseSql } from '../sql/parse.ts'
import { bindSelect } from './bind.ts'
import { Catalog } from './catalog.ts'
import { mayTakeLong } from './effort.ts'

beforeAll(() => loadParser())

describe('a query', () => {
  it.each([
    ['SELECT 1 AS n', false],
    ["SELECT 'aaa' ~ '^(a+)+$' AS n", true],
    ['SELECT count(*) AS n FROM generate_series(1, 10000) AS a(x)', false],
    ['SELECT count(*) AS n FROM generate_series(1, 100) AS a(x), generate_series(1, 100) AS b(y)', false],
    ['SELECT count(*) AS n FROM generate_series(1, 4000) AS a(x), generate_series(1, 4000) AS b(y)', true],
    ["SELECT t FROM (VALUES ('a'), ('b')) AS v(t) WHERE t ~ '^(a+)+$'", true],
    ["SELECT t FROM (VALUES ('a'), ('b')) AS v(t) WHERE t LIKE 'a%'", false],
  ])('%s may take long: %s', (text, long) => {
    const [statement] = parseSql(text)
    if (statement?.kind !== 'select') throw new Error('no SELECT')
    const { plan } = bindSelect(Catalog.empty, statement.node, statement, { adHoc: true, parameters: [] })
    expect(mayTakeLong(plan, () => 0)).toBe(long)
  })
})
