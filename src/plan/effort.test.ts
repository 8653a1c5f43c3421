import { beforeAll, describe, expect, it } from 'vitest'
import { loadParser, parseSql } from '../sql/parse.ts'
import { bindSelect } from './bind.ts'
import { Catalog } from './catalog.ts'
import { mayTakeLong } from './effort.ts'
import type { Plan } from './plan.ts'
import type { ViewDefinition } from './program.ts'

beforeAll(() => loadParser())

function viewOf(id: number, plan: Plan): ViewDefinition {
  return { id, name: `v${id}`, columns: plan.columns, plan, order: [], emit: 'continuous', sql: '' }
}

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
    expect(mayTakeLong({ topics: [], views: [viewOf(1, plan)] }, () => 0)).toBe(long)
  })

  it('takes long over many rows, and over few that make many', () => {
    const topic = (id: number) => ({
      id,
      name: `t${id}`,
      columns: [],
      primaryKey: [],
      eventTime: null,
      latenessMicros: '0',
    })
    const scan = (relation: number): Plan => ({ op: 'scan', relation, reads: [], columns: [] }) as unknown as Plan
    const pairs = (a: number, b: number): Plan =>
      ({ op: 'join', left: scan(a), right: scan(b), columns: [] }) as unknown as Plan
    const program = { topics: [topic(1), topic(2)], views: [viewOf(3, pairs(1, 2)), viewOf(4, pairs(3, 3))] }
    expect(mayTakeLong(program, () => 10)).toBe(false)
    expect(mayTakeLong(program, () => 40)).toBe(true)
    expect(mayTakeLong({ topics: [topic(1)], views: [viewOf(3, scan(1))] }, () => 30_000)).toBe(true)
  })
})
