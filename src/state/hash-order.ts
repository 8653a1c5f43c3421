/** 64-bit hashes in their order as unsigned numbers. They lie as pairs of words, the low one first. */

const digitBits = 11
const digits = 1 << digitBits
/** Fewer than this are sorted by comparing them. */
const fewHashes = 48

/**
 * The rows of a column of hashes in the order of their hashes; equal ones keep theirs.
 * @param cells pairs of words; the first pair is at `at`
 */
export function orderOfHashes(cells: Uint32Array, at: number, count: number): Uint32Array {
  let order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  if (isSorted(cells, at, count)) return order
  if (count <= fewHashes) {
    sortFew(cells, at, order)
    return order
  }
  // Least significant digit first; digits that are the same in all hashes cost nothing.
  const counts = new Uint32Array(6 * digits)
  for (let i = 0, word = at; i < count; i++, word += 2) {
    const low = cells[word]
    const high = cells[word + 1]
    counts[low & 2047]++
    counts[digits + ((low >>> 11) & 2047)]++
    counts[2 * digits + (low >>> 22)]++
    counts[3 * digits + (high & 2047)]++
    counts[4 * digits + ((high >>> 11) & 2047)]++
    counts[5 * digits + (high >>> 22)]++
  }
  let other = new Uint32Array(count)
  for (let pass = 0; pass < 6; pass++) {
    const word = at + (pass < 3 ? 0 : 1)
    const shift = (pass % 3) * digitBits
    const starts = counts.subarray(pass * digits, (pass + 1) * digits)
    if (starts[(cells[word] >>> shift) & 2047] === count) continue
    let sum = 0
    for (let digit = 0; digit < digits; digit++) {
      const some = starts[digit]
      starts[digit] = sum
      sum += some
    }
    for (let i = 0; i < count; i++) {
      const row = order[i]
      other[starts[(cells[word + 2 * row] >>> shift) & 2047]++] = row
    }
    const sorted = other
    other = order
    order = sorted
  }
  return order
}

function isSorted(cells: Uint32Array, at: number, count: number): boolean {
  for (let i = 1, word = at + 2; i < count; i++, word += 2) {
    const high = cells[word + 1]
    const before = cells[word - 1]
    if (high < before || (high === before && cells[word] < cells[word - 2])) return false
  }
  return true
}

function sortFew(cells: Uint32Array, at: number, order: Uint32Array): void {
  for (let i = 1; i < order.length; i++) {
    const row = order[i]
    const low = cells[at + 2 * row]
    const high = cells[at + 2 * row + 1]
    let to = i
    for (; to > 0; to--) {
      const word = at + 2 * order[to - 1]
      const before = cells[word + 1]
      if (before < high || (before === high && cells[word] <= low)) break
      order[to] = order[to - 1]
    }
    order[to] = row
  }
}

/**
 * The first of the sorted hashes `from` to `to` that is not below a hash, looked for from the front in growing
 * steps: whoever asks for sorted hashes goes on from the last answer.
 * @param at index of the pair numbered 0
 */
export function firstNotBelow(
  cells: Uint32Array,
  at: number,
  from: number,
  to: number,
  high: number,
  low: number,
): number {
  let step = 1
  let least = from
  let most = from
  while (most < to && isBelow(cells, at + 2 * most, high, low)) {
    least = most + 1
    most += step
    step *= 2
  }
  if (most > to) most = to
  while (least < most) {
    const middle = (least + most) >>> 1
    if (isBelow(cells, at + 2 * middle, high, low)) least = middle + 1
    else most = middle
  }
  return least
}

function isBelow(cells: Uint32Array, word: number, high: number, low: number): boolean {
  const h = cells[word + 1]
  return h < high || (h === high && cells[word] < low)
}
