import type { Run } from './run.ts'

/** Runs of about the same size that are merged into one. */
const fanOut = { net: 8, pack: 16 } as const
/** Below so many changed rows the oldest run is left alone. */
const restMinimum = 4096

/**
 * Which runs are due to become one: the newest of about the same size, or all once the newer ones weigh as much as
 * the oldest. So a row is rewritten a logarithmic number of times, reads meet few runs, and rows that cancelled take
 * no more room than those that are there.
 * @param net whether rows may cancel
 * @returns where the suffix of `runs` to merge begins, or null
 */
export function dueMerge(runs: readonly Run[], net: boolean): number | null {
  if (runs.length < 2) return null
  if (net) {
    let rest = 0
    for (let i = 1; i < runs.length; i++) rest += runs[i].rows
    if (rest >= restMinimum && rest >= runs[0].rows) return 0
  }
  const fan = net ? fanOut.net : fanOut.pack
  const level = (run: Run): number => Math.floor(Math.log(Math.max(1, run.rows)) / Math.log(fan))
  let most = 0
  for (let i = runs.length - 1; i >= 0; ) {
    most = Math.max(most, level(runs[i]))
    while (i >= 0 && level(runs[i]) <= most) i--
    if (runs.length - 1 - i >= fan) return i + 1
  }
  return null
}
