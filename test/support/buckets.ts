// Buckets as plain values, pieces made of them, and what a cold store answers: for tests of state outside memory.
import { type Batch, batchRows, type Column, cellState, rawCell } from '../../src/data/batch.ts'
import { writeBlock } from '../../src/data/block.ts'
import { Arena, LinearMemory } from '../../src/data/memory.ts'
import type { Lane } from '../../src/data/sql-type.ts'
import type { Prng } from '../../src/io/twin/prng.ts'
import type { ColdStore, Piece } from '../../src/state/cold.ts'

export type Cell = number | bigint | string | null
export type Row = readonly Cell[]
/** Per section its rows; no rows in any: the bucket is empty. */
export type Bucket = readonly (readonly Row[])[]
export type Buckets = ReadonlyMap<bigint, Bucket>

export const byHash = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)

const arena = new Arena(new LinearMemory())

export function piecesOf(arrangement: string, sections: readonly (readonly Lane[])[], buckets: Buckets): Piece[] {
  const hashes = [...buckets.keys()].sort(byHash)
  const pieces = cut(
    hashes.map((hash) => [hash]),
    ['i64'],
  ).map((bytes) => ({ arrangement, section: -1, bytes }))
  sections.forEach((lanes, section) => {
    const rows = hashes.flatMap((hash) => (buckets.get(hash)?.[section] ?? []).map((row) => [hash, ...row]))
    for (const bytes of cut(rows, ['i64', ...lanes])) pieces.push({ arrangement, section, bytes })
  })
  return pieces
}

function cut(rows: readonly Row[], lanes: readonly Lane[]): Uint8Array[] {
  const blocks: Uint8Array[] = []
  for (let from = 0; from < rows.length; from += batchRows) {
    const some = rows.slice(from, from + batchRows)
    const columns = lanes.map((lane, k) =>
      columnOf(
        lane,
        some.map((row) => row[k]),
      ),
    )
    blocks.push(writeBlock(arena.memory, { rows: some.length, columns, weights: 0 }))
    arena.reset()
  }
  return blocks
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

function columnOf(lane: Lane, cells: readonly Cell[]): Column {
  const data = arena.allocateZeroed(cells.length * 8)
  const state = cells.includes(null) ? arena.allocateZeroed(cells.length) : 0
  const texts = lane === 'bytes' ? cells.map((cell) => encoder.encode((cell ?? '') as string)) : []
  const heap = arena.allocate(texts.reduce((sum, text) => sum + text.length, 0))
  const { memory } = arena
  let next = 0
  cells.forEach((cell, i) => {
    if (cell === null) memory.u8[state + i] = 1
    if (lane === 'i32') memory.i32[(data >>> 2) + i] = (cell ?? 0) as number
    if (lane === 'i64') memory.i64[data / 8 + i] = BigInt.asIntN(64, (cell ?? 0n) as bigint)
    if (lane === 'f64') memory.f64[data / 8 + i] = (cell ?? 0) as number
    if (lane !== 'bytes') return
    memory.u8.set(texts[i], heap + next)
    memory.u32[(data >>> 2) + 2 * i] = next
    memory.u32[(data >>> 2) + 2 * i + 1] = texts[i].length
    next += texts[i].length
  })
  return { lane, data, state, heap }
}

function rowsOf(batch: Batch): { readonly hash: bigint; readonly row: Row }[] {
  const { memory } = arena
  return Array.from({ length: batch.rows }, (_, i) => {
    const [hash, ...row] = batch.columns.map((column): Cell => {
      if (cellState(memory, column, i) === 1) return null
      const cell = rawCell(memory, column, i)
      return cell instanceof Uint8Array ? decoder.decode(cell) : cell
    })
    return { hash: BigInt.asUintN(64, hash as bigint), row }
  })
}

/** What a store has of some buckets; those without rows are left out. */
export function lookUp(store: ColdStore, arrangement: string, hashes: readonly bigint[]): Map<bigint, Row[][]> {
  const address = arena.allocate(hashes.length * 8)
  hashes.forEach((hash, i) => {
    arena.memory.i64[address / 8 + i] = BigInt.asIntN(64, hash)
  })
  const found = new Map<bigint, Row[][]>()
  store.lookup(arrangement, arena, address, hashes.length).forEach((batches, section) => {
    for (const batch of batches) collect(found, section, batch)
  })
  arena.reset()
  return found
}

/** All that a store has of an arrangement, and whether each section came in the order of its hashes. */
export function lookUpAll(store: ColdStore, arrangement: string): { found: Map<bigint, Row[][]>; inOrder: boolean } {
  const found = new Map<bigint, Row[][]>()
  let last: readonly [section: number, hash: bigint] = [0, 0n]
  let inOrder = true
  store.all(arrangement, arena, (section, batch) => {
    for (const { hash } of rowsOf(batch)) {
      if (section < last[0] || (section === last[0] && hash < last[1])) inOrder = false
      last = [section, hash]
    }
    collect(found, section, batch)
  })
  arena.reset()
  return { found, inOrder }
}

function collect(found: Map<bigint, Row[][]>, section: number, batch: Batch): void {
  for (const { hash, row } of rowsOf(batch)) {
    const bucket = found.get(hash) ?? []
    found.set(hash, bucket)
    while (bucket.length <= section) bucket.push([])
    bucket[section].push(row)
  }
}

/** As `lookUp` gives buckets: without empty ones, and without empty sections at their ends. */
export function withRows(buckets: Buckets): Map<bigint, Row[][]> {
  const kept = new Map<bigint, Row[][]>()
  for (const [hash, sections] of buckets) {
    const rows = sections.map((section) => [...section])
    while (rows.at(-1)?.length === 0) rows.pop()
    if (rows.length > 0) kept.set(hash, rows)
  }
  return kept
}

/** @param bits how many bits of the hash differ: few make buckets of many keys */
export function randomHash(prng: Prng, bits: number): bigint {
  const hash = (BigInt(prng.uint32()) << 32n) | BigInt(prng.uint32())
  return bits >= 64 ? hash : ((hash & ((1n << BigInt(bits)) - 1n)) * 0x9e3779b97f4a7c15n) % (1n << 64n)
}

const randomCells: Readonly<Record<Lane, (prng: Prng) => Cell>> = {
  i32: (prng) => prng.uint32() | 0,
  i64: (prng) => BigInt.asIntN(64, randomHash(prng, 64)),
  f64: (prng) => prng.uint32() / 7,
  bytes: (prng) => String.fromCharCode(97 + prng.below(26)).repeat(prng.chance(0.02) ? 3000 : prng.below(40)),
}

export function randomRow(prng: Prng, lanes: readonly Lane[]): Row {
  return lanes.map((lane) => (prng.chance(0.1) ? null : randomCells[lane](prng)))
}

export function randomBucket(prng: Prng, sections: readonly (readonly Lane[])[], rows: number): Bucket {
  if (prng.chance(0.2)) return sections.map(() => [])
  return sections.map((lanes) => Array.from({ length: prng.below(rows + 1) }, () => randomRow(prng, lanes)))
}
