import { resultTypeName } from '../data/sql-type.ts'
import type { ExplainBody } from '../protocol/query.ts'
import { type ApiAnswer, jsonAnswer } from './exchange.ts'
import { isText, readJsonBody } from './json-body.ts'
import { Parameters } from './parameters.ts'
import { bounded, type QueryServer } from './query-server.ts'
import { type Call, on, type Route, route } from './routes.ts'

/** Routes about queries that are not run. */
export function explainRoutes(server: QueryServer): readonly Route[] {
  return [
    route(
      '/v1/explain',
      on('POST', 'sql', 'query', (call) => explain(server, call)),
    ),
  ]
}

/** POST /v1/explain: `{"sql"}`, answered by the plan. Nothing of it is run. */
async function explain(server: QueryServer, { request, sight, query }: Call): Promise<ApiAnswer> {
  new Parameters(query).end()
  const body = await readJsonBody(request, { sql: { is: isText, what: '"SELECT …"' } })
  const sql = body.sql as string
  const { columns, text } = await bounded(server, request.signal, () => server.database.explanations.plan(sql, sight))
  const answer: ExplainBody = {
    columns: columns.map(({ name, type }) => ({ name, type: resultTypeName(type) })),
    text,
    nodes: text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => ({ depth: (line.length - line.trimStart().length) / 2, text: line.trim() })),
  }
  return jsonAnswer(200, answer, { 'cache-control': 'no-store' })
}
