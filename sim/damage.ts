import type { CrashDisk } from '../src/io/twin/crash-disk.ts'
import type { Prng } from '../src/io/twin/prng.ts'
import { frameHeaderBytes, readFrameHeader, viewOf } from '../src/log/frame.ts'
import { fileHeaderBytes } from '../src/log/journal-file.ts'

export interface Flip {
  readonly path: string
  readonly byte: number
  readonly bit: number
}

/** Where the frames of a journal file begin. */
export function frameStarts(bytes: Uint8Array): number[] {
  const starts: number[] = []
  const view = viewOf(bytes)
  for (let at = fileHeaderBytes; at + frameHeaderBytes <= bytes.byteLength; ) {
    const frame = readFrameHeader(bytes, view, at)
    if (frame === null) break
    starts.push(at)
    at += frame.length
  }
  return starts
}

/** A bit below what the journal itself says is durable; null while there is none. */
export async function durableFlip(disk: CrashDisk, folder: string, prng: Prng): Promise<Flip | null> {
  const names = (await disk.list(folder)).filter((name) => name.endsWith('.journal'))
  const file = prng.below(Math.max(1, names.length))
  if (file >= names.length) return null
  const path = `${folder}/${names[file]}`
  const starts = frameStarts(disk.contentOf(path))
  if (starts.length < 2) return null
  return { path, byte: prng.below(starts[starts.length - 1]), bit: prng.below(8) }
}
