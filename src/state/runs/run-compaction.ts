import type { Disk } from '../../io/io.ts'
import type { RowStore } from './row-store.ts'
import type { RunFile } from './run-format.ts'
import { RunMerge } from './run-merge.ts'
import { type RunPart, RunReader } from './run-reader.ts'
import { type OnIndexed, RunWriter } from './run-writer.ts'

export interface CompactionOptions {
  /** No run is older than these. */
  readonly oldest: boolean
  readonly stepBytes?: number
  /** Awaited after each step: whoever shares the processor and the disk decides when to go on, or throws to stop. */
  readonly pause: () => Promise<void>
  /** As RunWriter.finish. */
  readonly indexed?: OnIndexed
}

/**
 * Merges neighbouring runs into one; its name is durable once the folder was synced.
 * @param files the newest first
 * @throws MillraceError state/corrupt, IoError; the new file then has to be removed
 */
export async function mergeRuns(
  disk: Disk,
  folder: string,
  files: readonly RunFile[],
  name: string,
  options: CompactionOptions,
): Promise<RunFile> {
  const runs: RunReader[] = []
  let writer: RunWriter | undefined
  try {
    for (const file of files) runs.push(RunReader.open(disk, folder, file))
    writer = await RunWriter.create(disk, folder, name)
    const names = new Set(files.flatMap(({ arrangements }) => arrangements))
    for (const arrangement of [...names].sort()) {
      const parts = runs.flatMap((run, i) =>
        files[i].arrangements.includes(arrangement) ? (run.parts.get(arrangement) ?? []) : [],
      )
      await mergeArrangement(writer, arrangement, parts, options)
    }
    return await writer.finish(options.indexed)
  } catch (error) {
    await writer?.abandon()
    throw error
  } finally {
    for (const run of runs) run.close()
  }
}

async function mergeArrangement(
  writer: RunWriter,
  name: string,
  parts: readonly RunPart[],
  { oldest, stepBytes, pause }: CompactionOptions,
): Promise<void> {
  const merge = new RunMerge(parts, { dropEmpty: oldest, ...(stepBytes === undefined ? {} : { stepBytes }) })
  writer.beginArrangement(
    name,
    merge.orders.length,
    parts.reduce((sum, part) => sum + part.buckets, 0),
  )
  while (merge.next()) {
    writer.addBuckets(merge.buckets, merge.bucketCount)
    merge.orders.forEach(({ rows, count }, section) => {
      if (count > 0) writer.addRows(section, merge.stores[section] as RowStore, rows, 0, count)
    })
    await writer.flush()
    await pause()
  }
  writer.endArrangement()
}
