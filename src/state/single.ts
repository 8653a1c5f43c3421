import type { Batch, Column } from '../data/batch.ts'
import type { Arena } from '../data/memory.ts'
import { BucketWriter } from './bucket-writer.ts'
import type { ColdStore, Piece } from './cold.ts'
import type { Size } from './size.ts'
import type { StatePart } from './state-part.ts'

const entry = Uint32Array.of(0)
const hash = Uint32Array.of(0, 0)

/** State that is not kept by key: one bucket, with the hash 0, captured whole and always in memory. */
export class Single implements StatePart {
  name = ''
  readonly resident = true
  readonly slots = 0
  readonly faults = 0
  readonly #arena: Arena
  readonly #save: (out: SingleWriter) => void
  readonly #restore: (section: number, batch: Batch) => void
  /** As an entry's stamp: see Arrangement. */
  #stamp = 0
  #mark = 0
  #durable = 0
  #capturing = false
  #pieces: Piece[] = []

  constructor(arena: Arena, save: (out: SingleWriter) => void, restore: (section: number, batch: Batch) => void) {
    this.#arena = arena
    this.#save = save
    this.#restore = restore
  }

  size(): Size {
    return { keys: 0, bytes: 0 }
  }

  /** To be called before it changes. */
  touch(): void {
    if (this.#stamp > this.#mark) return
    this.#capture(this.#pieces)
    this.#stamp = this.#mark + 1
  }

  begin(mark: number): void {
    this.#pieces = []
    this.#mark = mark
    this.#capturing = this.#stamp > this.#durable
  }

  slice(out: Piece[], _maxBytes: number): boolean {
    this.#capture(out)
    out.push(...this.#pieces)
    this.#pieces = []
    return true
  }

  adopt(_cold: ColdStore): void {
    this.#durable = this.#mark
  }

  move(_cold: ColdStore): void {}

  start(cold: ColdStore): void {
    cold.all(this.name, this.#arena, (section, batch) =>
      this.#restore(section, { rows: batch.rows, columns: batch.columns.slice(1), weights: 0 }),
    )
  }

  evict(): boolean {
    return false
  }

  #capture(out: Piece[]): void {
    if (!this.#capturing) return
    this.#capturing = false
    this.#stamp = this.#mark
    const mark = this.#arena.mark()
    const writer = new BucketWriter(this.#arena, this.name, entry, hash, out)
    writer.writeHashes()
    this.#save(new SingleWriter(writer))
    this.#arena.release(mark)
  }
}

/** Writes rows that all belong to the one bucket. */
export class SingleWriter {
  readonly #writer: BucketWriter

  constructor(writer: BucketWriter) {
    this.#writer = writer
  }

  /** @param read makes the section's columns of `rows` of the things, whose addresses are at `things` (u32) */
  rows(
    section: number,
    things: readonly number[],
    read: (things: number, rows: number, from: number) => readonly Column[],
  ): void {
    const owners = new Array<number>(things.length).fill(0)
    this.#writer.rows(section, owners, things, (addresses, _entries, rows, from) => read(addresses, rows, from))
  }
}
