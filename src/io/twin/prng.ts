/**
 * Seeded random numbers: sfc32 (Chris Doty-Humphrey's "small fast counting" generator: 128 bits of state, period at
 * least 2^32, passes PractRand), seeded through splitmix32. Every choice a twin makes comes from one of these.
 */
export class Prng {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    let state = seed | 0
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0
      let z = state ^ (state >>> 16)
      z = Math.imul(z, 0x21f0aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      return z ^ (z >>> 15)
    }
    this.#a = next()
    this.#b = next()
    this.#c = next()
    for (let i = 0; i < 12; i++) this.uint32()
  }

  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }

  /** @returns a whole number from 0 to `end` − 1 */
  below(end: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * end)
  }

  /** @returns true with the given probability */
  chance(probability: number): boolean {
    return this.uint32() < probability * 2 ** 32
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i++) bytes[i] = this.uint32() >>> 24
    return bytes
  }

  /** A generator of its own, so that one twin's choices don't depend on how often another one chose. */
  fork(): Prng {
    return new Prng(this.uint32())
  }
}
