import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { NamedChart } from '../app/chart.ts'
import type { Gateway } from '../app/gateway.ts'
import { Bug, type ErrorCode, MillraceError } from '../data/errors.ts'
import type { Database } from '../database.ts'
import type { Clock, Io } from '../io/io.ts'
import type { ServerLogger } from '../io/lazy-logger.ts'
import { nodeIo } from '../io/node.ts'
import { checkPolicies } from './access.ts'
import { Api } from './api.ts'
import { type Certificate, readCertificate, type TlsOptions, watchCertificate } from './certificate.ts'
import { Connections } from './connections.ts'
import { type ApiAnswer, problemAnswer } from './exchange.ts'
import { Incoming, type Intake } from './incoming.ts'
import { defaultLimits, defaultPort, Gate, type Limits } from './limits.ts'
import { hasBody, headerOf } from './message.ts'
import { Proxies } from './origin.ts'
import type { Project } from './project.ts'

export interface ServerOptions {
  /** Address to listen on (default 127.0.0.1: this machine alone). */
  readonly host?: string
  /** 0 picks a free one (default 4280). */
  readonly port?: number
  /** Names beside loopback's and `host` under which the server may be asked. */
  readonly allowedHosts?: readonly string[]
  /** Origins, such as `https://app.example.com`, whose pages may ask. */
  readonly allowedOrigins?: readonly string[]
  readonly limits?: Partial<Limits>
  /** Who may ask for what (default: everybody for everything, which is why it listens on this machine alone). */
  readonly gateway?: Gateway | null
  /** HTTPS instead of HTTP; the files are read again when they change. */
  readonly tls?: TlsOptions
  /** Addresses and networks of proxies whose X-Forwarded-For is believed (default: none's). */
  readonly trustedProxies?: readonly string[]
  /** Requests are logged at `debug`, without query and body; our own mistakes at `error`. */
  readonly logger?: ServerLogger
  readonly io?: Io
  /** The app's own files, where queries may be saved as views: while it is being developed. */
  readonly project?: Project
  /** The charts that the app declares: asked for at each look, as they may change while it is being developed. */
  readonly charts?: () => readonly NamedChart[]
}

export interface RunningServer {
  readonly url: string
  readonly host: string
  readonly port: number
  /**
   * Another gateway takes over at once: see `Api.use`. Its policies must have been checked.
   * @returns how many live streams ended @throws MillraceError app/load; then the one before goes on
   */
  use(gateway: Gateway | null): number
  /** Ends live streams, lets other requests finish, and frees the port. The database stays open. */
  close(): Promise<void>
}

/** How long requests may take to finish when the server closes. */
const graceMs = 5_000
/** More than this is written as its reader takes it. */
const sliceBytes = 256 * 1024
/** An idle connection is kept for so long. */
const keepAliveMs = 72_000

/**
 * Serves a database over HTTP.
 * @throws MillraceError usage when the address cannot be listened on
 */
export async function startServer(database: Database, options: ServerOptions = {}): Promise<RunningServer> {
  const { host = '127.0.0.1', port = defaultPort, logger, io = nodeIo() } = options
  const limits: Limits = { ...defaultLimits, ...options.limits }
  if (database.status().caughtUp) await checkPolicies(options.gateway ?? null, database.catalog())
  const api = new Api(database, {
    io,
    limits,
    gateway: options.gateway ?? null,
    host,
    allowedHosts: options.allowedHosts ?? [],
    allowedOrigins: options.allowedOrigins ?? [],
    project: options.project,
    charts: options.charts,
    onMistake: (error) => logger?.error({ err: error }, 'a request met a mistake of ours'),
  })
  const { tls, trustedProxies = [] } = options
  const certificate = tls === undefined ? null : await readCertificate(io.disk, tls)
  const door = new Door(api, io.clock, limits, logger, new Proxies(trustedProxies), certificate)
  const { server } = door
  try {
    await listening(server, host, port)
  } catch (error) {
    api.close()
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'something else listens there' : message
    throw new MillraceError('usage', `cannot listen on ${host}:${port}: ${why}`, {
      hint: 'choose another --port; 0 picks a free one',
      cause: error,
    })
  }
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Bug('a server that listens has an address')
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  let closing: Promise<void> | null = null
  if (tls !== undefined) door.keepRenewed(io, tls)
  return {
    url: `${certificate === null ? 'http' : 'https'}://${name}:${address.port}`,
    host: address.address,
    port: address.port,
    use: (gateway) => api.use(gateway),
    close: () => (closing ??= door.close()),
  }
}

/** @throws as the system refuses it */
function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Sockets to requests, answers to sockets. */
class Door {
  readonly server: Server
  readonly #api: Api
  readonly #clock: Clock
  readonly #limits: Limits
  readonly #logger: ServerLogger | undefined
  readonly #intake: Intake
  readonly #proxies: Proxies
  readonly #connections: Connections
  readonly #secure: boolean
  #endWatch = (): void => {}

  /** @throws MillraceError usage for a certificate that is none */
  constructor(
    api: Api,
    clock: Clock,
    limits: Limits,
    logger: ServerLogger | undefined,
    proxies: Proxies,
    certificate: Certificate | null,
  ) {
    this.#proxies = proxies
    this.#connections = new Connections(limits.connectionsOfAddress, limits.requestsOfConnection, (address) =>
      proxies.isTrusted(address),
    )
    this.#secure = certificate !== null
    this.#api = api
    this.#clock = clock
    this.#limits = limits
    this.#logger = logger
    this.#intake = {
      clock,
      limits,
      bodies: new Gate(limits.bodyBytesInAll, 'bytes of bodies at a time'),
      onBody: (bytes) => api.metrics.countBody(bytes),
    }
    const options = {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      connectionsCheckingInterval: Math.min(1000, limits.headersMs),
      keepAliveTimeout: keepAliveMs,
      requestTimeout: limits.headersMs + limits.bodyMs,
    }
    try {
      this.server = certificate === null ? createServer(options) : createTlsServer({ ...options, ...certificate })
    } catch (error) {
      throw new MillraceError('usage', `the certificate or its key is none: ${(error as Error).message}`)
    }
    this.server.maxConnections = limits.connections
    // Of TLS the socket below it: what is in it isn't known yet.
    this.server.on('connection', (socket: Socket) => this.#connections.take(socket, this.#secure))
    this.server.on('secureConnection', (socket: Socket) => this.#connections.open(socket))
    this.server.on('clientError', (error, socket: Socket) => this.#refuse(error, socket))
    this.server.on('request', (message, response) => void this.#exchange(message, response))
    this.server.setTimeout(limits.slowReaderMs, (socket) => this.#endQuiet(socket))
  }

  /** Connections from now on get the renewed certificate. */
  keepRenewed({ disk, clock }: Io, tls: TlsOptions): void {
    this.#endWatch = watchCertificate(disk, clock, tls, (certificate) => {
      try {
        ;(this.server as TlsServer).setSecureContext(certificate)
      } catch (error) {
        this.#logger?.error({ err: error }, 'the new certificate is none: the one before stays')
      }
    })
  }

  async #exchange(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const start = this.#clock.monotonicMs()
    const { socket } = message
    if (this.#connections.work(socket, response)) {
      socket.destroy()
      return
    }
    const address = this.#proxies.clientOf(socket.remoteAddress ?? '', headerOf(message, 'x-forwarded-for'))
    const request = new Incoming(message, response, address, this.#intake)
    try {
      const answer = await this.#api.answer(request)
      request.release()
      await this.#send(message, response, answer)
      if (this.#logger !== undefined) {
        const { method, target } = request
        const ms = Math.round(this.#clock.monotonicMs() - start)
        this.#logger.debug({ method, path: target.split('?')[0], status: answer.status, ms }, 'request')
      }
    } catch (error) {
      // The answer had begun: all that can be said is that it is not whole.
      const { isGone } = request
      response.destroy()
      if (!isGone) this.#logger?.error({ err: error }, 'an answer broke off')
    } finally {
      request.release()
    }
  }

  /** One in which nothing has moved for a while: its reader takes nothing, or it was kept for a next request. */
  #endQuiet(socket: Socket): void {
    if (socket.writableLength > 0 || !this.#connections.isAtWork(socket)) socket.destroy()
  }

  /** What is no HTTP gets its answer here: no request came of it, or none that came to its end. */
  #refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    // Elsewhere it would come in the middle of an answer, or be taken for the one to a request before it.
    if (error.code === 'ECONNRESET' || !socket.writable || !this.#connections.isUnanswered(socket)) {
      socket.destroy()
      return
    }
    socket.end(refusalOf(error))
    // Closing at once could take the answer from who still sends; who never closes his side is not waited for.
    socket.once(
      'close',
      this.#clock.after(this.#limits.dropMs, () => socket.destroy()),
    )
  }

  async #send(message: IncomingMessage, response: ServerResponse, answer: ApiAnswer): Promise<void> {
    const { status, headers, body } = answer
    const empty = message.method === 'HEAD'
    if (response.destroyed) {
      await closeBody(body)
      return
    }
    // What is left of a body that nobody wanted is not waited for.
    const unread = !message.complete && hasBody(message)
    // A list is written as it is; an object would be copied once more.
    const all: string[] = []
    for (const name in headers) all.push(name, headers[name])
    if (this.#secure) all.push('strict-transport-security', 'max-age=31536000')
    if (body instanceof Uint8Array) all.push('content-length', String(body.length))
    if (unread) all.push('connection', 'close')
    response.writeHead(status, all)
    if (empty || body === null || (body instanceof Uint8Array && (unread || body.length <= sliceBytes))) {
      const bytes = !empty && body instanceof Uint8Array ? body : undefined
      if (unread) this.#endBeforeBody(message, response, bytes)
      else response.end(bytes)
      if (empty) await closeBody(body)
      return
    }
    for await (const piece of body instanceof Uint8Array ? slicesOf(body) : body) {
      if (response.destroyed) break
      if (!response.write(piece)) await this.#drained(response)
    }
    response.end()
  }

  /**
   * Answers at once and then takes a bounded part of what is left of the body. Ending the response would end the
   * connection while its sender still writes, who would then see that instead of the answer.
   */
  #endBeforeBody(message: IncomingMessage, response: ServerResponse, bytes: Uint8Array | undefined): void {
    response.flushHeaders()
    if (bytes !== undefined) response.write(bytes)
    let dropped = 0
    const end = (): void => {
      cancel()
      message.off('data', onData)
      response.end()
      message.socket.destroySoon()
    }
    const onData = (piece: Uint8Array): void => {
      dropped += piece.length
      if (dropped > this.#limits.dropBytes) end()
    }
    const cancel = this.#clock.after(this.#limits.dropMs, end)
    message.on('data', onData)
    message.once('end', end)
    response.once('close', end)
  }

  /** @throws MillraceError request/slow for a reader that takes nothing for too long */
  #drained(response: ServerResponse): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        cancel()
        response.off('drain', onDrain)
        response.off('close', onDrain)
        settle()
      }
      const onDrain = (): void => end(resolve)
      const cancel = this.#clock.after(this.#limits.slowReaderMs, () =>
        end(() => reject(new MillraceError('request/slow', 'the reader takes nothing'))),
      )
      response.once('drain', onDrain)
      response.once('close', onDrain)
    })
  }

  async close(): Promise<void> {
    this.#endWatch()
    this.#api.close()
    const { server } = this
    const closed = new Promise((resolve) => server.close(resolve))
    const cancel = this.#clock.after(graceMs, () => server.closeAllConnections())
    server.closeIdleConnections()
    this.#connections.close()
    await closed
    cancel()
    await this.#api.flush()
  }
}

/** Handed over at once, a large body would look like one that nobody takes for as long as it is on its way. */
function* slicesOf(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += sliceBytes) yield bytes.subarray(at, at + sliceBytes)
}

async function closeBody(body: ApiAnswer['body']): Promise<void> {
  if (body !== null && !(body instanceof Uint8Array)) await body[Symbol.asyncIterator]().return?.()
}

const clientErrors: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  HPE_HEADER_OVERFLOW: ['request/headers', 'the headers are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request/slow', 'the request took too long to arrive'],
}

function refusalOf({ code: reason = '' }: NodeJS.ErrnoException): string {
  const [code, what] = clientErrors[reason] ?? ['request/malformed', 'this is no HTTP request']
  const { status, headers, body } = problemAnswer(new MillraceError(code, what))
  const bytes = body as Uint8Array
  const lines = Object.entries({ ...headers, 'content-length': String(bytes.length), connection: 'close' })
  return `HTTP/1.1 ${status} ${status === 431 ? 'Request Header Fields Too Large' : 'Error'}\r\n${lines
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n${new TextDecoder().decode(bytes)}`
}
