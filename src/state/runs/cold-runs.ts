import type { Batch } from '../../data/batch.ts'
import type { Arena } from '../../data/memory.ts'
import type { Disk } from '../../io/io.ts'
import type { ColdStore } from '../cold.ts'
import { BlockCache } from './block-cache.ts'
import { storedBlockBytes } from './block-rows.ts'
import { firstNotBelow, firstNotBelowEven, orderOfHashes } from './hash-order.ts'
import { type BlockBuffer, RowPicks } from './row-picks.ts'
import { cellsOf, RowStore } from './row-store.ts'
import { passFilter } from './run-filter.ts'
import type { RunFile, RunIndex } from './run-format.ts'
import { RunMerge } from './run-merge.ts'
import { loadBlock, type RunPart, RunReader, type RunSection } from './run-reader.ts'

export interface ColdRunsOptions {
  /** The most bytes of blocks kept in memory; directories and filters come on top. */
  readonly cacheBytes?: number
  /** As `adopt`. */
  readonly indexes?: readonly RunIndex[]
}

/** Hashes that are looked for, sorted, and what of them is still to be found. */
interface Wanted {
  hashes: Uint32Array
  count: number
  /** Numbers of those that a run may have. */
  passed: Uint32Array
  /** Which of those it has. */
  found: Uint8Array
}

/** Buckets in runs on disk: the newest run that has a bucket has all of it. */
export class ColdRuns implements ColdStore {
  readonly cache: BlockCache
  readonly #disk: Disk
  readonly #folder: string
  #runs: RunReader[] = []
  /** Per arrangement its parts, the newest first. */
  readonly #parts = new Map<string, RunPart[]>()
  /** Rows that were found in `#buffer` and not copied yet. */
  readonly #picks = new RowPicks()
  /** The cache, or a block that is too long for it. */
  #buffer: BlockBuffer

  /**
   * @param files of a manifest, the newest first
   * @throws MillraceError state/corrupt
   */
  constructor(
    disk: Disk,
    folder: string,
    files: readonly RunFile[],
    { cacheBytes = 64 * 1024 * 1024, indexes = [] }: ColdRunsOptions = {},
  ) {
    this.cache = new BlockCache(cacheBytes)
    this.#buffer = this.cache
    this.#disk = disk
    this.#folder = folder
    this.adopt(files, indexes)
  }

  /**
   * Looks into these files from now on, the newest first. Files that were open before stay open, with their blocks
   * in the cache; others are closed. If one can't be opened nothing changes.
   * @param indexes of some of them: those are not read before somebody looks for what may be in them
   */
  adopt(files: readonly RunFile[], indexes: readonly RunIndex[] = []): void {
    const open = new Map(this.#runs.map((run) => [run.file.name, run]))
    const opened: RunReader[] = []
    try {
      const runs = files.map((file) => {
        const known = open.get(file.name)
        if (known !== undefined) return known
        const index = indexes.find(({ name }) => name === file.name)
        const run = RunReader.open(this.#disk, this.#folder, file, index)
        opened.push(run)
        return run
      })
      const before = this.#runs
      this.#runs = runs
      for (const run of before) if (!runs.includes(run)) this.#close(run)
    } catch (error) {
      for (const run of opened) run.close()
      throw error
    }
    this.#parts.clear()
    for (const [i, run] of this.#runs.entries()) {
      const { arrangements } = files[i]
      for (const name of arrangements) {
        const part = run.parts.get(name)
        const parts = this.#parts.get(name)
        if (part === undefined) continue
        if (parts === undefined) this.#parts.set(name, [part])
        else parts.push(part)
      }
    }
  }

  close(): void {
    for (const run of this.#runs) this.#close(run)
    this.#runs = []
    this.#parts.clear()
  }

  lookup(arrangement: string, arena: Arena, hashes: number, count: number): readonly (readonly Batch[])[] {
    const parts = this.#parts.get(arrangement)
    if (parts === undefined || count === 0) return []
    // What a lookup that failed has left.
    this.#takePicks(undefined)
    const wanted = sorted(arena.memory.u32, hashes >>> 2, count)
    const stores: (RowStore | undefined)[] = []
    for (const part of parts) {
      if (wanted.count === 0) break
      this.#lookIn(part, wanted, stores)
    }
    const sections = Math.max(...parts.map((part) => part.sections.length)) - 1
    return Array.from({ length: sections }, (_, i) => stores[i + 1]?.batches(arena) ?? [])
  }

  all(arrangement: string, arena: Arena, take: (section: number, batch: Batch) => void): void {
    const parts = this.#parts.get(arrangement) ?? []
    const sections = Math.max(0, ...parts.map((part) => part.sections.length))
    for (let section = 1; section < sections; section++) {
      const merge = new RunMerge(parts, { dropEmpty: true, only: section })
      while (merge.next()) {
        const mark = arena.mark()
        for (const batch of merge.ordered(section).batches(arena)) take(section - 1, batch)
        arena.release(mark)
      }
    }
  }

  /** Takes the buckets out of `wanted` that the run has, and puts their rows into the stores. */
  #lookIn(part: RunPart, wanted: Wanted, stores: (RowStore | undefined)[]): void {
    const { hashes, passed, found } = wanted
    const candidates = passFilter(part.filter, hashes, wanted.count, passed)
    if (candidates === 0) return
    found.fill(0, 0, candidates)
    let any = false
    for (let section = 1; section < part.sections.length; section++) {
      const directory = part.sections[section]
      if (directory.blocks === 0) continue
      stores[section] ??= new RowStore(directory.lanes)
      if (this.#search(directory, wanted, candidates, stores[section])) any = true
    }
    // Only what has no rows here can be an empty bucket, or none.
    if (part.sections[0].blocks > 0 && this.#search(part.sections[0], wanted, candidates, undefined)) any = true
    if (!any) return
    let left = 0
    for (let i = 0, candidate = 0; i < wanted.count; i++) {
      if (candidate < candidates && passed[candidate] === i && found[candidate++] !== 0) continue
      hashes[2 * left] = hashes[2 * i]
      hashes[2 * left + 1] = hashes[2 * i + 1]
      left++
    }
    wanted.count = left
  }

  /**
   * Marks the candidates whose hash the section has as found; their rows go into the store.
   * @returns whether there were any
   */
  #search(section: RunSection, wanted: Wanted, candidates: number, store: RowStore | undefined): boolean {
    const { hashes, passed, found } = wanted
    const { first, last, blocks } = section
    let block = 0
    let viewed = -1
    let base = 0
    let row = 0
    let any = false
    for (let i = 0; i < candidates; i++) {
      if (store === undefined && found[i] !== 0) continue
      const low = hashes[2 * passed[i]]
      const high = hashes[2 * passed[i] + 1]
      block = firstNotBelow(last, 0, block, blocks, high, low)
      // A bucket may reach over several blocks.
      for (let at = block; at < blocks; at++) {
        const starts = first[2 * at + 1]
        if (starts > high || (starts === high && first[2 * at] > low)) break
        if (viewed !== at) {
          base = this.#openBlock(section, at, store)
          viewed = at
          row = 0
        }
        const { u32 } = this.#buffer
        const rows = section.rows[at]
        const cells = cellsOf(u32, base, 0)
        row = firstNotBelowEven(u32, cells, row, rows, high, low)
        for (; row < rows && u32[cells + 2 * row] === low && u32[cells + 2 * row + 1] === high; row++) {
          found[i] = 1
          any = true
          this.#picks.add(base, row)
        }
        if (row < rows) break
      }
    }
    this.#takePicks(store)
    return any
  }

  /**
   * Makes a block readable in `#buffer`; what was picked of others stays there, or is copied before.
   * @returns where it starts
   */
  #openBlock(section: RunSection, block: number, store: RowStore | undefined): number {
    // A row longer than a block is usually meant to be: in the cache it would push out much else.
    const isLong = section.bytes[block] > storedBlockBytes
    if (isLong || this.#buffer !== this.cache || this.cache.crowded) this.#takePicks(store)
    if (isLong) {
      this.#buffer = loadBlock(section, block)
      return 0
    }
    this.#buffer = this.cache
    const base = this.cache.find(section, block)
    return base >= 0 ? base : this.cache.load(section, block)
  }

  /** Copies what was picked out of `#buffer`. */
  #takePicks(store: RowStore | undefined): void {
    if (this.#picks.count > 0) store?.pick(this.#buffer, this.#picks)
    this.#picks.count = 0
    this.cache.release()
  }

  #close(run: RunReader): void {
    this.cache.drop(run)
    run.close()
  }
}

function sorted(u32: Uint32Array, at: number, count: number): Wanted {
  const order = orderOfHashes(u32, at, count)
  const hashes = new Uint32Array(2 * count)
  for (let i = 0; i < count; i++) {
    hashes[2 * i] = u32[at + 2 * order[i]]
    hashes[2 * i + 1] = u32[at + 2 * order[i] + 1]
  }
  return { hashes, count, passed: new Uint32Array(count), found: new Uint8Array(count) }
}
