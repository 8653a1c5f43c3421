import { problemOf, problemType } from '../protocol/problem.ts'

/** A request as handlers see it: no socket in sight. */
export interface ApiRequest {
  readonly method: string
  /** Whether it came from this machine. Behind a proxy on this machine every request does. */
  readonly local: boolean
  /** Where it came from: an IP address; behind proxies that are trusted, the one that they name. */
  readonly address: string
  /** The request's target as it came: path and query, still encoded. */
  readonly target: string
  /** @param name in lower case */
  header(name: string): string | null
  /** Names of all headers, in lower case. */
  headerNames(): readonly string[]
  /**
   * The body's bytes; bounded in size and time.
   * @param also is asked for its bytes, beside the server's own bound
   * @throws MillraceError request/too-large, request/slow, request/busy, and what `also` throws
   */
  readBody(also?: Entrance): Promise<Uint8Array>
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** Takes some of what there is only so much of. @returns gives it back */
export type Entrance = (amount: number) => () => void

/** The same request, whose body's bytes are asked for at one more entrance. */
export function admittedBody(request: ApiRequest, also: Entrance): ApiRequest {
  const { method, local, address, target } = request
  return {
    method,
    local,
    address,
    target,
    header: (name) => request.header(name),
    headerNames: () => request.headerNames(),
    readBody: () => request.readBody(also),
    // A signal is made when it is asked for.
    get signal() {
      return request.signal
    },
  }
}

export interface ApiAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Pieces are asked for one at a time, each when the one before it has been taken. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | null
}

const encoder = new TextEncoder()
export const jsonType = 'application/json'

export function jsonAnswer(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): ApiAnswer {
  return textAnswer(status, jsonType, `${JSON.stringify(value)}\n`, headers)
}

export function textAnswer(
  status: number,
  type: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): ApiAnswer {
  return { status, headers: { 'content-type': type, ...headers }, body: encoder.encode(text) }
}

/** Bytes behind a few ASCII characters. */
export function afterText(head: string, tail: Uint8Array): Uint8Array {
  // Out of a pool: memory of its own would cost more than what is copied into it.
  const bytes = Buffer.allocUnsafe(head.length + tail.length)
  bytes.write(head, 'latin1')
  bytes.set(tail, head.length)
  return bytes
}

/** Seconds after which a busy server may be asked again. */
const retryAfter = '1'

export function problemAnswer(error: unknown, headers: Readonly<Record<string, string>> = {}): ApiAnswer {
  const problem = problemOf(error)
  const busy = problem.status === 503 ? { 'retry-after': retryAfter } : {}
  return jsonAnswer(problem.status, problem, { 'content-type': problemType, ...busy, ...headers })
}

/**
 * An answer whose body is made in pieces. A body of one piece is sent with its length, and a mistake before the
 * first piece becomes an answer of its own.
 */
export async function piecedAnswer(
  status: number,
  headers: Readonly<Record<string, string>>,
  pieces: AsyncGenerator<Uint8Array>,
): Promise<ApiAnswer> {
  const first = await pieces.next()
  if (first.done) return { status, headers, body: new Uint8Array(0) }
  const second = await pieces.next()
  if (second.done) return { status, headers, body: first.value }
  return { status, headers, body: rejoined([first.value, second.value], pieces) }
}

/** Pieces that were taken already, and those behind them. */
export async function* rejoined(
  head: readonly Uint8Array[],
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* head
    yield* rest
  } finally {
    await rest.return(undefined)
  }
}
