import { describe, expect, it } from 'vitest'
import { MillraceError } from '../../data/errors.ts'
import type { DatabaseStatus } from '../contract.ts'
import { type Standings, verdictOf } from './verdict.ts'

const status: DatabaseStatus = {
  tick: 7,
  timeMicros: 0n,
  sealedTick: 7,
  caughtUp: true,
  events: 10,
  eventsPerSecond: 0,
  stateBytes: 0,
  viewBytes: 0,
  topics: [],
  views: [{ name: 'v', rows: 3, errors: 0, oldestTick: 0 }],
  failure: null,
}
const gibibyte = 2 ** 30
const well: Standings = {
  status,
  lastEvent: 10,
  stuck: null,
  lately: [{ topic: 't', events: 1000, late: 0 }],
  disk: { freeBytes: 50 * gibibyte, totalBytes: 100 * gibibyte },
  memoryBytes: gibibyte,
}

function codes(standings: Partial<Standings>): readonly string[] {
  return verdictOf({ ...well, ...standings }).problems.map(({ code }) => code)
}

describe('the verdict', () => {
  it('is all right in one sentence', () => {
    expect(verdictOf(well)).toEqual({ ok: true, message: 'All right: 1 view at tick 7.', problems: [] })
    expect(verdictOf({ ...well, status: { ...status, views: [] } }).message).toBe('All right: no view is defined yet.')
  })

  it('names what is wrong, each with a hint', () => {
    const poisoned = new MillraceError('log/poisoned', 'the disk failed', { hint: 'check it' })
    const failed = verdictOf({ ...well, status: { ...status, failure: poisoned } })
    expect(failed).toMatchObject({ ok: false, message: 'Nothing moves any more: the disk failed.' })
    expect(failed.problems).toMatchObject([{ code: 'poisoned', hint: 'check it' }])
    expect(codes({ status: { ...status, failure: new MillraceError('engine/memory', 'full') } })).toEqual(['failed'])
    expect(codes({ status: { ...status, caughtUp: false } })).toEqual(['replaying'])
    expect(codes({ stuck: 'views stand at tick 7' })).toEqual(['stuck'])
    expect(codes({ disk: { freeBytes: 2 * gibibyte, totalBytes: 100 * gibibyte } })).toEqual(['disk-nearly-full'])
    expect(codes({ disk: { freeBytes: 200 << 20, totalBytes: 3 * gibibyte } })).toEqual(['disk-nearly-full'])
    expect(codes({ disk: null })).toEqual([])
    expect(codes({ status: { ...status, stateBytes: 0.9 * gibibyte } })).toEqual(['memory-nearly-full'])
    expect(codes({ lately: [{ topic: 't', events: 1000, late: 10 }] })).toEqual(['late-events'])
    expect(codes({ lately: [{ topic: 't', events: 99, late: 99 }] })).toEqual([])
    for (const { hint, message } of verdictOf({ ...well, stuck: 'views stand at tick 7', memoryBytes: 0 }).problems) {
      expect([hint, message].every((text) => text.length > 10)).toBe(true)
    }
  })

  it('tells the worst first, and how many more there are', () => {
    const views = [
      { name: 'a', rows: 1, errors: 2, oldestTick: 0 },
      { name: 'b', rows: 1, errors: 1, oldestTick: 0 },
    ]
    const { message, problems } = verdictOf({
      ...well,
      status: { ...status, views },
      disk: { freeBytes: 0, totalBytes: 1 },
    })
    expect(message).toBe('The disk is nearly full: 0 MiB of 0 MiB are free (and 2 more).')
    expect(problems.map(({ view }) => view)).toEqual([undefined, 'a', 'b'])
  })
})
