/** A growing list of 32-bit words. */
export class Words {
  length = 0
  #words = new Uint32Array(16)

  push(word: number): void {
    if (this.length === this.#words.length) this.#reserve(this.length * 2)
    this.#words[this.length++] = word
  }

  append(other: Words): void {
    if (this.length === 0) {
      this.#words = other.#words.slice()
      this.length = other.length
      return
    }
    this.#reserve(this.length + other.length)
    this.#words.set(other.#words.subarray(0, other.length), this.length)
    this.length += other.length
  }

  at(index: number): number {
    return this.#words[index]
  }

  #reserve(count: number): void {
    const words = new Uint32Array(Math.max(16, count))
    words.set(this.#words.subarray(0, this.length))
    this.#words = words
  }
}
