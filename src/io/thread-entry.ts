import { getPriority, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import type { ThreadEntry } from './io.ts'
import { nodeIo } from './node.ts'

/** So much less than the others a thread asks for that works in the background: a third of what one of them gets. */
const backgroundNice = 5

/**
 * Called by a thread's module: binds its entry to the thread that started it.
 * @param background where there are fewer cores than work, others go first
 */
export function serveThread(entry: ThreadEntry, { background = false } = {}): void {
  if (parentPort === null) throw new Error('this module runs as a thread only')
  if (background) yieldToOthers()
  const port = parentPort
  const take = entry((message, transfer) => port.postMessage(message, transfer as ArrayBuffer[] | undefined), nodeIo())
  port.on('message', take)
}

/** On Linux a priority is a thread's own; elsewhere it would be the whole process's. */
function yieldToOthers(): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(Math.min(19, getPriority() + backgroundNice))
  } catch {
    // Where that isn't allowed it works as the others do.
  }
}
