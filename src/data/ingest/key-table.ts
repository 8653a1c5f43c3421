/**
 * Finds a column by a key's bytes: the spelling of the schema first, else one that differs in the case of ASCII
 * letters alone, if only one does.
 */
export class KeyTable {
  readonly #names: readonly Uint8Array[]
  /** Column + 1 by hash, 0 where free; at most half full, so that a search ends. */
  readonly #slots: Int32Array
  readonly #byName = new Map<string, number>()
  readonly #byFolded = new Map<string, number | null>()

  constructor(names: readonly string[]) {
    const encoder = new TextEncoder()
    this.#names = names.map((name) => encoder.encode(name))
    let size = 8
    while (size < names.length * 4) size *= 2
    this.#slots = new Int32Array(size)
    names.forEach((name, column) => {
      this.#byName.set(name, column)
      const folded = name.toLowerCase()
      this.#byFolded.set(folded, this.#byFolded.has(folded) ? null : column)
      const bytes = this.#names[column]
      let slot = hash(bytes, 0, bytes.length) & (size - 1)
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (size - 1)
      this.#slots[slot] = column + 1
    })
  }

  /** Is the column's key written just as in the schema? */
  isExact(column: number, s: Uint8Array, start: number, end: number): boolean {
    const name = this.#names[column]
    if (name.length !== end - start) return false
    for (let i = 0; i < name.length; i++) if (name[i] !== s[start + i]) return false
    return true
  }

  /** @param s has ASCII only from `start` to `end` @returns a column, or −1 */
  find(s: Uint8Array, start: number, end: number): number {
    const slots = this.#slots
    const mask = slots.length - 1
    let folded = -1
    for (let slot = hash(s, start, end) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const column = slots[slot] - 1
      const likeness = compare(this.#names[column], s, start, end)
      if (likeness === exact) return column
      if (likeness === same) folded = folded === -1 ? column : ambiguous
    }
    return folded === ambiguous ? -1 : folded
  }

  /** The same for a key of any characters. */
  findText(name: string): number {
    return this.#byName.get(name) ?? this.#byFolded.get(name.toLowerCase()) ?? -1
  }
}

const ambiguous = -2
const differs = 0
const same = 1
const exact = 2

function compare(name: Uint8Array, s: Uint8Array, start: number, end: number): number {
  if (name.length !== end - start) return differs
  let likeness = exact
  for (let i = 0; i < name.length; i++) {
    const a = name[i]
    const b = s[start + i]
    if (a === b) continue
    const letter = a | 0x20
    if ((a ^ b) !== 0x20 || letter < 0x61 || letter > 0x7a) return differs
    likeness = same
  }
  return likeness
}

/** Blind to the case of letters. */
function hash(s: Uint8Array, start: number, end: number): number {
  let h = end - start
  for (let i = start; i < end; i++) h = Math.imul(h ^ (s[i] | 0x20), 0x01000193)
  return (h ^ (h >>> 15)) >>> 0
}
