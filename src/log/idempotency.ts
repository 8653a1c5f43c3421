import { MillraceError } from '../data/errors.ts'
import type { KeyedAnswer } from './commit.ts'
import type { AppendAnswer, Idempotency } from './log.ts'

/** Keys are remembered for a day, and never more than the newest million. */
export const rememberedMicros = 24n * 3_600_000_000n
export const rememberedKeys = 1_000_000

interface Remembered {
  /** The digest's bytes as characters, so that it compares with one operation. */
  readonly digest: string
  readonly tick: number
  readonly offsets: AppendAnswer['offsets']
  readonly atMicros: bigint
}

/**
 * The answers given under idempotency keys. Forgetting goes by commit times alone, so a log that is replayed
 * remembers exactly what it did before.
 */
export class IdempotencyTable {
  readonly #remembered = new Map<string, Remembered>()
  readonly #mostKeys: number

  constructor(mostKeys = rememberedKeys) {
    this.#mostKeys = mostKeys
  }

  /**
   * @returns the earlier answer, or null for a key that is new
   * @throws MillraceError append/idempotency-conflict
   */
  find(idempotency: Idempotency): AppendAnswer | null {
    const found = this.#remembered.get(nameOf(idempotency))
    if (found === undefined) return null
    if (found.digest !== textOf(idempotency.digest)) throw conflict(idempotency)
    return { tick: found.tick, offsets: found.offsets, repeated: true }
  }

  remember(answer: KeyedAnswer, atMicros: bigint): void {
    const { tick, offsets } = answer
    const name = nameOf(answer)
    // What is forgotten first stands first, also where a forgotten name comes again.
    this.#remembered.delete(name)
    this.#remembered.set(name, { digest: textOf(answer.digest), tick, offsets, atMicros })
  }

  /** Forgets what is too old or too much at the time of a commit. */
  prune(nowMicros: bigint): void {
    for (const [name, { atMicros }] of this.#remembered) {
      if (this.#remembered.size <= this.#mostKeys && nowMicros - atMicros <= rememberedMicros) return
      this.#remembered.delete(name)
    }
  }
}

/** One text per scope and key, whatever characters they hold. */
export function nameOf({ scope, key }: { readonly scope: string; readonly key: string }): string {
  return `${scope.length}:${scope}${key}`
}

export function sameDigest(a: Uint8Array, b: Uint8Array): boolean {
  return textOf(a) === textOf(b)
}

export function conflict({ key }: { readonly key: string }): MillraceError {
  return new MillraceError('append/idempotency-conflict', `the idempotency key '${key}' was used with another body`, {
    hint: 'use a new key for each new request; the same key only to repeat the same bytes',
  })
}

function textOf(digest: Uint8Array): string {
  let text = ''
  for (const byte of digest) text += String.fromCharCode(byte)
  return text
}
