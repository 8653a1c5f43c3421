import { MillraceError } from '../data/errors.ts'
import type { OpenedProgram } from '../engine/definitions.ts'
import { arrangementsOf } from '../engine/engine.ts'
import type { Log } from '../log/log.ts'
import { viewMeaning } from '../plan/fingerprint.ts'
import type { Program } from '../plan/program.ts'
import { partOf } from '../views/replay.ts'
import type { View } from '../views/view.ts'
import type { Succession } from '../views/view-set.ts'
import type { DatabaseOptions } from './contract.ts'
import type { Feed } from './feed.ts'
import { type Restored, Running } from './running.ts'
import type { Snapshots } from './snapshots.ts'

/** What a change of definitions needs of a database. */
export interface Stage {
  readonly options: DatabaseOptions
  readonly log: Log
  readonly feed: Feed
  readonly snapshots: Snapshots | null
  /** Told now and then how many events the new views have seen. */
  readonly told: (events: number) => void
  /** Ends what is being built. */
  readonly signal: AbortSignal
}

/**
 * Builds the views of a program that `current` doesn't have from the log's beginning, beside it.
 * @returns null where there are none; else at the newest tick, and fed
 */
export async function buildChanged(stage: Stage, current: Program, wanted: OpenedProgram): Promise<Running | null> {
  const changed = changedViews(current, wanted.program)
  return changed.size === 0 ? null : buildPart(stage, wanted, partOf(wanted.program, changed))
}

function buildPart(stage: Stage, wanted: OpenedProgram, program: Program): Promise<Running> {
  return built(stage, new Running(stage.options, stage.log, { ...wanted, program }), null)
}

/** Starts a program and brings it to the newest tick; ends it where that fails. */
export async function built(stage: Stage, next: Running, restored: Restored | null): Promise<Running> {
  const { signal } = stage
  const stop = (): void =>
    next.driver.fail(new MillraceError('engine/stopped', 'nobody waits for these views any more'))
  try {
    signal.throwIfAborted()
    signal.addEventListener('abort', stop)
    await next.start(restored)
    await stage.feed.follow(next, () => stage.told(next.driver.events))
    signal.throwIfAborted()
    return next
  } catch (error) {
    await end(stage, next)
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** What must be built so that `wanted` finds all its state there or in `current`; null: nothing. */
function missingFrom(current: Program, wanted: Program): Program | null {
  const changed = changedViews(current, wanted)
  const part = partOf(wanted, changed)
  const held = new Set([...arrangementsOf(current), ...(changed.size === 0 ? [] : arrangementsOf(part))])
  // What several views share may be another thing than what each of them has alone: a table with more system columns read.
  if (!arrangementsOf(wanted).every((name) => held.has(name))) return wanted
  return changed.size === 0 ? null : part
}

/**
 * Prepares new definitions to take over: views that did not change keep their state, the others are built from the
 * log, while `current` goes on. Whatever fails leaves `current` as it is.
 * @returns the new program at the newest tick, and fed
 */
export async function prepare(stage: Stage, current: Running, wanted: OpenedProgram): Promise<Running> {
  const restored = stage.snapshots === null ? null : await joined(stage, stage.snapshots, current, wanted)
  return built(stage, new Running(stage.options, stage.log, wanted), restored)
}

/** The state of the unchanged views and of the newly built ones, as of one tick. */
async function joined(stage: Stage, snapshots: Snapshots, current: Running, wanted: OpenedProgram) {
  const missing = missingFrom(current.program, wanted.program)
  const builder = missing === null ? null : await buildPart(stage, wanted, missing)
  try {
    const all = builder === null ? [current] : [current, builder]
    const begun = await atOneTick(all, () => all.map((running) => running.beginCapture()))
    return await snapshots.join(wanted.program, begun)
  } finally {
    if (builder !== null) await end(stage, builder)
  }
}

/**
 * Runs `action` in a turn in which all of them are at the same tick; ticks wait meanwhile.
 * @throws MillraceError as the engine of one that fails
 */
export async function atOneTick<T>(all: readonly Running[], action: () => T): Promise<T> {
  const tick = Math.max(...all.map(({ driver }) => driver.handed))
  for (const { driver } of all) driver.holdBehind(tick)
  try {
    await Promise.all(all.map(({ driver }) => driver.reach(tick)))
    for (const { driver } of all) if (driver.failure !== null) throw driver.failure
    return action()
  } finally {
    for (const { driver } of all) driver.holdBehind(null)
  }
}

/** Moves all who wait for `current`, or follow its views, to `next`, which has come as far or further. */
export function succeed(current: Running, next: Running): void {
  const byName = new Map<View, Succession>()
  for (const view of current.views.views) {
    const found = next.views.views.find(({ definition }) => definition.name === view.definition.name)
    if (found === undefined) continue
    const same = viewMeaning(current.program, view.definition) === viewMeaning(next.program, found.definition)
    if (same && sameRetention(view, found) && current.views.tick === next.views.tick) found.inherit(view)
    byName.set(view, { view: found, same })
  }
  current.views.succeedBy(next.views, (view) => byName.get(view) ?? null)
  current.driver.leaveTo(next.driver)
}

function sameRetention(a: View, b: View): boolean {
  return JSON.stringify(a.definition.retain) === JSON.stringify(b.definition.retain)
}

export async function end({ feed }: Pick<Stage, 'feed'>, running: Running): Promise<void> {
  feed.leave(running)
  const what = 'other views have taken the place of those that were being replayed'
  await running.stop(new MillraceError('request/busy', what, { hint: 'ask again' }))
}

/** The ids of the views that mean what none of `current` means. */
function changedViews(current: Program, wanted: Program): ReadonlySet<number> {
  const known = new Set(current.views.map((view) => viewMeaning(current, view)))
  return new Set(wanted.views.filter((view) => !known.has(viewMeaning(wanted, view))).map(({ id }) => id))
}
