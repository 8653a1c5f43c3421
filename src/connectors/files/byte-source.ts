import { MillraceError } from '../../data/errors.ts'
import type { EventBlock } from '../../data/json-decoder.ts'
import { type Disk, type DiskFile, IoError } from '../../io/io.ts'

/** Bytes that come in pieces, with the name that errors give. A piece is only good until the next one. */
export interface ByteSource {
  readonly name: string
  /** Bytes in all, where that is known. */
  readonly size: number | null
  readonly pieces: AsyncIterable<Uint8Array>
}

/** A block out of a file, with how much of the file has been read up to now. */
export interface InputBlock extends EventBlock {
  readonly readBytes: number
}

const pieceBytes = 1024 * 1024

/** @throws MillraceError usage, if the file cannot be opened */
export async function openInput(disk: Disk, path: string): Promise<DiskFile> {
  try {
    return await disk.open(path, { readOnly: true })
  } catch (error) {
    if (!(error instanceof IoError)) throw error
    const why = { missing: 'there is no such file', denied: 'it may not be read' }[error.failure as string]
    throw new MillraceError('usage', `cannot read ${path}: ${why ?? error.message}`, {
      place: { file: path },
      hint: 'name a file that exists, or - for standard input',
      cause: error,
    })
  }
}

export async function fileSource(disk: Disk, path: string): Promise<ByteSource> {
  const file = await openInput(disk, path)
  return { name: path, size: await file.size(), pieces: readPieces(file) }
}

async function* readPieces(file: DiskFile): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(pieceBytes)
  try {
    for (let position = 0; ; ) {
      const count = await file.read(buffer, position)
      if (count === 0) return
      position += count
      yield buffer.subarray(0, count)
    }
  } finally {
    await file.close()
  }
}

/** @param name what errors call it, such as `-` */
export function streamSource(name: string, pieces: AsyncIterable<Uint8Array>): ByteSource {
  return { name, size: null, pieces }
}

/** Leaves out the byte order mark that some editors begin UTF-8 files with. */
export async function* withoutMark(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | null = new Uint8Array()
  for await (const piece of pieces) {
    if (head === null) {
      yield piece
      continue
    }
    const joined: Uint8Array = head.length === 0 ? piece : Uint8Array.of(...head, ...piece.subarray(0, 3))
    if (joined.length < 3) {
      head = joined.slice()
      continue
    }
    const marked = joined[0] === 0xef && joined[1] === 0xbb && joined[2] === 0xbf
    if (!marked && head.length > 0) yield head
    yield marked ? piece.subarray(3 - head.length) : piece
    head = null
  }
  if (head !== null && head.length > 0) yield head
}
