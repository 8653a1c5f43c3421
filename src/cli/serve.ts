import path from 'node:path'
import type { NamedChart } from '../app/chart.ts'
import type { Gateway } from '../app/gateway.ts'
import { MillraceError } from '../data/errors.ts'
import { Database, type Difference } from '../database.ts'
import { type Definition, withOwnTopics } from '../engine/definitions.ts'
import type { Io } from '../io/io.ts'
import { lazyLogger } from '../io/lazy-logger.ts'
import { watchFolder } from '../io/watch.ts'
import { counted } from '../plan/why-words.ts'
import { checkPolicies } from '../server/access.ts'
import { chartBodies, checkCharts } from '../server/charts.ts'
import { type RunningServer, startServer } from '../server/listen.ts'
import type { Project } from '../server/project.ts'
import { describeDifference } from './diff.ts'
import { between, gatewayChanges } from './gateway-changes.ts'
import type { GatewayFlags } from './gateway-flags.ts'
import { regenerate } from './generate.ts'
import { type LoadedApp, loadApp } from './load-app.ts'
import { say } from './output.ts'
import { ProgressBar } from './progress.ts'
import { ProjectFile } from './project-file.ts'
import { describeError } from './report.ts'
import { gatewayOf, ownTopicsOf, refuseOpenDoor } from './served-gateway.ts'

export interface ServeOptions {
  readonly data: string
  readonly host: string
  readonly port: number
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: readonly string[]
  readonly memoryBytes: number | null
  /** A snapshot after so many bytes of log. */
  readonly snapshotBytes: number | null
  /** How long a query may take. */
  readonly queryMs: number | null
  readonly logLevel: string
  /** What stands in front. */
  readonly front: GatewayFlags
}

/** Editors save in several steps: what follows within this time is the same save. */
const settleMs = 150

/** Serves an app until a signal says to stop. */
export async function start(
  io: Io,
  app: string | undefined,
  options: ServeOptions,
  stop: AbortSignal,
): Promise<number> {
  const loaded = await loadApp(io.disk, app)
  const serving = await Serving.begin(io, loaded, options)
  say(`serving ${loaded.path} at ${serving.url}`)
  const forget = options.front.auth === undefined ? (): void => {} : onHangUp(() => void reread(serving))
  await aborted(stop)
  forget()
  await serving.end()
  return 0
}

/** What SIGHUP asks for: the gateway's file is read again. */
async function reread(serving: Serving): Promise<void> {
  try {
    for (const line of await serving.reread()) say(line)
  } catch (error) {
    say(describeError(error).trimEnd())
    say('the gateway stays as it was')
  }
}

function onHangUp(task: () => void): () => void {
  process.on('SIGHUP', task)
  return () => process.off('SIGHUP', task)
}

/**
 * The same, and a saved app takes the place of the one that runs: views that changed are built from the log, the others
 * go on with what they have.
 */
export async function dev(io: Io, app: string | undefined, options: ServeOptions, stop: AbortSignal): Promise<number> {
  const first = await loadApp(io.disk, app)
  const { path: file } = first
  const project = new ProjectFile(io.disk, file)
  // Whoever saves while all this begins is heard as well.
  const saves = new Saves(io, [file, options.front.auth ?? file], stop)
  const serving = await Serving.begin(io, first, options, project)
  say(`serving ${file} at ${serving.url}`)
  await generateTypes(io, first)
  while (await saves.next()) {
    const loaded = await loadChanged(io, file, serving, project)
    if (loaded === null) continue
    await generateTypes(io, loaded)
    await reload(serving, loaded, project)
  }
  await serving.end()
  return 0
}

/** Editors show the new types while the views are being built. A folder that can't be written is no reason to stop. */
async function generateTypes(io: Io, app: LoadedApp): Promise<void> {
  try {
    const written = await regenerate(io.disk, app)
    if (written !== null) say(`wrote ${written}`)
  } catch (error) {
    say(describeError(error).trimEnd())
  }
}

/** The app as it was saved, with what stands in front of it, if it is another one and can run. */
async function loadChanged(io: Io, file: string, serving: Serving, project: ProjectFile): Promise<LoadedApp | null> {
  try {
    const loaded = await loadApp(io.disk, file, true)
    const { definition } = loaded
    // Editors empty a file before they write it.
    if (definition.text.trim() === '') return null
    const gateway = await serving.gatewayOf(loaded)
    await serving.plan(loaded, gateway)
    if (serving.runs(definition, gateway)) {
      project.problem = null
      if (serving.redraw(loaded.charts)) say('reloaded the charts')
      for (const line of serving.use(gateway)) say(line)
      return null
    }
    return { ...loaded, gateway }
  } catch (error) {
    project.problem = error
    say(describeError(error).trimEnd())
    say('the app that runs stays as it is')
    return null
  }
}

/** Lets new definitions take over, or goes on with the old ones where that can't be done. */
async function reload(serving: Serving, app: LoadedApp, project: ProjectFile): Promise<void> {
  try {
    const views = await serving.redefine(app)
    project.problem = null
    say('reloaded')
    for (const difference of views) tellDifference(difference)
    for (const line of serving.use(app.gateway)) say(line)
  } catch (error) {
    project.problem = error
    say(describeError(error).trimEnd())
    say('the app goes on as it was')
  }
}

/** In a line, unless the view is as it was. */
function tellDifference({ view, kind, before, after, changes }: Difference): void {
  if (kind === 'same') return
  const rows = { before: before?.rows ?? null, after: after?.rows ?? null }
  const errors = { before: before?.errors ?? null, after: after?.errors ?? null }
  const { added = 0, removed = 0 } = changes ?? {}
  say(`${view}: ${describeDifference({ kind, rows, errors, added, removed })}`)
}

/** The charts of the app as it was saved last. */
interface ShownCharts {
  shown: readonly NamedChart[]
}

/** A database and its server. */
class Serving {
  #definition: Definition
  readonly #charts: ShownCharts
  #gateway: Gateway | null
  readonly #io: Io
  readonly #options: ServeOptions
  readonly #database: Database
  readonly #server: RunningServer

  private constructor(
    io: Io,
    options: ServeOptions,
    definition: Definition,
    charts: ShownCharts,
    database: Database,
    server: RunningServer,
    gateway: Gateway | null,
  ) {
    this.#io = io
    this.#options = options
    this.#gateway = gateway
    this.#definition = definition
    this.#charts = charts
    this.#database = database
    this.#server = server
  }

  static async begin(
    io: Io,
    { definition, gateway: own, charts: declared }: LoadedApp,
    options: ServeOptions,
    project?: Project,
  ): Promise<Serving> {
    const charts: ShownCharts = { shown: declared }
    const { tlsCert, tlsKey, trustProxy } = options.front
    if ((tlsCert === undefined) !== (tlsKey === undefined)) {
      throw new MillraceError('usage', '--tls-cert and --tls-key go together')
    }
    const gateway = await gatewayOf(io.disk, own, options.front)
    refuseOpenDoor(options.host, gateway, options.front)
    const bar = new ProgressBar('replaying the log')
    const database = await Database.open({
      io,
      definition: withOwnTopics(definition, ownTopicsOf(gateway)),
      data: options.data,
      eager: true,
      onFailure: (error) => say(describeError(error).trimEnd()),
      onNotice: say,
      onProgress: ({ events, lastEvent }) =>
        bar.update(events, lastEvent, `${(events / 1e6).toFixed(1)} million events`),
      ...(options.memoryBytes === null ? {} : { memoryBytes: options.memoryBytes }),
      ...(options.snapshotBytes === null ? {} : { snapshots: { everyBytes: options.snapshotBytes } }),
    })
    try {
      // Health is told from the first moment on; everything else is refused as busy until the log is replayed.
      const server = await startServer(database, {
        io,
        host: options.host,
        port: options.port,
        allowedHosts: options.allowedHosts,
        allowedOrigins: options.allowedOrigins,
        gateway,
        charts: () => charts.shown,
        trustedProxies: trustProxy,
        ...(tlsCert === undefined || tlsKey === undefined ? {} : { tls: { certFile: tlsCert, keyFile: tlsKey } }),
        ...(options.queryMs === null ? {} : { limits: { queryMs: options.queryMs } }),
        ...(project === undefined ? {} : { project }),
        logger: lazyLogger(options.logLevel),
      })
      try {
        await database.caughtUp()
        await checkPolicies(gateway, database.catalog())
        checkCharts(declared, database.catalog())
        bar.stop()
      } catch (error) {
        bar.stop()
        await server.close()
        throw error
      }
      return new Serving(io, options, definition, charts, database, server, gateway)
    } catch (error) {
      await database.close()
      throw error
    }
  }

  get url(): string {
    return this.#server.url
  }

  /** Whether these definitions run, with the topics that a gateway writes. */
  runs({ text }: Definition, gateway: Gateway | null): boolean {
    const own = (each: Gateway | null): string => ownTopicsOf(each).join()
    return text === this.#definition.text && own(gateway) === own(this.#gateway)
  }

  /** What is to stand in front of the app. @throws MillraceError app/load, usage */
  async gatewayOf({ gateway: own }: Pick<LoadedApp, 'gateway'>): Promise<Gateway | null> {
    const { front, host } = this.#options
    const gateway = await gatewayOf(this.#io.disk, own, front)
    refuseOpenDoor(host, gateway, front)
    return gateway
  }

  /** Lets another gateway take over. @returns what has changed, in lines @throws MillraceError app/load */
  use(gateway: Gateway | null): readonly string[] {
    const ended = this.#server.use(gateway)
    const changes = gatewayChanges(this.#gateway, gateway)
    this.#gateway = gateway
    if (changes.length === 0) return []
    const streams = ended === 0 ? [] : [`${counted(ended, 'live stream')} may not go on and ended`]
    return [`reloaded the gateway: ${changes.join('; ')}`, ...streams]
  }

  /** The gateway of the file that `--auth` names, as it is now. @throws MillraceError app/load, usage */
  async reread(): Promise<readonly string[]> {
    const gateway = await this.gatewayOf({ gateway: null })
    if (!this.runs(this.#definition, gateway)) {
      throw new MillraceError('usage', 'audit and accessLog are topics, which a restart makes', {
        hint: 'leave them as they were, or restart',
      })
    }
    await checkPolicies(gateway, this.#database.catalog())
    return this.use(gateway)
  }

  /** @throws MillraceError what planning refuses, policies that would be about nothing, charts that can't be drawn */
  async plan({ definition, charts }: LoadedApp, gateway: Gateway | null): Promise<Definition> {
    const whole = withOwnTopics(definition, ownTopicsOf(gateway))
    const { program } = await whole.plan({ topics: [], views: [] })
    // What was closed must not be left open under another name.
    await checkPolicies(gateway, program)
    checkCharts(charts, program)
    return whole
  }

  /** Shows other charts. @returns whether they are others */
  redraw(charts: readonly NamedChart[]): boolean {
    const before = JSON.stringify(chartBodies(this.#charts.shown))
    this.#charts.shown = charts
    return JSON.stringify(chartBodies(charts)) !== before
  }

  /** @param app with the gateway that is to stand in front of it, which still has to be used */
  async redefine(app: LoadedApp): Promise<readonly Difference[]> {
    const whole = await this.plan(app, app.gateway)
    // Until all is as it is to be, nobody sees what one of the two gateways hides.
    this.#server.use(between(this.#gateway, app.gateway))
    const bar = new ProgressBar('building the changed views')
    const lastEvent = this.#database.status().topics.reduce((sum, { nextOffset }) => sum + nextOffset, 0)
    try {
      const differences = await this.#database.redefine(whole, (events) =>
        bar.update(events, lastEvent, `${(events / 1e6).toFixed(1)} million events`),
      )
      this.#definition = app.definition
      this.#charts.shown = app.charts
      return differences
    } catch (error) {
      this.#server.use(this.#gateway)
      throw error
    } finally {
      bar.stop()
    }
  }

  async end(): Promise<void> {
    await this.#server.close()
    await this.#database.close()
  }
}

/** Changes of the files beside the app, one at a time. */
class Saves {
  readonly #stop: AbortSignal
  #changed = false
  #wake: () => void = () => {}

  /** @param files in whose folders it is looked */
  constructor(io: Io, files: readonly string[], stop: AbortSignal) {
    this.#stop = stop
    let cancel = (): void => {}
    const changed = (name: string): void => {
      if (!/\.([cm]?[jt]s|sql|json)$/i.test(name)) return
      cancel()
      cancel = io.clock.after(settleMs, () => {
        this.#changed = true
        this.#wake()
      })
    }
    const folders = new Set(files.map((file) => path.dirname(path.resolve(file))))
    const ends = [...folders].map((folder) => watchFolder(folder, changed))
    stop.addEventListener('abort', () => {
      cancel()
      for (const end of ends) end()
      this.#wake()
    })
  }

  /** Resolves at the next save; false when it is time to stop. */
  async next(): Promise<boolean> {
    while (!this.#changed && !this.#stop.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#changed = false
    return !this.#stop.aborted
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
