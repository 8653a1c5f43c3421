import { type Batch, batchRows } from '../data/batch.ts'
import { type Block, blockColumn, copyOutBlock, openBlock, readBlock, writeBlock } from '../data/block.ts'
import { ByteWriter } from '../data/byte-writer.ts'
import { compilePrinter } from '../data/json-print.ts'
import { Arena, LinearMemory } from '../data/memory.ts'
import { type ColumnSchema, laneOf } from '../data/sql-type.ts'
import { type CompiledMap, compileMap } from '../expr/compile.ts'
import type { BoundPolicy } from '../plan/policy.ts'
import { gatherBlock } from './gather.ts'
import { openPage, type Page, refOf } from './page.ts'
import { allRows, Rows } from './rows.ts'

/** Where rows are looked at: nothing stays there. */
let workplace: Arena | null = null
const memoryBytes = 1024 ** 3

function freshArena(): Arena {
  workplace ??= new Arena(new LinearMemory(memoryBytes))
  workplace.reset()
  return workplace
}

/** The column behind the relation's own: each row's number in its block. */
const rowNumber: ColumnSchema = { name: '', type: { kind: 'integer' }, nullable: false }

/** Rows of a block that are there for a reader, as he sees them. */
export interface Seen {
  /** Null where none is left. */
  readonly page: Page | null
  /** The block itself. */
  readonly bytes: Uint8Array | null
  /** Per row its number in the block before. */
  readonly from: Uint32Array
}

const nothingSeen: Seen = { page: null, bytes: null, from: new Uint32Array(0) }

/**
 * What a reader sees of a relation: a function of each row alone. So it does as well for changes as for rows: one that
 * leaves what he sees comes as its removal, and one that never was there doesn't come at all.
 */
export class Restriction {
  readonly columns: readonly ColumnSchema[]
  readonly masked: readonly boolean[]
  readonly equal: BoundPolicy['equal']
  readonly #inputs: readonly ColumnSchema[]
  readonly #test: CompiledMap
  readonly #show: CompiledMap
  readonly #changes = new WeakMap<Rows, Rows>()

  /** @param inputs the relation's columns */
  constructor(inputs: readonly ColumnSchema[], { columns, masked, equal, filter, outputs }: BoundPolicy) {
    this.columns = columns
    this.masked = masked
    this.equal = equal
    this.#inputs = inputs
    const number = { op: 'column', index: inputs.length, type: rowNumber.type, nullable: false } as const
    this.#test = compileMap([...inputs, rowNumber], filter, [...inputs.map(columnOf), number])
    this.#show = compileMap([...inputs, rowNumber], null, [...outputs, number])
  }

  get masks(): boolean {
    return this.masked.some((each) => each)
  }

  /** @param ids the columns' numbers in the block */
  seen(bytes: Uint8Array, ids: readonly number[]): Seen {
    const arena = freshArena()
    const kept = this.#test.run(arena, this.#read(arena, openBlock(bytes), ids), 0n).batch
    const shown = kept === null ? null : this.#show.run(arena, kept, 0n).batch
    if (shown === null) return nothingSeen
    const { rows, columns, weights } = shown
    const numbers = columns[columns.length - 1].data >>> 2
    const from = arena.memory.u32.slice(numbers, numbers + rows)
    const out = copyOutBlock(arena, { rows, columns: columns.slice(0, -1), weights })
    return { page: openPage(out, this.columns), bytes: out, from }
  }

  /**
   * A table's upserts and deletes: a row that goes out of the reader's sight is deleted for him, and one that never
   * was in it is deleted to no effect.
   */
  seenUpserts(bytes: Uint8Array, ids: readonly number[]): Uint8Array {
    const arena = freshArena()
    const { memory } = arena
    const block = openBlock(bytes)
    const all = this.#read(arena, block, ids)
    const kept = this.#test.run(arena, all, 0n).batch
    const shown = this.#show.run(arena, all, 0n).batch
    if (shown === null) return bytes
    const deleted = block.columns.get(blockColumn.operation)
    const data = arena.allocate(block.rows * 4)
    memory.i32.fill(1, data >>> 2, (data >>> 2) + block.rows)
    for (let i = 0; kept !== null && i < kept.rows; i++) {
      const row = memory.u32[(kept.columns[ids.length].data >>> 2) + i]
      const gone = deleted !== undefined && block.memory.i32[(deleted.data >>> 2) + row] === 1
      if (!gone) memory.i32[(data >>> 2) + row] = 0
    }
    const operation = { lane: 'i32', data, state: 0, heap: 0 } as const
    const columns = [...shown.columns.slice(0, -1), operation]
    return writeBlock(memory, { ...shown, columns }, [...ids.keys(), blockColumn.operation])
  }

  #read(to: Arena, block: Block, ids: readonly number[]): Batch {
    const wanted = this.#inputs.map(({ type }, i) => ({ id: ids[i], lane: laneOf(type) }))
    return numbered(to, readBlock(to, block, wanted))
  }

  /** Rows or changes, in their order. @param net whether masks may have made changes cancel each other */
  apply(rows: Rows, net = false): Rows {
    const pages: Page[] = []
    const ids = this.#inputs.map((_, i) => i)
    for (let at = 0; at < rows.length; at += batchRows) {
      const refs = rows.refs.subarray(at, at + batchRows)
      const weights = rows.weights?.subarray(at, at + batchRows) ?? null
      const { page } = this.seen(gatherBlock(rows.pages, refs, weights, this.#inputs), ids)
      if (page !== null) pages.push(page)
    }
    const all = allRows(this.columns, pages)
    return net && this.masks ? netted(all) : all
  }

  /** A change, once for all who see the same: who is told the same rows gets the same object. */
  change(rows: Rows): Rows {
    const known = this.#changes.get(rows)
    if (known !== undefined) return known
    const made = this.apply(rows, true)
    this.#changes.set(rows, made)
    return made
  }
}

function columnOf({ type, nullable }: ColumnSchema, index: number) {
  return { op: 'column', index, type, nullable } as const
}

function numbered(to: Arena, batch: Batch): Batch {
  const data = to.allocate(batch.rows * 4)
  for (let row = 0; row < batch.rows; row++) to.memory.u32[(data >>> 2) + row] = row
  return { ...batch, columns: [...batch.columns, { lane: 'i32', data, state: 0, heap: 0 }] }
}

/** Rows that look the same as one, in an order that nothing hidden decides. */
export function netted(rows: Rows): Rows {
  const print = compilePrinter(rows.columns, { shape: 'array' })
  const out = new ByteWriter(256)
  const text = new TextDecoder()
  const sums = new Map<string, { ref: number; weight: number }>()
  let at = 0
  rows.forEach((page, row, weight) => {
    print(page.memory, page.columns, row, out)
    const key = text.decode(out.take())
    const known = sums.get(key)
    if (known === undefined) sums.set(key, { ref: rows.refs[at], weight })
    else known.weight += weight
    at++
  })
  const keys = [...sums.keys()].sort()
  const left = keys.map((key) => sums.get(key)!).filter(({ weight }) => weight !== 0)
  const refs = Uint32Array.from(left, ({ ref }) => ref)
  return new Rows(
    rows.columns,
    rows.pages,
    refs,
    Int32Array.from(left, ({ weight }) => weight),
  )
}

/** Several stretches of rows, one behind the other. */
export function joined(columns: readonly ColumnSchema[], parts: readonly Rows[]): Rows {
  if (parts.length === 1) return parts[0]
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const pages: Page[] = []
  const refs = new Uint32Array(length)
  const weights = new Int32Array(length).fill(1)
  let at = 0
  for (const part of parts) {
    const base = refOf(pages.length, 0)
    pages.push(...part.pages)
    if (part.weights !== null) weights.set(part.weights, at)
    for (const ref of part.refs) refs[at++] = (ref + base) >>> 0
  }
  return new Rows(columns, pages, refs, weights.every((weight) => weight === 1) ? null : weights)
}
