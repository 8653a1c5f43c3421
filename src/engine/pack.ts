import type { BlockCommits, TickInput, TopicBlock } from './port.ts'

/**
 * A tick as it crosses to the engine's thread. Cloning an object per block would cost more than the engine's work on
 * it where each event is a block of its own.
 */
export interface PackedTick extends Omit<TickInput, 'blocks'> {
  /** What the blocks lie in: memory shared with the log, or one buffer that changes hands. */
  readonly buffers: readonly (ArrayBuffer | SharedArrayBuffer)[]
  /** Per block, 8 bytes each: topic, partition, first offset, index of the buffer, start, length (doubles); time (i64). */
  readonly places: ArrayBuffer
  /** The commits of blocks that hold several, by the block's index. */
  readonly commits?: ReadonlyMap<number, BlockCommits>
  /** The offsets of blocks that lack events, by the block's index. */
  readonly offsets?: ReadonlyMap<number, Float64Array>
}

const fields = 7

/**
 * Blocks in shared memory are read where they lie. The others are put side by side: the log keeps its own.
 * @returns the message, and what it hands over
 */
export function packTick({ blocks, ...tick }: TickInput): { packed: PackedTick; transfer: ArrayBuffer[] } {
  let size = 0
  for (const { bytes } of blocks) if (!isShared(bytes)) size += (bytes.byteLength + 7) & ~7
  const own = new Uint8Array(size)
  const buffers: (ArrayBuffer | SharedArrayBuffer)[] = [own.buffer]
  const places = new ArrayBuffer(blocks.length * fields * 8)
  const numbers = new Float64Array(places)
  const times = new BigInt64Array(places)
  const several = new Map<number, BlockCommits>()
  const gaps = new Map<number, Float64Array>()
  let at = 0
  for (let i = 0, to = 0; i < blocks.length; i++, to += fields) {
    const { topic, partition, firstOffset, appendedAtMicros, bytes, commits, offsets } = blocks[i]
    if (commits !== undefined) several.set(i, commits)
    if (offsets !== undefined) gaps.set(i, offsets)
    const shared = isShared(bytes)
    // Blocks come in the journal's order: one is in the same buffer as the one before, or in a new one.
    if (shared && (buffers.length === 1 || buffers[buffers.length - 1] !== bytes.buffer)) buffers.push(bytes.buffer)
    numbers[to] = topic
    numbers[to + 1] = partition
    numbers[to + 2] = firstOffset
    numbers[to + 3] = shared ? buffers.length - 1 : 0
    numbers[to + 4] = shared ? bytes.byteOffset : at
    numbers[to + 5] = bytes.byteLength
    times[to + 6] = appendedAtMicros
    if (shared) continue
    own.set(bytes, at)
    at += (bytes.byteLength + 7) & ~7
  }
  const packed = {
    ...tick,
    buffers,
    places,
    ...(several.size === 0 ? {} : { commits: several }),
    ...(gaps.size === 0 ? {} : { offsets: gaps }),
  }
  return { packed, transfer: [own.buffer, places] }
}

/** @returns the tick as it was; its blocks' bytes are views over the buffers that came */
export function unpackTick({ buffers, places, commits, offsets, ...tick }: PackedTick): TickInput {
  const numbers = new Float64Array(places)
  const times = new BigInt64Array(places)
  const blocks = new Array<TopicBlock>(numbers.length / fields)
  for (let i = 0, from = 0; i < blocks.length; i++, from += fields) {
    blocks[i] = {
      topic: numbers[from],
      partition: numbers[from + 1],
      firstOffset: numbers[from + 2],
      appendedAtMicros: times[from + 6],
      bytes: new Uint8Array(buffers[numbers[from + 3]], numbers[from + 4], numbers[from + 5]),
    }
  }
  for (const [i, own] of commits ?? []) blocks[i] = { ...blocks[i], commits: own }
  for (const [i, own] of offsets ?? []) blocks[i] = { ...blocks[i], offsets: own }
  return { ...tick, blocks }
}

function isShared({ buffer }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer
}
