import { type Block, blockColumn, type Section } from '../data/block.ts'
import { MillraceError } from '../data/errors.ts'
import { type Lane, laneWidth } from '../data/sql-type.ts'

/** The lanes of a key's columns, as all blocks of a table must have them. */
export type KeyLanes = readonly Lane[]

/** The rows of a table's block by their keys, as bytes: equal bytes are equal keys, and the other way round. */
export class BlockKeys {
  readonly #block: Block
  readonly #columns: readonly Section[]
  readonly #operations: Section | null
  #bytes: Uint8Array = new Uint8Array(64)

  /**
   * @param ids the key's columns
   * @throws MillraceError log/corrupt where a block has no such key
   */
  constructor(block: Block, ids: readonly number[]) {
    this.#block = block
    this.#columns = ids.map((id) => {
      const column = block.columns.get(id)
      if (column === undefined) throw new MillraceError('log/corrupt', `a table's block lacks the key's column ${id}`)
      return column
    })
    this.#operations = block.columns.get(blockColumn.operation) ?? null
  }

  get lanes(): KeyLanes {
    return this.#columns.map(({ lane }) => lane)
  }

  isDelete(row: number): boolean {
    const operations = this.#operations
    return operations !== null && this.#block.memory.i32[(operations.data >>> 2) + row] === 1
  }

  /** @returns the key's bytes, until the next call */
  at(row: number): Uint8Array {
    const { u8, u32 } = this.#block.memory
    let length = 0
    for (const { lane, data, state, heap } of this.#columns) {
      let start = data + row * laneWidth(lane)
      let bytes: number = laneWidth(lane)
      const cellState = state === 0 ? 0 : u8[state + row]
      if (cellState !== 0) bytes = 0
      else if (lane === 'bytes') {
        const cell = start >>> 2
        start = heap + u32[cell]
        bytes = u32[cell + 1]
      }
      this.#reserve(length + bytes + 5)
      const out = this.#bytes
      out[length++] = cellState
      if (lane === 'bytes') for (let k = 0; k < 4; k++) out[length++] = (bytes >>> (8 * k)) & 255
      if (bytes < 32) for (let k = 0; k < bytes; k++) out[length + k] = u8[start + k]
      else out.set(u8.subarray(start, start + bytes), length)
      length += bytes
    }
    return this.#bytes.subarray(0, length)
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.byteLength) return
    const larger = new Uint8Array(Math.max(bytes, this.#bytes.byteLength * 2))
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}

/**
 * A set of keys that verifies what hashes suggest: two keys are one only if all of their bytes are. Keys lie one
 * behind the other in one buffer; a hash picks the slot where the search begins.
 */
export class KeySet {
  #slots = new Int32Array(1 << 10)
  /** Where each key starts, and behind the last one. */
  #starts: number[] = [0]
  #hashes: number[] = []
  #bytes = new Uint8Array(1 << 14)
  readonly #hash: (key: Uint8Array) => number

  constructor(hash: (key: Uint8Array) => number = hashOfKey) {
    this.#hash = hash
  }

  /** @returns whether the key was not there yet */
  add(key: Uint8Array, hash = this.#hash(key)): boolean {
    const mask = this.#slots.length - 1
    let slot = hash & mask
    for (let found = this.#slots[slot]; found !== 0; found = this.#slots[slot]) {
      if (this.#hashes[found - 1] === hash && this.#equals(found - 1, key)) return false
      slot = (slot + 1) & mask
    }
    const end = this.#starts[this.#starts.length - 1]
    if (end + key.byteLength > this.#bytes.byteLength) {
      const larger = new Uint8Array(Math.max(end + key.byteLength, this.#bytes.byteLength * 2))
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes.set(key, end)
    this.#starts.push(end + key.byteLength)
    this.#hashes.push(hash)
    this.#slots[slot] = this.#hashes.length
    if (this.#hashes.length * 2 > this.#slots.length) this.#grow()
    return true
  }

  #equals(index: number, key: Uint8Array): boolean {
    const start = this.#starts[index]
    if (this.#starts[index + 1] - start !== key.byteLength) return false
    for (let i = 0; i < key.byteLength; i++) if (this.#bytes[start + i] !== key[i]) return false
    return true
  }

  #grow(): void {
    const slots = new Int32Array(this.#slots.length * 4)
    const mask = slots.length - 1
    for (const [i, hash] of this.#hashes.entries()) {
      let slot = hash & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = i + 1
    }
    this.#slots = slots
  }
}

/** @returns 32 well mixed bits */
export function hashOfKey(key: Uint8Array): number {
  let hash = 0x9747b28c ^ key.byteLength
  for (let i = 0; i < key.byteLength; i++) {
    hash = Math.imul(hash ^ key[i], 0x5bd1e995)
    hash ^= hash >>> 15
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) | 0
}
