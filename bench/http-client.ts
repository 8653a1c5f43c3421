import { Agent, type IncomingMessage, request } from 'node:http'

export interface Reply {
  readonly status: number
  readonly body: string
}

/** As thin as a client can be, so that the server is what is measured. Connections are kept. */
export class HttpClient {
  readonly url: URL
  readonly #agent = new Agent({ keepAlive: true, noDelay: true })

  constructor(url: URL) {
    this.url = url
  }

  send(method: 'GET' | 'POST', target: string, body?: Buffer | string, type = 'application/json'): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) }
      const outgoing = request(new URL(target, this.url), { method, headers, agent: this.#agent }, (response) => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces).toString('utf8') }),
        )
        response.on('error', reject)
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }

  /** As `send`, but anything other than success is an error. @returns the body */
  async expect(method: 'GET' | 'POST', target: string, body?: Buffer | string, type?: string): Promise<string> {
    const reply = await this.send(method, target, body, type)
    if (reply.status < 200 || reply.status > 299) throw new Error(`${method} ${target}: ${reply.status} ${reply.body}`)
    return reply.body
  }

  /** Listens to a view's live stream. @returns stops listening */
  live(view: string, onEvent: (text: string) => void): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const outgoing = request(new URL(`/v1/views/${view}/live`, this.url), (response: IncomingMessage) => {
        let rest = ''
        response.setEncoding('utf8')
        response.on('data', (piece: string) => {
          const events = (rest + piece).split('\n\n')
          rest = events.pop() ?? ''
          for (const event of events) onEvent(event)
        })
        response.on('error', () => {})
        resolve(() => outgoing.destroy())
      })
      outgoing.on('error', reject)
      outgoing.end()
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
