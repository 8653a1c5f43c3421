import type { Column } from '../../data/batch.ts'
import type { Arena } from '../../data/memory.ts'

/** A bytes column under construction, cell by cell. */
export class ByteColumn {
  readonly #arena: Arena
  readonly #data: number
  readonly #state: number
  #any = 0

  constructor(arena: Arena, rows: number) {
    this.#arena = arena
    this.#data = arena.allocateZeroed(rows * 8)
    this.#state = arena.allocateZeroed(rows)
  }

  set(row: number, bytes: Uint8Array): void {
    const at = bytes.length === 0 ? 0 : this.#arena.allocate(bytes.length)
    const { u8, u32 } = this.#arena.memory
    u8.set(bytes, at)
    u32[(this.#data >>> 2) + 2 * row] = at
    u32[(this.#data >>> 2) + 2 * row + 1] = bytes.length
  }

  /** Points the cell at bytes that live at least until the end of the tick. */
  setAddress(row: number, address: number, length: number): void {
    const { u32 } = this.#arena.memory
    u32[(this.#data >>> 2) + 2 * row] = address
    u32[(this.#data >>> 2) + 2 * row + 1] = length
  }

  setNull(row: number): void {
    this.setState(row, 1)
  }

  setState(row: number, state: number): void {
    this.#arena.memory.u8[this.#state + row] = state
    this.#any |= state
  }

  column(): Column {
    return { lane: 'bytes', data: this.#data, state: this.#any === 0 ? 0 : this.#state, heap: 0 }
  }
}
