import type { FindBody, JourneyBody, WhyBody } from '../protocol/why.ts'
import { asOfParameter } from './as-of.ts'
import { type ApiAnswer, jsonAnswer } from './exchange.ts'
import { Parameters, refused, wholeNumber } from './parameters.ts'
import { bounded, type QueryServer } from './query-server.ts'
import { type Call, on, type Route, route } from './routes.ts'
import { equalities } from './view-read.ts'

const eventsDefault = 20
const eventsMost = 1000

/** Routes that explain. @param server lets few explanations run at a time: each may read the log several times */
export function whyRoutes(server: QueryServer): readonly Route[] {
  return [
    route(
      '/v1/views/{view}/why',
      on('GET', 'trace view', 'explain', (call) => why(server, call)),
    ),
    route(
      '/v1/topics/{topic}/find',
      on('GET', 'read topic whole', 'explain', (call) => find(server, call)),
    ),
    route(
      '/v1/topics/{topic}/events/{offset}/journey',
      on('GET', 'trace topic', 'explain', (call) => journey(server, call)),
    ),
  ]
}

/** GET /v1/views/{view}/why: why a row is there, or why it isn't. */
async function why(server: QueryServer, { request, name, query }: Call): Promise<ApiAnswer> {
  const { database, limits } = server
  const view = database.view(name)
  const parameters = new Parameters(query)
  const limit = limitOf(parameters)
  const asOf = asOfParameter(parameters.one('as_of'), parameters, limits, request)
  const where = equalities(view, parameters)
  const options = { where, limit, ...(asOf === null ? {} : { asOf }) }
  const body: WhyBody = await bounded(server, request.signal, (signal) =>
    database.explanations.why(view.name, { ...options, signal }),
  )
  return explained(body, body.tick)
}

/** GET /v1/topics/{topic}/find: events by what is in them, the newest first. */
async function find(server: QueryServer, { request, name, query }: Call): Promise<ApiAnswer> {
  const { database } = server
  const topic = database.topic(name)
  const parameters = new Parameters(query)
  const limit = limitOf(parameters)
  const offset = parameters.integer('_offset')
  const before = parameters.integer('before')
  const where = equalities(topic, parameters)
  const options = { where, limit, ...(offset === null ? {} : { offset }), ...(before === null ? {} : { before }) }
  const body: FindBody = await bounded(server, request.signal, (signal) =>
    database.explanations.find(topic.name, { ...options, signal }),
  )
  return jsonAnswer(200, body, { 'cache-control': 'no-store' })
}

/** GET /v1/topics/{topic}/events/{offset}/journey: what became of an event. */
async function journey(server: QueryServer, { request, names, query }: Call): Promise<ApiAnswer> {
  const { database } = server
  const topic = database.topic(names.topic)
  const offset = wholeNumber('the offset', names.offset)
  new Parameters(query).end()
  const body: JourneyBody = await bounded(server, request.signal, (signal) =>
    database.explanations.journey(topic.name, offset, { signal }),
  )
  return jsonAnswer(200, body, { 'cache-control': 'no-store' })
}

function limitOf(parameters: Parameters): number {
  const limit = parameters.integer('limit') ?? eventsDefault
  if (limit > eventsMost) throw refused('limit', `is at most ${eventsMost}`, 'all events are counted in any case')
  return limit
}

function explained(body: object, tick: number): ApiAnswer {
  return jsonAnswer(200, body, { 'millrace-tick': String(tick), 'cache-control': 'no-store' })
}
