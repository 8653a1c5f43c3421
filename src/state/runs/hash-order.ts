/** 64-bit hashes in their order as unsigned numbers. They lie as pairs of words, the low one first. */

const digits = 2048
/** Fewer than this are sorted by comparing them. */
const fewHashes = 48
/** Up to so many, the top 22 bits tell nearly all apart. */
const someHashes = 32768

/**
 * The rows of a column of hashes in the order of their hashes; equal ones keep theirs. Hashes are even, as a rule, so
 * that sorting by the high words leaves next to nothing to do.
 * @param cells pairs of words; the first pair is at `at`
 */
export function orderOfHashes(cells: Uint32Array, at: number, count: number): Uint32Array {
  const sorting: Sorting = { keys: new Uint32Array(count), order: new Uint32Array(count) }
  const { keys, order } = sorting
  for (let i = 0, word = at + 1; i < count; i++, word += 2) {
    keys[i] = cells[word]
    order[i] = i
  }
  if (isSorted(cells, at, count)) return order
  if (count > fewHashes) {
    if (count > someHashes) sortByDigit(sorting, 0)
    if (count > someHashes) sortByDigit(sorting, 11)
    else sortByDigit(sorting, 10)
    sortByDigit(sorting, count > someHashes ? 22 : 21)
  }
  return settle(cells, at, sorting) ? sorting.order : orderOfUnevenHashes(cells, at, count)
}

interface Sorting {
  /** What is sorted by, and the row it comes from. */
  keys: Uint32Array
  order: Uint32Array
}

/** One pass of a radix sort, by the eleven bits (as far as there are) from `shift` on. */
function sortByDigit(sorting: Sorting, shift: number): void {
  const { keys, order } = sorting
  const starts = new Uint32Array(digits)
  for (let i = 0; i < keys.length; i++) starts[(keys[i] >>> shift) & 2047]++
  if (starts[(keys[0] >>> shift) & 2047] === keys.length) return
  let sum = 0
  for (let digit = 0; digit < digits; digit++) {
    const some = starts[digit]
    starts[digit] = sum
    sum += some
  }
  const newKeys = new Uint32Array(keys.length)
  const newOrder = new Uint32Array(keys.length)
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]
    const to = starts[(key >>> shift) & 2047]++
    newKeys[to] = key
    newOrder[to] = order[i]
  }
  sorting.keys = newKeys
  sorting.order = newOrder
}

/**
 * Puts neighbours right that the digits did not tell apart.
 * @returns false when there is so much to do that this is the wrong way
 */
function settle(cells: Uint32Array, at: number, { keys, order }: Sorting): boolean {
  let moves = 1024 + 4 * keys.length
  for (let i = 1; i < keys.length; i++) {
    const high = keys[i]
    if (keys[i - 1] < high) continue
    const row = order[i]
    const low = cells[at + 2 * row]
    let to = i
    for (; to > 0; to--) {
      const before = keys[to - 1]
      if (before < high || (before === high && cells[at + 2 * order[to - 1]] <= low)) break
      keys[to] = before
      order[to] = order[to - 1]
    }
    keys[to] = high
    order[to] = row
    moves -= i - to
    if (moves < 0) return false
  }
  return true
}

/** Both words, digit by digit. */
function orderOfUnevenHashes(cells: Uint32Array, at: number, count: number): Uint32Array {
  const sorting: Sorting = { keys: new Uint32Array(count), order: new Uint32Array(count) }
  for (let i = 0; i < count; i++) sorting.order[i] = i
  for (const word of [at, at + 1]) {
    for (let i = 0; i < count; i++) sorting.keys[i] = cells[word + 2 * sorting.order[i]]
    for (const shift of [0, 11, 22]) sortByDigit(sorting, shift)
  }
  return sorting.order
}

function isSorted(cells: Uint32Array, at: number, count: number): boolean {
  for (let i = 1, word = at + 2; i < count; i++, word += 2) {
    const high = cells[word + 1]
    const before = cells[word - 1]
    if (high < before || (high === before && cells[word] < cells[word - 2])) return false
  }
  return true
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

/**
 * As `firstNotBelow`, for hashes that are spread evenly: looks first where the hash should be, and goes on from there.
 * All of them are of one block, so that a step to the other side of it costs little.
 */
export function firstNotBelowEven(
  cells: Uint32Array,
  at: number,
  from: number,
  to: number,
  high: number,
  low: number,
): number {
  if (to - from < 16) return firstNotBelow(cells, at, from, to, high, low)
  const first = cells[at + 2 * from + 1]
  const spread = cells[at + 2 * to - 1] - first
  if (high <= first || high >= first + spread) return firstNotBelow(cells, at, from, to, high, low)
  let least = from
  let most = to
  let guess = from + Math.floor(((high - first) / spread) * (to - from - 1))
  // Widens the range around the guess until the hash is in it.
  let step = 4
  if (isBelow(cells, at + 2 * guess, high, low)) {
    do {
      least = guess + 1
      guess += step
      step *= 2
    } while (guess < to && isBelow(cells, at + 2 * guess, high, low))
    if (guess < to) most = guess
  } else {
    do {
      most = guess
      guess -= step
      step *= 2
    } while (guess > from && !isBelow(cells, at + 2 * guess, high, low))
    if (guess > from) least = guess + 1
  }
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
