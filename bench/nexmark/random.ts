/** Seeded 32-bit generator (xoshiro128**): the same seed gives the same events on every machine. */
export class Random {
  readonly #state = new Int32Array(4)

  constructor(seed: number) {
    // splitmix32 spreads the seed, so that neighbouring seeds have nothing in common.
    let z = seed | 0
    for (let i = 0; i < 4; i++) {
      z = (z + 0x9e3779b9) | 0
      let x = z
      x = Math.imul(x ^ (x >>> 16), 0x21f0aaad)
      x = Math.imul(x ^ (x >>> 15), 0x735a2d97)
      this.#state[i] = x ^ (x >>> 15)
    }
  }

  /** @returns an unsigned 32-bit integer */
  next(): number {
    const s = this.#state
    const m = Math.imul(s[1], 5)
    const result = Math.imul((m << 7) | (m >>> 25), 9)
    const t = s[1] << 9
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = (s[3] << 11) | (s[3] >>> 21)
    return result >>> 0
  }

  /** @returns an integer from 0 to `bound` - 1; `bound` is at most 2^31 */
  below(bound: number): number {
    return Math.floor(this.next() * 2 ** -32 * bound)
  }

  /** @returns a number in [0, 1) */
  fraction(): number {
    return this.next() * 2 ** -32
  }
}
