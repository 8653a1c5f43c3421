import type { App } from '../app/app.ts'
import type { Change, DatabaseShape, TopicHandle, ViewHandle } from '../app/database-shape.ts'
import type { InferInput, InferKey, InferRow, Table, Topic, View } from '../app/definitions.ts'
import { parseTimestamptz } from '../data/datetime.ts'
import { invariant, MillraceError } from '../data/errors.ts'
import { embed, plainChanges } from '../database/embedded.ts'
import { Database } from '../database.ts'
import { appDefinition } from '../engine/definitions.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { VirtualClock } from '../io/twin/virtual-clock.ts'

type Definitions<A> = A extends App<infer D> ? D : never

/** Events to append, by topic. */
export type Events<A> = {
  readonly [K in keyof Definitions<A> as Definitions<A>[K] extends Topic | Table ? K : never]?: readonly InferInput<
    Definitions<A>[K]
  >[]
}

/** Keys of rows to delete, by table. */
export type Deletes<A> = {
  readonly [K in keyof Definitions<A> as Definitions<A>[K] extends Table ? K : never]?: readonly InferKey<
    Definitions<A>[K]
  >[]
}

/** What the views hold, and what became different. */
export interface Outcome<A> {
  readonly tick: number
  /** Per view its rows, in its order. */
  readonly rows: { readonly [K in ViewNames<A>]: readonly InferRow<Definitions<A>[K]>[] }
  /** Per view the net change since the outcome before this one. */
  readonly changes: { readonly [K in ViewNames<A>]: readonly Change<InferRow<Definitions<A>[K]>>[] }
}

type ViewNames<A> = {
  [K in keyof Definitions<A>]: Definitions<A>[K] extends View ? K : never
}[keyof Definitions<A>]

export interface ScenarioOptions {
  /** The time it begins at (default 2024-01-01T00:00:00Z). It moves by `advance` alone. */
  readonly now?: string
  /** Destroys and rebuilds the engine's state after every tick, which must change nothing. */
  readonly reopen?: boolean
}

/**
 * An app under test: the real log, planner and engine in memory, with a clock that you turn.
 *
 *     await using scenario = await startScenario(app)
 *     await scenario.given({ orders: [{ id: 'a', amount: 5 }] })
 *     const { rows, changes } = await scenario.when({ orders: [{ id: 'b', amount: 7 }] })
 *     expect(rows.revenue).toEqual([{ total: 12 }])
 */
export interface Scenario<A> {
  /** Appends what is there to begin with. Each call is a tick. */
  given(events: Events<A>): Promise<void>
  /** Appends, in one tick, and tells what came of it. */
  when(events: Events<A>): Promise<Outcome<A>>
  /** Deletes rows by key and tells what came of it. */
  whenDeleted(keys: Deletes<A>): Promise<Outcome<A>>
  /** Lets time pass and tells what came of it. */
  advance(ms: number): Promise<Outcome<A>>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** @throws MillraceError what the app's definitions are refused for */
export async function startScenario<A extends App>(app: A, options: ScenarioOptions = {}): Promise<Scenario<A>> {
  const startMicros = options.now === undefined ? undefined : parseTimestamptz(options.now)
  if (startMicros === null) throw new MillraceError('usage', `now: '${options.now}' is no time`)
  const clock = new VirtualClock({ idle: 'stand', ...(startMicros === undefined ? {} : { startMicros }) })
  const database = await Database.open({
    io: { ...simulatedIo(1), clock },
    definition: appDefinition(app),
    data: null,
    engine: 'inline',
    reopen: options.reopen ?? false,
  })
  return new RunningScenario(app, database, clock)
}

type Row = Record<string, unknown>

class RunningScenario<A extends App> implements Scenario<A> {
  readonly #database: Database
  readonly #clock: VirtualClock
  readonly #handles: DatabaseShape<A>
  readonly #views: readonly string[]
  #tick: number

  constructor(app: A, database: Database, clock: VirtualClock) {
    this.#database = database
    this.#clock = clock
    this.#handles = embed(database, app)
    this.#views = database.catalog().views.map(({ name }) => name)
    this.#tick = database.status().tick
  }

  async given(events: Events<A>): Promise<void> {
    await this.#append(events)
    this.#tick = this.#database.status().tick
  }

  async when(events: Events<A>): Promise<Outcome<A>> {
    await this.#append(events)
    return this.#outcome()
  }

  async whenDeleted(keys: Deletes<A>): Promise<Outcome<A>> {
    const handles = this.#handles as unknown as Record<string, { delete(keys: unknown): Promise<{ tick: number }> }>
    for (const [table, list] of Object.entries(keys)) {
      const { tick } = await handles[table].delete(list)
      await this.#database.waitForTick(tick)
    }
    return this.#outcome()
  }

  async advance(ms: number): Promise<Outcome<A>> {
    await this.#clock.advance(ms)
    await this.#database.makeTick()
    return this.#outcome()
  }

  async #append(events: Events<A>): Promise<void> {
    const handles = this.#handles as unknown as Record<string, TopicHandle<unknown, Row>>
    const topics = Object.entries(events) as [string, readonly unknown[]][]
    const answers = await Promise.all(topics.map(([topic, list]) => handles[topic].append(list)))
    for (const { tick } of answers) await this.#database.waitForTick(tick)
  }

  async #outcome(): Promise<Outcome<A>> {
    const handles = this.#handles as unknown as Record<string, ViewHandle<Row>>
    const { tick } = this.#database.status()
    const rows: Record<string, readonly Row[]> = {}
    const changes: Record<string, readonly Change<Row>[]> = {}
    for (const name of this.#views) {
      rows[name] = (await handles[name].get()).rows
      const net = await this.#database.changes(name, this.#tick)
      invariant(net !== null, `the changes of ${name} since tick ${this.#tick} are gone`)
      changes[name] = plainChanges(net.rows)
    }
    this.#tick = tick
    return { tick, rows, changes } as unknown as Outcome<A>
  }

  close(): Promise<void> {
    return this.#database.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
