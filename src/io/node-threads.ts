import { Worker } from 'node:worker_threads'
import type { ThreadName, ThreadPort, Threads } from './io.ts'

const entries: Readonly<Record<ThreadName, string>> = {
  engine: '../engine/worker.js',
  keeper: '../state/snapshots/keeper-worker.js',
}

/** A thread that was prepared and that nobody has started in this time is ended. */
const spareMs = 60_000

interface Spare {
  readonly worker: Worker
  readonly ending: NodeJS.Timeout
}

/** Worker threads of Node. */
export class NodeThreads implements Threads {
  /** Threads that were prepared. */
  readonly #spare = new Map<ThreadName, Spare>()

  prepare(entry: ThreadName): void {
    if (this.#spare.has(entry)) return
    const worker = new Worker(entryUrl(entry))
    const end = (): void => {
      if (this.#spare.get(entry)?.worker !== worker) return
      this.#spare.delete(entry)
      clearTimeout(ending)
      worker.terminate().catch(() => {})
    }
    const ending = setTimeout(end, spareMs)
    // Whoever starts it meets what is wrong with it; the program does not wait for one that nobody starts.
    worker.on('error', end)
    ending.unref()
    worker.unref()
    this.#spare.set(entry, { worker, ending })
  }

  #worker(entry: ThreadName): Worker {
    const spare = this.#spare.get(entry)
    if (spare === undefined) return new Worker(entryUrl(entry))
    this.#spare.delete(entry)
    clearTimeout(spare.ending)
    spare.worker.removeAllListeners('error')
    spare.worker.ref()
    return spare.worker
  }

  start(entry: ThreadName, onMessage: (message: unknown) => void, onFailure: (error: Error) => void): ThreadPort {
    const worker = this.#worker(entry)
    let stopped = false
    const fail = (error: Error): void => {
      if (stopped) return
      stopped = true
      onFailure(error)
    }
    worker.on('message', (message) => {
      if (!stopped) onMessage(message)
    })
    worker.on('messageerror', fail)
    worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))))
    worker.on('exit', (code) => fail(new Error(`the ${entry} thread ended with exit code ${code}`)))
    return {
      post(message, transfer) {
        worker.postMessage(message, transfer as ArrayBuffer[] | undefined)
      },
      async stop() {
        stopped = true
        await worker.terminate()
      },
    }
  }
}

/** Node 20 can't load .ts in a worker: when the sources run as they are, the built entry is taken. */
function entryUrl(entry: ThreadName): URL {
  const here = import.meta.url
  return here.endsWith('.ts')
    ? new URL(`../dist/io/${entries[entry]}`, new URL('..', here))
    : new URL(entries[entry], here)
}
