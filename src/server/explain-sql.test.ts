import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Running, startRunning } from '../../test/support/running-server.ts'
import type { ExplainBody } from '../protocol/query.ts'

describe('POST /v1/explain', () => {
  let running: Running
  beforeAll(async () => {
    running = await startRunning()
  })
  afterAll(() => running.stop())

  async function explain(body: unknown): Promise<{ status: number; body: ExplainBody & { code?: string } }> {
    const answer = await fetch(`${running.url}/v1/explain`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: answer.status, body: (await answer.json()) as ExplainBody & { code?: string } }
  }

  it('tells the plan and the columns, and runs nothing', async () => {
    const sql = 'SELECT auction, count(*) AS bids FROM bid WHERE channel = $$a$$ GROUP BY auction'
    const { status, body } = await explain({ sql })
    expect(status).toBe(200)
    expect(body.columns).toEqual([
      { name: 'auction', type: 'bigint' },
      { name: 'bids', type: 'bigint' },
    ])
    expect(body.nodes[0]).toMatchObject({ depth: 0, text: expect.stringContaining('aggregate') })
    expect(body.nodes.at(-1)!.text).toContain('scan bid')
    expect(body.nodes.map(({ depth, text }) => `${'  '.repeat(depth)}${text}\n`).join('')).toBe(body.text)
  })

  it.each([
    [{ sql: 'SELECT nothing FROM bid' }, 'sql/unknown-column'],
    [{ sql: 'SELECT 1; SELECT 2' }, 'sql/not-select'],
    [{ sql: 1 }, 'request/malformed'],
    [[], 'request/malformed'],
    [null, 'request/malformed'],
    [{}, 'request/malformed'],
    [{ sql: 'SELECT 1', params: [] }, 'request/malformed'],
  ])('refuses %j', async (body, code) => {
    expect((await explain(body)).body.code).toBe(code)
  })
})
