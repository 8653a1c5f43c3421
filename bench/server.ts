import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { HttpClient } from './http-client.ts'
import { from } from './millrace.ts'

const startMsUsual = 30_000

/** `millrace start` as users run it: a process of its own, on 127.0.0.1. */
export class Server {
  readonly client: HttpClient
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, url: URL) {
    this.#process = process
    this.client = new HttpClient(url)
  }

  static async start(folder: string, app: string, startMs = startMsUsual): Promise<Server> {
    const file = path.join(folder, 'app.sql')
    writeFileSync(file, app)
    const args = [path.join(from, 'cli/main.js'), 'start', file, '--data', path.join(folder, 'data'), '--port', '0']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    return new Server(child, await urlFrom(child, startMs))
  }

  /** Seconds of processor time that it has taken so far (Linux; elsewhere NaN). */
  get cpuSeconds(): number {
    try {
      const fields = readFileSync(`/proc/${this.#process.pid}/stat`, 'utf8').split(') ')[1].split(' ')
      return (Number(fields[11]) + Number(fields[12])) / 100
    } catch {
      return Number.NaN
    }
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.client.close()
    const ended = new Promise((resolve) => {
      this.#process.once('exit', resolve)
    })
    this.#process.kill(signal)
    await ended
  }
}

function urlFrom(child: ChildProcess, startMs: number): Promise<URL> {
  return new Promise((resolve, reject) => {
    let talk = ''
    const late = setTimeout(() => {
      child.kill()
      reject(new Error(`the server did not start within ${startMs / 1000} s: ${talk}`))
    }, startMs)
    child.stderr?.setEncoding('utf8')
    child.stderr?.on('data', (piece: string) => {
      talk += piece
      const url = /(https?:\/\/[\w.:[\]-]+)\s/.exec(talk)
      if (url === null) return
      clearTimeout(late)
      resolve(new URL(url[1]))
    })
    child.on('exit', (code) => {
      clearTimeout(late)
      reject(new Error(`the server ended with ${code}: ${talk}`))
    })
  })
}
