// Runs random scenarios against the oracle until a time is up or one fails; a failing one is made as small as it gets.

import type { CaseEvent, LawCase } from '../case-file.ts'
import { check } from '../check.ts'
import type { Answers, Oracle } from '../oracle.ts'
import type { Mode, Subject } from '../subject.ts'
import { generate } from './generate.ts'
import { type Scenario, toCase } from './scenario.ts'
import { smaller } from './shrink.ts'

export interface FuzzFailure {
  readonly seed: number
  readonly message: string
  readonly scenario: Scenario
  readonly item: LawCase
}

export interface FuzzReport {
  readonly scenarios: number
  /** How often which refusal was met at definition. */
  readonly refused: ReadonlyMap<string, number>
  readonly failures: readonly FuzzFailure[]
}

export interface FuzzOptions {
  readonly seed: number
  readonly seconds: number
  readonly maximumScenarios?: number
  /** Stop after so many failures. */
  readonly failures?: number
  readonly shrinkSeconds?: number
  /** Only this one of the modes. */
  readonly mode?: Mode
  readonly onFailure?: (failure: FuzzFailure) => void
}

type Verdict =
  | { readonly kind: 'holds' | 'senseless' }
  | { readonly kind: 'refused' | 'fails'; readonly message: string }

export async function fuzz(oracle: Oracle, subject: Subject, options: FuzzOptions): Promise<FuzzReport> {
  const end = performance.now() + options.seconds * 1000
  const refused = new Map<string, number>()
  const failures: FuzzFailure[] = []
  let scenarios = 0
  for (let seed = options.seed; performance.now() < end; seed++) {
    if (scenarios >= (options.maximumScenarios ?? Number.POSITIVE_INFINITY)) break
    const made = generate(seed)
    const scenario = options.mode === undefined ? made : { ...made, state: options.mode }
    const verdict = await judge(oracle, subject, scenario)
    scenarios++
    if (verdict.kind === 'refused') refused.set(verdict.message, (refused.get(verdict.message) ?? 0) + 1)
    if (verdict.kind !== 'fails') continue
    const failure = await shrink(oracle, subject, scenario, verdict.message, options.shrinkSeconds ?? 30)
    failures.push(failure)
    options.onFailure?.(failure)
    if (failures.length >= (options.failures ?? 1)) break
  }
  return { scenarios, refused, failures }
}

async function judge(oracle: Oracle, subject: Subject, scenario: Scenario): Promise<Verdict> {
  const item = toCase(scenario)
  let answers: Answers
  try {
    answers = await oracle.answers(item)
  } catch {
    return { kind: 'senseless' }
  }
  try {
    const message = await check(item, answers, subject, ticksOf(scenario), {
      ...(scenario.state === null ? {} : { state: scenario.state }),
      weakHash: scenario.weakHash,
      plain: scenario.plain,
      lazyErrors: bareDivision.test(item.views),
      openScales: makesKeys.test(item.views),
    })
    return message === null ? { kind: 'holds' } : { kind: 'fails', message }
  } catch (error) {
    const { name, message, stack } = error as Error
    return name === 'MillraceError'
      ? { kind: 'refused', message }
      : { kind: 'fails', message: `${item.name}: ${stack ?? message}` }
  }
}

const makesKeys = /\b(DISTINCT|GROUP BY|UNION|INTERSECT|EXCEPT)\b/
const bareDivision = / \/ a\d+\.\w+\)/

function ticksOf({ events, sizes }: Scenario): CaseEvent[][] {
  const ticks: CaseEvent[][] = [[]]
  let at = 0
  for (const size of sizes) {
    ticks.push(events.slice(at, at + size))
    at += size
  }
  return ticks
}

/** What kind of failure it is, so that shrinking does not wander off to another one. */
function kindOf(message: string): string {
  return /(Bug|[A-Z]\w*Error): [^\n\d]*/.exec(message)?.[0] ?? 'wrong'
}

async function shrink(
  oracle: Oracle,
  subject: Subject,
  scenario: Scenario,
  message: string,
  seconds: number,
): Promise<FuzzFailure> {
  const end = performance.now() + seconds * 1000
  let least = { scenario, message }
  for (let found = true; found && performance.now() < end; ) {
    found = false
    for (const candidate of smaller(least.scenario)) {
      if (performance.now() > end) break
      const verdict = await judge(oracle, subject, candidate)
      if (verdict.kind !== 'fails' || kindOf(verdict.message) !== kindOf(message)) continue
      least = { scenario: candidate, message: verdict.message }
      found = true
      break
    }
  }
  return { seed: scenario.seed, message: least.message, scenario: least.scenario, item: toCase(least.scenario) }
}
