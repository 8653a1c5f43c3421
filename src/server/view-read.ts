import { MillraceError } from '../data/errors.ts'
import { hex } from '../data/hex.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { known } from '../database/names.ts'
import type { Sight } from '../database/sight.ts'
import type { Database } from '../database.ts'
import { sha256 } from '../io/digest.ts'
import type { Clock } from '../io/io.ts'
import type { Order } from '../plan/plan.ts'
import type { ViewDefinition } from '../plan/program.ts'
import { type Answers, etagOf, type Rendered, Standing } from './answers.ts'
import { asOfParameter, stillReplaying } from './as-of.ts'
import { type ApiAnswer, type ApiRequest, afterText, jsonType, rejoined } from './exchange.ts'
import type { Limits } from './limits.ts'
import { Parameters, refused } from './parameters.ts'
import { rowsJson } from './rows-json.ts'

export const numberForms = ['exact', 'string'] as const

export interface ViewReader {
  readonly database: Database
  readonly clock: Clock
  readonly limits: Limits
  /** Tells this server's answers from those of another over other data. */
  readonly nonce: string
  readonly answers: Answers
}

/** GET /v1/views/{view} */
export function readView(
  reader: ViewReader,
  request: ApiRequest,
  sight: Sight | undefined,
  name: string,
  query: string,
): Promise<ApiAnswer> {
  return readRows(reader, request, sight, name, query).catch(stillReplaying)
}

async function readRows(
  { database, clock, limits, nonce, answers }: ViewReader,
  request: ApiRequest,
  sight: Sight | undefined,
  name: string,
  query: string,
): Promise<ApiAnswer> {
  const { asked, waits } = withoutMinTick(query)
  // Neither a query nor the text of a list has a line's end in it, and a query has no blank.
  const key = `${asked} ${sight?.key ?? ''}\n${name}`
  const keptAnswer = (): ApiAnswer | null => {
    const ready = answers.find(key, database)
    if (ready === null) return null
    database.telemetry.readKept()
    return answerOf(ready, request)
  }
  const ready = waits ? null : keptAnswer()
  if (ready !== null) return ready
  const view = database.view(name)
  const parameters = new Parameters(query)
  const numbers = parameters.choice('numbers', numberForms) ?? 'exact'
  const minTick = parameters.integer('min_tick')
  const limit = parameters.integer('limit')
  const asOf = asOfParameter(parameters.one('as_of'), parameters, limits, request)
  const order = parameters.all('order').flatMap((text) => ordersOf(view, text))
  const where = equalities(view, parameters)
  if (minTick !== null) {
    await database.waitForTick(minTick, limits.minTickMs)
    const sinceKept = keptAnswer()
    if (sinceKept !== null) return sinceKept
  }
  // A limit beyond what one answer may have is none of the reader's business as long as there are fewer rows.
  const most = Math.min(limit ?? Number.POSITIVE_INFINITY, limits.viewRows + 1)
  const options = {
    where,
    order,
    limit: most,
    ...(asOf === null ? {} : { asOf }),
    ...(sight === undefined ? {} : { sight }),
  }
  const stands = asOf === null ? Standing.of(database, view.name, where) : null
  const { tick, errors, rows } = await database.read(view.name, options)
  if (rows.count > limits.viewRows) {
    const what = `${view.name} has more than the ${limits.viewRows} rows that one answer may have`
    throw new MillraceError('request/too-many-rows', what, { hint: 'add a limit or a filter, or read it live' })
  }
  const pieces = rowsJson(clock, `,"errors":${errors},"rows":[`, rows, 'rows', ']}\n', { numbers })
  const first = await pieces.next()
  const second = await pieces.next()
  if (first.done !== true && second.done === true) {
    const rendered: Rendered = { tick, tail: first.value, etag: etagOf(first.value) }
    if (stands !== null) answers.keep(key, stands, rendered)
    return answerOf(rendered, request)
  }
  // Two readers of one view have two answers, and so have two questions.
  const question = hex(sha256(encoder.encode(key)).subarray(0, 8))
  const etag = `W/"${nonce}-${view.id}-${tick}-${question}"`
  const headers = { ...headersOf(tick, etag), vary: 'Authorization' }
  if (matches(request.header('if-none-match'), etag)) {
    await pieces.return(undefined)
    return { status: 304, headers, body: null }
  }
  const whole = rejoined([encoder.encode(headOf(tick)), first.value as Uint8Array, second.value as Uint8Array], pieces)
  return { status: 200, headers: { 'content-type': jsonType, ...headers }, body: whole }
}

/** A query less the tick that it waits for, which decides when it is answered and not what the answer is. */
function withoutMinTick(query: string): { readonly asked: string; readonly waits: boolean } {
  if (!query.includes('min_tick=')) return { asked: query, waits: false }
  const parts = query.split('&')
  const others = parts.filter((part) => !part.startsWith('min_tick='))
  return { asked: others.join('&'), waits: others.length < parts.length }
}

const encoder = new TextEncoder()

function headOf(tick: number): string {
  return `{"tick":${tick}`
}

function headersOf(tick: number, etag: string): Readonly<Record<string, string>> {
  return { 'millrace-tick': String(tick), etag, 'cache-control': 'private, no-cache' }
}

function answerOf({ tick, tail, etag }: Rendered, request: ApiRequest): ApiAnswer {
  const headers = { ...headersOf(tick, etag), vary: 'Authorization' }
  if (matches(request.header('if-none-match'), etag)) return { status: 304, headers, body: null }
  return { status: 200, headers: { 'content-type': jsonType, ...headers }, body: afterText(headOf(tick), tail) }
}

function matches(header: string | null, etag: string): boolean {
  if (header === null) return false
  const plain = etag.replace(/^W\//, '')
  return header.split(',').some((text) => {
    const tag = text.trim()
    return tag === '*' || tag.replace(/^W\//, '') === plain
  })
}

/** `-at,id`: a minus means descending. NULLs lie where PostgreSQL puts them. */
function ordersOf({ name, columns }: ViewDefinition, text: string): Order[] {
  return text.split(',').map((part) => {
    const own = columnOf(columns, part)
    const descending = own < 0 && part.startsWith('-')
    const column = descending ? columnOf(columns, part.slice(1)) : own
    if (column < 0) throw unknownColumn('order', name, columns, part)
    return { column, descending, nullsFirst: descending }
  })
}

/** A view or a topic. */
type Named = Pick<ViewDefinition, 'name' | 'columns'>

/**
 * All other parameters are columns: `col=value`. `eq.col=value` says the same for a column that is called like a
 * parameter, `isnull=col` asks for NULL.
 */
export function equalities({ name, columns }: Named, parameters: Parameters): Record<string, string | null> {
  const where = new Map<string, string | null>()
  const add = (parameter: string, column: number, value: string | null): void => {
    if (column < 0)
      throw unknownColumn(parameter, name, columns, parameter.startsWith('eq.') ? parameter.slice(3) : null)
    const own = columns[column].name
    if (where.has(own)) throw refused(parameter, 'is asked for more than once')
    where.set(own, value)
  }
  for (const column of parameters.all('isnull')) {
    const at = columnOf(columns, column)
    if (at < 0) throw unknownColumn('isnull', name, columns, column)
    add(column, at, null)
  }
  for (const [parameter, values] of parameters.rest()) {
    const own = columnOf(columns, parameter)
    const column = own < 0 && parameter.startsWith('eq.') ? columnOf(columns, parameter.slice(3)) : own
    for (const value of values) add(parameter, column, value)
  }
  return Object.fromEntries(where)
}

/** In its own spelling first, then in any case. */
function columnOf(columns: readonly ColumnSchema[], name: string): number {
  const exact = columns.findIndex((column) => column.name === name)
  if (exact >= 0) return exact
  const lower = name.toLowerCase()
  return columns.findIndex((column) => column.name.toLowerCase() === lower)
}

function unknownColumn(
  parameter: string,
  view: string,
  columns: readonly ColumnSchema[],
  named: string | null,
): MillraceError {
  if (named === null) {
    const hint = `${view} has ${columns.map(({ name }) => name).join(', ')}`
    return refused(parameter, `is neither a parameter nor a column of ${view}`, hint)
  }
  return new MillraceError('column/unknown', `${view} has no column ${JSON.stringify(named)}`, {
    hint: known(columns, named),
  })
}
