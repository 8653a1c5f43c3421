import { MillraceError } from '../data/errors.ts'
import type { Entrance } from './exchange.ts'
import type { Limits } from './limits.ts'

const smallestGrowth = 64 * 1024

/** A body on its way in: bounded by itself and together with all others. */
export class BodyBuffer {
  readonly #limits: Limits
  readonly #gates: readonly Entrance[]
  #releases: (() => void)[] = []
  #bytes: Uint8Array
  #length = 0

  /**
   * @param stated the Content-Length header, or null
   * @param gates ask for its bytes: of all bodies together, and of the caller's
   * @throws MillraceError request/too-large, request/busy, request/share
   */
  constructor(stated: string | null, limits: Limits, gates: readonly Entrance[]) {
    this.#limits = limits
    this.#gates = gates
    const length = Number(stated ?? 0)
    if (length > limits.bodyBytes) throw tooLarge(limits)
    this.#enter(length)
    this.#bytes = new Uint8Array(length)
  }

  /** @throws MillraceError request/too-large, request/busy, request/share */
  push(piece: Uint8Array): void {
    const end = this.#length + piece.length
    if (end > this.#limits.bodyBytes) throw tooLarge(this.#limits)
    if (end > this.#bytes.length) this.#grow(end)
    this.#bytes.set(piece, this.#length)
    this.#length = end
  }

  #grow(needed: number): void {
    const size = Math.min(this.#limits.bodyBytes, Math.max(needed, this.#bytes.length * 2, smallestGrowth))
    this.#enter(size - this.#bytes.length)
    const grown = new Uint8Array(size)
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }

  #enter(bytes: number): void {
    try {
      for (const enter of this.#gates) this.#releases.push(enter(bytes))
    } catch (error) {
      this.release()
      throw error
    }
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Gives back what the gate was asked for. */
  release(): void {
    for (const release of this.#releases.splice(0)) release()
    this.#bytes = new Uint8Array(0)
    this.#length = 0
  }
}

function tooLarge({ bodyBytes }: Limits): MillraceError {
  const what = `the body has more than the ${bodyBytes} bytes that a request may have`
  return new MillraceError('request/too-large', what, { hint: 'send it in several requests' })
}

export function bodyTooSlow({ bodyMs }: Limits): MillraceError {
  return new MillraceError('request/slow', `the body did not arrive within ${bodyMs} ms`, {
    hint: 'send it in smaller requests',
  })
}
