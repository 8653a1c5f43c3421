import type { PackedTick } from './pack.ts'
import type { EngineReply } from './port.ts'

/** Ticks that cross to the engine's thread in one message. */
export interface PackedTicks {
  readonly kind: 'ticks'
  readonly ticks: readonly PackedTick[]
}

/** What the engine made of them, in their order. */
export interface EngineReplies {
  readonly kind: 'several'
  readonly replies: readonly EngineReply[]
}

/** So many go in one message at most: who is answered so late is told where things stand often enough. */
const mostTogether = 32
/** The engine has enough to do with so many: the others wait for company. */
const enough = 32

/** Gathers ticks that nobody waits for, as long as the engine has enough to do. */
export class TickGroups {
  readonly #underWay: () => number
  readonly #post: (message: PackedTick | PackedTicks, transfer: ArrayBuffer[]) => void
  #ticks: PackedTick[] = []
  #transfer: ArrayBuffer[] = []

  /** @param underWay how many ticks wait for an answer, those that are gathered here included */
  constructor(underWay: () => number, post: (message: PackedTick | PackedTicks, transfer: ArrayBuffer[]) => void) {
    this.#underWay = underWay
    this.#post = post
  }

  add(tick: PackedTick, transfer: readonly ArrayBuffer[]): void {
    this.#ticks.push(tick)
    for (const buffer of transfer) this.#transfer.push(buffer)
    if (this.#ticks.length >= mostTogether || this.#isIdle) this.flush()
  }

  /** The engine has answered something. */
  answered(): void {
    // Who was answered may hand over more in this very turn.
    if (this.#ticks.length > 0 && this.#isIdle) this.flush()
  }

  get #isIdle(): boolean {
    return this.#underWay() - this.#ticks.length < enough
  }

  flush(): void {
    const ticks = this.#ticks
    const transfer = this.#transfer
    if (ticks.length === 0) return
    this.#ticks = []
    this.#transfer = []
    this.#post(ticks.length === 1 ? ticks[0] : { kind: 'ticks', ticks }, transfer)
  }
}
