import { describe, expect, it } from 'vitest'
import { BlockBuilder } from '../../data/block-builder.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { operatorId } from '../../engine/names.ts'
import type { TappedBlock } from '../../engine/port.ts'
import { nodeIo } from '../../io/node.ts'
import type { Log } from '../../log/log.ts'
import { type OperatorNode, topologyOf } from '../../plan/topology.ts'
import type { Running } from '../running.ts'
import { sampleOperator } from './sample.ts'

const sql = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint NOT NULL);
CREATE MATERIALIZED VIEW large AS SELECT auction FROM bid WHERE price > 1000;`

describe('a sample of an operator whose past is too long, or gone', () => {
  it('is what the running engine does for a while', async () => {
    const { program } = await sqlDefinition(sql).plan({ topics: [], views: [] })
    const { nodes } = topologyOf(program, operatorId)
    const node = nodes.find((each): each is OperatorNode => each.kind === 'operator')!
    const block = (auction: number): Uint8Array => {
      const builder = new BlockBuilder(node.plan.columns)
      builder.beginRow()
      builder.columns[0].setBig(0, BigInt(auction))
      builder.commitRow()
      return builder.finish()
    }
    const asked: (string | null)[] = []
    const running = {
      program,
      views: { tick: 28 },
      async tap(id: string | null): Promise<readonly TappedBlock[]> {
        asked.push(id)
        return id === null ? Array.from({ length: 30 }, (_, i) => ({ tick: i, bytes: block(i) })) : []
      },
    } as unknown as Running
    const { topics } = program
    const gone = new Map([[topics[0].id, { firstOffset: 5, throughTick: 2, keeps: 'nothing' }]])
    const log = (events: number, starts: unknown) =>
      ({ position: () => ({ offsets: new Map([[topics[0].id, events]]) }), starts: () => starts }) as unknown as Log
    const io = nodeIo()
    const options = { io: { ...io, clock: { ...io.clock, after: quick } }, data: null }
    const { signal } = new AbortController()
    for (const [events, starts] of [
      [10, gone],
      [10_000_000, new Map()],
    ] as const) {
      const { changes } = await sampleOperator(options, log(events, starts), running, node, {}, signal)
      expect(changes).toHaveLength(20)
      // What the engine did at tick 29 may not be durable yet.
      expect(changes.at(-1)).toBe('{"tick":28,"row":{"auction":28},"weight":1}')
    }
    expect(asked).toEqual([node.id, null, node.id, null])
    await expect(
      sampleOperator(options, log(1, gone), running, node, {}, AbortSignal.abort(new Error('gone away'))),
    ).rejects.toThrow('gone away')
    expect(asked.at(-1)).toBeNull()
  })
})

/** Time passes at once. */
function quick(_ms: number, task: () => void): () => void {
  task()
  return () => {}
}
