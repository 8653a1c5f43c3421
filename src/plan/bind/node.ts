import type { Node } from '../../sql/parse.ts'

/** The first location in a node that the parser gave one. */
export function locationOf(node: Node | undefined): number | undefined {
  if (node === undefined) return undefined
  const body = Object.values(node)[0] as { location?: number } | undefined
  if (body === undefined) return undefined
  // The parser leaves out a zero, and says −1 where a node was written by its grammar.
  if (body.location !== undefined && body.location >= 0) return body.location
  return firstLocation(body)
}

function firstLocation(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  let first: number | undefined
  for (const [key, child] of Object.entries(value)) {
    const found = key === 'location' ? (child as number) : firstLocation(child)
    if (found !== undefined && found >= 0 && (first === undefined || found < first)) first = found
  }
  return first
}

/** The last part of a qualified name, folded as the parser does. */
export function nameOf(names: readonly Node[] | undefined): string {
  const last = names?.[names.length - 1]
  return last !== undefined && 'String' in last ? (last.String.sval ?? '') : ''
}
