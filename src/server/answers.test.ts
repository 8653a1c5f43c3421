import { afterEach, describe, expect, it } from 'vitest'
import { bidJson, type Running, startRunning } from '../../test/support/running-server.ts'

let running: Running | null = null

afterEach(async () => {
  await running?.stop()
  running = null
})

interface Read {
  readonly status: number
  readonly etag: string | null
  readonly tick: number
  readonly text: string
}

async function read(path: string, etag?: string): Promise<Read> {
  const response = await fetch(running!.url + path, etag === undefined ? {} : { headers: { 'if-none-match': etag } })
  return {
    status: response.status,
    etag: response.headers.get('etag'),
    tick: Number(response.headers.get('millrace-tick')),
    text: await response.text(),
  }
}

async function append(topic: string, body: string): Promise<number> {
  const response = await fetch(`${running!.url}/v1/topics/${topic}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  const { tick } = (await response.json()) as { tick: number }
  await running!.database.waitForTick(tick)
  return tick
}

describe('answers to view reads', () => {
  it('hold over ticks that do not change the view, and say at which tick they were asked', async () => {
    running = await startRunning()
    await append('bid', bidJson(1))
    const first = await read('/v1/views/by_auction?auction=1')
    const tick = await append('account', '{"id": 1, "owner": "a"}')
    const later = await read('/v1/views/by_auction?auction=1', first.etag!)
    expect(later).toMatchObject({ status: 304, tick, etag: first.etag, text: '' })
    const again = await read('/v1/views/by_auction?auction=1')
    expect(JSON.parse(again.text)).toEqual({ ...JSON.parse(first.text), tick })
    expect((await read(`/v1/views/by_auction?auction=1&min_tick=${tick}`)).tick).toBe(tick)
  })

  it('are new as soon as their rows are, and the same where other rows changed', async () => {
    running = await startRunning()
    await append('bid', `[${bidJson(1)},${bidJson(2)}]`)
    const [one, two] = [await read('/v1/views/by_auction?auction=1'), await read('/v1/views/by_auction?auction=2')]
    await append('bid', bidJson(1))
    const changed = await read('/v1/views/by_auction?auction=1', one.etag!)
    expect(changed.status).toBe(200)
    expect(JSON.parse(changed.text).rows).toMatchObject([{ bids: 2 }])
    expect((await read('/v1/views/by_auction?auction=2', two.etag!)).status).toBe(304)
  })

  it('are never older than what was read just before', async () => {
    running = await startRunning()
    for (let i = 1; i <= 40; i++) {
      const tick = await append('bid', bidJson(7))
      const reads = await Promise.all([1, 2, 3].map(() => read('/v1/views/by_auction?auction=7')))
      for (const { text } of reads) expect(JSON.parse(text)).toMatchObject({ tick, rows: [{ bids: i }] })
    }
  })

  it('are, whatever is asked for and changed, what would be read anew', async () => {
    running = await startRunning()
    let seed = 7
    const random = (below: number): number => {
      seed = (seed * 48271) % 2147483647
      return seed % below
    }
    const asked = ['', '?id=1', '?id=2', '?owner=a', '?isnull=owner', '?owner=b&order=-limit', '?limit=2', '?id=99']
    for (let step = 0; step < 25; step++) {
      const rows = Array.from({ length: 1 + random(3) }, () => {
        const owner = ['"a"', '"b"', 'null'][random(3)]
        return `{"id": ${random(5)}, "owner": ${owner}, "limit": ${random(3)}}`
      })
      const tick = await append('account', `[${rows.join()}]`)
      for (const query of asked) {
        const kept = await read(`/v1/views/owners${query}`)
        // Nobody spelled it like this before.
        const anew = await read(`/v1/views/owners${query}${query === '' ? '?' : ''}${'&'.repeat(step + 1)}`)
        expect([step, query, kept.text, kept.etag]).toEqual([step, query, anew.text, anew.etag])
        const own = await read(`/v1/views/owners${query}${query === '' ? '?' : '&'}min_tick=${tick}`)
        expect([step, query, own.text, own.etag]).toEqual([step, query, anew.text, anew.etag])
      }
    }
  })

  it('are the same for who waits for a tick, once it is there', async () => {
    running = await startRunning()
    const tick = await append('bid', bidJson(1))
    const first = await read(`/v1/views/by_auction?min_tick=${tick}&auction=1`)
    expect(await read('/v1/views/by_auction?auction=1')).toEqual(first)
    expect(await read(`/v1/views/by_auction?auction=1&min_tick=${tick}`)).toEqual(first)
    const [late, next] = await Promise.all([
      read(`/v1/views/by_auction?auction=1&min_tick=${tick + 1}`),
      append('bid', bidJson(1)),
    ])
    expect(next).toBe(tick + 1)
    expect(JSON.parse(late.text)).toMatchObject({ tick: tick + 1, rows: [{ bids: 2 }] })
    expect((await read('/v1/views/by_auction?auction=1&min_tick=x')).status).toBe(400)
  })

  it('are new when a view is defined anew', async () => {
    running = await startRunning()
    await append('bid', bidJson(1))
    await read('/v1/views/by_auction')
    const { sqlDefinition } = await import('../engine/definitions.ts')
    const { bidSql } = await import('../../test/support/running-server.ts')
    await running.database.redefine(sqlDefinition(bidSql.replace('count(*) AS bids', 'count(*) + 1 AS bids')))
    expect(JSON.parse((await read('/v1/views/by_auction')).text).rows).toMatchObject([{ bids: 2 }])
  })
})
