import type { ThreadEntry } from '../io/io.ts'
import { failureOf } from './host.ts'
import { type PackedTick, unpackTick } from './pack.ts'
import type { EngineReply, EngineRequest, EngineStart, TickInput } from './port.ts'
import { ServedEngine } from './served-engine.ts'
import type { EngineReplies, PackedTicks } from './tick-groups.ts'

/** The engine's side of a thread: a start, then requests, each answered in order. After a failure nothing is answered. */
export const engineThread: ThreadEntry = (post, io) => {
  let engine: ServedEngine | null = null
  let failed = false
  return (message) => {
    if (failed) return
    const received = message as EngineStart | Exclude<EngineRequest, TickInput> | PackedTick | PackedTicks
    const replies: EngineReply[] = []
    try {
      if (received.kind === 'start') {
        engine = new ServedEngine(received, io)
        return
      }
      if (engine === null) throw new Error('a request came before the start')
      if (received.kind === 'ticks') {
        for (const tick of received.ticks) replies.push(engine.answer(unpackTick(tick)))
        post({ kind: 'several', replies } satisfies EngineReplies, buffersOf(replies))
        return
      }
      const reply = engine.answer(received.kind === 'tick' ? unpackTick(received) : received)
      post(reply, buffersOf([reply]))
    } catch (error) {
      failed = true
      // What was answered before is true.
      if (replies.length > 0) post({ kind: 'several', replies } satisfies EngineReplies, buffersOf(replies))
      post(failureOf(error))
    }
  }
}

/** Blocks own their buffers (block.ts), so that they change hands instead of being copied. */
function buffersOf(replies: readonly EngineReply[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>()
  for (const reply of replies) {
    for (const { buffer } of blocksOf(reply)) if (buffer instanceof ArrayBuffer) buffers.add(buffer)
  }
  return [...buffers]
}

function blocksOf(reply: EngineReply): readonly Uint8Array[] {
  switch (reply.kind) {
    case 'tick':
      return reply.deltas.flatMap((delta) => delta.blocks)
    case 'captured':
      return reply.pieces.map(({ bytes }) => bytes)
    case 'tapped':
      return reply.blocks.map(({ bytes }) => bytes)
    default:
      return []
  }
}
