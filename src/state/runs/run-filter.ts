/** Words of 32 bits that one bucket's bits are spread over: half a cache line. */
const blockWords = 8
const bitsPerBucket = 10

/** How many words a filter of so many buckets has. */
export function filterWords(buckets: number): number {
  return Math.max(1, Math.ceil((buckets * bitsPerBucket) / (blockWords * 32))) * blockWords
}

/**
 * Which block of the filter a hash has. It grows with the hash, so that sorted hashes walk through the filter in
 * one direction.
 */
function blockOf(high: number, blocks: number): number {
  return Math.floor(high * (blocks / 4294967296)) * blockWords
}

/** Puts hashes (pairs of words, low first) into a filter: one bit in each word of the hash's block. */
export function addToFilter(filter: Uint32Array, hashes: Uint32Array, count: number): void {
  const blocks = filter.length / blockWords
  for (let i = 0; i < count; i++) {
    const low = hashes[2 * i]
    const at = blockOf(hashes[2 * i + 1], blocks)
    filter[at] |= 1 << (Math.imul(low, 0x47b6137b) >>> 27)
    filter[at + 1] |= 1 << (Math.imul(low, 0x44974d91) >>> 27)
    filter[at + 2] |= 1 << (Math.imul(low, 0x8824ad5b) >>> 27)
    filter[at + 3] |= 1 << (Math.imul(low, 0xa2b7289d) >>> 27)
    filter[at + 4] |= 1 << (Math.imul(low, 0x705495c7) >>> 27)
    filter[at + 5] |= 1 << (Math.imul(low, 0x2df1424b) >>> 27)
    filter[at + 6] |= 1 << (Math.imul(low, 0x9efc4947) >>> 27)
    filter[at + 7] |= 1 << (Math.imul(low, 0x5c6bfb31) >>> 27)
  }
}

/**
 * Which of the hashes a filter may hold: all that it holds, and about one in a hundred of the others.
 * @param passed the numbers of those that it may hold, in order
 * @returns how many
 */
export function passFilter(filter: Uint32Array, hashes: Uint32Array, count: number, passed: Uint32Array): number {
  const blocks = filter.length / blockWords
  let found = 0
  for (let i = 0; i < count; i++) {
    const low = hashes[2 * i]
    const at = blockOf(hashes[2 * i + 1], blocks)
    if ((filter[at] & (1 << (Math.imul(low, 0x47b6137b) >>> 27))) === 0) continue
    if ((filter[at + 1] & (1 << (Math.imul(low, 0x44974d91) >>> 27))) === 0) continue
    if ((filter[at + 2] & (1 << (Math.imul(low, 0x8824ad5b) >>> 27))) === 0) continue
    if ((filter[at + 3] & (1 << (Math.imul(low, 0xa2b7289d) >>> 27))) === 0) continue
    if ((filter[at + 4] & (1 << (Math.imul(low, 0x705495c7) >>> 27))) === 0) continue
    if ((filter[at + 5] & (1 << (Math.imul(low, 0x2df1424b) >>> 27))) === 0) continue
    if ((filter[at + 6] & (1 << (Math.imul(low, 0x9efc4947) >>> 27))) === 0) continue
    if ((filter[at + 7] & (1 << (Math.imul(low, 0x5c6bfb31) >>> 27))) === 0) continue
    passed[found++] = i
  }
  return found
}
