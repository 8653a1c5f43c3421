// One case at all its tick sizes: the law must hold in each.

import type { LawCase } from './case-file.ts'
import { check, cut, definitionOf, modeOf } from './check.ts'
import type { Oracle } from './oracle.ts'
import type { Subject, SubjectOptions } from './subject.ts'

type Run = { readonly size: number } & SubjectOptions

const runs: readonly Run[] = [
  { size: 1 },
  { size: 7 },
  { size: 1000 },
  { size: 7, plain: true },
  { size: 7, state: 'reopen', weakHash: true },
  { size: 2, state: 'incremental' },
  { size: 3, state: 'disk', weakHash: true },
]

/** The database's past is thrown away in the middle. */
export const trimmedRuns: readonly Run[] = [
  { size: 2, state: 'trimmed' },
  { size: 5, state: 'trimmed' },
]

/** Each view's query is followed from the middle on. */
export const liveRuns: readonly Run[] = [
  { size: 1, state: 'live' },
  { size: 5, state: 'live' },
]

/** What takes longer: `npm run law` has the time. */
export const allRuns: readonly Run[] = [
  ...runs,
  { size: 7, state: 'reopen' },
  { size: 1, state: 'incremental', weakHash: true },
  { size: 5, state: 'incremental', weakHash: true },
  { size: 1, state: 'spill' },
  { size: 3, state: 'spill', weakHash: true },
  { size: 4, state: 'spill' },
  { size: 2, state: 'disk' },
  ...trimmedRuns,
  ...liveRuns,
]

/** @returns null where the law holds, else what to tell */
export async function runCase(
  oracle: Oracle,
  subject: Subject,
  item: LawCase,
  wanted: readonly Run[] = runs,
): Promise<string | null> {
  if (item.refused) return checkRefusal(subject, item, item.refused)
  const answers = await oracle.answers(item)
  for (const [events, views] of answers.entries()) {
    for (const [view, answer] of views) {
      // A case that has error rows says by its oracle what the good ones are.
      if ('failure' in answer)
        return `${item.name}: PostgreSQL fails on ${view} after ${events} events: ${answer.failure}`
    }
  }
  for (const { size, ...options } of wanted) {
    try {
      const failure = await check(item, answers, subject, cut(item.events, size), options)
      if (failure !== null) return failure
    } catch (error) {
      const { name, message, stack } = error as Error
      const told = name === 'MillraceError' ? `refused: ${message}` : stack
      return `${item.name}: ticks of ${size}${modeOf(options)}: ${told}`
    }
  }
  return null
}

async function checkRefusal(subject: Subject, item: LawCase, wanted: { code: string; fragment: string }) {
  try {
    for await (const _ of subject.run(definitionOf(item), [[]], {})) break
  } catch (error) {
    const { name, message, code } = error as Error & { code?: string }
    if (name === 'MillraceError' && code === wanted.code && message.includes(wanted.fragment)) return null
    return `${item.name}: refused with ${code ?? name}: ${message}, wanted ${wanted.code}: …${wanted.fragment}…`
  }
  return `${item.name}: accepted, wanted ${wanted.code}`
}
