// Runs on disk against a plain map from bucket to rows.
import { describe, expect, it } from 'vitest'
import {
  type Bucket,
  type Buckets,
  byHash,
  lookUp,
  lookUpAll,
  piecesOf,
  type Row,
  randomBucket,
  randomHash,
  withRows,
} from '../../../test/support/buckets.ts'
import type { Lane } from '../../data/sql-type.ts'
import type { Disk } from '../../io/io.ts'
import { Prng } from '../../io/twin/prng.ts'
import { simulatedIo } from '../../io/twin/simulated-io.ts'
import { Captured } from './captured.ts'
import { ColdRuns } from './cold-runs.ts'
import { mergeRuns } from './run-compaction.ts'
import type { RunFile, RunIndex } from './run-format.ts'

const folder = 'd/state'
const { disk } = simulatedIo(1)
let files = 0

/** What was handed on of runs that were written. */
let indexes: RunIndex[] = []
const indexed = (index: RunIndex): void => {
  indexes.push(index)
}

async function writeRun(...pieces: ReturnType<typeof piecesOf>[]): Promise<RunFile> {
  const captured = new Captured()
  for (const piece of pieces.flat()) captured.add(piece)
  return captured.writeRun(disk, folder, `run-${files++}`, indexed)
}

const merged = (runs: readonly RunFile[], oldest: boolean, stepBytes?: number): Promise<RunFile> =>
  mergeRuns(disk, folder, runs, `run-${files++}`, {
    oldest,
    pause: async () => {},
    indexed,
    ...(stepBytes === undefined ? {} : { stepBytes }),
  })

const sections: readonly (readonly Lane[])[] = [['i64', 'bytes'], [], ['f64', 'i32', 'bytes']]

function randomBuckets(prng: Prng, bits: number, count: number, rows: number): Map<bigint, Bucket> {
  const buckets = new Map<bigint, Bucket>()
  for (let i = 0; i < count; i++) buckets.set(randomHash(prng, bits), randomBucket(prng, sections, rows))
  return buckets
}

/** Asks for some hashes that are there, and some that are not, in any order. */
function expectLookups(store: ColdRuns, model: Buckets, prng: Prng, bits: number): void {
  for (let round = 0; round < 4; round++) {
    const asked = [...new Set([...[...model.keys()].filter(() => prng.chance(0.3)), randomHash(prng, bits)])]
    asked.sort(() => (prng.chance(0.5) ? 1 : -1))
    const expected = withRows(new Map(asked.map((hash) => [hash, model.get(hash) ?? []])))
    expect(lookUp(store, 'a', asked)).toEqual(expected)
  }
  const { found, inOrder } = lookUpAll(store, 'a')
  expect(found).toEqual(withRows(model))
  expect(inOrder).toBe(true)
}

describe('runs', () => {
  for (const { bits, count, rows } of [
    { bits: 64, count: 300, rows: 2 },
    { bits: 64, count: 8, rows: 300 },
    { bits: 3, count: 30, rows: 50 },
    { bits: 64, count: 0, rows: 0 },
  ]) {
    it(`answer as a map does: ${count} buckets of up to ${rows} rows, hashes of ${bits} bits`, async () => {
      for (let seed = 1; seed <= 3; seed++) {
        const prng = new Prng(seed)
        const model = new Map<bigint, Bucket>()
        let runs: RunFile[] = []
        const store = new ColdRuns(disk, folder, [], { cacheBytes: seed % 2 === 0 ? 0 : 1e6 })
        for (let snapshot = 0; snapshot < 7; snapshot++) {
          const changed = randomBuckets(prng, bits, prng.below(count + 1), rows)
          for (const hash of model.keys()) if (prng.chance(0.1)) changed.set(hash, randomBucket(prng, sections, rows))
          const other = randomBuckets(prng, bits, 3, 1)
          runs.unshift(await writeRun(piecesOf('a', sections, changed), piecesOf('b', sections, other)))
          for (const [hash, bucket] of changed) model.set(hash, bucket)
          store.adopt(runs)
          expectLookups(store, model, prng, bits)
          if (prng.chance(0.5)) continue
          const from = prng.below(runs.length)
          const to = from + 1 + prng.below(runs.length - from)
          const one = await merged(runs.slice(from, to), to === runs.length, prng.chance(0.5) ? 1 : 100_000)
          runs = [...runs.slice(0, from), one, ...runs.slice(to)]
          store.adopt(runs)
          expectLookups(store, model, prng, bits)
        }
        store.close()
      }
    })
  }

  it('keep the order of rows within a bucket, over many blocks', async () => {
    const rows = (from: number): Row[] => Array.from({ length: 20_000 }, (_, i) => [BigInt(from + i), `${from + i}`])
    const model = new Map([
      [5n, [rows(0)]],
      [2n ** 64n - 1n, [rows(50_000)]],
      [2n ** 63n, [[[1n, 'one']]]],
    ])
    const one = await writeRun(piecesOf('a', sections, model))
    const other = await merged([one], true)
    for (const run of [one, other]) {
      const store = new ColdRuns(disk, folder, [run])
      expect(lookUp(store, 'a', [...model.keys(), 6n])).toEqual(withRows(model))
    }
  })

  it('are found by what was handed on of them as by what is read, and touched only by who reads rows', async () => {
    const prng = new Prng(4)
    const models = [1, 2, 3].map(() => randomBuckets(prng, 20, 300, 3))
    indexes = []
    const runs: RunFile[] = []
    for (const model of models)
      runs.unshift(await writeRun(piecesOf('b', [], new Map()), piecesOf('a', sections, model)))
    const all = new Map(models.flatMap((model) => [...model]))
    const whole = await merged(runs, true)
    for (const list of [runs, [whole]]) {
      const opened: string[] = []
      const watched: Disk = Object.create(disk, {
        openReader: { value: (path: string) => opened.push(path) && disk.openReader(path) },
      })
      const store = new ColdRuns(watched, folder, list, { indexes, cacheBytes: 0 })
      expect(lookUp(store, 'b', [...all.keys()].slice(0, 10))).toEqual(new Map())
      expect(opened).toEqual([])
      expectLookups(store, all, prng, 20)
      expect(opened.length).toBe(list.length)
      store.close()
    }
  })

  it('that are not as they were handed on are named by who reads rows', async () => {
    indexes = []
    const run = await writeRun(piecesOf('a', [['i32']], new Map([[7n, [[[1]]]]])))
    const missing = { ...run, name: 'run-nowhere' }
    const [index] = indexes
    const store = new ColdRuns(disk, folder, [missing], { indexes: [{ ...index, name: missing.name }] })
    expect(() => lookUp(store, 'a', [7n])).toThrow(/run-nowhere/)
    const shorter = { ...run, bytes: run.bytes - 8 }
    expect(() => lookUp(new ColdRuns(disk, folder, [shorter], { indexes }), 'a', [7n])).toThrow(/it should have/)
  })

  it('leave nothing of an empty bucket below which there is nothing', async () => {
    const full = await writeRun(piecesOf('a', [['i32']], new Map([[7n, [[[1]]]]])))
    const empty = await writeRun(piecesOf('a', [['i32']], new Map([[7n, []]])))
    const store = new ColdRuns(disk, folder, [empty, full])
    expect(lookUp(store, 'a', [7n])).toEqual(new Map())
    const kept = await merged([empty], false)
    store.adopt([kept, full])
    expect(lookUp(store, 'a', [7n])).toEqual(new Map())
    const all = await merged([kept, full], true)
    expect(all.bytes).toBeLessThan(kept.bytes)
    store.adopt([all])
    expect(lookUp(store, 'a', [7n])).toEqual(new Map())
  })

  it('know nothing of other arrangements', async () => {
    const store = new ColdRuns(disk, folder, [await writeRun(piecesOf('a', [['i32']], new Map([[7n, [[[1]]]]])))])
    expect(store.lookup('b', null as never, 0, 1)).toEqual([])
    expect(lookUpAll(store, 'b').found).toEqual(new Map())
  })

  it('refuse a capture that contradicts itself', async () => {
    const pieces = piecesOf('a', [['i32']], new Map([[7n, [[[1]]]]]))
    await expect(writeRun(pieces, pieces)).rejects.toThrow('captured twice')
    await expect(writeRun(pieces.slice(1))).rejects.toThrow('without their buckets')
    const other = piecesOf('a', [['i32']], new Map([[8n, []]]))
    await expect(writeRun(other, pieces.slice(1))).rejects.toThrow('without its hash')
  })
})

it('the cache keeps to its bytes and is asked first', async () => {
  const prng = new Prng(9)
  const model = new Map<bigint, Bucket>()
  for (let i = 0; i < 8_000; i++) model.set(randomHash(prng, 64), [[[BigInt(i), 'text']]])
  const run = await writeRun(piecesOf('a', sections, model))
  const hashes = [...model.keys()].sort(byHash)
  const roomy = new ColdRuns(disk, folder, [run], { cacheBytes: 4e6 })
  lookUp(roomy, 'a', hashes)
  const { misses } = roomy.cache
  expect(misses).toBeGreaterThan(10)
  expect(lookUp(roomy, 'a', hashes)).toEqual(withRows(model))
  expect(roomy.cache.misses).toBe(misses)
  roomy.adopt([])
  roomy.adopt([run])
  expect(lookUp(roomy, 'a', hashes.slice(0, 3)).size).toBe(3)
  expect(roomy.cache.misses).toBe(misses + 1)
  const tight = new ColdRuns(disk, folder, [run], { cacheBytes: 65_536 })
  for (let i = 0; i < 3; i++) expect(lookUp(tight, 'a', hashes)).toEqual(withRows(model))
  expect(tight.cache.misses).toBe(3 * misses)
})
