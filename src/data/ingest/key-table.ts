/**
 * Finds a column by a key's bytes: the spelling of the schema first, else one that differs in the case of ASCII
 * letters alone, if only one does.
 */
export class KeyTable {
  /** Was the key found last spelled as in the schema? */
  exact = true
  /** All names one after the other, and a word's margin. */
  readonly #names: Uint8Array
  readonly #view: DataView
  /** Where each name starts in `#names`; one more for the end. */
  readonly #starts: Int32Array
  /** Column + 1 by hash, 0 where free; at most a quarter full, so that a search ends soon. */
  readonly #slots: Int32Array
  readonly #byName = new Map<string, number>()
  readonly #byFolded = new Map<string, number>()

  constructor(names: readonly string[]) {
    const encoded = names.map((name) => new TextEncoder().encode(name))
    this.#starts = new Int32Array(names.length + 1)
    encoded.forEach((name, i) => {
      this.#starts[i + 1] = this.#starts[i] + name.length
    })
    this.#names = new Uint8Array(this.#starts[names.length] + 4)
    this.#view = new DataView(this.#names.buffer)
    let size = 8
    while (size < names.length * 4) size *= 2
    this.#slots = new Int32Array(size)
    encoded.forEach((name, i) => {
      this.#names.set(name, this.#starts[i])
    })
    names.forEach((name, column) => {
      this.#byName.set(name, column)
      const folded = name.toLowerCase()
      this.#byFolded.set(folded, this.#byFolded.has(folded) ? -1 : column)
      let slot = hash(this.#view, this.#starts[column], this.#starts[column + 1]) & (size - 1)
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (size - 1)
      this.#slots[slot] = column + 1
    })
  }

  /**
   * @param s has ASCII only from `start` to `end`, and a word's margin
   * @param d the same bytes
   * @returns a column, or −1
   */
  find(s: Uint8Array, d: DataView, start: number, end: number): number {
    const slots = this.#slots
    const mask = slots.length - 1
    let folded = -1
    for (let slot = hash(d, start, end) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const column = slots[slot] - 1
      if (this.#isSame(column, d, start, end)) {
        this.exact = true
        return column
      }
      if (this.#isAlike(column, s, start, end)) folded = folded === -1 ? column : ambiguous
    }
    this.exact = false
    return folded === ambiguous ? -1 : folded
  }

  /** The same for a key of any characters. */
  findText(name: string): number {
    const column = this.#byName.get(name)
    this.exact = column !== undefined
    return column ?? this.#byFolded.get(name.toLowerCase()) ?? -1
  }

  #isSame(column: number, d: DataView, start: number, end: number): boolean {
    const from = this.#starts[column]
    const length = end - start
    if (this.#starts[column + 1] - from !== length) return false
    const view = this.#view
    let i = 0
    for (; i + 4 <= length; i += 4) if (view.getInt32(from + i, true) !== d.getInt32(start + i, true)) return false
    const difference = view.getInt32(from + i, true) ^ d.getInt32(start + i, true)
    return (difference & lastBytes[length & 3]) === 0
  }

  #isAlike(column: number, s: Uint8Array, start: number, end: number): boolean {
    const from = this.#starts[column]
    if (this.#starts[column + 1] - from !== end - start) return false
    for (let i = 0; i < end - start; i++) {
      const a = this.#names[from + i]
      const letter = a | 0x20
      if (a !== s[start + i] && ((a ^ s[start + i]) !== 0x20 || letter < 0x61 || letter > 0x7a)) return false
    }
    return true
  }
}

const ambiguous = -2

/** By a count of bytes below 4, the mask of so many bytes of a little-endian word. */
const lastBytes = Int32Array.of(0, 0xff, 0xffff, 0xffffff)

/** Of the length and the first and last four bytes; blind to the case of letters. */
function hash(d: DataView, start: number, end: number): number {
  const length = end - start
  let h = length
  if (length < 4) h ^= Math.imul((d.getInt32(start, true) & lastBytes[length]) | 0x20202020, 0x2c1b3c6d)
  else {
    h ^= Math.imul(d.getInt32(start, true) | 0x20202020, 0x2c1b3c6d)
    h ^= Math.imul(d.getInt32(end - 4, true) | 0x20202020, 0x297a2d39)
  }
  h ^= h >>> 15
  return h ^ (h >>> 7)
}
