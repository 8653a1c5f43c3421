import { type Block, openBlock } from '../../data/block.ts'
import { MillraceError } from '../../data/errors.ts'
import type { DiskFile } from '../../io/io.ts'
import { BlockKeys, hashOfKey, KeySet } from '../keys.ts'
import { freshMemory, type HistoryFile } from './history-file.ts'
import type { BlockPlace } from './history-format.ts'

/** What a key takes in a set besides its bytes. */
const keyOverheadBytes = 48

export interface CompactionOptions {
  /** The most memory for keys; a table with more is gone through several times, a share of its keys each. */
  readonly keyBytes: number
  /** Called after each small piece of work: gives others a turn. What it throws ends it. */
  readonly breathe: () => Promise<void>
}

/**
 * Finds the events of a table that stay: the last one of each key up to a tick, unless it is a delete, and all behind
 * that tick. Goes through the events from the newest to the oldest: the first time that a key is met, it is the last
 * event of it. Which keys a pass looks at goes by their hash; whether two keys are the same, by their bytes.
 *
 * @returns for each block that has events up to the tick, the rows that stay, a bit each
 * @throws MillraceError log/corrupt where the events have no such key
 */
export async function latestEvents(
  files: readonly HistoryFile[],
  topic: number,
  throughTick: number,
  key: readonly number[],
  options: CompactionOptions,
): Promise<Map<BlockPlace, Uint8Array>> {
  const sources: Source[] = []
  let bytes = 0
  for (const file of files) {
    const own = file.footer.topics.find((each) => each.topic === topic)
    const blocks = (own?.blocks ?? []).filter(({ ticks }) => ticks[0] <= throughTick)
    if (blocks.length === 0) continue
    sources.push({ file, blocks })
    for (const place of blocks) bytes += keyBytesOf(place, key)
  }
  const kept = new Map<BlockPlace, Uint8Array>()
  const passes = Math.max(1, Math.ceil(bytes / options.keyBytes))
  for (let pass = 0; pass < passes; pass++) {
    await findLatest(sources, { throughTick, key, pass, passes, kept }, options)
  }
  return kept
}

interface Source {
  readonly file: HistoryFile
  readonly blocks: readonly BlockPlace[]
}

interface Pass {
  readonly throughTick: number
  readonly key: readonly number[]
  readonly pass: number
  readonly passes: number
  readonly kept: Map<BlockPlace, Uint8Array>
}

function keyBytesOf({ columns, rows }: BlockPlace, key: readonly number[]): number {
  let sum = rows * keyOverheadBytes
  for (const { id, cellBytes } of columns) if (key.includes(id)) sum += cellBytes
  return sum
}

async function findLatest(sources: readonly Source[], pass: Pass, options: CompactionOptions): Promise<void> {
  const seen = new KeySet()
  const wanted = new Set(pass.key)
  let lanes: string | null = null
  for (const { file, blocks } of [...sources].reverse()) {
    const reader = await file.reader()
    try {
      for (const place of [...blocks].reverse()) {
        if (place.opaque !== undefined) throw new MillraceError('log/corrupt', 'a table’s event is no block')
        const block = openBlock(await file.block(reader, place, freshMemory, wanted))
        const keys = new BlockKeys(block, pass.key)
        lanes ??= keys.lanes.join()
        if (keys.lanes.join() !== lanes) throw new MillraceError('log/corrupt', 'a table’s key changed its type')
        const rows = await rowsUpTo(file, reader, place, pass.throughTick)
        markLatest(keys, seen, { block, place, rows }, pass)
        await options.breathe()
      }
    } finally {
      await reader.close()
    }
  }
}

/** How many of a block's rows were visible at a tick. */
async function rowsUpTo(file: HistoryFile, reader: DiskFile, place: BlockPlace, tick: number): Promise<number> {
  if (place.ticks[1] <= tick) return place.rows
  const { rows, ticks } = await file.parts(reader, place)
  let sum = 0
  for (let i = 0; ticks[i] <= tick; i++) sum += rows[i]
  return sum
}

interface Marked {
  readonly block: Block
  readonly place: BlockPlace
  /** The first so many are up to the tick. */
  readonly rows: number
}

function markLatest(keys: BlockKeys, seen: KeySet, { place, rows }: Marked, { pass, passes, kept }: Pass): void {
  let bits = kept.get(place)
  if (bits === undefined) {
    bits = new Uint8Array((place.rows + 7) >>> 3)
    for (let row = rows; row < place.rows; row++) bits[row >>> 3] |= 1 << (row & 7)
    kept.set(place, bits)
  }
  for (let row = rows - 1; row >= 0; row--) {
    const key = keys.at(row)
    const hash = hashOfKey(key)
    if (passes > 1 && (hash >>> 8) % passes !== pass) continue
    if (seen.add(key, hash) && !keys.isDelete(row)) bits[row >>> 3] |= 1 << (row & 7)
  }
}
