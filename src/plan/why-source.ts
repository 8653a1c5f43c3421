import { columnsOf } from '../expr/scalar.ts'
import type { TraceNode } from './why-trace.ts'

/**
 * The scan whose events a column of a traced row comes from.
 * @param isThere whether the row has a part that may be missing
 * @returns null where it comes from several, from none, or from a group
 */
export function sourceOf(traced: TraceNode, column: number, isThere: (part: TraceNode) => boolean): TraceNode | null {
  const { node, inputs } = traced
  const of = (input: TraceNode, at: number): TraceNode | null => (isThere(input) ? sourceOf(input, at, isThere) : null)
  switch (node.op) {
    case 'scan':
      return traced.view === undefined ? traced : of(inputs[0], node.reads[column])
    case 'map': {
      const sources = new Set([...columnsOf(node.outputs[column])].map((read) => of(inputs[0], read)))
      return sources.size === 1 ? [...sources][0] : null
    }
    case 'hop': {
      const width = node.input.columns.length
      return of(inputs[0], column < width ? column : node.time)
    }
    case 'join': {
      const width = node.left.columns.length
      return column < width ? of(inputs[0], column) : of(inputs[1], column - width)
    }
    case 'topN':
      return column < node.input.columns.length ? of(inputs[0], column) : null
    case 'unionAll': {
      const input = inputs.find(isThere)
      return input === undefined ? null : of(input, column)
    }
    case 'final':
    case 'temporal':
      return of(inputs[0], column)
    default:
      return null
  }
}
