// A random scenario from a seed: tables and topics, views over them and over each other, events.
import type { CaseEvent } from '../case-file.ts'
import { expression, keyTypes, leaf, sqlTypes, storedValues } from './expressions.ts'
import { outputsOf, QueryMaker, type Relation, windowCall } from './queries.ts'
import { Random } from './random.ts'
import type { FuzzTable, FuzzType, FuzzView, Output, Scenario } from './scenario.ts'

/** A table's rows at most: keys from 1. */
const keys = 5

export function generate(seed: number): Scenario {
  const random = new Random(seed)
  // Few types, so that columns of different tables meet.
  const palette: FuzzType[] = ['int', ...random.shuffle([...new Set(keyTypes)]).slice(0, 3)]
  const tables = Array.from({ length: random.integer(1, 3) }, (_, i) => table(random, i, palette))
  const temporal = random.chance(0.15)
  const eventCount = random.chance(0.8) ? random.integer(4, 24) : random.integer(25, 60)
  const relations: Relation[] = tables.map(({ name, columns, keyed }) => ({
    name,
    columns,
    time: columns.find(({ type }) => type === 'timestamp')?.name ?? null,
    rows: keyed ? keys : Math.ceil(eventCount / tables.length),
  }))
  const views: FuzzView[] = []
  for (let i = 0, count = random.integer(1, 3); i < count; i++) {
    const view = random.chance(0.12) ? finalView(random, tables, `v${i}`) : null
    const maker = new QueryMaker(random, relations, temporal)
    const made = view ?? continuousView(random, maker, `v${i}`)
    views.push(made)
    const columns = outputsOf(made.query).map(({ name, expression: { type } }) => ({ name, type }))
    // What is late shows in final views, and a view over one has no oracle of its own.
    if (!made.final) relations.push({ name: made.name, columns, time: null, rows: maker.rowsOf(made.query) })
  }
  if (!views.some(({ materialized }) => materialized)) views[0] = { ...views[0], materialized: true }
  const events = eventsFor(random, tables, eventCount, temporal)
  return {
    seed,
    tables,
    views,
    events,
    sizes: sizes(random, events.length),
    state: random.chance(0.5) ? random.pick(['reopen', 'incremental', 'spill', 'trimmed'] as const) : null,
    weakHash: random.chance(0.3),
    plain: random.chance(0.2),
  }
}

function table(random: Random, number: number, palette: readonly FuzzType[]): FuzzTable {
  const keyed = random.chance(0.6)
  const types: FuzzType[] = keyed ? ['int'] : []
  for (let i = random.integer(2, 4); i > 0; i--) types.push(random.pick(palette))
  const eventTime = !keyed && random.chance(0.5)
  if (eventTime) types.push('timestamp')
  const columns = types.map((type, i) => {
    const name = keyed && i === 0 ? 'id' : `${type.slice(0, 3)}${i}`
    const notNull = (eventTime && i === types.length - 1) || random.chance(0.1)
    return { name, type, sqlType: `${sqlTypes[type]}${notNull && !(keyed && i === 0) ? ' NOT NULL' : ''}` }
  })
  const lateness = random.pick(['', ", lateness = '4 seconds'"])
  const options = eventTime ? ` WITH (event_time = '${columns[columns.length - 1].name}'${lateness})` : ''
  return { name: `t${number}`, columns, keyed, options }
}

function continuousView(random: Random, maker: QueryMaker, name: string): FuzzView {
  const query = maker.query(random.pick([0, 1, 1, 2, 2, 3]))
  return { name, materialized: random.chance(0.9), final: false, query }
}

function finalView(random: Random, tables: readonly FuzzTable[], name: string): FuzzView | null {
  const topics = tables.filter(({ options }) => options !== '')
  if (topics.length === 0) return null
  const topic = random.pick(topics)
  const time = topic.columns[topic.columns.length - 1].name
  const scope = topic.columns.map((column) => leaf(column.type, `w.${column.name}`))
  const start = leaf('timestamp', 'w.window_start')
  const end = leaf('timestamp', 'w.window_end')
  const keys = [start, end, ...random.shuffle(scope).slice(0, random.integer(0, 1))]
  const outputs: Output[] = [
    { name: 'window_start', expression: start },
    { name: 'window_end', expression: end },
    ...keys.slice(2).map((key, i) => ({ name: `k${i}`, expression: key })),
    { name: 'n', expression: leaf('bigint', 'count(*)') },
  ]
  const where = random.chance(0.3) ? [expression(random, scope, 'boolean', 1)] : []
  const call = windowCall(random, topic.name, time)
  const from = { kind: 'window', call, relation: topic.name, alias: 'w' } as const
  const query = { kind: 'select', from, where, keys, having: null, outputs, distinct: false } as const
  return { name, materialized: true, final: true, query }
}

function eventsFor(random: Random, tables: readonly FuzzTable[], count: number, temporal: boolean): CaseEvent[] {
  const clock = { seconds: 0 }
  return Array.from({ length: count }, (): CaseEvent => {
    const { name, columns, keyed } = random.pick(tables)
    clock.seconds += random.chance(0.6) ? random.integer(0, 4) : 0
    const at = temporal ? `${timeOf(clock.seconds)}Z` : null
    if (temporal && random.chance(0.15)) return { topic: null, operation: 'upsert', fields: [], at }
    const key = ['id', String(random.integer(1, keys))] as const
    if (keyed && random.chance(0.25)) return { topic: name, operation: 'delete', fields: [key], at }
    const fields = columns.map(({ name: column, type, sqlType }) => {
      if (keyed && column === 'id') return key
      const text = random.chance(0.15) && !sqlType.endsWith('NOT NULL') ? 'null' : value(random, type, clock.seconds)
      return [column, text] as const
    })
    return { topic: name, operation: 'upsert', fields, at }
  })
}

/** A JSON value from a small domain, so that keys meet and groups fill and empty. */
function value(random: Random, type: FuzzType, seconds: number): string {
  switch (type) {
    case 'int':
      return random.chance(0.9) ? String(random.integer(0, 4)) : random.pick(['-7', '100', '1000'])
    case 'bigint':
      return random.pick(['0', '1', '2', '3', '-5', '9007199254740993', '"-9007199254740995"'])
    case 'num':
    case 'numx':
      return random.pick(['0', '1', '1.5', '2.25', '-0.75', '99999.99', '10'])
    case 'double':
    case 'dblx':
      return random.chance(0.93)
        ? random.pick(['0', '1', '0.5', '-1.25', '1024', '0.015625', '-0.0'])
        : random.pick(['"NaN"', '"Infinity"', '"-Infinity"'])
    case 'text':
      return random.pick(['""', '"a"', '"b"', '"ab"', '"B"', '"a b"', '"été"', '"%_"'])
    case 'boolean':
      return random.pick(['true', 'false'])
    case 'date':
      return random.pick(['"2026-01-01"', '"2026-01-02"', '"2025-12-31"', '"2024-02-29"', '"1969-07-20"'])
    case 'timestamp': {
      const shown = Math.max(0, seconds - (random.chance(0.3) ? random.integer(0, 12) : 0))
      const micros = random.pick(['', '', '.5', '.999999'])
      return `"${timeOf(shown)}${micros}"`
    }
    // Only bigint and numeric may come as JSON strings.
    case 'smallint':
    case 'real':
      return random.pick(storedValues[type])
    default:
      return JSON.stringify(random.pick(storedValues[type]))
  }
}

function timeOf(seconds: number): string {
  const part = (n: number): string => String(n).padStart(2, '0')
  return `2026-01-01T00:${part(Math.floor(seconds / 60))}:${part(seconds % 60)}`
}

function sizes(random: Random, events: number): number[] {
  const out: number[] = []
  for (let left = events; left > 0; ) {
    const size = Math.min(left, random.chance(0.4) ? 1 : random.integer(1, 8))
    out.push(size)
    left -= size
  }
  return out
}
