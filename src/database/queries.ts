import type { ErrorsOptions, ViewErrors } from '../app/database-shape.ts'
import { MillraceError } from '../data/errors.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { defaultMemoryBytes } from '../engine/host.ts'
import { type Log, readInSteps } from '../log/log.ts'
import { Catalog } from '../plan/catalog.ts'
import { errorQuery } from '../plan/error-places.ts'
import { explainPlan } from '../plan/explain.ts'
import { nodesOf } from '../plan/nodes.ts'
import { planSelect } from '../plan/optimise.ts'
import type { Order, Plan } from '../plan/plan.ts'
import type { Program } from '../plan/program.ts'
import { loadParser, parseSql, type StatementOf } from '../sql/parse.ts'
import { type AdHocOptions, type AdHocSource, runOnce } from '../views/ad-hoc.ts'
import { Rows } from '../views/rows.ts'
import type { View } from '../views/view.ts'
import type { DatabaseOptions, QueryAnswer, QueryOptions } from './contract.ts'
import type { LogPast } from './log-past.ts'
import type { Past, Scene } from './past.ts'
import type { Surroundings } from './running.ts'
import { refusePositions, type SeenCatalog, seenCatalog } from './seen-catalog.ts'
import type { Sight } from './sight.ts'
import { listedErrors } from './why/listed-errors.ts'

const queryRowsDefault = 10_000
const errorsDefault = 100

/** A SELECT over what its reader sees. */
export interface BoundQuery {
  /** Those that were asked for; the plan may have more behind them, to order by. */
  readonly columns: readonly ColumnSchema[]
  readonly plan: Plan
  readonly order: readonly Order[]
  readonly relations: ReadonlySet<number>
  readonly restrictions: SeenCatalog['restrictions']
}

export interface QueryPlan {
  readonly columns: readonly ColumnSchema[]
  /** A node a line, what it reads indented below it. */
  readonly text: string
}

/** Ad-hoc SQL over all relations at one tick: each query is a view for a moment. */
export class Queries {
  readonly #options: DatabaseOptions
  readonly #program: Program
  readonly #past: Past
  readonly #log: Log
  readonly #gone: LogPast
  #catalog: Promise<Catalog> | null = null

  constructor({ options, log, past: gone }: Omit<Surroundings, 'snapshots'>, program: Program, past: Past) {
    this.#options = options
    this.#program = program
    this.#past = past
    this.#log = log
    this.#gone = gone
  }

  /**
   * Runs one SELECT through the planner and the engine, once.
   * @param promised the newest tick that an append was told
   * @throws MillraceError sql/…, sql/too-many-rows, sql/error-rows
   */
  async query(sql: string, options: QueryOptions, promised: number): Promise<QueryAnswer> {
    const bound = await this.bind(sql, options)
    const { relations, restrictions } = bound
    const { tick, rows } = await this.#gone.reading(async (held) => {
      const scene = await this.#past.scene(options.asOf, promised, relations)
      const rows = await this.inSteps(scene, (source) => {
        held()
        return runOnce({ ...source, restrictions }, bound, this.#runOptions(options))
      })
      return { tick: scene.moment.tick, rows }
    })
    // Columns behind those of the query were there to order by.
    const shown = new Rows(bound.columns, rows.pages, rows.refs, rows.weights)
    return { tick, columns: bound.columns, rows: shown }
  }

  /** @throws MillraceError sql/… */
  async bind(sql: string, { parameters = [], sight }: QueryOptions): Promise<BoundQuery> {
    await loadParser()
    const statement = oneSelect(sql)
    const { catalog, restrictions } = await seenCatalog(await this.#queryCatalog(), sight)
    const { columns, plan, order } = planSelect(catalog, statement.node, statement, { adHoc: true, parameters })
    const scans = nodesOf(plan).filter((node) => node.op === 'scan')
    refusePositions(scans, restrictions, catalog)
    return { columns, plan, order, relations: new Set(scans.map(({ relation }) => relation)), restrictions }
  }

  /** How a SELECT would be computed, over the relations that a caller sees. @throws MillraceError sql/… */
  async explain(sql: string, sight?: Sight): Promise<QueryPlan> {
    await loadParser()
    const { catalog } = await seenCatalog(await this.#queryCatalog(), sight)
    const statement = oneSelect(sql)
    const { columns, plan } = planSelect(catalog, statement.node, statement, { adHoc: true, parameters: [] })
    return { columns, text: explainPlan(plan, (relation) => catalog.byId(relation).name) }
  }

  /**
   * A view's error rows with the events that they come from: found by running its plan once more over the log.
   * @param closed whether final views show what infinite watermarks would
   */
  async errors(view: View, { limit = errorsDefault, signal }: ErrorsOptions, closed: boolean): Promise<ViewErrors> {
    const scene = await this.#past.scene(undefined, 0, new Set())
    const { tick } = scene.moment
    const { errors } = scene.moment.version(view)
    if (errors === 0) return { tick, errors, rows: [] }
    const asked = errorQuery(this.#program, view.definition, limit)
    const own = this.#runOptions({ maxRows: limit, ...(signal === undefined ? {} : { signal }) })
    // Rows that erred further up stand beside this query, too: they are what it is about.
    const options = { ...own, besideErrors: true }
    const found = await this.#gone.reading((held) =>
      this.inSteps(scene, (source) => {
        held()
        return runOnce({ ...source, closed }, { plan: asked.plan, order: [] }, options)
      }),
    )
    const rows = listedErrors(asked, found)
    const listed = rows.reduce((sum, { count }) => sum + count, 0)
    const beyond = this.#gone.viewsBeyond(this.#program).has(view.definition.id)
    const gone = beyond && rows.length < limit ? Math.max(0, errors - listed) : 0
    return { tick, errors, rows, ...(gone === 0 ? {} : { gone }) }
  }

  /** Runs work over what a query sees at a moment. */
  inSteps<T>(scene: Scene, work: (source: AdHocSource) => Promise<T>): Promise<T> {
    const { io } = this.#options
    const gone = this.#gone.watermarks(this.#program)
    return readInSteps(this.#log, (log) => work({ io, program: this.#program, log, gone, ...scene }))
  }

  #runOptions({ maxRows = queryRowsDefault, signal }: QueryOptions): AdHocOptions {
    const { engine = 'worker', memoryBytes = defaultMemoryBytes } = this.#options
    return { maxRows, engine, memoryBytes, ...(signal === undefined ? {} : { signal }) }
  }

  /** The stored program knows no named queries: where the definitions are at hand they are bound once more. */
  #queryCatalog(): Promise<Catalog> {
    const { definition } = this.#options
    this.#catalog ??= (async () => {
      if (definition === undefined) return Catalog.of(this.#program)
      return (await definition.plan(this.#program)).catalog
    })()
    return this.#catalog
  }
}

/** @throws MillraceError sql/syntax, sql/not-select */
function oneSelect(sql: string): StatementOf<'select'> {
  const [statement, ...more] = parseSql(sql)
  if (statement !== undefined && more.length === 0 && statement.kind === 'select') return statement
  const hint = 'events go in by append; definitions come with the app'
  throw new MillraceError('sql/not-select', 'one SELECT is wanted, and nothing else', { hint })
}
