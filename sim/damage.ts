import type { CrashDisk } from '../src/io/twin/crash-disk.ts'
import { sectorBytes } from '../src/io/twin/file-image.ts'
import type { Prng } from '../src/io/twin/prng.ts'
import { ChunkPool } from '../src/log/chunks.ts'
import { frameHeaderBytes, readFrameHeader, viewOf } from '../src/log/frame.ts'
import { FrameReader } from '../src/log/frame-reader.ts'
import { History } from '../src/log/history/history.ts'
import { parseHistoryName } from '../src/log/history/history-format.ts'
import { isGone } from '../src/log/history/trims.ts'
import { decodeFileHeader, fileHeaderBytes } from '../src/log/journal-file.ts'

export interface Flip {
  readonly path: string
  readonly byte: number
  readonly bit: number
}

/** Where the frames of a journal file begin; behind them may be those of a file that it was before. */
export function frameStarts(bytes: Uint8Array): number[] {
  const starts: number[] = []
  const view = viewOf(bytes)
  const epoch = decodeFileHeader(bytes.subarray(0, fileHeaderBytes), '')?.epoch
  for (let at = fileHeaderBytes; at + frameHeaderBytes <= bytes.byteLength; ) {
    const frame = readFrameHeader(bytes, view, at)
    if (frame === null || frame.epoch !== epoch) break
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
  if (parseHistoryName(names[file]) !== null) {
    const history = await History.open(disk, folder, false)
    // What others took the place of, or what was trimmed, is not read any more.
    const topics = history.files.find((each) => each.path === path)?.footer.topics ?? []
    const places = topics.flatMap(({ topic, blocks }) =>
      blocks.filter(({ ticks }) => !isGone(history.trims, topic, ticks[1])).flatMap(({ columns }) => columns),
    )
    if (places.length === 0) return null
    const { at, bytes } = places[prng.below(places.length)]
    return { path, byte: at + prng.below(bytes), bit }
  }
  const range = await attested(disk, folder, path)
  return range === null ? null : { path, byte: range.from + prng.below(range.to - range.from), bit }
}

interface Range {
  readonly from: number
  readonly to: number
}

/** Bytes of a journal file that the log itself says are durable: those before its last frame. */
async function attested(disk: CrashDisk, folder: string, path: string): Promise<Range | null> {
  const bytes = disk.contentOf(path)
  const header = decodeFileHeader(bytes.subarray(0, fileHeaderBytes), path)
  if (header === null) return null
  // What the history has taken over is not read any more.
  const { end } = await History.open(disk, folder, false)
  const starts = frameStarts(bytes).filter((at) => at >= end.position - header.base)
  return starts.length < 2 ? null : { from: starts[0], to: starts[starts.length - 1] }
}

const kinds = ['bit', 'cut', 'lost write', 'misdirected write'] as const

/** What a disk, or somebody's hand, does to bytes that had been taken. */
export interface Damage {
  readonly kind: (typeof kinds)[number]
  readonly what: string
  apply(disk: CrashDisk): void
}

/** @param mayHit the files that may be damaged */
export function damageOf(disk: CrashDisk, prng: Prng, mayHit: (path: string) => boolean): Damage | null {
  const kind = kinds[prng.below(kinds.length)]
  const sizes = disk.paths.filter(mayHit).map((path) => ({ path, size: disk.contentOf(path).length }))
  const files = sizes.filter(({ size }) => size > 0)
  if (files.length === 0) return null
  const { path, size } = files[prng.below(files.length)]
  const at = prng.below(size)
  if (kind === 'bit') {
    const bit = prng.below(8)
    return { kind, what: `bit ${bit} of ${path} ${at}`, apply: (hit) => hit.flipBit(path, at, bit) }
  }
  if (kind === 'cut') return { kind, what: `${path} is cut at ${at}`, apply: (hit) => hit.cut(path, at) }
  const writes = disk.recentWrites().filter((write) => mayHit(write.path))
  if (writes.length === 0) return null
  const write = writes[prng.below(writes.length)]
  const lost = `${write.bytes.length} bytes of ${write.path} ${write.position}`
  const lose = (hit: CrashDisk): void => hit.overwrite(write.path, write.position, write.before)
  if (kind === 'lost write') return { kind, what: `${lost} are lost`, apply: lose }
  const own = prng.chance(0.5) ? (files.find((file) => file.path === write.path) ?? null) : null
  const victim = own ?? { path, size }
  const place = prng.below(victim.size)
  const position = prng.chance(0.7) ? place - (place % sectorBytes) : place
  const apply = (hit: CrashDisk): void => {
    lose(hit)
    hit.overwrite(victim.path, position, write.bytes)
  }
  return { kind, what: `${lost} land at ${victim.path} ${position}`, apply }
}

/** Whether a log must see that it was damaged: a frame that is whole says that the one that is not was durable. */
export async function mustBeSeen(before: CrashDisk, after: CrashDisk, folder: string): Promise<boolean> {
  for (const path of before.paths) {
    if (!path.startsWith(`${folder}/`) || !path.endsWith('.journal')) continue
    const range = await attested(before, folder, path)
    if (range === null) continue
    const [was, is] = [before.contentOf(path), after.contentOf(path)]
    const same = (from: number, to: number): boolean =>
      Buffer.compare(was.subarray(from, to), is.subarray(from, to)) === 0
    if (!same(range.from, range.to) && same(range.to, was.length)) return true
  }
  return false
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
  const torn = bytes.subarray(Math.max(reader.at, header.stale)).some((byte) => byte !== 0)
  if (torn && last < reader.at) disk.place(path, bytes.slice(0, last))
}
