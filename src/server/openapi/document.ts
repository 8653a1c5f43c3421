import { version } from '../../data/version.ts'
import type { CatalogBody } from '../../protocol/answers.ts'
import type { Route } from '../routes.ts'
import { bodies, objectOf, pageOf, refTo, safeName, topicLiveOf } from './bodies.ts'
import { eventSchema, type JsonSchema, rowSchema } from './columns.ts'
import {
  appendOperation,
  liveOperation,
  liveTopicOperation,
  operations as ownOperations,
  readTopicOperation,
  readViewOperation,
} from './operations.ts'
import { answer, type Operation, problem } from './parts.ts'
import { telemetryOperations } from './telemetry-operations.ts'
import { whyBodies } from './why-bodies.ts'
import { whyOperations } from './why-operations.ts'

const operations: Readonly<Record<string, Operation>> = { ...ownOperations, ...telemetryOperations, ...whyOperations }

/**
 * Describes the HTTP interface of what is defined, in OpenAPI 3.1: events and rows with their columns, each topic and
 * view under a path of its own, and all other routes.
 */
export function describeApi(routes: readonly Route[], catalog: CatalogBody): JsonSchema {
  const paths: Record<string, Record<string, Operation>> = {}
  for (const { pattern, methods } of routes) {
    if (!pattern.startsWith('/v1/') && operations[`GET ${pattern}`] === undefined) continue
    for (const method of Object.keys(methods)) {
      for (const [path, operation] of described(method, pattern, catalog)) {
        paths[path] = { ...paths[path], [method.toLowerCase()]: operation }
      }
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Millrace',
      version,
      summary: 'Events in, views out',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{}, { bearer: [] }],
    tags: [
      { name: 'topics', description: 'Events go in.' },
      { name: 'views', description: 'What becomes of them.' },
      { name: 'sql', description: 'Ad-hoc queries.' },
      { name: 'operation', description: 'What is defined, and how it does.' },
    ],
    paths,
    components: {
      schemas: { ...bodies, ...whyBodies, ...relationSchemas(catalog) },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    },
  }
}

const topicRef = (name: string): JsonSchema => refTo(`topic.${safeName(name)}`)
const viewRef = (name: string): JsonSchema => refTo(`view.${safeName(name)}`)

/** Whether a route has words of its own here. */
export function isDescribed(method: string, pattern: string): boolean {
  return operations[`${method} ${pattern}`] !== undefined || perRelation(method, pattern) !== null
}

function relationSchemas({ topics, views }: CatalogBody): Record<string, JsonSchema> {
  const mixed = topics.map(({ name, kind }) => {
    const data = kind === 'table' ? { anyOf: [topicRef(name), { type: 'object' }] } : topicRef(name)
    const op = { type: 'string', enum: kind === 'table' ? ['upsert', 'delete'] : ['append'] }
    return objectOf({ topic: { const: name }, op, data }, ['op'])
  })
  const items = mixed.length === 0 ? { type: 'object' } : { anyOf: mixed }
  return {
    ...Object.fromEntries(topics.map((topic) => [`topic.${safeName(topic.name)}`, eventSchema(topic)])),
    ...Object.fromEntries(views.map(({ name, columns }) => [`view.${safeName(name)}`, rowSchema(columns)])),
    MixedEvents: objectOf({ events: { type: 'array', items } }),
  }
}

/** The paths that a route stands for. */
function described(method: string, pattern: string, catalog: CatalogBody): (readonly [string, Operation])[] {
  const each = perRelation(method, pattern)
  if (each !== null) return each(catalog)
  const operation = operations[`${method} ${pattern}`] ?? unnamed(method, pattern)
  const variables = [...pattern.matchAll(/\{(\w+)\}/g)].map(([, name]) => pathParameter(name, catalog))
  const parameters = [...variables, ...(operation.parameters ?? [])]
  return [[pattern, parameters.length === 0 ? operation : { ...operation, parameters }]]
}

function pathParameter(name: string, { topics, views }: CatalogBody): JsonSchema {
  const relations = name === 'topic' ? topics : name === 'view' ? views : []
  const names = relations.map((relation) => relation.name)
  const schema = names.length === 0 ? { type: 'string' } : { type: 'string', enum: names }
  return { name, in: 'path', required: true, schema }
}

function unnamed(method: string, pattern: string): Operation {
  const words = pattern.split('/').filter((part) => part !== '' && part !== 'v1' && !part.startsWith('{'))
  return {
    operationId: [method.toLowerCase(), ...words].join('_').replace(/\W+/g, '_'),
    summary: words.join(' '),
    tags: ['operation'],
    responses: { '200': answer('The answer.', {}), '400': problem('A parameter is wrong.') },
  }
}

type PerRelation = (catalog: CatalogBody) => (readonly [string, Operation])[]

/** Routes with a path per topic or view, as their bodies differ. */
function perRelation(method: string, pattern: string): PerRelation | null {
  const path = (name: string): string => pattern.replace(/\{\w+\}/, encodeURIComponent(name))
  switch (`${method} ${pattern}`) {
    case 'POST /v1/topics/{topic}/events':
      return ({ topics }) => topics.map(({ name }) => [path(name), appendOperation(name, topicRef(name))])
    case 'GET /v1/topics/{topic}/events':
      return ({ topics }) =>
        topics.map(({ name, columns }) => [path(name), readTopicOperation(name, pageOf(storedEvent(columns)))])
    case 'GET /v1/topics/{topic}/live':
      return ({ topics }) =>
        topics.map(({ name, columns }) => [path(name), liveTopicOperation(name, topicLiveOf(storedEvent(columns)))])
    case 'GET /v1/views/{view}':
      return ({ views }) =>
        views.map(({ name, columns }) => [path(name), readViewOperation(name, columns, viewRef(name))])
    case 'GET /v1/views/{view}/live':
      return ({ views }) => views.map(({ name }) => [path(name), liveOperation(name, viewRef(name))])
    default:
      return null
  }
}

/** An event as it is read: a delete has its key only, and what no column has is there too. */
function storedEvent(columns: Parameters<typeof rowSchema>[0]): JsonSchema {
  const { properties } = rowSchema(columns.map((column) => ({ ...column, nullable: true })))
  return { type: 'object', properties, additionalProperties: true }
}
