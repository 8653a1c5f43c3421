import { Worker } from 'node:worker_threads'
import type { ThreadPort, Threads } from './io.ts'

const entries = { engine: '../engine/worker.js', keeper: '../state/snapshots/keeper-worker.js' } as const

/** Worker threads of Node. */
export class NodeThreads implements Threads {
  start(
    entry: keyof typeof entries,
    onMessage: (message: unknown) => void,
    onFailure: (error: Error) => void,
  ): ThreadPort {
    const worker = new Worker(entryUrl(entry))
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
function entryUrl(entry: keyof typeof entries): URL {
  const here = import.meta.url
  return here.endsWith('.ts')
    ? new URL(`../dist/io/${entries[entry]}`, new URL('..', here))
    : new URL(entries[entry], here)
}
