import zlib from 'node:zlib'
import { MillraceError } from '../../data/errors.ts'

/** `auto`: the best that this runtime has and that costs little to read again. */
export type Compression = 'auto' | 'none' | 'deflate' | 'zstd'

const codes = { none: 0, zstd: 1, deflate: 2 } as const

/** Newer runtimes have it; typings of the oldest one that we run on don't. */
interface Zstd {
  zstdCompressSync?(bytes: Uint8Array, options?: { readonly chunkSize: number }): Uint8Array
  zstdDecompressSync?(bytes: Uint8Array, options?: { readonly chunkSize: number }): Uint8Array
}
const { zstdCompressSync, zstdDecompressSync } = zlib as Zstd

/** What is shorter isn't worth the call. */
const leastBytes = 256
/** What saves less than a tenth isn't worth reading it again. */
const mostOfBefore = 0.9

interface Compressed {
  readonly code: number
  readonly bytes: Uint8Array
}

export function compress(bytes: Uint8Array, compression: Compression): Compressed {
  const plain = { code: codes.none, bytes }
  if (compression === 'none' || bytes.byteLength < leastBytes) return plain
  const packed = pack(bytes, compression)
  return packed === null || packed.bytes.byteLength > bytes.byteLength * mostOfBefore ? plain : packed
}

function pack(bytes: Uint8Array, compression: Compression): Compressed | null {
  if (compression === 'deflate') return { code: codes.deflate, bytes: zlib.deflateRawSync(bytes, { level: 1 }) }
  // Deflate reads back at a tenth of zstd's speed: by itself it would slow down every replay.
  return zstdCompressSync === undefined ? null : { code: codes.zstd, bytes: zstdCompressSync(bytes) }
}

/**
 * @returns 8-byte aligned bytes
 * @throws MillraceError log/version, log/corrupt
 */
export function decompress(bytes: Uint8Array, code: number, length: number): Uint8Array {
  if (code === codes.none) return bytes
  if (code === codes.zstd && zstdDecompressSync === undefined) {
    throw new MillraceError('log/version', 'the history is compressed with zstd, which this version of Node lacks', {
      hint: 'open it with Node 22.15 or later',
    })
  }
  let plain: Uint8Array
  try {
    // In one piece: the usual pieces of 16 KiB would be put together by copying.
    const options = { chunkSize: Math.max(64, length) }
    plain = code === codes.zstd ? zstdDecompressSync!(bytes, options) : zlib.inflateRawSync(bytes, options)
  } catch (cause) {
    throw new MillraceError('log/corrupt', 'a compressed section can’t be read', { cause })
  }
  return plain.byteOffset % 8 === 0 ? plain : plain.slice()
}
