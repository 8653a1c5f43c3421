import type { Disk } from '../../io/io.ts'
import type { RunFile } from './run-format.ts'
import { RunReader } from './run-reader.ts'

/**
 * Reads a run from its first block to its last.
 * @returns gives the bytes of each block, once it was found good
 * @throws MillraceError state/corrupt naming the file and byte
 */
export function* checkRun(disk: Disk, folder: string, file: RunFile): Iterable<number> {
  const run = RunReader.open(disk, folder, file)
  try {
    let buffer = new Uint8Array(0)
    for (const { sections } of run.parts.values()) {
      for (const section of sections) {
        for (let block = 0; block < section.blocks; block++) {
          const size = section.bytes[block]
          if (buffer.byteLength < size) buffer = new Uint8Array(size)
          run.readBlock(section, block, buffer.subarray(0, size))
          yield size
        }
      }
    }
  } finally {
    run.close()
  }
}
