import type { CrashDisk } from '../src/io/twin/crash-disk.ts'
import type { Prng } from '../src/io/twin/prng.ts'
import { ChunkPool } from '../src/log/chunks.ts'
import { frameHeaderBytes, readFrameHeader, viewOf } from '../src/log/frame.ts'
import { FrameReader } from '../src/log/frame-reader.ts'
import { History } from '../src/log/history/history.ts'
import { HistoryFile } from '../src/log/history/history-file.ts'
import { historyNumber } from '../src/log/history/history-format.ts'
import { decodeFileHeader, fileHeaderBytes } from '../src/log/journal-file.ts'

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

/** A bit that the log needs, below what it says itself is durable; null while there is none. */
export async function durableFlip(disk: CrashDisk, folder: string, prng: Prng): Promise<Flip | null> {
  const names = (await disk.list(folder)).filter((name) => /\.(journal|history)$/.test(name))
  const file = prng.below(Math.max(1, names.length))
  if (file >= names.length) return null
  const path = `${folder}/${names[file]}`
  const bit = prng.below(8)
  const history = historyNumber(names[file])
  if (history !== null) {
    const { footer } = await HistoryFile.open(disk, folder, history)
    const places = footer.topics.flatMap(({ blocks }) => blocks.flatMap(({ columns }) => columns))
    if (places.length === 0) return null
    const { at, bytes } = places[prng.below(places.length)]
    return { path, byte: at + prng.below(bytes), bit }
  }
  const bytes = disk.contentOf(path)
  const header = decodeFileHeader(bytes.subarray(0, fileHeaderBytes), path)
  if (header === null) return null
  // What the history has taken over is not read any more.
  const { end } = await History.open(disk, folder, false)
  const starts = frameStarts(bytes).filter((at) => at >= end.position - header.base)
  if (starts.length < 2) return null
  const range = starts[starts.length - 1] - starts[0]
  return { path, byte: starts[0] + prng.below(range), bit }
}

/** What an off-by-one at the torn tail would do: the last good frame goes with the torn one. */
export async function cutOneFrameTooMany(disk: CrashDisk, folder: string): Promise<void> {
  const name = (await disk.list(folder)).filter((one) => one.endsWith('.journal')).at(-1)
  if (name === undefined) return
  const path = `${folder}/${name}`
  const bytes = disk.contentOf(path)
  const header = decodeFileHeader(bytes.subarray(0, fileHeaderBytes), path)
  if (header === null) return
  const file = await disk.open(path, { readOnly: true })
  const chain = { sequence: null, previous: null }
  const end = bytes.byteLength
  const range = { from: fileHeaderBytes, to: end, end, chain, chunkBytes: 1 << 20, ahead: false }
  const reader = new FrameReader(file, path, header, range, new ChunkPool())
  let last = reader.at
  do {
    for (let at = reader.at; reader.take() !== null; at = reader.at) last = at
  } while (await reader.fill())
  await file.close()
  const torn = bytes.subarray(reader.at).some((byte) => byte !== 0)
  if (torn && last < reader.at) disk.place(path, bytes.slice(0, last))
}
