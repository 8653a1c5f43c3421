import { parentPort } from 'node:worker_threads'
import type { ThreadEntry } from './io.ts'
import { nodeIo } from './node.ts'

/** Called by a thread's module: binds its entry to the thread that started it. */
export function serveThread(entry: ThreadEntry): void {
  if (parentPort === null) throw new Error('this module runs as a thread only')
  const port = parentPort
  const take = entry((message, transfer) => port.postMessage(message, transfer as ArrayBuffer[] | undefined), nodeIo())
  port.on('message', take)
}
