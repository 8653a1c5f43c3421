import { hex } from '../../data/hex.ts'

/** MD5 (RFC 1321) of a text's UTF-8 bytes, in hex. Not for anything secret: PostgreSQL has it, and people use it. */
export function md5(text: string): string {
  const message = new TextEncoder().encode(text)
  const padded = new Uint8Array(((message.length + 8) >>> 6) * 64 + 64)
  padded.set(message)
  padded[message.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, message.length << 3, true)
  view.setUint32(padded.length - 4, message.length >>> 29, true)
  const digest = new Int32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476])
  for (let at = 0; at < padded.length; at += 64) addBlock(digest, view, at)
  const bytes = new Uint8Array(16)
  digest.forEach((word, i) => {
    new DataView(bytes.buffer).setInt32(i * 4, word, true)
  })
  return hex(bytes)
}

const shifts = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
]
const sines = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 4294967296) | 0)
/** Which word of the block each round's step takes. */
const order = [
  (i: number) => i,
  (i: number) => (5 * i + 1) & 15,
  (i: number) => (3 * i + 5) & 15,
  (i: number) => (7 * i) & 15,
]
const mixes = [
  (b: number, c: number, d: number) => (b & c) | (~b & d),
  (b: number, c: number, d: number) => (d & b) | (~d & c),
  (b: number, c: number, d: number) => b ^ c ^ d,
  (b: number, c: number, d: number) => c ^ (b | ~d),
]

function addBlock(digest: Int32Array, view: DataView, at: number): void {
  let [a, b, c, d] = digest
  for (let i = 0; i < 64; i++) {
    const round = i >>> 4
    const sum = (a + mixes[round](b, c, d) + sines[i] + view.getInt32(at + order[round](i) * 4, true)) | 0
    const shift = shifts[round][i & 3]
    const next = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0
    a = d
    d = c
    c = b
    b = next
  }
  digest[0] += a
  digest[1] += b
  digest[2] += c
  digest[3] += d
}
