import { MillraceError } from '../data/errors.ts'
import { jsonEntries } from '../data/ingest/json-entries.ts'
import { JsonScanner } from '../data/ingest/json-scan.ts'
import { resultTypeName } from '../data/sql-type.ts'
import type { Sight } from '../database/sight.ts'
import { asOfMember, asOfParameter, stillReplaying } from './as-of.ts'
import { type ApiAnswer, type ApiRequest, jsonType, piecedAnswer } from './exchange.ts'
import { requireJson } from './media-type.ts'
import { Parameters } from './parameters.ts'
import { bounded, type QueryServer } from './query-server.ts'
import { rowsJson } from './rows-json.ts'
import { numberForms } from './view-read.ts'

/** POST /v1/sql */
export function runSql(
  server: QueryServer,
  request: ApiRequest,
  sight: Sight | undefined,
  query: string,
): Promise<ApiAnswer> {
  return answerSql(server, request, sight, query).catch(stillReplaying)
}

async function answerSql(
  server: QueryServer,
  request: ApiRequest,
  sight: Sight | undefined,
  query: string,
): Promise<ApiAnswer> {
  const parameters = new Parameters(query)
  const numbers = parameters.choice('numbers', numberForms) ?? 'exact'
  requireJson(request)
  const { database, clock, limits } = server
  const { sql, params, asOf: moment } = readSqlBody(await request.readBody())
  const asOf = asOfParameter(moment, parameters, limits, request)
  parameters.end()
  const { tick, columns, rows } = await bounded(server, request.signal, (signal) => {
    const options = {
      parameters: params,
      maxRows: limits.sqlRows,
      signal,
      ...(asOf === null ? {} : { asOf }),
      ...(sight === undefined ? {} : { sight }),
    }
    return database.query(sql, options)
  })
  const named = columns.map(({ name, type }) => ({ name, type: resultTypeName(type) }))
  const head = `{"tick":${tick},"columns":${JSON.stringify(named)},"rows":[`
  return piecedAnswer(
    200,
    { 'content-type': jsonType, 'cache-control': 'no-store', 'millrace-tick': String(tick) },
    rowsJson(clock, head, rows, 'rows', ']}\n', { numbers, shape: 'array' }),
  )
}

interface SqlBody {
  readonly sql: string
  readonly params: readonly (string | null)[]
  /** A tick or a time; null: now. */
  readonly asOf: string | null
}

/**
 * Reads `{"sql": "…", "params": […], "as_of": …}`. Numbers are taken over digit by digit, as they were written.
 * @throws MillraceError request/malformed
 */
export function readSqlBody(body: Uint8Array): SqlBody {
  const scanner = new JsonScanner()
  scanner.load(body)
  const whole = scanner.space(0)
  const end = scanner.skip(whole)
  if (end < 0 || scanner.space(end) < scanner.end) {
    const why = end < 0 ? scanner.errorText : 'something follows its end'
    throw malformed(`the body is not JSON: ${why}`, '')
  }
  if (scanner.bytes[whole] !== 0x7b) throw malformed('the body is an object', '')
  let sql: string | null = null
  let params: readonly (string | null)[] | null = null
  let asOf: string | null = null
  for (const [key, start, valueEnd] of jsonEntries(scanner, whole, true)) {
    if (key === 'sql' && sql === null) {
      if (scanner.bytes[start] !== 0x22) throw malformed('sql is text', '/sql')
      sql = scanner.string(start, valueEnd)
    } else if (key === 'params' && params === null) {
      if (scanner.bytes[start] !== 0x5b) throw malformed('params is an array', '/params')
      params = Array.from(jsonEntries(scanner, start, false), ([, from, to]) => parameterText(scanner, from, to))
    } else if (key === 'as_of' && asOf === null) {
      const quoted = scanner.bytes[start] === 0x22
      asOf = asOfMember(quoted ? scanner.string(start, valueEnd) : scanner.text(start, valueEnd), !quoted)
    } else {
      const why = key === 'sql' || key === 'params' || key === 'as_of' ? 'is there twice' : 'is unknown'
      throw malformed(`${JSON.stringify(key)} ${why}`, `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)
    }
  }
  if (sql === null) throw malformed('sql is missing', '/sql')
  return { sql, params: params ?? [], asOf }
}

/** A parameter as PostgreSQL reads it: objects and arrays are JSON. */
function parameterText(scanner: JsonScanner, start: number, end: number): string | null {
  const first = scanner.bytes[start]
  if (first === 0x22) return scanner.string(start, end)
  return first === 0x6e ? null : scanner.text(start, end)
}

function malformed(what: string, pointer: string): MillraceError {
  return new MillraceError('request/malformed', what, {
    place: { pointer },
    hint: 'send {"sql": "SELECT …", "params": […]}',
  })
}
