const firstSlots = 64

/** A set of 64-bit hashes, each given as its low and its high word. */
export class HashSet {
  #words = new Uint32Array(firstSlots * 2)
  #used = new Uint8Array(firstSlots)
  #mask = firstSlots - 1
  size = 0

  has(low: number, high: number): boolean {
    return this.size > 0 && this.#used[this.#slotOf(low, high)] === 1
  }

  /** @returns whether it was not there */
  add(low: number, high: number): boolean {
    const slot = this.#slotOf(low, high)
    if (this.#used[slot] === 1) return false
    this.#used[slot] = 1
    this.#words[slot * 2] = low
    this.#words[slot * 2 + 1] = high
    if (++this.size * 2 > this.#mask) this.#grow()
    return true
  }

  delete(low: number, high: number): void {
    if (this.size === 0) return
    let gap = this.#slotOf(low, high)
    if (this.#used[gap] === 0) return
    this.size--
    // Later slots of the same run move up into the gap.
    for (let next = (gap + 1) & this.#mask; this.#used[next] === 1; next = (next + 1) & this.#mask) {
      const home = homeOf(this.#words[next * 2], this.#words[next * 2 + 1]) & this.#mask
      if (((next - home) & this.#mask) < ((next - gap) & this.#mask)) continue
      this.#words[gap * 2] = this.#words[next * 2]
      this.#words[gap * 2 + 1] = this.#words[next * 2 + 1]
      gap = next
    }
    this.#used[gap] = 0
  }

  clear(): void {
    if (this.size === 0) return
    this.#words = new Uint32Array(firstSlots * 2)
    this.#used = new Uint8Array(firstSlots)
    this.#mask = firstSlots - 1
    this.size = 0
  }

  forEach(visit: (low: number, high: number) => void): void {
    for (let slot = 0; slot <= this.#mask; slot++) {
      if (this.#used[slot] === 1) visit(this.#words[slot * 2], this.#words[slot * 2 + 1])
    }
  }

  #slotOf(low: number, high: number): number {
    let slot = homeOf(low, high) & this.#mask
    while (this.#used[slot] === 1 && (this.#words[slot * 2] !== low || this.#words[slot * 2 + 1] !== high))
      slot = (slot + 1) & this.#mask
    return slot
  }

  #grow(): void {
    const words = this.#words
    const used = this.#used
    const slots = used.length * 2
    this.#words = new Uint32Array(slots * 2)
    this.#used = new Uint8Array(slots)
    this.#mask = slots - 1
    for (let slot = 0; slot < used.length; slot++) {
      if (used[slot] === 0) continue
      const to = this.#slotOf(words[slot * 2], words[slot * 2 + 1])
      this.#used[to] = 1
      this.#words[to * 2] = words[slot * 2]
      this.#words[to * 2 + 1] = words[slot * 2 + 1]
    }
  }
}

/** Both words are mixed already: the one not used for the engine's tables spreads best. */
function homeOf(low: number, high: number): number {
  return (high ^ Math.imul(low, 0x9e3779b1)) >>> 0
}
