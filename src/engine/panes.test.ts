import { describe, expect, it } from 'vitest'
import type { Aggregate, Plan } from '../plan/plan.ts'
import { loadParser } from '../sql/parse.ts'
import { sqlDefinition } from './definitions.ts'
import { panedBy } from './panes.ts'

function firstAggregate(plan: Plan): Aggregate {
  if (plan.op === 'aggregate') return plan
  if ('input' in plan) return firstAggregate(plan.input)
  throw new Error(`no GROUP BY below ${plan.op}`)
}

/** Is the first GROUP BY of the query computed by pane? */
async function paned(query: string): Promise<boolean> {
  await loadParser()
  const definition = sqlDefinition(
    `CREATE TABLE e (k int, v int, at timestamp); CREATE MATERIALIZED VIEW v AS ${query};`,
  )
  const { program } = await definition.plan({ topics: [], views: [] })
  return panedBy(firstAggregate(program.views[0].plan)) !== null
}

const hop = (slide: number, size: number): string =>
  `hop(e, at, interval '${slide} seconds', interval '${size} seconds')`

describe('a GROUP BY over overlapping windows', () => {
  it('goes by pane where a window is among its keys', async () => {
    expect(await paned(`SELECT k, window_end, count(*) FROM ${hop(2, 10)} GROUP BY k, window_end`)).toBe(true)
    expect(
      await paned(`SELECT window_start, window_end, max(v + 1) FROM ${hop(5, 10)} GROUP BY window_start, window_end`),
    ).toBe(true)
  })

  it('does not where windows do not overlap, have no common panes, or are no key', async () => {
    expect(await paned(`SELECT k, window_end, count(*) FROM ${hop(10, 10)} GROUP BY k, window_end`)).toBe(false)
    expect(await paned(`SELECT k, window_end, count(*) FROM ${hop(4, 10)} GROUP BY k, window_end`)).toBe(false)
    expect(await paned(`SELECT k, count(*) FROM ${hop(2, 10)} GROUP BY k`)).toBe(false)
  })

  it('does not where something else depends on the window', async () => {
    expect(await paned(`SELECT window_end, max(window_start) AS m FROM ${hop(2, 10)} GROUP BY window_end`)).toBe(false)
    expect(
      await paned(`SELECT date_trunc('minute', window_end) AS m, window_end, count(*) FROM ${hop(2, 10)}
        GROUP BY date_trunc('minute', window_end), window_end`),
    ).toBe(false)
  })
})
