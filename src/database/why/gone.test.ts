import { describe, expect, it } from 'vitest'
import { Database } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { simulatedIo } from '../../io/twin/simulated-io.ts'
import { openFileLog } from '../../log/file-log.ts'
import type { Log, ReadBlock } from '../../log/log.ts'

const definition = sqlDefinition(`
CREATE TABLE sale (shop bigint NOT NULL, amount bigint);
CREATE MATERIALIZED VIEW sums AS SELECT shop, sum(amount) AS total FROM sale GROUP BY shop;
CREATE MATERIALIZED VIEW big AS SELECT shop, amount FROM sale WHERE amount > 10;`)

/** A log that, once it is told to, has forgotten a topic's events below an offset. */
function forgetting(log: Log, gone: () => number): Log {
  return new Proxy(log, {
    get(target, name) {
      if (name === 'starts' && gone() > 0) {
        return () => new Map([[1, { firstOffset: gone(), throughTick: 1, keeps: 'nothing' }]])
      }
      if (name === 'readTopic') {
        return async (topic: number, from: number, limit: number): Promise<readonly ReadBlock[]> => {
          const blocks = await target.readTopic(topic, from, limit)
          return blocks.filter(({ firstOffset }) => firstOffset >= gone())
        }
      }
      // What is read in steps is as forgetful.
      if (name === 'reader') return () => ({ ...target.reader(), ...reads(forgetting(target, gone)) })
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function reads(log: Log): Pick<Log, 'starts' | 'readTopic' | 'replay'> {
  return { starts: log.starts, readTopic: log.readTopic, replay: log.replay }
}

describe('why, where retention has thrown events away', () => {
  it('tells the row as the view has it, how many events are gone, and what the rest adds', async () => {
    let gone = 0
    const io = simulatedIo(1, { idle: 'advance' })
    const database = await Database.open({
      ...{ io, definition, data: '/data', engine: 'inline', snapshots: false },
      openLog: async (...how) => forgetting(await openFileLog(...how), () => gone),
    })
    for (const amount of [1, 2, 20]) {
      const body = new TextEncoder().encode(JSON.stringify({ shop: amount === 2 ? 7 : 3, amount }))
      const { tick } = await database.appendText('sale', body, 'json')
      await database.waitForTick(tick)
    }
    gone = 2
    const why = (view: string, where: Record<string, string>) => database.explanations.why(view, { where })
    const partly = await why('sums', { shop: '3' })
    expect(partly).toMatchObject({ found: true, row: { total: '21' }, events: { count: 1, gone: 2 } })
    expect(partly.step).toMatchObject({
      detail: '2 events below it were thrown away by retention; what is left of the log adds this',
      inputs: [{ op: 'aggregate', row: { total: '20' } }],
    })
    const nothing = await why('sums', { shop: '7' })
    expect(nothing).toMatchObject({ found: true, row: { total: '2' }, events: { count: 0, gone: 2 } })
    expect(nothing.step!.inputs).toEqual([])
    expect((await why('big', { shop: '7' })).absent!.reason).toBe(
      'no event of sale has shop = 7. 2 events below were thrown away by retention.',
    )
    const { changes, beyond, steps } = await database.explanations.journey('sale', 2)
    expect({ changes, beyond }).toEqual({ changes: [], beyond: ['sums', 'big'] })
    expect(steps.map(({ outcome }) => outcome)).toContain('aggregated')
    await expect(database.explanations.journey('sale', 0)).rejects.toThrow('was thrown away by retention')
    await database.close()
  })
})
