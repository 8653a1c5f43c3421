// What a definition says, as far as the oracle needs it: PostgreSQL's own parser reads it, nothing of Millrace's does,
// so that a mistake in Millrace's cannot hide itself.
import { parseSync } from 'libpg-query'

export interface OracleTable {
  /** As PostgreSQL folds it. */
  readonly name: string
  readonly columns: readonly string[]
  readonly primaryKey: readonly string[]
  readonly eventTime: string | null
  readonly lateness: string
  /** CREATE TABLE without its options. */
  readonly create: string
}

export interface OracleView {
  readonly name: string
  /** The column list behind the name, with parentheses, or empty. */
  readonly columnList: string
  readonly query: string
  readonly materialized: boolean
  readonly final: boolean
  /** `late = 'drop'`: continuous, over events on time. */
  readonly lateDrop: boolean
}

export interface Definition {
  readonly tables: readonly OracleTable[]
  readonly views: readonly OracleView[]
}

interface Ast {
  // biome-ignore lint/suspicious/noExplicitAny: the parser's JSON, read by name
  readonly [name: string]: any
}

/** The parser must have been loaded (libpg-query's loadModule). */
export function readDefinition(sql: string): Definition {
  const bytes = Buffer.from(sql, 'utf8')
  const tables: OracleTable[] = []
  const views: OracleView[] = []
  for (const { stmt, stmt_location: from = 0, stmt_len: length } of (parseSync(sql) as Ast).stmts) {
    const text = bytes
      .subarray(from, length === undefined ? undefined : from + length)
      .toString('utf8')
      .replace(/^(\s|--[^\n]*\n)+/, '')
      .trim()
      .replace(/;$/, '')
    if (stmt.CreateStmt) tables.push(readTable(stmt.CreateStmt, text))
    else if (stmt.ViewStmt) views.push(readView(stmt.ViewStmt, stmt.ViewStmt.view, text, false))
    else if (stmt.CreateTableAsStmt)
      views.push(readView(stmt.CreateTableAsStmt, stmt.CreateTableAsStmt.into.rel, text, true))
    else throw new Error(`a statement the oracle does not know: ${text}`)
  }
  return { tables, views }
}

const options = /\)\s*WITH\s*\([^()]*\)\s*$/i

function readTable(node: Ast, text: string): OracleTable {
  const columns: string[] = []
  let primaryKey: string[] = []
  for (const element of node.tableElts) {
    if (element.ColumnDef) {
      columns.push(element.ColumnDef.colname)
      const constraints: Ast[] = element.ColumnDef.constraints ?? []
      if (constraints.some((each) => each.Constraint.contype === 'CONSTR_PRIMARY')) {
        primaryKey = [element.ColumnDef.colname]
      }
    } else if (element.Constraint?.contype === 'CONSTR_PRIMARY') {
      primaryKey = element.Constraint.keys.map((key: Ast) => key.String.sval)
    }
  }
  const given = optionsOf(node.options)
  return {
    name: node.relation.relname,
    columns,
    primaryKey,
    eventTime: given.get('event_time') ?? null,
    lateness: given.get('lateness') ?? '0',
    create: text.replace(options, ')'),
  }
}

function readView(node: Ast, relation: Ast, text: string, materialized: boolean): OracleView {
  const given = optionsOf(materialized ? node.into.options : node.options)
  const head =
    /^CREATE\s+(?:MATERIALIZED\s+)?VIEW\s+("[^"]+"|\w+)\s*(\([^()]*\))?\s*(?:WITH\s*\([^()]*\)\s*)?AS\s+/i.exec(text)
  if (!head) throw new Error(`not a view the oracle can read: ${text}`)
  return {
    name: relation.relname,
    columnList: head[2] ?? '',
    query: text.slice(head[0].length),
    materialized,
    final: given.get('emit') === 'final',
    lateDrop: given.get('late') === 'drop',
  }
}

function optionsOf(list: readonly Ast[] | undefined): Map<string, string> {
  return new Map((list ?? []).map(({ DefElem }) => [DefElem.defname, DefElem.arg?.String?.sval ?? '']))
}

/**
 * Windows are table functions in Millrace's SQL and plain queries in PostgreSQL's: `tumble(rel, time, size)` and
 * `hop(rel, time, slide, size)` become subqueries of the same columns.
 */
export function withoutWindowFunctions(query: string): string {
  const call = /\b(tumble|hop)\s*\(/gi
  for (let match = call.exec(query); match; match = call.exec(query)) {
    const open = match.index + match[0].length
    const { parts, end } = splitArguments(query, open)
    const hop = match[1].toLowerCase() === 'hop'
    const [relation, time, slide] = parts
    const size = hop ? parts[3] : slide
    const first = `date_bin(${slide}, w0.${time} - ${size}, '1970-01-01') + ${slide}`
    const last = `date_bin(${slide}, w0.${time}, '1970-01-01')`
    const starts = hop
      ? `generate_series(${first}, ${last}, ${slide})`
      : `(SELECT ${last} WHERE w0.${time} IS NOT NULL)`
    const replacement = `(SELECT w0.*, w1.s AS window_start, w1.s + ${size} AS window_end FROM ${relation} w0 CROSS JOIN LATERAL ${starts} AS w1(s))`
    query = query.slice(0, match.index) + replacement + query.slice(end)
    call.lastIndex = match.index + replacement.length
  }
  return query
}

function splitArguments(text: string, from: number): { parts: string[]; end: number } {
  const parts: string[] = []
  let depth = 0
  let start = from
  for (let at = from; at < text.length; at++) {
    const char = text[at]
    if (char === "'") at = text.indexOf("'", at + 1)
    else if (char === '(') depth++
    else if (char === ',' && depth === 0) {
      parts.push(text.slice(start, at).trim())
      start = at + 1
    } else if (char === ')' && depth-- === 0) {
      parts.push(text.slice(start, at).trim())
      return { parts, end: at + 1 }
    }
  }
  throw new Error(`a call without its closing parenthesis: ${text}`)
}
