/** A growing list of 32-bit words. */
export class Words {
  length = 0
  #words = new Uint32Array(16)

  push(word: number): void {
    if (this.length === this.#words.length) this.#grow(this.length + 1)
    this.#words[this.length++] = word
  }

  append(other: Words): void {
    this.#grow(this.length + other.length)
    this.#words.set(other.#words.subarray(0, other.length), this.length)
    this.length += other.length
  }

  at(index: number): number {
    return this.#words[index]
  }

  #grow(least: number): void {
    if (least <= this.#words.length) return
    const words = new Uint32Array(Math.max(least, this.#words.length * 2))
    words.set(this.#words.subarray(0, this.length))
    this.#words = words
  }
}
