import { afterAll, describe, expect, it } from 'vitest'
import { EngineSubject } from '../law/engine-subject.ts'
import { sharedOracle } from '../law/oracle.ts'
import { readSuite, suitesFolder } from './records.ts'
import { Replay, type Verdict } from './replay.ts'

// Tests that nobody here wrote. A query that is refused by name is distance to go; one answered wrongly is a defect.
// MILLRACE_SUITE chooses other suites than the one of streaming views, separated by commas.
const suites = (process.env['MILLRACE_SUITE'] ?? 'slt/risingwave-streaming').split(',')
const verbose = process.env['MILLRACE_SUITE_VERBOSE'] !== undefined

describe.skipIf(suitesFolder === undefined)('outside suites (skipped where MILLRACE_SUITES is not set)', () => {
  const tallies: string[] = []

  afterAll(() => {
    console.log(tallies.join('\n'))
  })

  for (const suite of suites) {
    if (suitesFolder === undefined) break
    for (const group of readSuite(suitesFolder, suite)) {
      it(`${suite} ${group.name}`, { timeout: 600_000 }, async () => {
        const replay = new Replay(await sharedOracle(), await EngineSubject.load())
        const verdicts = await replay.run(group)
        tallies.push(tally(`${suite} ${group.name}`, verdicts))
        if (verbose) for (const { outcome, message, record } of verdicts) console.log(outcome, record.sql, message)
        expect(verdicts.filter(({ outcome }) => outcome === 'wrong').map(describeWrong)).toEqual([])
      })
    }
  }
})

function tally(name: string, verdicts: readonly Verdict[]): string {
  const count = (outcome: Verdict['outcome']): number => verdicts.filter((each) => each.outcome === outcome).length
  return `${name}: ${count('passed')} passed, ${count('refused')} refused, ${count('wrong')} wrong, ${count('skipped')} skipped`
}

function describeWrong({ record, message }: Verdict): string {
  return `${record.file}:${record.line}\n${record.sql}\n${message}`
}
