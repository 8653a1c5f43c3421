import type { OpenedProgram } from '../engine/definitions.ts'
import { defaultMemoryBytes, type EngineHost, startEngine } from '../engine/host.ts'
import type { Log, SealedTick } from '../log/log.ts'
import type { Program } from '../plan/program.ts'
import { TickDriver } from '../views/driver.ts'
import { mergeableRows } from '../views/replay.ts'
import { ViewSet } from '../views/view-set.ts'
import type { DatabaseOptions } from './contract.ts'
import { Ingest } from './ingest.ts'
import { Past } from './past.ts'
import { Queries } from './queries.ts'

const replayMergeRows = 262_144
/** Ticks replayed one by one at most: they take longer than the same events in a few. */
const mostRemembered = 100_000

/**
 * Definitions at work: a program, the engine that runs it, and the views it fills, at one tick of the log. It is fed
 * the log's ticks in order; where it began doesn't matter to what it holds.
 */
export class Running {
  readonly text: string
  readonly program: Program
  readonly views: ViewSet
  readonly driver: TickDriver
  readonly ingest: Ingest
  readonly queries: Queries
  readonly past: Past
  readonly #log: Log
  readonly #host: EngineHost

  constructor(options: DatabaseOptions, log: Log, { program, text }: OpenedProgram) {
    const { io, engine = 'worker', memoryBytes = defaultMemoryBytes, reopen = false } = options
    this.text = text
    this.program = program
    this.#log = log
    this.views = new ViewSet(io.clock, program.views)
    this.#host = startEngine(io, program, { engine, memoryBytes, reopen })
    this.ingest = new Ingest(program.topics)
    const topics = new Set(program.topics.map((topic) => topic.id))
    this.driver = new TickDriver(io.clock, this.#host, this.views, topics, (even) => log.requestSeal(even))
    this.past = new Past(options, log, program, this.views, this.driver)
    this.queries = new Queries(options, program, this.past, log)
  }

  /**
   * Feeds it the log's ticks after the one it stands at, to the newest. Nobody watches: ticks may come merged, but for
   * those that views are to remember.
   * @param told called now and then
   */
  async catchUp(told: () => void): Promise<void> {
    const each = async (tick: SealedTick): Promise<void> => {
      this.driver.take(tick)
      await this.driver.room()
      told()
    }
    const remembered = await this.#rememberedFrom()
    if (remembered > this.views.tick) {
      await this.#log.replay(each, mergeableRows(this.program, replayMergeRows), this.views.tick, remembered)
      await this.driver.drained()
    }
    this.expireChanges()
    await this.#log.replay(each, 0, remembered)
    await this.driver.drained()
  }

  /** The tick after which some view is to know each tick: it retains a time that began there. */
  async #rememberedFrom(): Promise<number> {
    const { tick, timeMicros } = this.#log.position()
    let longest: bigint | null = null
    for (const { retain } of this.program.views) {
      const micros = retain === undefined || retain.micros === null ? null : BigInt(retain.micros)
      if (micros !== null && (longest === null || micros > longest)) longest = micros
    }
    if (longest === null) return tick
    const began = await this.#log.findTick({ timeMicros: timeMicros - longest })
    return Math.max(began?.tick ?? 0, tick - mostRemembered)
  }

  /** Nobody can go on from a tick up to now: ticks were merged, or rows were of other definitions. */
  expireChanges(): void {
    for (const view of this.views.views) view.retained.expireThrough(this.views.tick)
  }

  /** Ends the engine; the views stay readable. */
  async stop(): Promise<void> {
    this.views.close()
    await this.past.close()
    await this.#host.stop()
  }
}
