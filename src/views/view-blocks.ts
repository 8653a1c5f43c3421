import { batchRows } from '../data/batch.ts'
import { gatherBlock } from './gather.ts'
import { readVersion } from './read.ts'
import type { Rows } from './rows.ts'
import type { Slices } from './slices.ts'
import type { Version, View } from './view.ts'

/** A view's rows at one version as blocks of events, each as often as it is there. */
export async function* viewBlocks(view: View, version: Version, slices: Slices): AsyncIterable<Uint8Array> {
  const rows = await readVersion(view, version, { where: null, order: [], limit: null }, slices)
  yield* rowBlocks(rows)
}

/** Rows as blocks of events, each as often as it is there. */
export function* rowBlocks(rows: Rows): Iterable<Uint8Array> {
  for (const refs of repeated(rows)) yield gatherBlock(rows.pages, refs, null, rows.columns)
}

/** Blocks' worth of rows, a row of weight n n times: an event has no weight. */
function* repeated(rows: Rows): Iterable<Uint32Array> {
  let refs = new Uint32Array(Math.min(batchRows, rows.count))
  let filled = 0
  for (let i = 0; i < rows.length; i++) {
    for (let n = rows.weights === null ? 1 : rows.weights[i]; n > 0; n--) {
      refs[filled++] = rows.refs[i]
      if (filled < batchRows) continue
      yield refs
      refs = new Uint32Array(batchRows)
      filled = 0
    }
  }
  if (filled > 0) yield refs.subarray(0, filled)
}
