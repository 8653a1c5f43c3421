import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { bindSelect } from '../../src/plan/bind.ts'
import type { Catalog } from '../../src/plan/catalog.ts'
import { defineProgram } from '../../src/plan/definition.ts'
import { explainPlan } from '../../src/plan/explain.ts'
import { mayFailIn } from '../../src/plan/failure.ts'
import { nodesOf } from '../../src/plan/nodes.ts'
import { optimise } from '../../src/plan/optimise.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { loadParser, parseSql } from '../../src/sql/parse.ts'
import { result } from './evaluate.ts'
import { data, query, schema, windowed } from './queries.ts'

let catalog: Catalog
beforeAll(async () => {
  await loadParser()
  catalog = defineProgram(parseSql(schema), bindSelect).catalog
})

function bound(sql: string): Plan {
  const [statement] = parseSql(sql)
  if (statement.kind !== 'select') throw new Error(`no query: ${sql}`)
  return bindSelect(catalog, statement.node, statement, { adHoc: true }).plan
}

function bothPlans(sql: string): { readonly before: Plan; readonly after: Plan } {
  const before = bound(sql)
  return { before, after: optimise(before, mayFailIn(catalog)) }
}

const nameOf = (id: number): string => catalog.byId(id).name

describe('an optimised plan', () => {
  it('puts out the same rows and meets the same errors', () => {
    fc.assert(
      fc.property(query, fc.array(data, { minLength: 1, maxLength: 3 }), (sql, samples) => {
        const { before, after } = bothPlans(sql)
        for (const sample of samples) {
          const context = `${sql}\n${explainPlan(before, nameOf)}\n${explainPlan(after, nameOf)}`
          expect(result(after, sample), context).toEqual(result(before, sample))
        }
      }),
      { numRuns: 250 },
    )
  })

  it('keeps windows with fewer keys', () => {
    fc.assert(
      fc.property(windowed, data, (sql, sample) => {
        const { before, after } = bothPlans(sql)
        const context = `${sql}\n${explainPlan(before, nameOf)}\n${explainPlan(after, nameOf)}`
        expect(result(after, sample), context).toEqual(result(before, sample))
      }),
      { numRuns: 150 },
    )
  })

  it('is its own optimum', () => {
    fc.assert(
      fc.property(query, (sql) => {
        const { after } = bothPlans(sql)
        const again = optimise(after, mayFailIn(catalog))
        expect(
          nodesOf(again).length,
          `${sql}\n${explainPlan(after, nameOf)}\n${explainPlan(again, nameOf)}`,
        ).toBeLessThanOrEqual(nodesOf(after).length)
      }),
      { numRuns: 60 },
    )
  })
})
