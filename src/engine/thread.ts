import type { ThreadEntry } from '../io/io.ts'
import { Engine } from './engine.ts'
import { failureOf } from './host.ts'
import type { EngineMessage, TickOutput } from './port.ts'

/** The engine's side of a thread: a start, then ticks, each answered in order. After a failure nothing is answered. */
export const engineThread: ThreadEntry = (post) => {
  let engine: Engine | null = null
  let failed = false
  return (message) => {
    if (failed) return
    const received = message as EngineMessage
    try {
      if (received.kind === 'start') {
        engine = new Engine(received.program, { memoryBytes: received.memoryBytes })
        return
      }
      if (engine === null) throw new Error('a tick came before the start')
      const output = engine.step(received)
      post(output, buffersOf(output))
    } catch (error) {
      failed = true
      post(failureOf(error))
    }
  }
}

/** A delta's blocks own their buffers (block.ts), so that they change hands instead of being copied. */
function buffersOf(output: TickOutput): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>()
  for (const delta of output.deltas) {
    for (const block of delta.blocks) if (block.buffer instanceof ArrayBuffer) buffers.add(block.buffer)
  }
  return [...buffers]
}
