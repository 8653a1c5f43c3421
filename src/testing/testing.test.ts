import { describe, expect, it } from 'vitest'
import { defineApp } from '../app/app.ts'
import { t } from '../app/column-type.ts'
import { table, topic, view } from '../app/definitions.ts'
import { sql } from '../app/sql-text.ts'
import { startScenario } from './testing.ts'

const orders = topic('orders', {
  schema: { id: t.text(), userId: t.bigint(), amount: t.bigint(), at: t.timestamptz() },
})
const users = table('users', { schema: { id: t.bigint(), name: t.text() }, key: 'id' })
const spent = view(
  'spent',
  sql<{ name: string; spent: number }>`
    SELECT u.name, sum(o.amount) AS spent FROM ${orders} o JOIN ${users} u ON u.id = o.userId GROUP BY u.name`,
)
const recent = view('recent', sql<{ id: string }>`SELECT id FROM ${orders} WHERE at > now() - interval '1 hour'`)
const app = defineApp({ orders, users, spent, recent })

const start = '2026-01-01T00:00:00Z'
const order = (
  id: string,
  userId: number,
  amount: number,
): { id: string; userId: number; amount: number; at: string } => ({
  id,
  userId,
  amount,
  at: start,
})

describe.each([false, true])('a scenario (state rebuilt after every tick: %s)', (reopen) => {
  it('tells rows and changes of what happens', async () => {
    const scenario = await startScenario(app, { now: start, reopen })
    await scenario.given({
      users: [
        { id: 1, name: 'ann' },
        { id: 2, name: 'bob' },
      ],
      orders: [order('a', 1, 5)],
    })
    const bought = await scenario.when({ orders: [order('b', 1, 7), order('c', 2, 1)] })
    expect(bought.rows.spent).toEqual([
      { name: 'ann', spent: 12 },
      { name: 'bob', spent: 1 },
    ])
    expect([...bought.changes.spent].sort((a, b) => a.weight - b.weight || (a.row.name < b.row.name ? -1 : 1))).toEqual(
      [
        { row: { name: 'ann', spent: 5 }, weight: -1 },
        { row: { name: 'ann', spent: 12 }, weight: 1 },
        { row: { name: 'bob', spent: 1 }, weight: 1 },
      ],
    )
    const gone = await scenario.whenDeleted({ users: [{ id: 2 }] })
    expect(gone.changes.spent).toEqual([{ row: { name: 'bob', spent: 1 }, weight: -1 }])
    await scenario.close()
  })

  it('turns the clock', async () => {
    const scenario = await startScenario(app, { now: start, reopen })
    await scenario.given({ orders: [order('a', 1, 5)] })
    expect((await scenario.advance(30 * 60_000)).rows.recent).toEqual([{ id: 'a' }])
    const later = await scenario.advance(30 * 60_000)
    expect(later.rows.recent).toEqual([])
    expect(later.changes.recent).toEqual([{ row: { id: 'a' }, weight: -1 }])
    await scenario.close()
  })

  it('refuses events that the topic refuses', async () => {
    const scenario = await startScenario(app, { reopen })
    await expect(scenario.when({ orders: [{ id: 'a' } as never] })).rejects.toMatchObject({ code: 'event/invalid' })
    await scenario.close()
  })
})
