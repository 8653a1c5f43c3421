import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { Agent, type IncomingMessage, request } from 'node:http'
import path from 'node:path'
import { from } from './millrace.ts'

const main = path.join(from, 'cli/main.js')
const startMs = 30_000

export interface Reply {
  readonly status: number
  readonly body: string
}

/** `millrace start` as users run it: a process of its own, on 127.0.0.1. */
export class Server {
  readonly url: URL
  readonly #process: ChildProcess
  readonly #agent = new Agent({ keepAlive: true, noDelay: true })

  private constructor(process: ChildProcess, url: URL) {
    this.#process = process
    this.url = url
  }

  static async start(folder: string, app: string): Promise<Server> {
    const file = path.join(folder, 'app.sql')
    writeFileSync(file, app)
    const args = [main, 'start', file, '--data', path.join(folder, 'data'), '--port', '0']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    return new Server(child, await urlFrom(child))
  }

  get pid(): number {
    return this.#process.pid ?? 0
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

  /** As `send`, but anything other than success is an error. */
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

  async stop(): Promise<void> {
    this.#agent.destroy()
    const ended = new Promise((resolve) => {
      this.#process.once('exit', resolve)
    })
    this.#process.kill('SIGTERM')
    await ended
  }
}

function urlFrom(child: ChildProcess): Promise<URL> {
  return new Promise((resolve, reject) => {
    let talk = ''
    const late = setTimeout(() => {
      child.kill()
      reject(new Error(`the server did not start within ${startMs / 1000} s: ${talk}`))
    }, startMs)
    child.stderr?.setEncoding('utf8')
    child.stderr?.on('data', (piece: string) => {
      talk += piece
      const url = /https?:\/\/[\w.:[\]-]+/.exec(talk)
      if (url === null || !/\s/.test(talk.slice(url.index + url[0].length, url.index + url[0].length + 1))) return
      clearTimeout(late)
      resolve(new URL(url[0]))
    })
    child.on('exit', (code) => {
      clearTimeout(late)
      reject(new Error(`the server ended with ${code}: ${talk}`))
    })
  })
}
