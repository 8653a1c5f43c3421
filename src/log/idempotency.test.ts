import { expect, it } from 'vitest'
import { IdempotencyTable, rememberedMicros } from './idempotency.ts'

const answer = (key: string, scope = 's') => ({ scope, key, digest: Uint8Array.of(1), tick: 1, offsets: [] })
const remembers = (table: IdempotencyTable, key: string, scope = 's'): boolean =>
  table.find({ scope, key, digest: Uint8Array.of(1) }) !== null

it('forgets keys after a day, by the time of commits', () => {
  const table = new IdempotencyTable()
  table.remember(answer('a'), 0n)
  table.remember(answer('b'), 10n)
  table.prune(rememberedMicros)
  expect(remembers(table, 'a')).toBe(true)
  table.prune(rememberedMicros + 1n)
  expect([remembers(table, 'a'), remembers(table, 'b')]).toEqual([false, true])
})

it('keeps only the newest of very many', () => {
  const table = new IdempotencyTable(3)
  for (const key of ['a', 'b', 'c', 'd']) table.remember(answer(key), 0n)
  table.prune(0n)
  expect(['a', 'b', 'c', 'd'].map((key) => remembers(table, key))).toEqual([false, true, true, true])
})

it('never mixes up scope and key', () => {
  const table = new IdempotencyTable()
  table.remember(answer('bc', 'a'), 0n)
  expect(remembers(table, 'c', 'ab')).toBe(false)
  expect(remembers(table, '1:', '1')).toBe(false)
  table.remember(answer('x', '1:'), 0n)
  expect(remembers(table, ':x', '1')).toBe(false)
})
