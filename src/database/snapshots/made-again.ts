import { MillraceError } from '../../data/errors.ts'
import { defaultMemoryBytes } from '../../engine/host.ts'
import type { TickMark } from '../../log/log.ts'
import type { Program } from '../../plan/program.ts'
import { partOf, replayViews } from '../../views/replay.ts'
import type { View } from '../../views/view.ts'
import { isDamage } from '../../views/view-files.ts'
import { ViewSet } from '../../views/view-set.ts'
import type { StartReplay } from '../replays.ts'
import type { Restored, Surroundings } from '../running.ts'

/** Views as they were before what is remembered of them: from a snapshot of before, or from the log's beginning. */
export class MadeAgain {
  readonly #around: Surroundings
  readonly #program: Program

  constructor(around: Surroundings, program: Program) {
    this.#around = around
    this.#program = program
  }

  /**
   * Makes some views as they were at a tick.
   * @throws MillraceError tick/expired where nothing tells it any more, and as replayViews
   */
  readonly views: StartReplay = (to, ids, signal, onTick) =>
    this.#around.past.reading(async () => {
      const { options, log, past } = this.#around
      const { io, engine = 'worker', memoryBytes = defaultMemoryBytes } = options
      const replay = (part: Program, from: Restored | null, views: ViewSet): Promise<ViewSet> => {
        const gone = from === null ? past.watermarks(part) : []
        return replayViews(io, log, part, to, { engine, memoryBytes, signal, onTick, from, gone, views })
      }
      const part = partOf(this.#program, ids)
      // What several views share may be another thing than what some of them have alone.
      for (const program of part.views.length === this.#program.views.length ? [part] : [part, this.#program]) {
        const made = await this.#fromState(program, to, replay)
        if (made !== null) return made
      }
      const knownFrom = this.#knownFrom(part)
      if (to.tick < knownFrom) throw await this.#tooOld(part, to.tick, knownFrom)
      return replay(part, null, freshViews(this.#around, part))
    })

  /** From the newest state on disk that is not after the tick and whole. */
  async #fromState(
    program: Program,
    { tick }: TickMark,
    replay: (part: Program, from: Restored | null, views: ViewSet) => Promise<ViewSet>,
  ): Promise<ViewSet | null> {
    const { snapshots } = this.#around
    if (snapshots === null) return null
    return snapshots.hold(async () => {
      const views = freshViews(this.#around, program)
      try {
        const from = await snapshots.before(program, views, tick)
        return from === null ? null : await replay(program, from, views)
      } catch (error) {
        if (isDamage(error)) return null
        throw error
      }
    })
  }

  /** From which tick on the log alone tells what views were. */
  #knownFrom(part: Program): number {
    const { past } = this.#around
    return past.viewsBeyond(part).size > 0 ? Number.POSITIVE_INFINITY : past.goneThrough(part)
  }

  async #tooOld(part: Program, tick: number, knownFrom: number): Promise<MillraceError> {
    const kept = (await this.#around.snapshots?.ticksOf(part)) ?? []
    const names = part.views.map(({ name }) => name).join(', ')
    return eventsGone(`events that made ${names}`, tick, Math.min(knownFrom, ...kept))
  }

  /** @throws MillraceError tick/expired where a replay couldn't tell what views were, either */
  async check(tick: number, ids: ReadonlySet<number>, wanted: readonly View[]): Promise<void> {
    const part = partOf(this.#program, ids)
    const knownFrom = this.#knownFrom(part)
    if (tick >= knownFrom) return
    const kept = (await this.#around.snapshots?.ticksOf(part)) ?? []
    if (kept.some((one) => one <= tick)) return
    const held = wanted.reduce((oldest, { retained }) => Math.max(oldest, retained.knownTick), 0)
    const names = wanted.map(({ definition }) => definition.name).join(', ')
    throw eventsGone(`events that made ${names}`, tick, Math.min(knownFrom, held, ...kept))
  }
}

function freshViews({ options }: Surroundings, { views }: Program): ViewSet {
  return new ViewSet(options.io.clock, views, { micros: null, bytes: 0 })
}

/** @param from the first tick that can be told */
export function eventsGone(what: string, tick: number, from: number): MillraceError {
  const known = Number.isFinite(from) ? `; what was is known from tick ${from} on` : ''
  return new MillraceError('tick/expired', `${what} are gone, so that tick ${tick} can’t be told any more${known}`, {
    hint: Number.isFinite(from)
      ? `ask for tick ${from} or a later one, or keep more (retention)`
      : 'keep more (retention)',
    place: { tick: Number.isFinite(from) ? from : tick },
  })
}
