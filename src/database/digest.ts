/**
 * A digest of 16 bytes, for telling whether a repeated request is the same one. It guards against mistakes, not
 * against somebody who looks for two requests with one digest: that somebody could only fool themselves.
 */
export function digestOf(bytes: Uint8Array): Uint8Array {
  const lanes = new Uint32Array([0x9e3779b9, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f])
  for (let i = 0; i < bytes.length; i++) {
    const lane = i & 3
    let h = lanes[lane] ^ bytes[i]
    h = Math.imul(h, 0x01000193)
    h ^= lanes[(lane + 1) & 3] >>> 15
    lanes[lane] = Math.imul(h, 0x85ebca6b) ^ (h >>> 13)
  }
  lanes[0] ^= bytes.length
  for (let round = 0; round < 8; round++) {
    const lane = round & 3
    let h = lanes[lane] + lanes[(lane + 3) & 3]
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    lanes[lane] = h ^ (h >>> 16)
  }
  return new Uint8Array(lanes.buffer)
}
