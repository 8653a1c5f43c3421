import { describe, expect, it } from 'vitest'
import { printCase } from './case-file.ts'
import { EngineSubject } from './engine-subject.ts'
import { fuzz } from './fuzz/fuzz.ts'
import { sharedOracle } from './oracle.ts'

// The seeds are fixed, and how many: a run of the tests means the same today and tomorrow, on any machine. `npm run
// law` looks further.
const firstSeed = 1
const scenarios = 160

describe('the law on random scenarios', () => {
  it('holds, and most are accepted', { timeout: 600_000 }, async () => {
    const oracle = await sharedOracle()
    const subject = await EngineSubject.load()
    const options = { seed: firstSeed, seconds: Number.POSITIVE_INFINITY, maximumScenarios: scenarios }
    const report = await fuzz(oracle, subject, { ...options, shrinkSeconds: 20 })
    expect(report.failures.map(({ message, item }) => `${message}\n\n${printCase(item)}`)).toEqual([])
    const refused = [...report.refused.values()].reduce((sum, count) => sum + count, 0)
    expect(refused, JSON.stringify([...report.refused])).toBeLessThan(report.scenarios / 10)
  })
})
