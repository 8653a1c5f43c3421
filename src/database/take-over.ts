import { openBlock } from '../data/block.ts'
import { MillraceError } from '../data/errors.ts'
import type { OpenedProgram } from '../engine/definitions.ts'
import type { Log, LoggedBlock } from '../log/log.ts'
import { viewMeaning } from '../plan/fingerprint.ts'
import type { Program } from '../plan/program.ts'
import type { View } from '../views/view.ts'
import { viewBlocks } from '../views/view-blocks.ts'
import type { Succession } from '../views/view-set.ts'
import type { DatabaseOptions } from './contract.ts'
import type { Feed } from './feed.ts'
import type { LogPast } from './log-past.ts'
import { changedViews, missingFrom, partFromLog } from './missing.ts'
import { type BegunCapture, type Restored, Running } from './running.ts'
import type { Snapshots } from './snapshots/snapshots.ts'

/** What a change of definitions needs of a database. */
export interface Stage {
  readonly options: DatabaseOptions
  readonly log: Log
  readonly feed: Feed
  readonly snapshots: Snapshots | null
  readonly past: LogPast
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
  const { program } = wanted
  const changed = changedViews(current, program)
  if (changed.size === 0) return null
  return buildPart(stage, wanted, partFromLog(program, changed, stage.past.viewsBeyond(program)))
}

function buildPart(stage: Stage, wanted: OpenedProgram, program: Program): Promise<Running> {
  return built(stage, new Running(stage, { ...wanted, program }), null)
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

/**
 * Prepares new definitions to take over: views that did not change keep their state, the others are built from the
 * log, while `current` goes on. Whatever fails leaves `current` as it is.
 * @returns the new program at the newest tick, and fed
 */
export async function prepare(stage: Stage, current: Running, wanted: OpenedProgram): Promise<Running> {
  const restored = stage.snapshots === null ? null : await joined(stage, stage.snapshots, current, wanted)
  return built(stage, new Running(stage, wanted), restored)
}

/** The state of the unchanged views and of the newly built ones, as of one tick. */
async function joined(stage: Stage, snapshots: Snapshots, current: Running, wanted: OpenedProgram) {
  const missing = missingFrom(current.program, wanted.program, stage.past.viewsBeyond(wanted.program))
  const builder = missing === null ? null : await buildPart(stage, wanted, missing)
  try {
    const all = builder === null ? [current] : [current, builder]
    const begin = (): readonly BegunCapture[] => all.map((running) => running.beginCapture())
    const begun = builder === null ? await atOneTick(all, begin) : await together(stage, current, builder, begin)
    return await snapshots.join(wanted.program, begun)
  } finally {
    if (builder !== null) await end(stage, builder)
  }
}

/**
 * Runs `action` in a turn in which both are at the same tick, the builder with the rows of the views that it is given;
 * then that one moves no more.
 */
export async function together<T>(stage: Stage, current: Running, builder: Running, action: () => T): Promise<T> {
  const { given = [], views } = builder.program
  if (given.length === 0) return atOneTick([current, builder], action)
  const drivers = [current.driver, builder.driver]
  const tick = 1 + Math.max(...drivers.map(({ handed }) => handed))
  try {
    current.driver.holdBehind(tick)
    builder.driver.holdBehind(tick - 1)
    stage.log.requestSeal(true)
    await current.driver.reach(tick)
    const blocks: LoggedBlock[] = []
    for (const { id } of views.filter((view) => given.includes(view.id))) blocks.push(...(await givenRows(current, id)))
    await builder.driver.reach(tick - 1)
    for (const { driver } of [current, builder]) if (driver.failure !== null) throw driver.failure
    builder.driver.give(tick, blocks)
    stage.feed.leave(builder)
    builder.driver.holdBehind(tick)
    await builder.driver.reach(tick)
    for (const { driver } of [current, builder]) if (driver.failure !== null) throw driver.failure
    return action()
  } finally {
    current.driver.holdBehind(null)
  }
}

/** A view's rows as they are now, as events. */
async function givenRows({ program, views }: Running, id: number): Promise<LoggedBlock[]> {
  const { name } = program.views.find((view) => view.id === id)!
  const view = views.byId(id)
  const { version } = view
  if (version.errors > 0) {
    const what = `${name} has ${version.errors} error rows made of events that are gone, so that no new view can read it`
    throw new MillraceError('sql/error-rows', what, { hint: `read what ${name} reads, or mend its error rows first` })
  }
  const blocks: LoggedBlock[] = []
  for await (const bytes of viewBlocks(view, version, views.slices())) {
    const { rows } = openBlock(bytes)
    blocks.push({ topic: id, partition: 0, firstOffset: 0, appendedAtMicros: 0n, rows, bytes })
  }
  return blocks
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
