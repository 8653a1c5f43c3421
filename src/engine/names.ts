import { hex } from '../data/hex.ts'
import { sha256 } from '../io/digest.ts'
import { timeMeaning } from '../plan/fingerprint.ts'
import type { Dataflow } from './dataflow.ts'
import type { BaseOperator } from './operator.ts'

/** Raised when an operator writes its state in another form: what was written before is not found any more. */
const stateVersion = 2

/**
 * Names every arrangement by what it holds: the meaning of the plan that it belongs to, down to the schemas of the
 * topics that it reads, and its part of that. Whatever computes the same has the same name, in every process and
 * whatever views stand beside it; a changed definition has another one.
 *
 * Whether closed groups are forgotten (eviction.ts) makes no other name: nothing that is still to come can tell.
 * @param made by a plan's meaning the operators that were made of it, in order
 */
export function nameArrangements(flow: Dataflow, made: ReadonlyMap<string, readonly BaseOperator[]>): void {
  for (const [id, source] of flow.sources) {
    // What is given has no state of its own.
    if (flow.given.has(id)) continue
    const { columns, primaryKey } = source.topic
    const topic = [id, columns, primaryKey]
    source.watermarks.name = nameOf('topic', [id, timeMeaning(source.topic)], 'watermarks')
    flow.arrangements.push(source.watermarks)
    for (const outlet of source.outlets) {
      for (const [part, arrangement] of outlet.operator.arrangements) {
        arrangement.name = nameOf('table', [topic, outlet.events, outlet.columns], part)
        flow.arrangements.push(arrangement)
      }
    }
  }
  for (const [meaning, operators] of made) {
    // What may be missing comes last: so the others have the names that they had before there was any of it.
    const inOrder = [...operators].sort((a, b) => Number(a.spare) - Number(b.spare))
    inOrder.forEach((operator, ordinal) => {
      for (const [part, arrangement] of operator.arrangements) {
        arrangement.name = nameOf('plan', [meaning, ordinal], part)
        flow.arrangements.push(arrangement)
        if (operator.spare) flow.spare.add(arrangement)
      }
    })
  }
}

/** An operator's name in the topology, from the meaning of its plan: the same in every process. */
export function operatorId(meaning: string): string {
  return `op-${hex(sha256(new TextEncoder().encode(meaning)).subarray(0, 8))}`
}

function nameOf(kind: string, what: unknown, part: string): string {
  const digest = sha256(new TextEncoder().encode(JSON.stringify([stateVersion, what])))
  return `${kind}-${hex(digest.subarray(0, 16))}-${part}`
}
