import { MillraceError } from '../data/errors.ts'
import type { Gate, Limits } from './limits.ts'

const smallestGrowth = 64 * 1024

/** A body on its way in: bounded by itself and together with all others. */
export class BodyBuffer {
  readonly #limits: Limits
  readonly #gate: Gate
  #releases: (() => void)[] = []
  #bytes: Uint8Array
  #length = 0

  /**
   * @param stated the Content-Length header, or null
   * @param gate of all bodies' bytes together
   * @throws MillraceError request/too-large, request/busy
   */
  constructor(stated: string | null, limits: Limits, gate: Gate) {
    this.#limits = limits
    this.#gate = gate
    const length = Number(stated ?? 0)
    if (length > limits.bodyBytes) throw tooLarge(limits)
    this.#releases.push(gate.enter(length))
    this.#bytes = new Uint8Array(length)
  }

  /** @throws MillraceError request/too-large, request/busy */
  push(piece: Uint8Array): void {
    const end = this.#length + piece.length
    if (end > this.#limits.bodyBytes) throw tooLarge(this.#limits)
    if (end > this.#bytes.length) this.#grow(end)
    this.#bytes.set(piece, this.#length)
    this.#length = end
  }

  #grow(needed: number): void {
    const size = Math.min(this.#limits.bodyBytes, Math.max(needed, this.#bytes.length * 2, smallestGrowth))
    this.#releases.push(this.#gate.enter(size - this.#bytes.length))
    const grown = new Uint8Array(size)
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
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
