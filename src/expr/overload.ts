import type { TypeKind } from '../data/sql-type.ts'
import { canCast, categoryOf, isPreferred } from './coercion.ts'
import type { Signature } from './functions/signatures.ts'

/**
 * PostgreSQL's choice among the meanings of one name (its manual, chapters "Operators" and "Functions" of "Type
 * Conversion"): an exact match, else the candidates that implicit casts can reach, narrowed step by step.
 * @returns the signature, or why there is none
 */
export function chooseSignature(
  candidates: readonly Signature[],
  given: readonly TypeKind[],
  isOperator: boolean,
): Signature | 'none' | 'ambiguous' {
  // varchar is stored as text is, and no function has a meaning for it alone.
  const args = given.map((kind) => (kind === 'varchar' ? 'text' : kind))
  const sized = candidates.filter((candidate) => candidate.args.length === args.length)
  const exact = sized.find(({ args: wanted }) => wanted.every((kind, i) => kind === args[i]))
  if (exact !== undefined) return exact
  if (isOperator && args.length === 2) {
    const known = args.find((kind) => kind !== 'unknown') ?? 'unknown'
    const twin = args.includes('unknown') && sized.find(({ args: wanted }) => wanted.every((kind) => kind === known))
    if (twin) return twin
  }
  const reachable = sized.filter(({ args: wanted }) => wanted.every((kind, i) => canCast(args[i], kind, 'implicit')))
  if (reachable.length <= 1) return reachable[0] ?? 'none'
  return narrow(reachable, args) ?? 'ambiguous'
}

/** Keeps the candidates with the greatest count, or all if none counts anything. */
function keepBest(candidates: readonly Signature[], count: (candidate: Signature) => number): readonly Signature[] {
  const counts = candidates.map(count)
  const best = Math.max(...counts)
  return candidates.filter((_, i) => counts[i] === best)
}

function narrow(reachable: readonly Signature[], args: readonly TypeKind[]): Signature | null {
  const known = args.flatMap((kind, i) => (kind === 'unknown' ? [] : [i]))
  const unknown = args.flatMap((kind, i) => (kind === 'unknown' ? [i] : []))
  let left = keepBest(reachable, ({ args: wanted }) => known.filter((i) => wanted[i] === args[i]).length)
  if (left.length === 1) return left[0]
  left = keepBest(left, ({ args: wanted }) => {
    return known.filter(
      (i) => wanted[i] === args[i] || (categoryOf(wanted[i]) === categoryOf(args[i]) && isPreferred(wanted[i])),
    ).length
  })
  if (left.length === 1) return left[0]
  if (unknown.length === 0) return null
  left = byCategory(left, unknown)
  if (left.length === 1) return left[0]
  const [first, ...others] = new Set(known.map((i) => args[i]))
  if (first === undefined || others.length > 0) return null
  const assumed = left.filter(({ args: wanted }) => unknown.every((i) => canCast(first, wanted[i], 'implicit')))
  return assumed.length === 1 ? assumed[0] : null
}

/** Literals of unknown type take the category their places agree on, or string where one of them allows it. */
function byCategory(candidates: readonly Signature[], unknown: readonly number[]): readonly Signature[] {
  let left = candidates
  for (const i of unknown) {
    const wanted = new Set(candidates.map((candidate) => categoryOf(candidate.args[i])))
    const category = wanted.has('string') ? 'string' : wanted.size === 1 ? [...wanted][0] : null
    if (category === null) return candidates
    left = left.filter((candidate) => categoryOf(candidate.args[i]) === category)
    const favoured = left.filter((candidate) => isPreferred(candidate.args[i]))
    if (favoured.length > 0) left = favoured
  }
  return left.length > 0 ? left : candidates
}
