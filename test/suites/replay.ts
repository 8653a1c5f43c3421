// Replays a suite's statements: PostgreSQL does what they say, and what its tables then hold becomes events. Each query
// is asked of PostgreSQL and of Millrace, over the same definitions and everything that happened so far.
import { type CaseEvent, jsonFields } from '../law/case-file.ts'
import { compare } from '../law/compare.ts'
import { withoutWindowFunctions } from '../law/definition.ts'
import type { EngineSubject } from '../law/engine-subject.ts'
import type { Oracle } from '../law/oracle.ts'
import type { ViewState } from '../law/subject.ts'
import type { SuiteGroup, SuiteRecord } from './records.ts'

export type Outcome = 'passed' | 'refused' | 'wrong' | 'skipped'

export interface Verdict {
  readonly record: SuiteRecord
  readonly outcome: Outcome
  readonly message: string
}

interface Table {
  readonly kind: 'table'
  readonly definition: string
  /** Rows as JSON text by hidden key. */
  rows: Map<string, string>
}

interface View {
  readonly kind: 'view'
  readonly definition: string
}

const rowKey = 'slt_id'
const changesData = /\b(insert\s+into|update|delete\s+from|merge\s+into|truncate)\b|^create\b/i
/** Numbers rows in an order that the query leaves open: there is more than one right answer. */
const openOrder = /\bover\s*\((\s*partition\s+by[^()]*)?\)/i

export class Replay {
  readonly #oracle: Oracle
  readonly #subject: EngineSubject
  /** In the order of their definition. */
  readonly #relations = new Map<string, Table | View>()
  #ticks: CaseEvent[][] = []

  constructor(oracle: Oracle, subject: EngineSubject) {
    this.#oracle = oracle
    this.#subject = subject
  }

  async run(group: SuiteGroup): Promise<Verdict[]> {
    await this.#oracle.exec('CREATE SCHEMA suite; SET search_path = suite')
    const verdicts: Verdict[] = []
    try {
      for (const record of group.records) {
        const verdict = await this.#record(record)
        if (verdict) verdicts.push(verdict)
      }
    } finally {
      await this.#oracle.exec("RESET ALL; SET TimeZone = 'UTC'; DROP SCHEMA suite CASCADE")
    }
    return verdicts
  }

  async #record(record: SuiteRecord): Promise<Verdict | null> {
    const sql = record.sql.trim().replace(/;$/, '')
    if (!changesData.test(sql) && /^(select|values|with|\()/i.test(sql)) return this.#query(record, sql)
    try {
      await this.#statement(sql)
    } catch {
      // What PostgreSQL refuses changes nothing; what only Millrace would refuse shows in the queries.
    }
    return null
  }

  async #statement(sql: string): Promise<void> {
    const create = /^create\s+table\s+(?:if\s+not\s+exists\s+)?([\w.]+)/i.exec(sql)
    const view = /^create\s+(?:materialized\s+)?view\s+(?:if\s+not\s+exists\s+)?(\w+)\s*(\([^()]*\))?\s*as\s+/i.exec(
      sql,
    )
    const drop = /^drop\s+(?:table|view|materialized\s+view)\s+(?:if\s+exists\s+)?([\w\s,]+?)(?:\s+cascade)?$/i.exec(
      sql,
    )
    if (create) return this.#createTable(sql, create[1].toLowerCase())
    if (view) return this.#createView(view[1].toLowerCase(), view[2] ?? '', sql.slice(view[0].length))
    if (drop) {
      for (const name of drop[1].split(',')) await this.#drop(name.trim().toLowerCase())
      return
    }
    if (!changesData.test(sql)) return
    await this.#oracle.exec(sql)
    await this.#takeChanges()
  }

  /** A table of the suite is a view over one with a hidden key, so that equal rows can be told apart. */
  async #createTable(sql: string, name: string): Promise<void> {
    const rows = `${name}__rows`
    const text = sql.replace(/^(create\s+table\s+(?:if\s+not\s+exists\s+)?)[\w.]+/i, `$1${rows}`)
    await this.#oracle.exec(text.replace(/\bappend\s+only\b/gi, '').replace(/\)\s*with\s*\([^()]*\)\s*$/i, ')'))
    const [{ rows: columns }] = await this.#oracle.exec(
      `SELECT quote_ident(attname), format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '${rows}'::regclass AND attnum > 0 ORDER BY attnum`,
    )
    const names = columns.map(([column]) => column).join(', ')
    await this.#oracle.exec(`ALTER TABLE ${rows} ADD COLUMN ${rowKey} bigint GENERATED ALWAYS AS IDENTITY`)
    await this.#oracle.exec(`CREATE VIEW ${name} AS SELECT ${names} FROM ${rows}`)
    const typed = columns.map(([column, type]) => `${column} ${type}`).join(', ')
    const definition = `CREATE TABLE ${rows} (${rowKey} bigint PRIMARY KEY, ${typed});\nCREATE VIEW ${name} AS SELECT ${names} FROM ${rows};`
    this.#relations.set(name, { kind: 'table', definition, rows: new Map() })
    await this.#takeChanges()
  }

  async #createView(name: string, columns: string, query: string): Promise<void> {
    const plain = query.replace(/\bemit\s+on\s+window\s+close\b/gi, '')
    await this.#oracle.exec(`CREATE VIEW ${name}${columns} AS ${withoutWindowFunctions(plain)}`)
    const definition = `CREATE MATERIALIZED VIEW ${name}${columns} AS ${query};`
    this.#relations.set(name, { kind: 'view', definition })
  }

  async #drop(name: string): Promise<void> {
    const relation = this.#relations.get(name)
    if (!relation) return
    await this.#oracle.exec(
      relation.kind === 'table' ? `DROP TABLE ${name}__rows CASCADE` : `DROP VIEW ${name} CASCADE`,
    )
    this.#relations.delete(name)
    this.#ticks = this.#ticks.map((tick) => tick.filter(({ topic }) => topic !== `${name}__rows`))
  }

  /** One statement's changes are one tick. */
  async #takeChanges(): Promise<void> {
    const tick: CaseEvent[] = []
    for (const [name, relation] of this.#relations) {
      if (relation.kind !== 'table') continue
      const topic = `${name}__rows`
      const [{ rows }] = await this.#oracle.exec(`SELECT ${rowKey}::text, row_to_json(r)::text FROM ${topic} r`)
      const now = new Map(rows.map(([key, row]) => [key as string, row as string]))
      for (const key of relation.rows.keys()) {
        if (!now.has(key)) tick.push({ topic, operation: 'delete', fields: [[rowKey, key]], at: null })
      }
      for (const [key, row] of now) {
        if (relation.rows.get(key) === row) continue
        tick.push({ topic, operation: 'upsert', fields: jsonFields(row), at: null })
      }
      relation.rows = now
    }
    if (tick.length > 0) this.#ticks.push(tick)
  }

  async #query(record: SuiteRecord, sql: string): Promise<Verdict> {
    const verdict = (outcome: Outcome, message = ''): Verdict => ({ record, outcome, message })
    let wanted: ViewState | null
    try {
      wanted = await this.#oracle.ask(withoutWindowFunctions(sql))
    } catch {
      if (record.expect !== 'error') return verdict('skipped', 'PostgreSQL refuses it')
      wanted = null
    }
    let found: ViewState
    try {
      found = await this.#ask(sql)
    } catch (error) {
      const { name, message, stack } = error as Error
      if (name !== 'MillraceError') return verdict('wrong', stack ?? message)
      return wanted === null ? verdict('passed', message) : verdict('refused', message)
    }
    if (wanted === null)
      return found.errors > 0 ? verdict('passed') : verdict('wrong', 'PostgreSQL fails, Millrace answers')
    if (openOrder.test(sql)) return verdict('skipped', 'its order is open')
    const difference = compare('query', { ...wanted, columns: found.columns }, found)
    return difference === null ? verdict('passed') : verdict('wrong', JSON.stringify(difference))
  }

  async #ask(sql: string): Promise<ViewState> {
    const needed = this.#needed(sql)
    const definition = needed.map((name) => this.#relations.get(name)?.definition).join('\n')
    const topics = new Set(needed.map((name) => `${name}__rows`))
    const ticks = this.#ticks
      .map((tick) => tick.filter(({ topic }) => topic !== null && topics.has(topic)))
      .filter((tick) => tick.length > 0)
    return this.#subject.ask(definition, sql, [[], ...ticks])
  }

  /** The relations that a query reads, and those that they read, in the order of their definition. */
  #needed(sql: string): string[] {
    const found = new Set<string>()
    const look = (text: string): void => {
      for (const [word] of text.toLowerCase().matchAll(/[a-z_]\w*/g)) {
        const relation = this.#relations.get(word)
        if (!relation || found.has(word)) continue
        found.add(word)
        if (relation.kind === 'view') look(relation.definition)
      }
    }
    look(sql)
    return [...this.#relations.keys()].filter((name) => found.has(name))
  }
}
