import { MillraceError } from '../data/errors.ts'
import { defaultMemoryBytes } from '../engine/host.ts'
import type { Log } from '../log/log.ts'
import { Catalog } from '../plan/catalog.ts'
import { nodesOf } from '../plan/nodes.ts'
import { planSelect } from '../plan/optimise.ts'
import type { Program } from '../plan/program.ts'
import { loadParser, parseSql } from '../sql/parse.ts'
import { type AdHocOptions, type AdHocSource, runOnce } from '../views/ad-hoc.ts'
import { Rows } from '../views/rows.ts'
import type { DatabaseOptions, QueryAnswer, QueryOptions } from './contract.ts'
import type { Past } from './past.ts'

const queryRowsDefault = 10_000

/** Ad-hoc SQL over all relations at one tick: each query is a view for a moment. */
export class Queries {
  readonly #options: DatabaseOptions
  readonly #program: Program
  readonly #past: Past
  readonly #log: Log
  #catalog: Promise<Catalog> | null = null

  constructor(options: DatabaseOptions, program: Program, past: Past, log: Log) {
    this.#options = options
    this.#program = program
    this.#past = past
    this.#log = log
  }

  /**
   * Runs one SELECT through the planner and the engine, once.
   * @param promised the newest tick that an append was told
   * @throws MillraceError sql/…, sql/too-many-rows, sql/error-rows
   */
  async query(sql: string, options: QueryOptions, promised: number): Promise<QueryAnswer> {
    await loadParser()
    const [statement, ...more] = parseSql(sql)
    if (statement === undefined || more.length > 0 || statement.kind !== 'select') {
      const hint = 'events go in by append; definitions come with the app'
      throw new MillraceError('sql/not-select', 'one SELECT is wanted, and nothing else', { hint })
    }
    const catalog = await this.#queryCatalog()
    const { parameters = [] } = options
    const bound = planSelect(catalog, statement.node, statement, { adHoc: true, parameters })
    const scans = nodesOf(bound.plan).filter((node) => node.op === 'scan')
    const scene = await this.#past.scene(options.asOf, promised, new Set(scans.map(({ relation }) => relation)))
    const source: AdHocSource = { io: this.#options.io, program: this.#program, log: this.#log, ...scene }
    const rows = await runOnce(source, bound, this.#runOptions(options))
    // Columns behind those of the query were there to order by.
    const shown = new Rows(bound.columns, rows.pages, rows.refs, rows.weights)
    return { tick: source.moment.tick, columns: bound.columns, rows: shown }
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
