import { MillraceError } from '../../data/errors.ts'
import type { PrintOptions } from '../../data/json-print.ts'
import { defaultMemoryBytes } from '../../engine/host.ts'
import { operatorId } from '../../engine/names.ts'
import type { EngineFigures } from '../../engine/port.ts'
import type { Log } from '../../log/log.ts'
import { meaningOf, type Topology, topologyOf } from '../../plan/topology.ts'
import type { StatusBody, TimeBody, TopologyBody, VolumeBody } from '../../protocol/telemetry.ts'
import type { View } from '../../views/view.ts'
import { type Changelog, changelogOf } from '../changelog.ts'
import type { DatabaseOptions, DatabaseStatus } from '../contract.ts'
import type { Programs } from '../programs.ts'
import type { Running } from '../running.ts'
import { latestChanges, type Sample, sampleOperator, sampleTopic } from './sample.ts'
import { type DiskFigures, type ServerFigures, statusBody, stuckNow } from './status.ts'
import { timeBody } from './time-status.ts'
import { topologyBody } from './topology-status.ts'
import { volumeBody } from './volume.ts'

/** Sizes on disk are looked up no more often than this. */
const diskMs = 5000
/** A view's changes of so many ticks are looked through for the latest. */
const sampledTicks = 5000
/** An engine is asked for its figures so long. */
const patienceMs = 250

/** Counts that only grow, but for those of an engine whose place another one took. */
export interface Totals {
  readonly events: number
  readonly changes: number
  readonly appends: number
  readonly reads: number
  readonly ticks: number
  readonly engineEvents: number
  readonly engineBusySeconds: number
  /** By the topology's names. */
  readonly operatorBusySeconds: ReadonlyMap<string, number>
  readonly views: readonly { readonly name: string; readonly changes: number }[]
}

/** What a database knows of itself, for a console and for who runs it. Looking costs who looks. */
export class Telemetry {
  readonly #options: DatabaseOptions
  readonly #log: Log
  readonly #programs: Programs
  readonly #status: () => DatabaseStatus
  #disk: { readonly ms: number; readonly figures: Promise<DiskFigures | null> } | null = null
  readonly #topologies = new WeakMap<Running, Topology>()

  constructor(options: DatabaseOptions, log: Log, programs: Programs, status: () => DatabaseStatus) {
    this.#options = options
    this.#log = log
    this.#programs = programs
    this.#status = status
  }

  /** Counts a read whose answer was at hand: nothing was asked of the views. */
  readKept(): void {
    this.#programs.vitals.read()
  }

  /** GET /v1/status */
  async status(server: ServerFigures): Promise<StatusBody> {
    const { io, memoryBytes = defaultMemoryBytes } = this.#options
    const disk = await this.#diskFigures()
    const engineBytes = (await this.#figures())?.memoryBytes ?? 0
    const status = this.#status()
    return statusBody({ io, programs: this.#programs, status, memoryBytes, engineBytes, disk, server })
  }

  /** What is known of an engine that has worked on one tick for too long; null: it hasn't. */
  stuck(): string | null {
    return stuckNow(this.#programs, this.#options.io.clock.monotonicMs())
  }

  /** GET /v1/topology */
  async topology(): Promise<TopologyBody> {
    await this.#figures()
    return topologyBody(this.#topology(), this.#programs, this.#status())
  }

  /** For traces and journeys: a change of a view is on its way to a reader. @returns ends that */
  pushing(view: string, fromTick: number, tick: number): () => void {
    const { tickTimes, traces } = this.#programs.vitals
    tickTimes.pushed(fromTick, tick)
    return traces.pushing(view, fromTick, tick)
  }

  /** What has been counted since the process began. */
  totals(): Totals {
    const { current, vitals } = this.#programs
    const { latest } = vitals.figures
    return {
      ...vitals.totals,
      engineEvents: current.driver.events,
      engineBusySeconds: (latest?.busyMs ?? 0) / 1000,
      operatorBusySeconds: new Map(latest?.nodes.map(({ id, busyMs }) => [id, busyMs / 1000])),
      views: current.program.views.map(({ id, name }) => ({ name, changes: vitals.view(id).total })),
    }
  }

  /**
   * GET /v1/topology/{node}/sample
   * @throws MillraceError not-found, as the engine; the signal's reason
   */
  async sample(id: string, print: PrintOptions, signal: AbortSignal): Promise<Sample> {
    const node = this.#topology().nodes.find((each) => each.id === id)
    const { current } = this.#programs
    switch (node?.kind) {
      case 'operator': {
        // What a view shows as it comes out is remembered there.
        const shown = current.views.views.find(
          ({ definition }) => meaningOf(current.program, definition.plan, definition.starts) === node.meaning,
        )
        if (shown !== undefined) return this.#sampleView(current, shown, print)
        return sampleOperator(this.#options, this.#log, current, node, print, signal)
      }
      case 'topic':
        return sampleTopic(this.#log, node.topic, current.views.tick, print)
      case 'view':
        return this.#sampleView(current, current.views.byId(node.view.id), print)
      default:
        throw unknownNode(id)
    }
  }

  async #sampleView({ views }: Running, view: View, print: PrintOptions): Promise<Sample> {
    const after = Math.max(view.retained.expiredTick, views.tick - sampledTicks)
    return { columns: view.definition.columns, changes: await latestChanges(views, view, after, print) }
  }

  /** GET /v1/time */
  async time(): Promise<TimeBody> {
    await this.#figures()
    return timeBody(this.#programs, this.#topology(), this.#options.io.clock.nowMicros(), this.#status())
  }

  /** GET /v1/views/{view}/changes. @param view its id @throws as changelogOf */
  changelog(view: number, fromTick: number, limit: number): Promise<Changelog> {
    const { current } = this.#programs
    return changelogOf(current, current.views.byId(view), fromTick, limit)
  }

  /** GET /v1/topics/{topic}/volume. @param topic its id */
  volume(topic: number, buckets: number): Promise<VolumeBody> {
    return volumeBody(this.#log, topic, buckets)
  }

  #topology(): Topology {
    const { current } = this.#programs
    let topology = this.#topologies.get(current)
    if (topology === undefined) {
      topology = topologyOf(current.program, operatorId)
      this.#topologies.set(current, topology)
    }
    return topology
  }

  /** The engine's newest figures. One that is busy is not waited for: what it told last has to do. */
  async #figures(): Promise<EngineFigures | null> {
    const { current, vitals } = this.#programs
    const { clock } = this.#options.io
    let cancel = (): void => {}
    const patience = new Promise<null>((resolve) => {
      cancel = clock.after(patienceMs, () => resolve(null))
    })
    // A failed engine is told of by the status.
    const asked = current.figures().catch(() => null)
    const figures = await Promise.race([asked, patience])
    cancel()
    if (figures !== null && current === this.#programs.current) {
      vitals.figures.add(figures)
      vitals.figures.whole = figures
    }
    return vitals.figures.latest
  }

  #diskFigures(): Promise<DiskFigures | null> {
    const ms = this.#options.io.clock.monotonicMs()
    if (this.#disk === null || ms - this.#disk.ms >= diskMs) {
      this.#disk = { ms, figures: this.#lookAtDisk() }
    }
    return this.#disk.figures
  }

  async #lookAtDisk(): Promise<DiskFigures | null> {
    const { data, io } = this.#options
    if (data === null) return null
    // A disk that fails is told of by who works with it.
    const [logBytes, stateBytes, space] = await Promise.all([
      io.disk.bytesIn(`${data}/log`).catch(() => 0),
      io.disk.bytesIn(`${data}/state`).catch(() => 0),
      io.disk.space(data).catch(() => null),
    ])
    return { logBytes, stateBytes, space }
  }
}

function unknownNode(node: string): MillraceError {
  return new MillraceError('not-found', `the topology has no node ${JSON.stringify(node.slice(0, 100))}`, {
    hint: 'GET /v1/topology lists them; an operator that no view needs any more is gone',
  })
}
