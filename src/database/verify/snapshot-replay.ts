import { printRow } from '../../data/json-print.ts'
import type { ErrorRow } from '../../engine/port.ts'
import type { Io } from '../../io/io.ts'
import type { ReadOnlyLog } from '../../log/read-only.ts'
import type { Program } from '../../plan/program.ts'
import type { Manifest } from '../../state/snapshots/manifest.ts'
import { compareRows, type PinnedView } from '../../views/difference.ts'
import { partOf, type ReplayOptions, replayThrough } from '../../views/replay.ts'
import { Slices } from '../../views/slices.ts'
import { View, type ViewState } from '../../views/view.ts'
import { ViewFiles } from '../../views/view-files.ts'
import { ViewSet } from '../../views/view-set.ts'
import type { LogPast } from '../log-past.ts'
import { type About, meaningOf } from '../snapshots/snapshot-notes.ts'

/** What a snapshot holds of a view, or makes of it, is not what the log makes of it. */
export interface Differing {
  /** The snapshot's manifest. */
  readonly file: string
  readonly view: string
  /** At which they were compared; after the snapshot's own where it was gone on from. */
  readonly tick: number
  /** Rows that are lacking and that are too many, error rows too. */
  readonly missing: number
  readonly extra: number
  /** The first of them as JSON, with weights: negative where they are too many. */
  readonly rows: readonly { readonly row: string; readonly weight: number }[]
}

/** Where views are made anew from. */
export interface ReplayPlace {
  readonly io: Io
  readonly log: ReadOnlyLog
  readonly past: LogPast
  /** The folder of the snapshots. */
  readonly folder: string
  readonly engine: 'inline' | 'worker'
  readonly memoryBytes: number
  readonly signal: AbortSignal
  /** Told now and then the tick that a replay has come to. */
  readonly onTick: (tick: number) => void
}

/** A snapshot or the base, and the name of its manifest. */
export interface NamedManifest {
  readonly name: string
  readonly manifest: Manifest
}

/** Differing rows listed per view. */
const mostListed = 5
const noPast = { micros: null, bytes: 0 }

/** What was compared. */
export interface Compared {
  views: number
  rows: number
  readonly differing: Differing[]
}

interface Pinned extends PinnedView {
  readonly errors: readonly ErrorRow[]
}

/**
 * Makes views from the log again, or from a base or snapshot and the log behind it, and compares them with what
 * snapshots hold: at each snapshot's tick, and at the end what the log makes of each one's state with its own.
 * Nothing is written.
 */
export class SnapshotReplay {
  readonly #place: ReplayPlace
  readonly #files: ViewFiles

  private constructor(place: ReplayPlace, files: ViewFiles) {
    this.#place = place
    this.#files = files
  }

  static async open(place: ReplayPlace): Promise<SnapshotReplay> {
    return new SnapshotReplay(place, await ViewFiles.open(place.io.disk, place.folder))
  }

  /**
   * @param ids views of the program that are compared
   * @param from null: the log's beginning, which has all events of theirs
   * @param snapshots of the program, ascending, none before `from`
   * @param through null: no further than the last snapshot
   * @throws MillraceError as replayThrough, state/corrupt where a file is damaged; the signal's reason
   */
  async compare(
    program: Program,
    ids: ReadonlySet<number>,
    from: NamedManifest | null,
    snapshots: readonly NamedManifest[],
    through: number | null,
    compared: Compared,
  ): Promise<void> {
    // What several views share may be another thing than what some of them have alone.
    const part = from === null ? partOf(program, ids) : program
    const views = new ViewSet(this.#place.io.clock, part.views, noPast)
    const wanted = views.views.filter(({ definition }) => ids.has(definition.id))
    const last = snapshots[snapshots.length - 1].manifest.tick
    const ends = through !== null && through > last ? [through] : []
    await this.#replay(
      part,
      from,
      views,
      [...snapshots.map(({ manifest }) => manifest.tick), ...ends],
      async (tick) => {
        for (const snapshot of snapshots) {
          if (snapshot.manifest.tick !== tick || snapshot === from) continue
          for (const view of wanted) {
            const { version, errors } = await this.#stored(program, view, snapshot)
            const held = { definition: view.definition, version, errors }
            await this.#difference(snapshot.name, tick, held, pinned(view), compared)
          }
        }
      },
    )
    if (through === null) return
    const made = new Map(wanted.map((view) => [view.definition.id, pinned(view)]))
    for (const snapshot of snapshots) {
      if (snapshot.manifest.tick === through || compared.differing.some(({ file }) => file === snapshot.name)) continue
      await this.#goOn(program, snapshot, made, through, compared)
    }
  }

  /** The engine's own state shows in what becomes of views that go on from it. */
  async #goOn(
    program: Program,
    snapshot: NamedManifest,
    made: ReadonlyMap<number, Pinned>,
    through: number,
    compared: Compared,
  ): Promise<void> {
    const views = new ViewSet(this.#place.io.clock, program.views, noPast)
    await this.#replay(program, snapshot, views, [through], async () => {
      for (const view of views.views) {
        const other = made.get(view.definition.id)
        if (other !== undefined) await this.#difference(snapshot.name, through, pinned(view), other, compared)
      }
    })
  }

  async #replay(
    part: Program,
    from: NamedManifest | null,
    views: ViewSet,
    ticks: readonly number[],
    visit: (tick: number) => Promise<void>,
  ): Promise<void> {
    const { io, log, past, folder, engine, memoryBytes, signal, onTick } = this.#place
    let start: ReplayOptions['from'] = null
    if (from !== null) {
      const { timeMicros, events } = from.manifest.about as About
      const { tick, files } = from.manifest
      const states: ViewState[] = []
      for (const view of views.views) states.push(await this.#stored(part, view, from))
      start = { timeMicros: BigInt(timeMicros), events, from: { folder, files, tick }, views: states }
    }
    const gone = start === null ? past.watermarks(part) : []
    const options = { engine, memoryBytes, signal, onTick, from: start, gone, views }
    await replayThrough(io, log, part, [...new Set(ticks)], options, visit)
  }

  /** What a snapshot holds of a view. */
  #stored(program: Program, { definition }: View, { manifest }: NamedManifest): Promise<ViewState> {
    const meaning = meaningOf(program, definition)
    const found = (manifest.about as About).views.find((view) => view.meaning === meaning)!
    return this.#files.load(new View(definition, noPast), found.stored)
  }

  async #difference(file: string, tick: number, held: Pinned, made: Pinned, compared: Compared): Promise<void> {
    const slices = new Slices(this.#place.io.clock)
    const { added, removed, rows } = await compareRows(held, made, mostListed, slices, this.#place.signal)
    const listed: { row: string; weight: number }[] = []
    rows.forEach((page, row, weight) => {
      listed.push({ row: printRow(rows.columns, page.memory, page.columns, row), weight })
    })
    let missing = added
    let extra = removed
    for (const { reason, weight } of errorsBetween(held.errors, made.errors)) {
      if (weight > 0) missing += weight
      else extra -= weight
      if (listed.length < mostListed) listed.push({ row: reason, weight })
    }
    compared.views++
    compared.rows += made.version.rows
    const miscounted = held.version.rows !== made.version.rows || held.version.errors !== made.version.errors
    if (missing === 0 && extra === 0 && !miscounted) return
    compared.differing.push({ file, view: made.definition.name, tick, missing, extra, rows: listed })
  }

  close(): Promise<void> {
    return this.#files.close()
  }
}

function pinned(view: View): Pinned {
  return { definition: view.definition, version: view.version, errors: [...view.errorRows()] }
}

/** Error rows that are to be added to the first to have the second. */
function errorsBetween(before: readonly ErrorRow[], after: readonly ErrorRow[]): readonly ErrorRow[] {
  const left = new Map<string, ErrorRow>()
  for (const [errors, sign] of [
    [after, 1],
    [before, -1],
  ] as const) {
    for (const error of errors) {
      const key = `${error.code} ${error.reason}`
      left.set(key, { ...error, weight: (left.get(key)?.weight ?? 0) + sign * error.weight })
    }
  }
  return [...left.values()].filter(({ weight }) => weight !== 0)
}
