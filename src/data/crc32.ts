import zlib from 'node:zlib'

/**
 * CRC-32 (IEEE 802.3, reflected: zlib's), continued from `value`, the checksum of what came before.
 * Node's own runs at several GB/s; runtimes that lack it get the same values from tables.
 */
export const crc32: (bytes: Uint8Array, value?: number) => number =
  typeof zlib.crc32 === 'function' ? (bytes, value = 0) => zlib.crc32(bytes, value) : tableCrc32

let tables: Uint32Array | null = null

/** Eight tables, so that eight bytes are taken per step. */
function makeTables(): Uint32Array {
  const made = new Uint32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
    made[byte] = value
  }
  for (let at = 256; at < made.length; at++) made[at] = (made[at - 256] >>> 8) ^ made[made[at - 256] & 255]
  return made
}

export function tableCrc32(bytes: Uint8Array, value = 0): number {
  tables ??= makeTables()
  const t = tables
  let crc = ~value
  let at = 0
  for (const end = bytes.length - 7; at < end; at += 8) {
    const low = crc ^ (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24))
    crc =
      t[1792 + (low & 255)] ^
      t[1536 + ((low >>> 8) & 255)] ^
      t[1280 + ((low >>> 16) & 255)] ^
      t[1024 + (low >>> 24)] ^
      t[768 + bytes[at + 4]] ^
      t[512 + bytes[at + 5]] ^
      t[256 + bytes[at + 6]] ^
      t[bytes[at + 7]]
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]) & 255]
  return ~crc >>> 0
}
