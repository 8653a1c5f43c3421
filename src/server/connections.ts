import { networkOf } from '../io/addresses.ts'

/** What of a socket is needed here. */
interface Socket {
  readonly remoteAddress?: string | undefined
  once(event: 'close', task: () => void): unknown
  destroy(): void
  destroySoon(): void
}

/**
 * The connections that are open, so that one address can't have all of them, and none holds up the server's end.
 * @see Shares for what is counted once it is known who asks
 */
export class Connections {
  readonly #most: number
  readonly #isTrusted: (address: string) => boolean
  readonly #byNetwork = new Map<string, number>()
  /** How many requests each has at work. */
  readonly #atWork = new Map<Socket, number>()

  /**
   * @param most of one address, those over IPv6 by its first 64 bits
   * @param isTrusted a proxy, behind which are many callers
   */
  constructor(most: number, isTrusted: (address: string) => boolean) {
    this.#most = most
    this.#isTrusted = isTrusted
  }

  /** One that comes in. Where its address has as many as it may, it is closed: no request of it was read yet. */
  take(socket: Socket): void {
    const address = socket.remoteAddress ?? ''
    const network = networkOf(address)
    const held = this.#byNetwork.get(network) ?? 0
    if (held >= this.#most && !this.#isTrusted(address)) {
      socket.destroy()
      return
    }
    this.#byNetwork.set(network, held + 1)
    this.#atWork.set(socket, 0)
    socket.once('close', () => {
      this.#atWork.delete(socket)
      const rest = (this.#byNetwork.get(network) as number) - 1
      if (rest === 0) this.#byNetwork.delete(network)
      else this.#byNetwork.set(network, rest)
    })
  }

  /** A request of it. @returns ends it */
  work(socket: Socket): () => void {
    this.#add(socket, 1)
    return () => this.#add(socket, -1)
  }

  #add(socket: Socket, change: number): void {
    const requests = this.#atWork.get(socket)
    if (requests !== undefined) this.#atWork.set(socket, requests + change)
  }

  /** Closes those that wait for a request, or have sent none yet, as browsers open them in advance. */
  closeIdle(): void {
    for (const [socket, requests] of this.#atWork) if (requests === 0) socket.destroySoon()
  }

  get size(): number {
    return this.#atWork.size
  }
}
