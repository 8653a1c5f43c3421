import { MillraceError } from '../data/errors.ts'
import type { Clock } from '../io/io.ts'
import { BodyBuffer, bodyTooSlow } from './body.ts'
import type { ApiRequest, Entrance } from './exchange.ts'
import type { Gate, Limits } from './limits.ts'
import { headerOf } from './message.ts'

/** What bounds requests over sockets. */
export interface Intake {
  readonly clock: Clock
  readonly limits: Limits
  /** Bytes of all bodies. */
  readonly bodies: Gate
  /** Told the bytes of each body that has come in. */
  readonly onBody: (bytes: number) => void
}

/** What of Node's message is needed here. */
interface Message {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  on(event: 'data', listener: (piece: Uint8Array) => void): unknown
  off(event: 'data', listener: (piece: Uint8Array) => void): unknown
  once(event: 'end' | 'close', listener: () => void): unknown
  once(event: 'error', listener: (error: Error) => void): unknown
}

/** And of its response. */
interface Response {
  readonly destroyed: boolean
  readonly writableFinished: boolean
  once(event: 'close', listener: () => void): unknown
}

/** Made once: an error with its stack for each reader that goes away would cost more than the request. */
const hungUp = new MillraceError('request/slow', 'nobody waits for the answer any more')

/** A request that came over a socket. */
export class Incoming implements ApiRequest {
  readonly method: string
  readonly target: string
  readonly address: string
  readonly local: boolean
  readonly #message: Message
  readonly #response: Response
  readonly #intake: Intake
  /** Most requests need none. */
  #gone: AbortController | null = null
  #body: BodyBuffer | null = null

  constructor(message: Message, response: Response, address: string, intake: Intake) {
    this.method = message.method ?? 'GET'
    this.target = message.url ?? '/'
    this.address = address
    this.local = isLoopback(address)
    this.#message = message
    this.#response = response
    this.#intake = intake
  }

  header(name: string): string | null {
    return headerOf(this.#message, name)
  }

  headerNames(): readonly string[] {
    return Object.keys(this.#message.headers)
  }

  /** Whether nobody waits for the answer any more. */
  get isGone(): boolean {
    return this.#response.destroyed && !this.#response.writableFinished
  }

  get signal(): AbortSignal {
    if (this.#gone === null) {
      const gone = new AbortController()
      this.#gone = gone
      if (this.isGone) gone.abort(hungUp)
      else
        this.#response.once('close', () => {
          if (this.isGone) gone.abort(hungUp)
        })
    }
    return this.#gone.signal
  }

  async readBody(also?: Entrance): Promise<Uint8Array> {
    const { limits, bodies, onBody } = this.#intake
    const gates = [(bytes: number) => bodies.enter(bytes), ...(also === undefined ? [] : [also])]
    const body = new BodyBuffer(this.header('content-length'), limits, gates)
    this.#body = body
    await this.#receive(body)
    onBody(body.bytes.length)
    return body.bytes
  }

  /** Forgets the body: others may have its room. */
  release(): void {
    this.#body?.release()
    this.#body = null
  }

  /** @throws MillraceError request/too-large, request/slow, request/busy */
  #receive(body: BodyBuffer): Promise<void> {
    const message = this.#message
    const { clock, limits } = this.#intake
    return new Promise((resolve, reject) => {
      let settled = false
      const settle = (error: Error | null): void => {
        if (settled) return
        settled = true
        cancel()
        message.off('data', onData)
        if (error === null) resolve()
        else reject(error)
      }
      const onData = (piece: Uint8Array): void => {
        try {
          body.push(piece)
        } catch (error) {
          settle(error as Error)
        }
      }
      const cancel = clock.after(limits.bodyMs, () => settle(bodyTooSlow(limits)))
      message.once('end', () => settle(null))
      message.once('error', (error) => settle(error))
      message.once('close', () => {
        if (!settled) settle(new MillraceError('request/malformed', 'the body broke off'))
      })
      message.on('data', onData)
    })
  }
}

function isLoopback(address: string): boolean {
  return address === '127.0.0.1' || address === '::1' || /^(::ffff:)?127\./.test(address)
}
