import { type Batch, batchRows, type Column } from '../data/batch.ts'
import { copyOutBlock, openBlock, readBlock } from '../data/block.ts'
import type { Arena } from '../data/memory.ts'
import type { Lane } from '../data/sql-type.ts'

/** State on its way out of an engine: named sequences of blocks, free of addresses. */
export type StateDump = Map<string, Uint8Array[]>

/** Collects one operator's state. */
export class StateWriter {
  readonly arena: Arena
  readonly #dump: StateDump
  readonly #prefix: string

  constructor(arena: Arena, dump: StateDump, prefix: string) {
    this.arena = arena
    this.#dump = dump
    this.#prefix = prefix
  }

  /** The same dump, one level down. */
  within(name: string): StateWriter {
    return new StateWriter(this.arena, this.#dump, `${this.#prefix}/${name}`)
  }

  /** Appends rows to the sequence `name`. */
  write(name: string, batch: Batch): void {
    if (batch.rows === 0) return
    const key = `${this.#prefix}/${name}`
    const blocks = this.#dump.get(key) ?? []
    blocks.push(copyOutBlock(this.arena, batch))
    this.#dump.set(key, blocks)
  }

  /**
   * Writes things found by address, a batch's worth at a time.
   * @param read makes the columns of `rows` things whose addresses are at `addresses` (u32)
   */
  writeAll(
    name: string,
    things: readonly number[],
    read: (addresses: number, rows: number) => readonly Column[],
  ): void {
    for (let from = 0; from < things.length; from += batchRows) {
      const rows = Math.min(batchRows, things.length - from)
      const addresses = addressLane(this.arena, things, from, rows)
      this.write(name, { rows, columns: read(addresses, rows), weights: 0 })
    }
  }
}

/** Gives one operator's state back. */
export class StateReader {
  readonly arena: Arena
  readonly #dump: StateDump
  readonly #prefix: string

  constructor(arena: Arena, dump: StateDump, prefix: string) {
    this.arena = arena
    this.#dump = dump
    this.#prefix = prefix
  }

  within(name: string): StateReader {
    return new StateReader(this.arena, this.#dump, `${this.#prefix}/${name}`)
  }

  read(name: string, lanes: readonly Lane[], take: (batch: Batch) => void): void {
    for (const bytes of this.#dump.get(`${this.#prefix}/${name}`) ?? []) {
      take(
        readBlock(
          this.arena,
          openBlock(bytes),
          lanes.map((lane, id) => ({ id, lane })),
        ),
      )
    }
  }
}

/** Addresses as a u32 lane in the arena, the way loads take them. */
export function addressLane(arena: Arena, things: readonly number[], from: number, rows: number): number {
  const address = arena.allocate(rows * 4)
  const { u32 } = arena.memory
  for (let i = 0, at = address >>> 2; i < rows; i++) u32[at + i] = things[from + i]
  return address
}

/** One 8-byte payload word of each thing, as an f64 column (the bits, whatever they mean). */
export function payloadColumn(arena: Arena, addresses: number, rows: number, offset: number): Column {
  const data = arena.allocate(rows * 8)
  const { i32, u32 } = arena.memory
  for (let i = 0; i < rows; i++) {
    const at = (u32[(addresses >>> 2) + i] + offset) >>> 2
    i32[(data >>> 2) + 2 * i] = i32[at]
    i32[(data >>> 2) + 2 * i + 1] = i32[at + 1]
  }
  return { lane: 'f64', data, state: 0, heap: 0 }
}

/** The inverse of `payloadColumn`. */
export function restorePayload(arena: Arena, addresses: number, rows: number, offset: number, column: Column): void {
  const { i32, u32 } = arena.memory
  for (let i = 0; i < rows; i++) {
    const at = (u32[(addresses >>> 2) + i] + offset) >>> 2
    i32[at] = i32[(column.data >>> 2) + 2 * i]
    i32[at + 1] = i32[(column.data >>> 2) + 2 * i + 1]
  }
}

/** A stretch of bytes owned by each thing (u32 address, u32 length at `offset`), as a bytes column. */
export function blobColumn(arena: Arena, addresses: number, rows: number, offset: number): Column {
  const data = arena.allocate(rows * 8)
  const { u32 } = arena.memory
  for (let i = 0; i < rows; i++) {
    const at = (u32[(addresses >>> 2) + i] + offset) >>> 2
    u32[(data >>> 2) + 2 * i] = u32[at]
    u32[(data >>> 2) + 2 * i + 1] = u32[at + 1]
  }
  return { lane: 'bytes', data, state: 0, heap: 0 }
}
