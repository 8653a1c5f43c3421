import { MillraceError } from '../data/errors.ts'
import { addressSet, isAddress, unmapped } from '../io/addresses.ts'

/** Tells where requests come from. */
export class Proxies {
  readonly #trusted: (address: string) => boolean

  /** @param entries addresses and networks of proxies whose X-Forwarded-For is believed @throws MillraceError usage */
  constructor(entries: readonly string[]) {
    const trusted = addressSet(entries)
    if (trusted === null) {
      throw new MillraceError('usage', `--trust-proxy ${entries.join(' ')} names no address or network`, {
        hint: 'write it as 10.0.0.7 or 10.0.0.0/8',
      })
    }
    this.#trusted = trusted
  }

  /** Whether an address is one of a proxy that is trusted. */
  isTrusted(address: string): boolean {
    return this.#trusted(unmapped(address))
  }

  /**
   * The address that a request came from: the last one that no proxy of ours stands for. What stands before that in
   * the header was sent by who asks, and may be anything.
   */
  clientOf(socket: string, forwarded: string | null): string {
    let address = unmapped(socket)
    if (forwarded === null) return address
    for (const part of forwarded.split(',').reverse()) {
      if (!this.#trusted(address)) break
      // Some proxies put the port behind it. What can't be read would count as the proxy's own.
      const named = part.trim().replace(/^\[(.*)\](?::\d+)?$|^([\d.]+):\d+$/, '$1$2')
      if (!isAddress(named)) break
      address = unmapped(named)
    }
    return address
  }
}
