import type { ErrorsBody } from '../protocol/answers.ts'
import { type ApiAnswer, type ApiRequest, jsonAnswer } from './exchange.ts'
import { Parameters } from './parameters.ts'
import { bounded, type QueryServer } from './query-server.ts'

const limitDefault = 100

/** GET /v1/views/{view}/errors: the error rows with where they come from, found by a run over the log. */
export async function viewErrors(
  server: QueryServer,
  request: ApiRequest,
  name: string,
  query: string,
): Promise<ApiAnswer> {
  const { database, limits } = server
  const view = database.view(name)
  const parameters = new Parameters(query)
  const limit = Math.min(parameters.integer('limit') ?? limitDefault, limits.sqlRows)
  parameters.end()
  const body: ErrorsBody = await bounded(server, request.signal, (signal) =>
    database.errors(view.name, { limit, signal }),
  )
  return jsonAnswer(200, body, { 'millrace-tick': String(body.tick), 'cache-control': 'no-store' })
}
