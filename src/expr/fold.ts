import { cellState, rawCell } from '../data/batch.ts'
import { Arena, LinearMemory } from '../data/memory.ts'
import { compileMap } from './compile.ts'
import { childrenOf, type Scalar } from './scalar.ts'

let arena: Arena | null = null

/**
 * A literal where all that the expression reads are literals and no error comes of it; else the expression itself.
 * It is computed by the code that would run at each row.
 */
export function foldConstant(scalar: Scalar): Scalar {
  if (scalar.op === 'literal' || !isConstant(scalar)) return scalar
  const written: Scalar = { op: 'cast', arg: scalar, type: { kind: 'text' }, nullable: true }
  arena ??= new Arena(new LinearMemory(64 * 1024 * 1024))
  const { batch } = compileMap([], null, [written]).run(arena, { rows: 1, columns: [], weights: 0 }, 0n)
  const [column] = batch!.columns
  const state = cellState(arena.memory, column, 0)
  const text = new TextDecoder().decode(rawCell(arena.memory, column, 0) as Uint8Array<ArrayBuffer>)
  arena.reset()
  if (state > 1) return scalar
  return { op: 'literal', text: state === 1 ? null : text, type: scalar.type, nullable: state === 1 }
}

function isConstant(scalar: Scalar): boolean {
  if (scalar.op === 'column' || scalar.op === 'now') return false
  // One may take for ever over one text, and nothing stops it while a query is planned.
  if (scalar.op === 'call' && /^(!?~\*?\(|regexp_|substring\(text,text)/.test(scalar.fn)) return false
  return childrenOf(scalar).every(isConstant)
}
