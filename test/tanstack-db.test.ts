import { createCollection } from '@tanstack/db'
import { afterEach, describe, expect, it } from 'vitest'
import { createClient } from '../src/client/client.ts'
import { liveCollectionOptions } from '../src/client/tanstack-db.ts'
import { type Running, startRunning } from './support/running-server.ts'

let running: Running | null = null

afterEach(async () => {
  await running?.stop()
  running = null
})

const sql = `
CREATE TABLE account (id bigint PRIMARY KEY, owner text);
CREATE MATERIALIZED VIEW owners AS SELECT id, owner FROM account;
`

interface Owner {
  readonly id: number
  readonly owner: string | null
}

describe('a view as a collection of TanStack DB', () => {
  it('follows inserts, updates and deletes, tick by tick', async () => {
    running = await startRunning({}, sql)
    const db = createClient({ url: running.url }) as unknown as {
      account: { append(rows: unknown): Promise<unknown>; delete(key: unknown): Promise<unknown> }
      owners: Parameters<typeof liveCollectionOptions<Owner, number>>[0]['view']
      close(): Promise<void>
    }
    await db.account.append(Array.from({ length: 2500 }, (_, id) => ({ id, owner: `o${id}` })))
    const collection = createCollection(liveCollectionOptions({ view: db.owners, getKey: ({ id }: Owner) => id }))
    await collection.preload()
    await expect.poll(() => collection.size).toBe(2500)
    const changes: string[] = []
    collection.subscribeChanges(
      (all) => {
        for (const { type, key, value } of all) changes.push(`${type} ${key} ${value.owner}`)
      },
      { includeInitialState: true },
    )
    changes.length = 0
    await db.account.append([
      { id: 7, owner: 'seven' },
      { id: 9000, owner: 'new' },
    ])
    await expect.poll(() => changes.sort()).toEqual(['insert 9000 new', 'update 7 seven'])
    await db.account.delete({ id: 9000 })
    await expect.poll(() => collection.has(9000)).toBe(false)
    expect(collection.get(7)).toMatchObject({ id: 7, owner: 'seven' })
    await collection.cleanup()
    await db.close()
  })

  it('is told why a view can not be followed', async () => {
    running = await startRunning({}, sql)
    const db = createClient({ url: running.url }) as never as Record<string, never>
    const collection = createCollection(liveCollectionOptions({ view: db.nothing, getKey: ({ id }: Owner) => id }))
    await expect(collection.preload()).rejects.toThrow('there is no view nothing')
    await collection.cleanup()
  })
})
