import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** What `npm run build` made. */
export const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** A process that serves, or tries to. */
export class ServerProcess {
  readonly #child: ChildProcess
  /** Resolves to the URL once it is said; rejects when the process ends before. */
  readonly serving: Promise<string>
  /** Resolves to the exit code, or to null after a signal, once all that it said has arrived. */
  readonly ended: Promise<number | null>
  err = ''

  /** @param wrap a program and its arguments that run the server, such as strace */
  constructor(args: readonly string[], wrap: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    const [command, ...rest] = [...wrap, process.execPath, main, ...args]
    const child = spawn(command, rest, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
    this.#child = child
    this.ended = new Promise((resolve) => child.on('close', (code) => resolve(code)))
    this.serving = new Promise((resolve, reject) => {
      child.on('error', reject)
      child.stderr.setEncoding('utf8').on('data', (text) => {
        this.err += text
        const url = /serving \S+ at (http:\/\/\S+)/.exec(this.err)
        if (url !== null) resolve(url[1])
      })
      void this.ended.then((code) => reject(new Error(`ended with ${code} before serving: ${this.err}`)))
    })
    this.serving.catch(() => {})
  }

  /** The server's own process, also behind a wrapper. */
  get pid(): number {
    let pid = this.#child.pid!
    for (;;) {
      // A wrapper has one child; the server has none.
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
      if (children === '') return pid
      pid = Number(children.split(' ')[0])
    }
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      process.kill(process.platform === 'linux' ? this.pid : this.#child.pid!, signal)
    }
    return this.ended
  }
}
