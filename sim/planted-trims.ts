// Mistakes in what is thrown away.

import { BlockKeys } from '../src/log/keys.ts'
import type { Log } from '../src/log/log.ts'
import type { Planted } from './planted.ts'
import { atTheEnd } from './planted-state.ts'
import { passing, withFile } from './wrap.ts'

/** A delete goes, but what it deleted does not. */
function forgetDeletes(log: Log): Log {
  const { at } = BlockKeys.prototype
  let others = 0
  BlockKeys.prototype.at = function (row) {
    // A key that no event has.
    return this.isDelete(row) ? new TextEncoder().encode(`delete ${others++}`) : at.call(this, row)
  }
  atTheEnd(() => {
    BlockKeys.prototype.at = at
  })
  return log
}

export const plantedInTrims: readonly Planted[] = [
  {
    name: 'what is trimmed is not synced before it goes',
    ofTrims: true,
    io: withFile(
      () => ({ sync: async () => {} }),
      (path) => path.includes('.trims'),
    ),
  },
  { name: 'a compaction forgets a delete', ofTrims: true, log: forgetDeletes },
  {
    name: 'a compaction goes by another column',
    ofTrims: true,
    log: (log) =>
      passing(log, {
        trim: (plan) =>
          log.trim(plan.map((trim) => (trim.keep === 'nothing' ? trim : { ...trim, keep: { key: [1] } }))),
      }),
  },
  {
    name: 'a trim goes one cut too far',
    ofTrims: true,
    log: (log) =>
      passing(log, {
        trim: (plan) => {
          const next = (throughTick: number): number =>
            log.cuts().find(({ tick }) => tick > throughTick)?.tick ?? throughTick
          return log.trim(plan.map((trim) => ({ ...trim, throughTick: next(trim.throughTick) })))
        },
      }),
  },
]
