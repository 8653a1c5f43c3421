import { type ErrorCode, type ErrorPlace, MillraceError } from '../data/errors.ts'

/**
 * The refusal of something that PostgreSQL has and Millrace doesn't (yet).
 * @param what one sentence that names the construct, such as `FULL JOIN is not supported`
 */
export function unsupported(what: string, place: ErrorPlace, hint?: string): MillraceError {
  return refusal('sql/unsupported', what, place, hint)
}

/** Any other mistake in a text of SQL. */
export function refusal(code: ErrorCode, message: string, place: ErrorPlace, hint?: string): MillraceError {
  return new MillraceError(code, message, hint === undefined ? { place } : { place, hint })
}

/** The wanted name's nearest neighbour among `names`, near enough to have been meant; null if none is. */
export function nearest(name: string, names: Iterable<string>): string | null {
  const wanted = name.toLowerCase()
  let best: string | null = null
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of names) {
    const distance = editDistance(wanted, candidate.toLowerCase(), least)
    if (distance < least) {
      best = candidate
      least = distance
    }
  }
  return best
}

/** Insertions, deletions, replacements and swaps of neighbours; `limit` if there are at least as many. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(replaced, last[j] + 1, row[j - 1] + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j], beforeLast[j - 2] + 1)
      }
    }
    beforeLast = last
    last = row
  }
  return Math.min(last[b.length], limit)
}
