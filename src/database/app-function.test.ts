import { describe, expect, it } from 'vitest'
import { defineApp } from '../app/app.ts'
import { from } from '../app/builder/from.ts'
import { t } from '../app/column-type.ts'
import type { DatabaseShape } from '../app/database-shape.ts'
import { topic, view } from '../app/definitions.ts'
import { count, sum } from '../app/functions/aggregates.ts'
import { fn } from '../app/scalar-function.ts'
import { sql } from '../app/sql-text.ts'
import { Database } from '../database.ts'
import { appDefinition } from '../engine/definitions.ts'
import { engineThread } from '../engine/thread.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { embed } from './embedded.ts'

const items = topic('items', {
  schema: {
    id: t.integer(),
    name: t.text().nullable(),
    n: t.bigint(),
    price: t.numeric(12, 2),
    at: t.timestamptz(),
    doc: t.jsonb<{ tags?: string[] }>(),
    raw: t.bytea(),
    ratio: t.double(),
    ok: t.boolean(),
  },
})

const slug = fn('slug', { args: [t.text()], returns: t.text() }, (s) =>
  s
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, ''),
)
const orElse = fn(
  'or_else',
  { args: [t.text(), t.text()], returns: t.text(), nulls: 'called' },
  (a, b) => a ?? b ?? 'none',
)
const twice = fn('twice', { args: [t.bigint()], returns: t.bigint() }, (n) => BigInt(n) * 2n)
const tax = fn('tax', { args: [t.numeric(12, 2)], returns: t.numeric(12, 2) }, (p) => Number(p) * 0.2)
const later = fn('later', { args: [t.timestamptz()], returns: t.timestamptz() }, (at) => at.replace('T10', 'T11'))
const tags = fn('tags', { args: [t.jsonb<{ tags?: string[] }>()], returns: t.jsonb<string[]>().nullable() }, (doc) =>
  doc.tags === undefined ? null : [...doc.tags].sort(),
)
const flip = fn('flip', { args: [t.bytea()], returns: t.bytea() }, (raw) => Uint8Array.from(raw).reverse())
const small = fn('small', { args: [t.double(), t.boolean()], returns: t.boolean() }, (x, ok) => ok && x < 0.5)
const picky = fn('picky', { args: [t.integer()], returns: t.integer() }, (id) => {
  if (id === 2) throw new Error('two')
  return id * 1_000_000_000
})

const all = view(
  'all_of_them',
  from({ i: items }).select(({ i }) => ({
    id: i.id,
    slug: slug(i.name),
    called: orElse(i.name, 'x'),
    twice: twice(i.n),
    tax: tax(i.price),
    later: later(i.at),
    tags: tags(i.doc),
    flipped: flip(i.raw),
    small: small(i.ratio, i.ok),
  })),
)
const bySlug = view(
  'by_slug',
  from({ i: items })
    .groupBy(({ i }) => ({ slug: slug(i.name) }))
    .select(({ i, key }) => ({ slug: key.slug, n: count(), total: sum(i.n) })),
)
const text = view(
  'text',
  sql<{ s: string }>`SELECT ${slug}(${slug}(name) || '!') AS s FROM ${items} WHERE ${orElse}(name, '') <> ''`,
)
const failing = view(
  'failing',
  from({ i: items }).select(({ i }) => ({ id: i.id, p: picky(i.id) })),
)
const app = defineApp({ items, all_of_them: all, by_slug: bySlug, text, failing })

async function open(engine: 'inline' | 'worker'): Promise<DatabaseShape<typeof app>> {
  const io = simulatedIo(1, { threads: { engine: engineThread }, idle: 'advance' })
  return embed(await Database.open({ io, definition: appDefinition(app), data: null, engine }), app)
}

const item = {
  id: 1,
  name: 'Hello, World!',
  n: 4n,
  price: '12.50',
  at: '2026-01-01T10:00:00.5Z',
  doc: { tags: ['b', 'a'] },
  raw: new Uint8Array([1, 2, 3]),
  ratio: 0.25,
  ok: true,
}

describe.each(['inline', 'worker'] as const)('functions in TypeScript, engine %s,', (engine) => {
  it('compute what they say of values as reads show them', async () => {
    const db = await open(engine)
    const { tick } = await db.items.append([item, { ...item, id: 3, name: null, n: 2n ** 61n, doc: {}, ok: false }])
    const { rows, errors } = await db.all_of_them.get({ minTick: tick, order: 'id' })
    expect(errors).toBe(0)
    expect(rows).toEqual([
      {
        id: 1,
        slug: 'hello-world',
        called: 'Hello, World!',
        twice: 8,
        tax: 2.5,
        later: '2026-01-01T11:00:00.5+00:00',
        tags: ['a', 'b'],
        flipped: new Uint8Array([3, 2, 1]),
        small: true,
      },
      {
        id: 3,
        slug: null,
        called: 'x',
        twice: 2n ** 62n,
        tax: 2.5,
        later: '2026-01-01T11:00:00.5+00:00',
        tags: null,
        flipped: new Uint8Array([3, 2, 1]),
        small: false,
      },
    ])
    expect((await db.text.get()).rows).toEqual([{ s: 'hello-world' }])
    await db.close()
  })

  it('are keys of groups, and part of queries that are asked once', async () => {
    const db = await open(engine)
    const { tick } = await db.items.append([item, { ...item, id: 2, name: 'hello  world' }])
    const { rows } = await db.by_slug.get({ minTick: tick })
    expect(rows).toEqual([{ slug: 'hello-world', n: 2, total: 8 }])
    const asked = await db.sql(
      from({ i: items })
        .select(({ i }) => ({ s: slug(i.name) }))
        .distinct(),
    )
    expect(asked.rows).toEqual([{ s: 'hello-world' }])
    expect((await db.sql("SELECT SLUG('A B') AS s")).rows).toEqual([{ s: 'a-b' }])
    await expect(db.sql('SELECT slug(1, 2)')).rejects.toThrow('slug takes 1 arguments, not 2')
    await expect(db.sql('SELECT slug(true)')).rejects.toThrow(/boolean/)
    await db.close()
  })

  it('make error rows of what they throw and of what is not of their type', async () => {
    const db = await open(engine)
    const { tick } = await db.items.append([item, { ...item, id: 2 }, { ...item, id: 3 }])
    const { rows, errors } = await db.failing.get({ minTick: tick })
    expect(rows).toEqual([{ id: 1, p: 1_000_000_000 }])
    expect(errors).toBe(2)
    const listed = await db.failing.errors()
    expect(listed.rows.map(({ reason }) => reason.replace(/ \(.*/, '')).sort()).toEqual([
      'a function of the app threw',
      'integer out of range',
    ])
    await db.close()
  })
})

describe('definitions with functions', () => {
  it('are others where a function is another', async () => {
    const other = fn('slug', { args: [t.text()], returns: t.text() }, (s) => s.toUpperCase())
    const make = (one: typeof slug) => defineApp({ items, s: view('s', sql`SELECT ${one}(name) AS s FROM ${items}`) })
    expect(appDefinition(make(slug)).text).not.toBe(appDefinition(make(other)).text)
    const views = await Promise.all(
      [slug, other].map(
        async (one) => (await appDefinition(make(one)).plan({ topics: [], views: [] })).program.views[0],
      ),
    )
    expect(views[0].plan).not.toEqual(views[1].plan)
    expect(() =>
      defineApp({
        items,
        a: view('a', sql`SELECT ${slug}(name) AS s FROM ${items}`),
        b: view('b', sql`SELECT ${other}('x') AS s`),
      }),
    ).toThrow('two functions are named slug')
  })
})
