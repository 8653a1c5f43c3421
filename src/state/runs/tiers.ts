import type { RunFile } from './run-format.ts'

/** Fewer runs are not worth a merge. */
const fewestRuns = 4
/** A run joins the newer ones once they are together about as large: a row is then rewritten a logarithm of times. */
const joinsAt = 1.2

/**
 * Which neighbouring runs to merge: as many of the newest as are together worth rewriting the oldest of them for.
 * @param files the newest first
 */
export function runsToMerge(files: readonly RunFile[]): { readonly from: number; readonly to: number } | null {
  let newer = 0
  let to = 0
  for (let i = 0; i < files.length; i++) {
    if (i + 1 >= fewestRuns && files[i].bytes <= newer * joinsAt) to = i + 1
    newer += files[i].bytes
  }
  return to === 0 ? null : { from: 0, to }
}
