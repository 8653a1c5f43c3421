// PostgreSQL's answers: every view of a case after each prefix of its events. A view is a function of the prefix alone,
// so one pass serves all tick sizes. Nothing is stored: answers are asked for anew in every run.
import { PGlite, type Results } from '@electric-sql/pglite'
import { loadModule } from 'libpg-query'
import { type CaseEvent, type LawCase, printEvent } from './case-file.ts'
import {
  type Definition,
  type OracleTable,
  type OracleView,
  readDefinition,
  withoutWindowFunctions,
} from './definition.ts'
import type { ColumnName, ViewState } from './subject.ts'

/** What PostgreSQL says a view is, or that it fails on it (an error in some row). */
export type Answer = ViewState | { readonly failure: string }

/** Answers by view in lower case, after 0, 1, 2, … events, and at last with all windows closed. */
export type Answers = readonly ReadonlyMap<string, Answer>[]

interface Statement {
  readonly sql: string
  /** What its result answers: `rows` of a view or its number of `errors`, after so many events. */
  readonly asks?: { readonly what: 'rows' | 'errors'; readonly view: string; readonly events: number }
}

type Row = readonly (string | null)[]

let shared: Promise<Oracle> | undefined

/** The one PostgreSQL of this process: it takes seconds to start and about a gigabyte. */
export function sharedOracle(): Promise<Oracle> {
  shared ??= Oracle.start()
  return shared
}

export class Oracle {
  readonly #db: PGlite
  /** Every type as its own text. */
  readonly #asText: Record<number, (text: string) => string>
  readonly #typeNames: ReadonlyMap<number, string>

  private constructor(db: PGlite, types: readonly { oid: number; name: string }[]) {
    this.#db = db
    this.#asText = Object.fromEntries(types.map(({ oid }) => [oid, (text: string) => text]))
    this.#typeNames = new Map(types.map(({ oid, name }) => [oid, name]))
  }

  static async start(): Promise<Oracle> {
    const [db] = await Promise.all([PGlite.create(), loadModule()])
    await db.exec("SET TimeZone = 'UTC'; SET client_min_messages = error")
    const types = await db.query<{ oid: number; name: string }>(
      'SELECT oid::int AS oid, format_type(oid, NULL) AS name FROM pg_type',
    )
    return new Oracle(db, types.rows)
  }

  /** @throws Error where PostgreSQL refuses the case: then the case is wrong, not the subject */
  async answers(item: LawCase): Promise<Answers> {
    const definition = readDefinition(`${item.schema};\n${item.views}`)
    const statements = caseStatements(item, definition)
    let results: Results<Row>[]
    try {
      results = await this.exec(statements.map(({ sql }) => sql).join(';\n'))
    } catch {
      results = await this.#oneByOne(item.name, statements)
    } finally {
      await this.#db.exec('ROLLBACK')
    }
    return collect(item, statements, results, (field) => this.#typeNames.get(field) ?? String(field))
  }

  /** The whole case failed as one text: find out where, and let questions fail each on its own. */
  async #oneByOne(name: string, statements: readonly Statement[]): Promise<Results<Row>[]> {
    await this.#db.exec('ROLLBACK')
    const results: Results<Row>[] = []
    for (const { sql, asks } of statements) {
      const text = asks ? `SAVEPOINT question; ${sql}` : sql
      try {
        results.push((await this.exec(text)).at(-1) as Results<Row>)
      } catch (error) {
        if (!asks) throw new Error(`PostgreSQL refuses ${name}: ${(error as Error).message}\n${sql}`, { cause: error })
        await this.#db.exec('ROLLBACK TO SAVEPOINT question')
        results.push({ rows: [[(error as Error).message]], fields: [] })
      }
    }
    return results
  }

  /** Runs statements; every cell is its own text. */
  async exec(sql: string): Promise<Results<Row>[]> {
    return (await this.#db.exec(sql, { rowMode: 'array', parsers: this.#asText })) as unknown as Results<Row>[]
  }

  /** Answers one query. */
  async ask(sql: string): Promise<ViewState> {
    const [{ fields, rows }] = await this.exec(sql)
    return viewState(fields, rows, (oid) => this.#typeNames.get(oid) ?? String(oid))
  }

  async stop(): Promise<void> {
    await this.#db.close()
  }
}

function collect(
  item: LawCase,
  statements: readonly Statement[],
  results: readonly Results<Row>[],
  typeName: (oid: number) => string,
): Answers {
  if (results.length !== statements.length) {
    throw new Error(`${item.name}: ${statements.length} statements, ${results.length} results`)
  }
  const answers: Map<string, Answer>[] = Array.from({ length: item.events.length + 2 }, () => new Map())
  statements.forEach(({ asks }, i) => {
    if (!asks) return
    const { rows, fields } = results[i]
    const before = answers[asks.events].get(asks.view)
    if (asks.what === 'errors' && before && 'rows' in before) {
      answers[asks.events].set(asks.view, { ...before, errors: Number(rows[0][0]) })
    } else if (asks.what === 'rows' && fields.length === 0 && rows.length > 0) {
      answers[asks.events].set(asks.view, { failure: String(rows[0][0]) })
    } else if (asks.what === 'rows') {
      answers[asks.events].set(asks.view, viewState(fields, rows, typeName))
    }
  })
  return answers
}

function viewState(fields: Results['fields'], rows: readonly Row[], typeName: (oid: number) => string): ViewState {
  const columns = fields.map((field): ColumnName => ({ name: field.name, type: typeName(field.dataTypeID) }))
  const floats = columns.map(({ type }) => type === 'real' || type === 'double precision')
  // −0 equals 0; Millrace keeps one form of equal values.
  return {
    columns,
    rows: rows.map((row) => row.map((cell, k) => (floats[k] && cell === '-0' ? '0' : cell))),
    errors: 0,
  }
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

function caseStatements(item: LawCase, definition: Definition): Statement[] {
  const tables = new Map(definition.tables.map((table) => [table.name.toLowerCase(), table]))
  const systemColumns = /\b_(offset|partition)\b/i.test(item.views)
  const statements: Statement[] = [
    { sql: 'BEGIN' },
    { sql: 'CREATE SCHEMA law' },
    { sql: 'CREATE SCHEMA law_on_time' },
    // pg_catalog last, so that this schema's now() is found before PostgreSQL's.
    { sql: 'SET LOCAL search_path = law, pg_catalog' },
    { sql: 'CREATE TABLE law_closing AS SELECT false AS closed' },
    { sql: "CREATE TABLE law_now AS SELECT timestamptz '2026-01-01' AS at" },
    { sql: "CREATE FUNCTION now() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT at FROM law.law_now'" },
    ...definition.tables.flatMap((table) => tableStatements(table, systemColumns)),
    { sql: lateRelation(definition.tables) },
    ...definition.views.flatMap((view) => viewStatements(view, item, definition)),
  ]
  const ask = (events: number): void => {
    for (const { name, materialized } of definition.views) {
      if (!materialized) continue
      const view = name.toLowerCase()
      statements.push({ sql: `SELECT * FROM ${quote(name)}`, asks: { what: 'rows', view, events } })
      const errors = item.errors.get(name)
      if (errors) statements.push({ sql: errors, asks: { what: 'errors', view, events } })
    }
  }
  ask(0)
  const offsets = new Map<OracleTable, number>()
  item.events.forEach((event, i) => {
    if (event.at !== null) statements.push({ sql: `UPDATE law_now SET at = timestamptz ${literal(event.at)}` })
    if (event.topic !== null) {
      const table = tables.get(event.topic.toLowerCase())
      if (!table) throw new Error(`${item.name}: no topic ${event.topic}`)
      const offset = offsets.get(table) ?? 0
      offsets.set(table, offset + 1)
      statements.push({ sql: change(table, event, offset) })
    }
    ask(i + 1)
  })
  statements.push({ sql: 'UPDATE law_closing SET closed = true' })
  ask(item.events.length + 1)
  return statements
}

const log = (table: OracleTable): string => quote(`${table.name}__log`)

/** The rows with their offsets, and the relation that queries see. */
function tableStatements(table: OracleTable, systemColumns: boolean): Statement[] {
  const create = table.create.replace(/^(CREATE\s+TABLE\s+)("[^"]+"|\w+)/i, `$1${log(table)}`)
  const columns = table.columns.map(quote).join(', ')
  const seen = systemColumns ? `${columns}, _partition, _offset` : columns
  const statements = [
    create,
    `ALTER TABLE ${log(table)} ADD COLUMN _partition int DEFAULT 0`,
    `ALTER TABLE ${log(table)} ADD COLUMN _offset bigint`,
    `CREATE VIEW ${quote(table.name)} AS SELECT ${seen} FROM ${log(table)}`,
  ]
  if (table.eventTime !== null) {
    const time = quote(table.eventTime)
    const watermark = `max(${time}) OVER (ORDER BY _offset ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) - interval ${literal(table.lateness)}`
    statements.push(
      `CREATE VIEW ${quote(`${table.name}__marked`)} AS SELECT *, ${watermark} AS watermark FROM ${log(table)}`,
      `CREATE VIEW law_on_time.${quote(table.name)} AS SELECT ${seen} FROM ${quote(`${table.name}__marked`)} WHERE watermark IS NULL OR ${time} >= watermark`,
      `CREATE VIEW ${quote(`${table.name}__watermark`)} AS SELECT CASE WHEN (SELECT closed FROM law.law_closing) THEN 'infinity' ELSE max(${time}) - interval ${literal(table.lateness)} END AS watermark FROM ${log(table)}`,
    )
  }
  return statements.map((sql) => ({ sql }))
}

function lateRelation(tables: readonly OracleTable[]): string {
  const parts = tables
    .filter(({ eventTime }) => eventTime !== null)
    .map((table) => {
      const time = quote(table.eventTime as string)
      return `SELECT ${literal(table.name)}::text AS topic, _partition, _offset, ${time} AS event_time, watermark, watermark - ${time} AS distance FROM ${quote(`${table.name}__marked`)} WHERE ${time} < watermark`
    })
  return `CREATE VIEW _late AS ${parts.length > 0 ? parts.join(' UNION ALL ') : 'SELECT 1 AS none'}`
}

function viewStatements(view: OracleView, item: LawCase, definition: Definition): Statement[] {
  const given = item.oracles.get(view.name)
  const head = `CREATE VIEW ${quote(view.name)}${view.columnList} AS`
  const query = withoutWindowFunctions(given ?? view.query)
  if (given !== undefined || !(view.final || view.lateDrop)) return [{ sql: `${head} ${query}` }]
  const read = definition.tables.filter(
    ({ name, eventTime }) => eventTime !== null && new RegExp(`\\b${name}\\b`, 'i').test(view.query),
  )
  const watermarks = read.map(({ name }) => `(SELECT watermark FROM law.${quote(`${name}__watermark`)})`)
  const closed = view.final ? ` WHERE window_end <= LEAST(${watermarks.join(', ')})` : ''
  return [
    { sql: 'SET LOCAL search_path = law_on_time, law, pg_catalog' },
    {
      sql: `CREATE VIEW law.${quote(view.name)}${view.columnList} AS SELECT * FROM (${query}) q${closed}`,
    },
    { sql: 'SET LOCAL search_path = law, pg_catalog' },
  ]
}

/** The statement that does to a PostgreSQL table what the event does to the topic. */
function change(table: OracleTable, event: CaseEvent, offset: number): string {
  const fields = event.fields.map(([key, value]) => {
    const column = table.columns.find((each) => each.toLowerCase() === key.toLowerCase())
    if (column === undefined) throw new Error(`topic ${table.name} has no column ${key}: ${printEvent(event)}`)
    return `${JSON.stringify(column)}:${value}`
  })
  const row = `json_populate_record(null::${log(table)}, ${literal(`{${[...fields, '"_partition":0', `"_offset":${offset}`].join(',')}}`)})`
  const key = table.primaryKey.map(quote)
  if (event.operation === 'delete') {
    return `DELETE FROM ${log(table)} t USING ${row} k WHERE ${key.map((column) => `t.${column} = k.${column}`).join(' AND ')}`
  }
  const insert = `INSERT INTO ${log(table)} SELECT * FROM ${row}`
  if (key.length === 0) return insert
  const columns = [...table.columns.map(quote), '_partition', '_offset']
  return `${insert} ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`
}
