// Random queries over the relations there are.
import { allTypes, build, expression, keyTypes, leaf, literal, type Scope } from './expressions.ts'
import type { Random } from './random.ts'
import {
  type Expression,
  type From,
  type FuzzType,
  type Order,
  type Output,
  type Query,
  rankName,
  type Select,
} from './scenario.ts'

export interface Relation {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly type: FuzzType }[]
  /** A column that windows may be made over. */
  readonly time: string | null
  /** About how many rows it may come to have. */
  readonly rows: number
}

interface Source {
  readonly from: From
  readonly scope: Scope
  readonly rows: number
}

/** Joins of joins would keep PostgreSQL busy for minutes. */
const mostRows = 2000

export class QueryMaker {
  readonly #random: Random
  readonly #relations: readonly Relation[]
  /** Rows come and go with the ticks' time. */
  readonly #temporal: boolean
  readonly #rows = new WeakMap<Query, number>()
  #aliases = 0

  constructor(random: Random, relations: readonly Relation[], temporal: boolean) {
    this.#random = random
    this.#relations = relations
    this.#temporal = temporal
  }

  rowsOf(query: Query): number {
    if (query.kind === 'union') return this.rowsOf(query.left) + this.rowsOf(query.right)
    return query.kind === 'top' ? this.rowsOf(query.input) : (this.#rows.get(query) ?? 1)
  }

  /** @param types the columns wanted; without, whatever comes */
  query(depth: number, types?: readonly FuzzType[]): Query {
    const kind = depth <= 0 ? 'select' : this.#random.pick(['select', 'select', 'select', 'select', 'union', 'top'])
    if (kind === 'union') {
      const left = this.query(depth - 1, types)
      const wanted = typesOf(left)
      const operator =
        wanted.includes('numx') || this.#random.chance(0.5)
          ? 'UNION ALL'
          : this.#random.pick(['UNION', 'UNION', 'INTERSECT', 'EXCEPT'] as const)
      return { kind, operator, left, right: this.query(depth - 1, wanted) }
    }
    return kind === 'top' ? this.#top(depth, types) : this.#select(depth, types)
  }

  /** Mostly what the columns at hand have. */
  #types(scope: Scope): FuzzType[] {
    const random = this.#random
    const pick = (): FuzzType => (random.chance(0.7) ? random.pick(scope).type : random.pick(allTypes))
    return Array.from({ length: random.integer(1, 4) }, pick)
  }

  #top(depth: number, types: readonly FuzzType[] | undefined): Query {
    const random = this.#random
    const partitioned = random.chance(0.6)
    const rank =
      partitioned && (types === undefined ? random.chance(0.4) : types.length > 1 && types.at(-1) === 'bigint')
    const input = this.query(depth - 1, rank ? types?.slice(0, -1) : types)
    const columns = outputsOf(input)
    // An order must not depend on how equal values are written.
    if (typesOf(input).includes('numx')) return types === undefined ? input : this.#select(depth, types)
    const order: Order[] = random
      .shuffle(columns)
      .slice(0, random.integer(0, 2))
      .map(({ name }) => ({
        column: name,
        direction: random.pick(['ASC', 'DESC', 'ASC NULLS FIRST', 'DESC NULLS LAST']),
      }))
    return {
      kind: 'top',
      input,
      columns,
      partition: partitioned ? random.pick(columns).name : null,
      order,
      limit: random.integer(1, 4),
      offset: random.chance(0.3) ? random.integer(1, 3) : 0,
      rank,
      distinctOn: random.chance(0.2),
    }
  }

  #select(depth: number, wanted: readonly FuzzType[] | undefined): Select {
    const random = this.#random
    const { from, scope, rows } = this.#source(depth)
    const types = wanted ?? this.#types(scope)
    const where = random.chance(0.35) ? [expression(random, scope, 'boolean', 2)] : []
    if (random.chance(0.12)) where.push(...this.#membership(scope))
    if (this.#temporal && random.chance(0.6)) where.push(...this.#timeBounds(scope))
    const select = random.chance(0.4)
      ? this.#grouped(from, scope, where, types)
      : this.#plain(from, scope, where, types)
    this.#rows.set(select, rows)
    return select
  }

  #plain(from: From, scope: Scope, where: Expression[], types: readonly FuzzType[]): Select {
    const random = this.#random
    const outputs = types.map((type, i) => {
      const subquery = random.chance(0.06) ? this.#scalarSubquery(scope, type) : null
      const usual = subquery ?? expression(random, scope, type, 2)
      // A bare division fails now and then: error rows must come and go with their rows.
      const fails = type === 'int' && random.chance(0.05)
      return { name: `c${i}`, expression: fails ? this.#division(scope, usual) : usual }
    })
    const distinct = !types.includes('numx') && random.chance(0.15)
    return { kind: 'select', from, where, keys: null, having: null, outputs, distinct }
  }

  /** Groups whose columns have the wanted types, by keys and aggregates. */
  #grouped(from: From, scope: Scope, where: Expression[], types: readonly FuzzType[]): Select {
    const random = this.#random
    const global = random.chance(0.2)
    const keys: Expression[] = []
    const outputs = types.map((type, i): Output => {
      const asKey = !global && type !== 'numx' && random.chance(0.45)
      if (asKey) {
        const columns = scope.filter((column) => column.type === type)
        const plain = columns.length > 0 && random.chance(0.7)
        const key = plain ? random.pick(columns) : expression(random, scope, type, 1)
        // A constant key would be read as an ordinal or as nothing.
        if (mentions(key, scope)) {
          keys.push(key)
          return { name: `c${i}`, expression: key }
        }
      }
      return { name: `c${i}`, expression: this.#aggregate(scope, type) }
    })
    if (!global && keys.length === 0) {
      const columns = scope.filter(({ type }) => keyTypes.includes(type))
      if (columns.length > 0) keys.push(random.pick(columns))
    }
    const having = random.chance(0.2)
      ? build('boolean', `(? ${random.pick(['>', '<', '='])} ?)`, build('bigint', 'count(*)'), literal(random, 'int'))
      : null
    const distinct = !types.includes('numx') && random.chance(0.08)
    return { kind: 'select', from, where, keys, having, outputs, distinct }
  }

  #aggregate(scope: Scope, type: FuzzType): Expression {
    const random = this.#random
    const argument = (of: FuzzType): Expression => expression(random, scope, of, 1)
    const filter = random.chance(0.15)
    const call = (template: string, ...args: Expression[]): Expression =>
      filter
        ? build(type, `${template} FILTER (WHERE ?)`, ...args, expression(random, scope, 'boolean', 1))
        : build(type, template, ...args)
    switch (type) {
      case 'bigint':
        switch (random.integer(0, 4)) {
          case 0:
            return call('count(*)')
          case 1:
            return call('count(?)', argument(random.pick(allTypes)))
          case 2:
            return call('count(DISTINCT ?)', argument(random.pick(keyTypes)))
          default:
            return call('sum(?)', argument('int'))
        }
      case 'num':
        return call(random.pick(['sum(?)', 'max(?)', 'min(?)']), argument('num'))
      case 'numx':
        return random.chance(0.5)
          ? call('avg(?)', argument(random.pick(['int', 'num', 'bigint'])))
          : call(random.pick(['sum(?)', 'sum(DISTINCT ?)']), argument(random.pick(['bigint', 'num'])))
      case 'double':
        return call(random.pick(['sum(?)', 'max(?)', 'min(?)']), argument('double'))
      case 'dblx':
        return call('avg(?)', argument('double'))
      case 'boolean':
        return random.chance(0.7)
          ? call(random.pick(['bool_and(?)', 'bool_or(?)']), argument('boolean'))
          : build(type, '(count(*) > ?)', literal(random, 'int'))
      case 'uuid':
      case 'bytea':
        // Not every PostgreSQL has extremes of these.
        return literal(random, type)
      default:
        return call(random.pick(['max(?)', 'min(?)']), argument(type))
    }
  }

  #membership(scope: Scope): Expression[] {
    const random = this.#random
    const type = random.pick(['int', 'text'] as const)
    const columns = scope.filter((column) => column.type === type)
    const relations = this.#relations.flatMap(({ name, columns: inner }) =>
      inner.filter((column) => column.type === type).map((column) => ({ name, column: column.name })),
    )
    if (columns.length === 0 || relations.length === 0) return []
    const { name, column } = random.pick(relations)
    const outer = random.pick(columns)
    const alias = this.#alias()
    const not = random.chance(0.4) ? 'NOT ' : ''
    return [
      random.chance(0.5)
        ? build('boolean', `? ${not}IN (SELECT ${alias}.${column} FROM ${name} ${alias})`, outer)
        : build('boolean', `${not}EXISTS (SELECT 1 FROM ${name} ${alias} WHERE ${alias}.${column} = ?)`, outer),
    ]
  }

  #timeBounds(scope: Scope): Expression[] {
    const random = this.#random
    const times = scope.filter(({ type }) => type === 'timestamp')
    if (times.length === 0) return []
    const time = random.pick(times)
    const since = build('boolean', `(? > now() - interval '${random.pick(['5', '10', '20'])} seconds')`, time)
    const until = build('boolean', random.pick(['(? <= now())', "(now() > ? + interval '3 seconds')"]), time)
    return random.pick([[since], [until], [since, until]])
  }

  #division(scope: Scope, dividend: Expression): Expression {
    const columns = scope.filter(({ type }) => type === 'int')
    return columns.length === 0 ? dividend : build('int', '(? / ?)', dividend, this.#random.pick(columns))
  }

  /** One value from another relation, of the row's own group or of all rows. */
  #scalarSubquery(scope: Scope, type: FuzzType): Expression | null {
    const random = this.#random
    if (type === 'uuid' || type === 'bytea') return null
    const alias = this.#alias()
    const { name, columns } = random.pick(this.#relations)
    const inner = columns.map((column) => leaf(column.type, `${alias}.${column.name}`))
    const aggregate = this.#aggregate(inner, type)
    const pairs = scope.flatMap((outer) =>
      inner
        .filter((column) => column.type === outer.type && keyTypes.includes(outer.type))
        .map((column) => [column, outer]),
    )
    if (pairs.length === 0 || random.chance(0.4)) return build(type, `(SELECT ? FROM ${name} ${alias})`, aggregate)
    return build(type, `(SELECT ? FROM ${name} ${alias} WHERE ? = ?)`, aggregate, ...random.pick(pairs))
  }

  #alias(): string {
    return `a${this.#aliases++}`
  }

  #source(depth: number): Source {
    const random = this.#random
    const extreme = depth > 0 && random.chance(0.1) ? this.#withExtreme() : null
    if (extreme !== null) return extreme
    if (depth > 0 && random.chance(0.4)) return this.#join(depth)
    if (depth > 0 && random.chance(0.35)) {
      const query = this.query(depth - 1)
      const alias = this.#alias()
      return {
        from: { kind: 'query', query, alias },
        scope: columnsOf(alias, outputsOf(query)),
        rows: this.rowsOf(query),
      }
    }
    const relation = random.pick(this.#relations)
    const alias = this.#alias()
    const scope = relation.columns.map(({ name, type }) => leaf(type, `${alias}.${name}`))
    if (relation.time === null || random.chance(0.6)) {
      return { from: { kind: 'relation', name: relation.name, alias }, scope, rows: relation.rows }
    }
    const call = windowCall(random, relation.name, relation.time)
    const windows = [leaf('timestamp', `${alias}.window_start`), leaf('timestamp', `${alias}.window_end`)]
    const rows = relation.rows * 3
    return { from: { kind: 'window', call, relation: relation.name, alias }, scope: [...scope, ...windows], rows }
  }

  #join(depth: number): Source {
    const random = this.#random
    const left = this.#source(depth - 1)
    const right = this.#source(depth - 1)
    const rows = left.rows * right.rows
    if (rows > mostRows) return left
    const scope = [...left.scope, ...right.scope]
    const kinds = ['JOIN', 'JOIN', 'JOIN', 'LEFT JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN', 'CROSS JOIN']
    let join = random.pick(kinds)
    const on: Expression[] = []
    for (let i = random.chance(0.8) ? 1 : 2; i > 0; i--) {
      const pairs = left.scope.flatMap((a) =>
        right.scope.filter((b) => b.type === a.type && keyTypes.includes(a.type)).map((b) => [a, b] as const),
      )
      if (pairs.length > 0) on.push(build('boolean', '? = ?', ...random.pick(pairs)))
    }
    if (on.length === 0 && join !== 'JOIN') join = 'CROSS JOIN'
    if (on.length === 0 && join === 'JOIN') on.push(expression(random, scope, 'boolean', 1))
    // PostgreSQL can only do full joins over equalities alone.
    if (join !== 'FULL JOIN' && random.chance(0.25)) on.push(expression(random, scope, 'boolean', 1))
    return { from: { kind: 'join', join, left: left.from, right: right.from, on }, scope, rows }
  }

  /** Rows joined with the greatest or least value of their group, or nearly so: rows may be left out of it early. */
  #withExtreme(): Source | null {
    const random = this.#random
    const { name, columns, time, rows } = random.pick(this.#relations)
    const values = columns.filter(({ type }) => ordered(type))
    if (values.length === 0) return null
    const [all, large, small] = [this.#alias(), this.#alias(), this.#alias()]
    const of = (alias: string): Scope => columns.map((column) => leaf(column.type, `${alias}.${column.name}`))
    const value = columns.indexOf(random.pick(values))
    const size = time !== null && random.chance(0.5) ? `interval '${random.pick(['3', '10'])} seconds'` : null
    const groups = random
      .shuffle(columns.flatMap(({ type }, i) => (keyTypes.includes(type) ? [i] : [])))
      .slice(0, random.integer(0, 2))
    const keys = groups.map((i) => of(all)[i])
    if (size !== null) keys.push(leaf('timestamp', `${all}.window_end`))
    const most = build(columns[value].type, random.pick(['max(?)', 'min(?)']), of(all)[value])
    const outputs = [...keys, most].map((each, i): Output => ({ name: `c${i}`, expression: each }))
    const from: From =
      size === null
        ? { kind: 'relation', name, alias: all }
        : { kind: 'window', call: `tumble(${name}, ${time}, ${size})`, relation: name, alias: all }
    const where = random.chance(0.15) ? [expression(random, of(all), 'boolean', 1)] : []
    const query: Select = { kind: 'select', from, where, keys, having: null, outputs, distinct: false }
    this.#rows.set(query, rows)
    const found = columnsOf(small, outputs)
    const on = [...groups, value].map((i, k) =>
      build('boolean', '? = ?', of(large)[i], found[k < groups.length ? k : keys.length]),
    )
    if (size !== null && random.chance(0.9)) {
      const [at, end] = [leaf('timestamp', `${large}.${time}`), found[groups.length]]
      on.push(build('boolean', `(? BETWEEN ? - ${size} AND ?)`, at, end, end))
    }
    const scope = random.shuffle([...of(large), ...found])
    if (random.chance(0.25)) on.push(expression(random, scope, 'boolean', 1))
    const sides: From[] = [
      { kind: 'relation', name, alias: large },
      { kind: 'query', query, alias: small },
    ]
    const [left, right] = random.shuffle(sides)
    const join = random.pick(['JOIN', 'JOIN', 'JOIN', 'JOIN', 'LEFT JOIN', 'RIGHT JOIN'])
    return { from: { kind: 'join', join, left, right, on }, scope, rows: rows * 3 }
  }
}

/** Types of which every PostgreSQL has extremes, and whose equal values print alike. */
function ordered(type: FuzzType): boolean {
  return keyTypes.includes(type) && !['boolean', 'uuid', 'bytea'].includes(type)
}

export function windowCall(random: Random, name: string, time: string): string {
  if (random.chance(0.6)) {
    return `tumble(${name}, ${time}, interval '${random.pick(['10 seconds', '1 minute', '3 seconds'])}')`
  }
  const [slide, size] = random.pick([
    ['5 seconds', '10 seconds'],
    ['4 seconds', '10 seconds'],
    ['10 seconds', '6 seconds'],
  ])
  return `hop(${name}, ${time}, interval '${slide}', interval '${size}')`
}

export function outputsOf(query: Query): readonly Output[] {
  switch (query.kind) {
    case 'select':
      return query.outputs
    case 'union':
      return outputsOf(query.left)
    case 'top':
      return query.rank
        ? [...query.columns, { name: rankName(query.columns), expression: leaf('bigint', 'rank') }]
        : query.columns
  }
}

function typesOf(query: Query): FuzzType[] {
  return outputsOf(query).map(({ expression: { type } }) => type)
}

export function columnsOf(alias: string, outputs: readonly Output[]): Scope {
  return outputs.map(({ name, expression: { type } }) => leaf(type, `${alias}.${name}`))
}

function mentions(item: Expression, scope: Scope): boolean {
  return scope.includes(item) || item.args.some((arg) => mentions(arg, scope))
}
