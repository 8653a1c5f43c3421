import { beforeAll, describe, expect, it } from 'vitest'
import { readCases } from './cases.ts'
import { EngineSubject } from './engine-subject.ts'
import { liveCounts } from './live-mode.ts'
import { type Oracle, sharedOracle } from './oracle.ts'
import { liveRuns, runCase, trimmedRuns } from './run-case.ts'
import { trimmedCounts } from './trimmed-mode.ts'

// view(n) = query(log[0..n]), at every tick, at ticks of 1, 7 and all events, and once with all state rebuilt after
// every tick. PostgreSQL gives the answers.
describe('the law', () => {
  const cases = readCases()
  let oracle: Oracle
  let subject: EngineSubject

  beforeAll(async () => {
    oracle = await sharedOracle()
    subject = await EngineSubject.load()
  })

  it('has cases enough', () => {
    expect(cases.length).toBeGreaterThanOrEqual(200)
  })

  // A whole database each: `npm run law -- --mode trimmed` goes through all of them.
  it('holds where the past is thrown away in the middle', async () => {
    const some = cases.filter((item, i) => i % 20 === 0 && item.refused === null)
    for (const item of some) expect(await runCase(oracle, subject, item, trimmedRuns.slice(1)), item.title).toBeNull()
    expect(trimmedCounts.trimmed).toBeGreaterThan(some.length / 2)
  })

  it('holds for live queries', async () => {
    const some = cases.filter((item, i) => i % 12 === 1 && item.refused === null)
    for (const item of some) expect(await runCase(oracle, subject, item, liveRuns.slice(1)), item.title).toBeNull()
    expect(liveCounts.followed).toBeGreaterThan(some.length / 2)
  })

  for (const item of cases) {
    it(item.name, async () => {
      expect(await runCase(oracle, subject, item), item.title).toBeNull()
    })
  }
})
