// The law itself: view(n) = query(log[0..n]) at every tick n, for a given size of ticks.
import type { CaseEvent, LawCase } from './case-file.ts'
import { compare, printDifference, trimmed } from './compare.ts'
import type { Answers } from './oracle.ts'
import type { Subject, SubjectOptions } from './subject.ts'

/** Cuts events into ticks of so many; the first tick is empty, since a view must be right before the first event. */
export function cut(events: readonly CaseEvent[], size: number): CaseEvent[][] {
  const ticks: CaseEvent[][] = [[]]
  for (let at = 0; at < events.length; at += size) ticks.push(events.slice(at, at + size))
  return ticks
}

export function definitionOf(item: LawCase): string {
  return `${item.schema}\n${item.views}`
}

export function modeOf({ state, weakHash, plain }: SubjectOptions): string {
  return `${state ? `, ${state}` : ''}${weakHash ? ', weak hashes' : ''}${plain ? ', not optimised' : ''}`
}

export interface CheckOptions extends SubjectOptions {
  /** Error rows may be there where PostgreSQL has none: it does not evaluate what an empty side makes needless. */
  readonly lazyErrors?: boolean
  /** Equal numerics of different scales may stand for each other: a key has but one of them. */
  readonly openScales?: boolean
}

/** @returns null where the law holds, else a text that says where it does not */
export async function check(
  item: LawCase,
  answers: Answers,
  subject: Subject,
  ticks: readonly (readonly CaseEvent[])[],
  options: CheckOptions,
): Promise<string | null> {
  let events = 0
  let tick = 0
  for await (const states of subject.run(definitionOf(item), ticks, options)) {
    const closing = tick === ticks.length
    if (!closing) events += ticks[tick].length
    const differences = []
    for (const [view, answer] of answers[closing ? events + 1 : events]) {
      const state = states.get(view)
      if (options.lazyErrors && state && state.errors > 0) continue
      let difference = compare(view, answer, state)
      if (difference && options.openScales && state && 'rows' in answer) {
        difference = compare(view, trimmed(answer), trimmed(state))
      }
      if (difference) differences.push(printDifference(difference))
    }
    if (differences.length > 0) {
      const sizes = ticks.map((each) => each.length).join(' ')
      return `${item.name}: ${closing ? 'closing' : `tick ${tick}`} (${events} events; ticks of ${sizes}${modeOf(options)})\n${differences.join('\n')}`
    }
    tick++
  }
  return tick === ticks.length + 1 ? null : `${item.name}: ${tick} states for ${ticks.length} ticks and their end`
}
