// Mistakes in snapshots, in what is forgotten and found again, and in what follows a snapshot at a start.
import type { Adopt, CaptureSlice, EngineReply, EngineRequest } from '../src/engine/port.ts'
import type { Disk, ThreadEntry } from '../src/io/io.ts'
import type { Log } from '../src/log/log.ts'
import { RunReader } from '../src/state/runs/run-reader.ts'
import type { Planted } from './planted.ts'
import { passing, replaying, withFile } from './wrap.ts'

type WrapThread = (entry: ThreadEntry) => ThreadEntry

/** The keeper with files of a kind that are never synced. */
export function unsynced(fits: (path: string) => boolean): WrapThread {
  return (entry) => (post, io) => entry(post, withFile(() => ({ sync: async () => {} }), fits)(io))
}

/** An engine that can be asked something without the owner's hearing of it. */
class Aside {
  readonly take: (message: EngineRequest) => void
  #heard: EngineReply[] | null = null

  constructor(entry: ThreadEntry, ...[post, io]: Parameters<ThreadEntry>) {
    this.take = entry((message, transfer) => {
      if (this.#heard === null) post(message, transfer)
      else this.#heard.push(message as EngineReply)
    }, io)
  }

  ask(request: EngineRequest): EngineReply | undefined {
    const heard: EngineReply[] = []
    this.#heard = heard
    this.take(request)
    this.#heard = null
    return heard[0]
  }
}

function withAside(make: (aside: Aside) => (message: EngineRequest) => void): WrapThread {
  return (entry) => (post, io) => {
    const take = make(new Aside(entry, post, io))
    return (message) => take(message as EngineRequest)
  }
}

/** Each capture begins before the newest tick, that of the views behind it. */
const captureTooEarly = withAside((engine) => {
  let begun = false
  let underWay = false
  return (request) => {
    if (request.kind === 'adopt') underWay = false
    if (request.kind === 'tick' && !underWay) {
      engine.ask({ kind: 'capture-begin' })
      begun = true
    }
    underWay ||= request.kind === 'capture-begin'
    engine.take(request.kind === 'capture-begin' && begun ? { kind: 'status' } : request)
  }
})

/** Buckets that change before they were captured are captured as they are then. */
const captureTooLate = withAside((engine) => {
  let waiting = false
  return (request) => {
    if (request.kind === 'capture-begin') waiting = true
    if (request.kind === 'capture-slice') waiting = false
    engine.take(request)
    if (request.kind === 'tick' && waiting) engine.ask({ kind: 'capture-begin' })
  }
})

/** All that the engine has counts as durable once something is. */
const forgetDirty = withAside((engine) => {
  let newest = 0
  return (request) => {
    if (request.kind === 'tick') newest = request.tick
    if (request.kind !== 'adopt') return engine.take(request)
    engine.ask({ kind: 'capture-begin' })
    for (let done = false; !done; ) {
      const slice = engine.ask({
        kind: 'capture-slice',
        maxBytes: 1 << 30,
        maxMs: Number.MAX_SAFE_INTEGER,
      }) as CaptureSlice
      done = slice.done
    }
    engine.take({ ...request, state: { ...request.state, tick: Math.max(newest, request.state.tick) } } as Adopt)
  }
})

/** Changes what a merge finds in the runs it has opened, the newest first. */
function inMerges(change: (runs: readonly RunReader[]) => void): WrapThread {
  return (entry) => (post, io) => {
    let opened: RunReader[] = []
    const disk: Disk = passing(io.disk, {})
    const open = RunReader.open
    RunReader.open = (given, folder, file) => {
      const run = open.call(RunReader, given, folder, file)
      if (given !== disk) return run
      if (opened.length === 0) queueMicrotask(() => (opened = []))
      opened.push(run)
      change(opened)
      return run
    }
    undo.push(() => {
      RunReader.open = open
    })
    return entry(post, { ...io, disk })
  }
}

const undo: (() => void)[] = []

/** Says how to take back what was changed for good. */
export function atTheEnd(back: () => void): void {
  undo.push(back)
}

/** What was changed for good is as it was again. */
export function undoPlanted(): void {
  for (const back of undo.splice(0).reverse()) back()
}

function swapParts([newest, older, ...rest]: readonly RunReader[]): void {
  if (older === undefined || rest.length > 0) return
  const parts = older.parts
  Object.assign(older, { parts: newest.parts })
  Object.assign(newest, { parts })
}

function dropEmpty(runs: readonly RunReader[]): void {
  for (const { sections } of runs.at(-1)?.parts.values() ?? []) Object.assign(sections[0], { blocks: 0 })
}

/** The first replay behind a snapshot begins elsewhere. */
function startAt(shift: number): (log: Log) => Log {
  return (log) => {
    let first = true
    return replaying(log, (replay) => (each, mergeRows, afterTick = 0, throughTick, columns) => {
      const after = first && afterTick > 0 ? afterTick + shift : afterTick
      first = false
      return replay(each, mergeRows, after, throughTick, columns)
    })
  }
}

export const plantedInState: readonly Planted[] = (
  [
    { name: 'a run is named before it is synced', keeper: unsynced((path) => path.endsWith('.run')) },
    { name: 'a manifest gets its name before it is synced', keeper: unsynced((path) => path.includes('/snapshot-')) },
    { name: "a snapshot's views are a tick ahead of its state", engine: captureTooEarly },
    { name: 'a capture takes what changes while it runs', engine: captureTooLate },
    { name: 'state that has changed since the snapshot is forgotten', engine: forgetDirty },
    { name: 'a merge prefers the older run', keeper: inMerges(swapParts) },
    { name: 'a merge forgets that a bucket is empty', keeper: inMerges(dropEmpty) },
    { name: 'the replay behind a snapshot begins a tick too late', log: startAt(1) },
    { name: 'the replay behind a snapshot begins a tick too early', log: startAt(-1) },
  ] satisfies Planted[]
).map((planted) => ({ ...planted, ofState: true }))
