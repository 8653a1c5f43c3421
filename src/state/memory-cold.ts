import { type Batch, batchRows, type Column } from '../data/batch.ts'
import { type Block, openBlock } from '../data/block.ts'
import { Bug } from '../data/errors.ts'
import type { Arena } from '../data/memory.ts'
import { type Lane, laneWidth } from '../data/sql-type.ts'
import type { ColdStore, Piece } from './cold.ts'

/** Rows of a bucket in one section: the block they lie in, and where. */
interface Stretch {
  readonly block: Block
  readonly from: number
  readonly to: number
}

type Bucket = Map<number, Stretch[]>

/** What lies outside, kept in memory all the same: the reference that files are compared with, and for tests. */
export class MemoryColdStore implements ColdStore {
  readonly #arrangements = new Map<string, Map<bigint, Bucket>>()

  /** Takes a whole capture: its buckets take the place of older ones. */
  apply(pieces: readonly Piece[]): void {
    const fresh = new Map<string, Map<bigint, Bucket>>()
    for (const { arrangement, section, bytes } of pieces) {
      const buckets = fresh.get(arrangement) ?? new Map<bigint, Bucket>()
      fresh.set(arrangement, buckets)
      const block = openBlock(bytes)
      for (const { hash, from, to } of stretches(block)) {
        const bucket = buckets.get(hash) ?? (new Map() as Bucket)
        if (section < 0 && bucket.has(-1)) throw new Bug(`a bucket of ${arrangement} was captured twice`)
        buckets.set(hash, bucket)
        bucket.set(section, [...(bucket.get(section) ?? []), { block, from, to }])
      }
    }
    for (const [arrangement, buckets] of fresh) {
      const known = this.#arrangements.get(arrangement) ?? new Map<bigint, Bucket>()
      this.#arrangements.set(arrangement, known)
      for (const [hash, bucket] of buckets) {
        if (!bucket.has(-1)) throw new Bug(`a bucket of ${arrangement} was not announced`)
        if (bucket.size === 1) known.delete(hash)
        else known.set(hash, bucket)
      }
    }
  }

  lookup(arrangement: string, arena: Arena, hashes: number, count: number): readonly (readonly Batch[])[] {
    const buckets = this.#arrangements.get(arrangement)
    const sections: Stretch[][] = []
    for (let i = 0; i < count; i++) {
      const bucket = buckets?.get(BigInt.asUintN(64, arena.memory.i64[hashes / 8 + i]))
      if (bucket !== undefined) gather(bucket, sections)
    }
    return Array.from(sections, (list) => readStretches(arena, list ?? []))
  }

  all(arrangement: string, arena: Arena, take: (section: number, batch: Batch) => void): void {
    const sections: Stretch[][] = []
    for (const [, bucket] of this.#sorted(arrangement)) gather(bucket, sections)
    for (const [section, list] of sections.entries())
      for (const batch of readStretches(arena, list ?? [])) take(section, batch)
  }

  /** Names of the arrangements that it knows anything of. */
  get arrangements(): string[] {
    return [...this.#arrangements.keys()].filter((name) => this.#arrangements.get(name)?.size)
  }

  /** Every bucket: its hash, and how many rows it has in each section. */
  forEach(arrangement: string, visit: (hash: bigint) => void): void {
    for (const [hash] of this.#sorted(arrangement)) visit(hash)
  }

  #sorted(arrangement: string): [bigint, Bucket][] {
    return [...(this.#arrangements.get(arrangement) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
  }
}

function gather(bucket: Bucket, sections: Stretch[][]): void {
  for (const [section, list] of bucket) {
    if (section < 0) continue
    sections[section] ??= []
    sections[section].push(...list)
  }
}

function stretches({ memory, columns, rows }: Block): { hash: bigint; from: number; to: number }[] {
  const column = columns.get(0)
  if (column === undefined || column.lane !== 'i64' || rows > batchRows) throw new Bug('a piece without hashes')
  const found: { hash: bigint; from: number; to: number }[] = []
  for (let row = 0; row < rows; row++) {
    const hash = BigInt.asUintN(64, memory.i64[column.data / 8 + row])
    const last = found.at(-1)
    if (last?.hash === hash) last.to = row + 1
    else if (last !== undefined && last.hash > hash) throw new Bug('a piece that is not sorted')
    else found.push({ hash, from: row, to: row + 1 })
  }
  return found
}

function readStretches(arena: Arena, list: readonly Stretch[]): Batch[] {
  const batches: Batch[] = []
  for (let from = 0; from < list.length; ) {
    let rows = 0
    let to = from
    while (to < list.length && (rows === 0 || rows + list[to].to - list[to].from <= batchRows)) {
      rows += list[to].to - list[to].from
      to++
    }
    const some = list.slice(from, to)
    const ids = [...some[0].block.columns.keys()].sort((a, b) => a - b)
    batches.push({ rows, columns: ids.map((id) => readColumn(arena, some, id, rows)), weights: 0 })
    from = to
  }
  return batches
}

function readColumn(arena: Arena, list: readonly Stretch[], id: number, rows: number): Column {
  const lane = (list[0].block.columns.get(id) as Column).lane
  const data = arena.allocate(rows * laneWidth(lane))
  const state = arena.allocateZeroed(rows)
  let at = 0
  for (const { block, from, to } of list) {
    const column = block.columns.get(id) as Column
    if (column.state !== 0)
      arena.memory.u8.set(block.memory.u8.subarray(column.state + from, column.state + to), state + at)
    copyCells(arena, block, column, lane, from, to, data + at * laneWidth(lane))
    at += to - from
  }
  return { lane, data, state, heap: 0 }
}

function copyCells(
  arena: Arena,
  block: Block,
  column: Column,
  lane: Lane,
  from: number,
  to: number,
  data: number,
): void {
  const { u8, u32 } = block.memory
  if (lane !== 'bytes') {
    const width = laneWidth(lane)
    arena.memory.u8.set(u8.subarray(column.data + from * width, column.data + to * width), data)
    return
  }
  for (let row = from; row < to; row++) {
    const start = column.heap + u32[(column.data >>> 2) + 2 * row]
    const length = u32[(column.data >>> 2) + 2 * row + 1]
    const address = arena.allocate(length)
    arena.memory.u8.set(u8.subarray(start, start + length), address)
    const cell = (data >>> 2) + 2 * (row - from)
    arena.memory.u32[cell] = address
    arena.memory.u32[cell + 1] = length
  }
}
