// Smaller scenarios: each differs from the given one in one respect. Many make no sense any more (a column is gone);
// PostgreSQL refuses those, and they are passed over.
import type { Expression, From, Query, Scenario, Select } from './scenario.ts'

export function* smaller(scenario: Scenario): Generator<Scenario> {
  yield* fewerEvents(scenario)
  yield* fewerViews(scenario)
  yield* simplerTicks(scenario)
  for (let i = scenario.views.length - 1; i >= 0; i--) {
    for (const query of smallerQueries(scenario.views[i].query)) {
      yield { ...scenario, views: scenario.views.map((view, k) => (k === i ? { ...view, query } : view)) }
    }
  }
  yield* fewerColumns(scenario)
}

function* fewerEvents(scenario: Scenario): Generator<Scenario> {
  const { events, sizes } = scenario
  for (let length = Math.ceil(events.length / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2)) {
    for (let at = events.length - length; at >= 0; at -= length) {
      const left = events.filter((_, i) => i < at || i >= at + length)
      yield { ...scenario, events: left, sizes: cutSizes(sizes, at, length) }
    }
  }
}

/** The ticks' sizes after `length` events from `at` are gone. */
function cutSizes(sizes: readonly number[], at: number, length: number): number[] {
  const out: number[] = []
  let from = 0
  for (const size of sizes) {
    const gone = Math.max(0, Math.min(from + size, at + length) - Math.max(from, at))
    if (size > gone) out.push(size - gone)
    from += size
  }
  return out
}

function* fewerViews(scenario: Scenario): Generator<Scenario> {
  for (let i = scenario.views.length - 1; i >= 0 && scenario.views.length > 1; i--) {
    yield { ...scenario, views: scenario.views.filter((_, k) => k !== i) }
  }
  for (let i = 0; i < scenario.tables.length && scenario.tables.length > 1; i++) {
    const { name } = scenario.tables[i]
    const events = scenario.events.filter(({ topic }) => topic !== name)
    if (events.length === scenario.events.length) {
      yield { ...scenario, tables: scenario.tables.filter((_, k) => k !== i) }
    }
  }
}

function* simplerTicks(scenario: Scenario): Generator<Scenario> {
  if (scenario.state) yield { ...scenario, state: null }
  if (scenario.weakHash) yield { ...scenario, weakHash: false }
  if (scenario.plain) yield { ...scenario, plain: false }
  if (scenario.sizes.some((size) => size > 1)) yield { ...scenario, sizes: scenario.events.map(() => 1) }
}

function* fewerColumns(scenario: Scenario): Generator<Scenario> {
  for (let i = 0; i < scenario.tables.length; i++) {
    const { columns, keyed, name, options } = scenario.tables[i]
    for (let c = columns.length - 1; c >= (keyed ? 1 : 0) && columns.length > 1; c--) {
      if (options.includes(`'${columns[c].name}'`)) continue
      const tables = scenario.tables.map((table, k) =>
        k === i ? { ...table, columns: columns.filter((_, m) => m !== c) } : table,
      )
      const events = scenario.events.map((event) =>
        event.topic === name ? { ...event, fields: event.fields.filter(([key]) => key !== columns[c].name) } : event,
      )
      yield { ...scenario, tables, events }
    }
  }
}

function* smallerQueries(query: Query): Generator<Query> {
  switch (query.kind) {
    case 'union':
      yield query.left
      yield query.right
      if (query.operator !== 'UNION ALL') yield { ...query, operator: 'UNION ALL' }
      for (const left of smallerQueries(query.left)) yield { ...query, left }
      for (const right of smallerQueries(query.right)) yield { ...query, right }
      return
    case 'top':
      yield query.input
      if (query.distinctOn) yield { ...query, distinctOn: false, limit: 1 }
      if (query.offset > 0) yield { ...query, offset: 0 }
      if (query.partition !== null) yield { ...query, partition: null }
      for (let i = 0; i < query.order.length; i++) yield { ...query, order: query.order.filter((_, k) => k !== i) }
      if (query.limit > 1) yield { ...query, limit: 1 }
      for (const input of smallerQueries(query.input)) yield { ...query, input }
      return
    case 'select':
      yield* smallerSelects(query)
  }
}

function* smallerSelects(select: Select): Generator<Query> {
  if (select.from.kind === 'query') yield select.from.query
  for (let i = 0; i < select.where.length; i++) yield { ...select, where: select.where.filter((_, k) => k !== i) }
  if (select.having) yield { ...select, having: null }
  if (select.distinct) yield { ...select, distinct: false }
  for (let i = select.outputs.length - 1; i >= 0 && select.outputs.length > 1; i--) {
    yield { ...select, outputs: select.outputs.filter((_, k) => k !== i) }
  }
  const { keys } = select
  if (keys) {
    for (let i = keys.length - 1; i >= 0; i--) yield { ...select, keys: keys.filter((_, k) => k !== i) }
    for (let i = 0; i < keys.length; i++) {
      // A key and the outputs that are this key must change together.
      for (const key of smallerExpressions(keys[i])) {
        const outputs = select.outputs.map((output) =>
          output.expression === keys[i] ? { ...output, expression: key } : output,
        )
        yield { ...select, keys: keys.map((each, k) => (k === i ? key : each)), outputs }
      }
    }
  }
  for (const from of smallerFroms(select.from)) yield { ...select, from }
  for (let i = 0; i < select.where.length; i++) {
    for (const where of smallerExpressions(select.where[i])) {
      yield { ...select, where: select.where.map((each, k) => (k === i ? where : each)) }
    }
  }
  for (let i = 0; i < select.outputs.length; i++) {
    for (const expression of smallerExpressions(select.outputs[i].expression)) {
      yield { ...select, outputs: select.outputs.map((each, k) => (k === i ? { ...each, expression } : each)) }
    }
  }
}

function* smallerFroms(from: From): Generator<From> {
  switch (from.kind) {
    case 'relation':
      return
    case 'window':
      yield { kind: 'relation', name: from.relation, alias: from.alias }
      return
    case 'query':
      if (from.query.kind === 'select' && from.query.from.kind === 'relation') {
        yield { ...from.query.from, alias: from.alias }
      }
      for (const query of smallerQueries(from.query)) yield { ...from, query }
      return
    case 'join':
      yield from.left
      yield from.right
      if (from.join !== 'JOIN' && from.join !== 'CROSS JOIN') yield { ...from, join: 'JOIN' }
      for (let i = 0; i < from.on.length; i++) yield { ...from, on: from.on.filter((_, k) => k !== i) }
      for (const left of smallerFroms(from.left)) yield { ...from, left }
      for (const right of smallerFroms(from.right)) yield { ...from, right }
      for (let i = 0; i < from.on.length; i++) {
        for (const on of smallerExpressions(from.on[i])) {
          yield { ...from, on: from.on.map((each, k) => (k === i ? on : each)) }
        }
      }
  }
}

/** The expression's parts of the same type, then the expression with one part made smaller. */
function* smallerExpressions(item: Expression): Generator<Expression> {
  yield* item.args.flatMap((arg) => partsOf(arg, item.type))
  for (let i = 0; i < item.args.length; i++) {
    for (const arg of smallerExpressions(item.args[i])) {
      yield { ...item, args: item.args.map((each, k) => (k === i ? arg : each)) }
    }
  }
}

function partsOf(item: Expression, type: Expression['type']): Expression[] {
  return [...(item.type === type ? [item] : []), ...item.args.flatMap((arg) => partsOf(arg, type))]
}
