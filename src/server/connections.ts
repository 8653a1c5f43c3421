import { networkOf } from '../io/addresses.ts'

/** What of a socket is needed here. */
interface Socket {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  once(event: 'close', task: () => void): unknown
  end(): void
  destroy(): void
  destroySoon(): void
}

/** What of Node's response is needed here. */
interface Response {
  readonly destroyed: boolean
  readonly headersSent: boolean
  /** What is answered, and whether all of it has come. */
  readonly req: { readonly complete: boolean }
  on(event: 'close', task: () => void): unknown
  emit(event: 'close'): unknown
  destroy(): unknown
}

/**
 * The connections that are open, so that one address can't have all of them, none holds up the server's end, and none
 * leaves requests behind that nobody waits for.
 * @see Shares for what is counted once it is known who asks
 */
export class Connections {
  readonly #most: number
  readonly #mostRequests: number
  readonly #isTrusted: (address: string) => boolean
  readonly #byNetwork = new Map<string, number>()
  /** What each is to be answered still. */
  readonly #atWork = new Map<Socket, Set<Response>>()
  /** Sockets below TLS that is not spoken yet, by who is at their other end. */
  readonly #greeting = new Map<string, Socket>()
  #closing = false

  /**
   * @param most of one address, those over IPv6 by its first 64 bits
   * @param mostRequests of one connection that are not answered yet
   * @param isTrusted a proxy, behind which are many callers
   */
  constructor(most: number, mostRequests: number, isTrusted: (address: string) => boolean) {
    this.#most = most
    this.#mostRequests = mostRequests
    this.#isTrusted = isTrusted
  }

  /**
   * One that comes in. Where its address has as many as it may, it is closed: no request of it was read yet.
   * @param secure requests come out of another socket, which is over this one: see `open`
   */
  take(socket: Socket, secure: boolean): void {
    const address = socket.remoteAddress ?? ''
    const network = networkOf(address)
    const held = this.#byNetwork.get(network) ?? 0
    if (held >= this.#most && !this.#isTrusted(address)) {
      socket.destroy()
      return
    }
    this.#byNetwork.set(network, held + 1)
    socket.once('close', () => {
      const rest = (this.#byNetwork.get(network) as number) - 1
      if (rest === 0) this.#byNetwork.delete(network)
      else this.#byNetwork.set(network, rest)
    })
    if (!secure) {
      this.open(socket)
      return
    }
    const peer = peerOf(socket)
    this.#greeting.set(peer, socket)
    socket.once('close', () => {
      if (this.#greeting.get(peer) === socket) this.#greeting.delete(peer)
    })
  }

  /** Requests may come out of it from now on. */
  open(socket: Socket): void {
    const responses = new Set<Response>()
    this.#greeting.delete(peerOf(socket))
    this.#atWork.set(socket, responses)
    socket.once('close', () => {
      this.#atWork.delete(socket)
      // Node tells the one whose turn it was; those of requests behind it would wait for ever.
      for (const response of responses) if (!response.destroyed) hangUp(response)
    })
  }

  /** A request of it, until its answer has gone out. @returns whether it is one too many */
  work(socket: Socket, response: Response): boolean {
    const responses = this.#atWork.get(socket)
    if (responses === undefined) return false
    if (responses.size >= this.#mostRequests) return true
    responses.add(response)
    response.on('close', () => {
      // A connection that is kept for the next request would keep the server from closing.
      if (responses.delete(response) && this.#closing && responses.size === 0) socket.end()
    })
    return false
  }

  isAtWork(socket: Socket): boolean {
    return (this.#atWork.get(socket)?.size ?? 0) > 0
  }

  /** Whether what comes in belongs to no request of it but one that has come in part, and is not answered yet. */
  isUnanswered(socket: Socket): boolean {
    const [response, ...others] = this.#atWork.get(socket) ?? []
    if (response === undefined) return true
    return others.length === 0 && !response.headersSent && !response.req.complete
  }

  /**
   * Ends those that wait for a request, or have sent none yet, as browsers open them in advance; the others once they
   * have their answers.
   */
  close(): void {
    this.#closing = true
    for (const [socket, { size }] of this.#atWork) if (size === 0) socket.destroySoon()
    for (const socket of this.#greeting.values()) socket.destroy()
  }
}

function hangUp(response: Response): void {
  response.destroy()
  response.emit('close')
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
