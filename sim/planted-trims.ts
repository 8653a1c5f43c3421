// Mistakes in what is thrown away, and in what stands for it.

import { LogPast } from '../src/database/log-past.ts'
import type { About } from '../src/database/snapshots/snapshot-notes.ts'
import type { ThreadEntry } from '../src/io/io.ts'
import { BlockKeys } from '../src/log/keys.ts'
import type { Log } from '../src/log/log.ts'
import type { KeeperRequest } from '../src/state/snapshots/keeper-port.ts'
import { baseNames } from '../src/state/snapshots/manifest.ts'
import type { Planted } from './planted.ts'
import { atTheEnd, unsynced } from './planted-state.ts'
import { ignore, passing, withFile } from './wrap.ts'

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

/** The keeper with some of its requests changed. */
function asked(change: (request: KeeperRequest) => KeeperRequest): (entry: ThreadEntry) => ThreadEntry {
  return (entry) => (post, io) => {
    const take = entry(post, io)
    return (message) => take(change(message as KeeperRequest))
  }
}

/** What is noted with each base says something else. */
function basedOn(change: (about: About) => Partial<About>): (entry: ThreadEntry) => ThreadEntry {
  const taken = new Map<number, About>()
  return asked((request) => {
    if (request.kind === 'commit') taken.set(request.tick, request.about as About)
    const about = request.kind === 'pin' ? taken.get(request.tick) : undefined
    if (request.kind !== 'pin' || about === undefined) return request
    return { ...request, notes: { ...request.notes, ...change({ ...about, ...request.notes }) } }
  })
}

/** Removes bases behind the keeper's back whenever it is asked for something. */
function basesGo(when: (request: KeeperRequest, tick: number) => boolean): (entry: ThreadEntry) => ThreadEntry {
  return (entry) => (post, io) => {
    let folder = ''
    const take = entry((reply) => post(reply), io)
    return (message) => {
      const request = message as KeeperRequest
      if (request.kind === 'start') folder = request.folder
      void (async () => {
        for (const name of baseNames(await io.disk.list(folder))) {
          if (when(request, Number(name.slice(5, 20)))) await io.disk.remove(`${folder}/${name}`)
        }
      })()
        .catch(ignore)
        .then(() => take(message))
    }
  }
}

/** Who defines views is told that the log has everything. */
function hideStarts(log: Log): Log {
  const proto = LogPast.prototype
  const starts = Object.getOwnPropertyDescriptor(proto, 'starts')!
  const { viewsBeyond, goneThrough, watermarks, reading } = proto
  const own = { viewsBeyond, goneThrough, watermarks, reading }
  let inside = 0
  const truly = <A extends unknown[], R>(method: (this: LogPast, ...args: A) => R) =>
    function (this: LogPast, ...args: A): R {
      inside++
      try {
        return method.apply(this, args)
      } finally {
        inside--
      }
    }
  Object.defineProperty(proto, 'starts', {
    ...starts,
    get(this: LogPast) {
      return inside > 0 ? (starts.get!.call(this) as LogPast['starts']) : new Map()
    },
  })
  Object.assign(proto, {
    // Who looks back sees that something is gone.
    reading(this: LogPast, work: () => Promise<unknown>) {
      inside++
      return own.reading.call(this, work).finally(() => inside--)
    },
    viewsBeyond: truly(own.viewsBeyond),
    goneThrough: truly(own.goneThrough),
    watermarks: truly(own.watermarks),
  })
  atTheEnd(() => {
    Object.defineProperty(proto, 'starts', starts)
    Object.assign(proto, own)
  })
  return log
}

const nextCut = (log: Log, throughTick: number): number =>
  log.cuts().find(({ tick }) => tick > throughTick)?.tick ?? throughTick

export const plantedInRetention: readonly Planted[] = (
  [
    {
      name: 'events go before there is a base',
      keeper: asked((request) => (request.kind === 'pin' ? { kind: 'begin' } : request)),
    },
    {
      name: 'a base gets its name before it is synced',
      keeper: unsynced((path) => path.includes('/base-')),
    },
    { name: 'a start takes the base away', keeper: basesGo(({ kind }) => kind === 'start') },
    {
      name: 'a base goes once there is a newer snapshot',
      keeper: basesGo((request, tick) => request.kind === 'drop' && request.adopted.tick > tick),
    },
    { name: 'a view that is defined later says that it has everything', log: hideStarts },
    {
      name: 'events go one cut too far',
      log: (log) =>
        passing(log, {
          trim: (plan) => log.trim(plan.map((trim) => ({ ...trim, throughTick: nextCut(log, trim.throughTick) }))),
        }),
    },
    {
      name: 'a base forgets how many error rows there were',
      keeper: basedOn(({ views }) => ({
        views: views.map(({ meaning, stored }) => ({ meaning, stored: { ...stored, errors: 0 } })),
      })),
    },
    {
      name: 'a base forgets what the watermarks were',
      keeper: basedOn(({ base }) => (base === undefined ? {} : { base: { ...base, marks: [] } })),
    },
  ] satisfies Planted[]
).map((planted) => ({ ...planted, ofRetention: true }))

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
        trim: (plan) => log.trim(plan.map((trim) => ({ ...trim, throughTick: nextCut(log, trim.throughTick) }))),
      }),
  },
]
