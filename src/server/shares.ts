import type { Gateway, ShareKind } from '../app/gateway.ts'
import { MillraceError } from '../data/errors.ts'
import type { LimitClass } from './routes.ts'

/**
 * What one caller may have at a time, unless the gateway says otherwise. Each is a part of what the server has
 * (`defaultLimits`), so that one who takes all that he gets leaves the others theirs.
 */
export const defaultShares: Readonly<Record<ShareKind, number>> = {
  requests: 256,
  query: 2,
  liveQuery: 4,
  explain: 1,
  live: 256,
  bodyBytes: 128 * 1024 * 1024,
}

const words: Readonly<Record<ShareKind, string>> = {
  requests: 'requests',
  query: 'queries',
  liveQuery: 'live queries',
  explain: 'explanations',
  live: 'live streams',
  bodyBytes: 'bytes of bodies',
}

/** Takes some of a caller's share. @returns gives it back @throws MillraceError request/share */
export type TakeShare = (kind: ShareKind, amount?: number) => () => void

/** Whose share it is: he counts by himself, and has what his role has. */
export interface Holder {
  readonly id: string
  readonly role: string
}

/** The shares that a request of a class takes: a live stream, which may last, is none of the requests. */
export function sharesOf(limits: LimitClass): readonly ShareKind[] {
  switch (limits) {
    case 'free':
      return []
    case 'live':
      return ['live']
    case 'query':
      return ['requests', 'query']
    case 'explain':
      return ['requests', 'explain']
    case 'read':
    case 'append':
    case 'admin':
      return ['requests']
  }
}

/** What each caller has at work at the same time, beside the server's own bounds (`Gate`). */
export class Shares {
  #gateway: Pick<Gateway, 'shares' | 'roles'> | null
  readonly #held = new Map<string, number>()

  /** @param gateway null: the default shares count for everybody */
  constructor(gateway: Pick<Gateway, 'shares' | 'roles'> | null) {
    this.#gateway = gateway
  }

  /** Other shares count from now on; what is held stays held. */
  use(gateway: Pick<Gateway, 'shares' | 'roles'> | null): void {
    this.#gateway = gateway
  }

  /** What a caller may have at a time. */
  most(kind: ShareKind, { role }: Holder): number {
    const { shares, roles = {} } = this.#gateway ?? {}
    const own = Object.hasOwn(roles, role) ? roles[role].shares : undefined
    return own?.[kind] ?? shares?.[kind] ?? defaultShares[kind]
  }

  /**
   * Takes some of a caller's share.
   * @returns gives it back; once, however often it is called
   * @throws MillraceError request/share
   */
  enter(kind: ShareKind, holder: Holder, amount = 1): () => void {
    return this.#take(`${kind} ${holder.id}`, amount, this.most(kind, holder), words[kind])
  }

  /** The same for the requests of a route that bounds them itself. @throws MillraceError request/share */
  enterRoute(pattern: string, holder: Holder, most: number): () => void {
    return this.#take(`${pattern} ${holder.id}`, 1, most, `requests to ${pattern}`)
  }

  #take(key: string, amount: number, most: number, what: string): () => void {
    // An empty body takes nothing, and must leave nothing behind that others of the caller have given back meanwhile.
    if (amount === 0) return () => {}
    const held = this.#held.get(key) ?? 0
    if (held + amount > most) {
      throw new MillraceError('request/share', `a caller may have ${most} ${what} at a time, and you have them`, {
        hint: 'ask again once one of them is over; a role’s share can be set in the gateway’s “shares”',
      })
    }
    this.#held.set(key, held + amount)
    let left = false
    return () => {
      if (left) return
      left = true
      const rest = (this.#held.get(key) as number) - amount
      // Callers come and go: who has nothing leaves nothing behind.
      if (rest === 0) this.#held.delete(key)
      else this.#held.set(key, rest)
    }
  }

  /** How much of anything anybody has: for tests. */
  get size(): number {
    return this.#held.size
  }
}
