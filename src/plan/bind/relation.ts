import type { ColumnSchema, SqlType } from '../../data/sql-type.ts'
import * as resolve from '../../expr/resolve.ts'
import { fold } from '../../sql/tokens.ts'
import type { QueryRelation, TopicRelation, ViewRelation } from '../catalog.ts'
import { columnOf, map, scan, topicSystemColumns, unionAll, values } from '../nodes.ts'
import { type Plan, systemColumn } from '../plan.ts'
import type { TopicDefinition } from '../program.ts'
import { type CteList, type Environment, place, refuse } from './block.ts'
import { bindQuery } from './query.ts'
import { type Relation, scopeOf } from './scope.ts'

/** The WITH query of a folded name that is in sight. */
export function findCte(environment: Environment, name: string): CteList | null {
  for (let cte = environment.ctes; cte !== null; cte = cte.next) if (cte.name === name) return cte
  return null
}

/** The relation of a name in the catalog. */
export function scanRelation(name: string, environment: Environment, location: number | undefined): Relation {
  if (fold(name) === '_late' && environment.catalog.find(name) === null) return lateRelation(environment, location)
  const relation = environment.catalog.resolve(name, place(environment, location))
  switch (relation.kind) {
    case 'topic':
    case 'table':
      return scanTopic(relation, environment, location)
    case 'view':
      return scanView(relation, environment, location)
    case 'query':
      return expand(relation, environment)
  }
}

function scanTopic({ definition }: TopicRelation, environment: Environment, location: number | undefined): Relation {
  const { id, name, columns, primaryKey, eventTime } = definition
  if (environment.timely === 'final' && eventTime === null) {
    throw refuse(
      environment,
      location,
      `emit = 'final' over "${name}", which has no event time, is not supported`,
      `declare it: CREATE TABLE ${name} (…) WITH (event_time = '…')`,
    )
  }
  const system = primaryKey.length === 0 ? topicSystemColumns : []
  const reads = [...columns.map((_, ordinal) => ordinal), ...system.map((column) => column.id)]
  const schemas = [...columns, ...system.map((column) => column.schema)]
  const plan = scan(id, reads, schemas, eventTime === null ? 'all' : environment.events)
  return { plan, scope: scopeOf(plan, name, system.length, primaryKey) }
}

function scanView({ definition }: ViewRelation, environment: Environment, location: number | undefined): Relation {
  const { id, name, columns } = definition
  if (environment.timely !== null) {
    const option = environment.timely === 'final' ? "emit = 'final'" : "late = 'drop'"
    throw refuse(
      environment,
      location,
      `${option} over the materialized view "${name}" is not supported: it has no event time`,
      `define "${name}" with CREATE VIEW, or read its topics`,
    )
  }
  const plan = scan(
    id,
    columns.map((_, ordinal) => ordinal),
    columns,
  )
  return { plan, scope: scopeOf(plan, name) }
}

/** A named query stands for its text: it is bound where it is read, and sees the catalog alone. */
function expand({ name, query, columnNames, source }: QueryRelation, environment: Environment): Relation {
  const inside: Environment = { ...environment, statement: { source }, ctes: null, parameters: null }
  const { plan } = bindQuery(query, inside, null)
  const scope = scopeOf(plan, name)
  const columns = scope.columns.map((column, i) => ({ ...column, name: columnNames[i] ?? column.name }))
  return { plan, scope: { ...scope, columns } }
}

const text: SqlType = { kind: 'text' }
const bigint: SqlType = { kind: 'bigint' }

/** `_late`: the late events of every topic that has an event time. */
function lateRelation(environment: Environment, location: number | undefined): Relation {
  if (environment.timely !== null) {
    throw refuse(
      environment,
      location,
      '_late in a query of events on time is not supported',
      'read it in a view of its own',
    )
  }
  const topics = environment.catalog.topics.filter((topic) => topic.eventTime !== null)
  const timeTypes = topics.map((topic) => topic.columns[topic.eventTime as number].type)
  const time: SqlType = timeTypes.some(({ kind }) => kind === 'timestamptz')
    ? { kind: 'timestamptz' }
    : { kind: 'timestamp' }
  const schemas: ColumnSchema[] = [
    { name: 'topic', type: text, nullable: false },
    { name: '_partition', type: { kind: 'integer' }, nullable: false },
    { name: '_offset', type: bigint, nullable: false },
    { name: 'event_time', type: time, nullable: false },
    { name: 'watermark', type: time, nullable: false },
    { name: 'distance', type: { kind: 'interval' }, nullable: false },
    { name: 'reason', type: text, nullable: false },
  ]
  const names = schemas.map((schema) => schema.name)
  const inputs = topics.map((topic) => lateOf(topic, time, names))
  const plan = inputs.length === 0 ? values([], schemas) : inputs.length === 1 ? inputs[0] : unionAll(inputs)
  return { plan, scope: scopeOf(plan, '_late') }
}

function lateOf({ id, name, columns, eventTime }: TopicDefinition, time: SqlType, names: readonly string[]): Plan {
  const at = columns[eventTime as number]
  const reads = [
    systemColumn.partition,
    systemColumn.offset,
    eventTime as number,
    systemColumn.watermark,
    systemColumn.distance,
  ]
  const input = scan(
    id,
    reads,
    [
      topicSystemColumns[0].schema,
      topicSystemColumns[1].schema,
      at,
      { name: 'watermark', type: at.type, nullable: false },
      { name: 'distance', type: { kind: 'interval' }, nullable: false },
    ],
    'late',
  )
  const [partition, offset, eventAt, watermark, distance] = input.columns.map((_, i) => columnOf(input, i))
  const timed = [eventAt, watermark].map((column) => resolve.cast(column, time, 'implicit'))
  const topicName = resolve.literal(name, text)
  const reason = resolve.literal('behind the watermark', text)
  return map(input, null, [topicName, partition, offset, ...timed, distance, reason], names)
}
