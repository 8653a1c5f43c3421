import { beforeAll, describe, expect, it } from 'vitest'
import { appToSql, defineApp } from '../app/app.ts'
import { rowNumber } from '../app/builder/direction.ts'
import { from } from '../app/builder/from.ts'
import { t } from '../app/column-type.ts'
import { topic } from '../app/definitions.ts'
import type { Expr, Node } from '../app/expression.ts'
import * as aggregates from '../app/functions/aggregates.ts'
import * as arithmetic from '../app/functions/arithmetic.ts'
import * as choice from '../app/functions/choice.ts'
import * as comparison from '../app/functions/comparison.ts'
import * as datetime from '../app/functions/datetime.ts'
import * as json from '../app/functions/json.ts'
import * as text from '../app/functions/text.ts'
import { kindOfColumn } from '../app/kinds.ts'
import type { SqlType } from '../data/sql-type.ts'
import { functionNames } from '../expr/functions/signatures.ts'
import { childrenOf, type Scalar } from '../expr/scalar.ts'
import { loadParser, parseSql } from '../sql/parse.ts'
import { bindSelect } from './bind.ts'
import type { Catalog } from './catalog.ts'
import { defineProgram } from './definition.ts'

/** Every function of the builder, bound: it means something, is of the type that it says, and none is left out. */
const everything = topic('everything', {
  schema: {
    i: t.integer(),
    b: t.bigint(),
    n: t.numeric(12, 2),
    d: t.double(),
    s: t.text(),
    ok: t.boolean(),
    ts: t.timestamptz(),
    local: t.timestamp(),
    day: t.date(),
    clock: t.time(),
    span: t.interval(),
    doc: t.jsonb(),
    raw: t.bytea(),
    id: t.uuid(),
  },
})

type Row = Parameters<Parameters<ReturnType<typeof rows>['select']>[0]>[0]['e']
const rows = () => from({ e: everything })

const a = arithmetic
const c = comparison
const d = datetime
const x = text
const calls: Readonly<Record<string, (e: Row) => Expr | readonly Expr[]>> = {
  add: (e) => [a.add(e.i, 1), a.add(e.ts, e.span), a.add(e.day, e.i), a.add(e.clock, e.span), a.add(e.day, e.clock)],
  sub: (e) => [a.sub(e.n, e.d), a.sub(e.ts, e.ts), a.sub(e.day, e.day), a.sub(e.span, e.span), a.sub(e.clock, e.clock)],
  mul: (e) => [a.mul(e.b, e.n), a.mul(e.span, 2)],
  div: (e) => [a.div(e.i, 2), a.div(e.span, e.d)],
  mod: (e) => a.mod(e.i, e.b),
  neg: (e) => [a.neg(e.i), a.neg(a.neg(e.span))],
  abs: (e) => a.abs(e.n),
  sign: (e) => a.sign(e.n),
  round: (e) => [a.round(e.n, 1), a.round(e.d), a.round(e.i)],
  trunc: (e) => [a.trunc(e.n, 1), a.trunc(e.d)],
  ceil: (e) => a.ceil(e.n),
  floor: (e) => a.floor(e.d),
  sqrt: (e) => a.sqrt(e.d),
  exp: (e) => a.exp(e.d),
  ln: (e) => a.ln(e.d),
  log10: (e) => a.log10(e.d),
  log: (e) => a.log(e.n, e.n),
  power: (e) => [a.power(e.d, 2), a.power(e.n, e.i)],
  quotient: (e) => a.quotient(e.n, 2),
  gcd: (e) => a.gcd(e.i, e.b),
  lcm: (e) => a.lcm(e.i, 6),
  bitAnd: (e) => a.bitAnd(e.i, 6),
  bitOr: (e) => a.bitOr(e.i, e.b),
  bitXor: (e) => a.bitXor(e.i, 6),
  bitNot: (e) => a.bitNot(e.i),
  shiftLeft: (e) => a.shiftLeft(e.i, 2),
  shiftRight: (e) => a.shiftRight(e.b, 2),
  toHex: (e) => a.toHex(e.i),
  cbrt: (e) => a.cbrt(e.d),
  degrees: (e) => a.degrees(e.d),
  radians: (e) => a.radians(e.d),
  sin: (e) => a.sin(e.d),
  cos: (e) => a.cos(e.d),
  tan: (e) => a.tan(e.d),
  asin: (e) => a.asin(e.d),
  acos: (e) => a.acos(e.d),
  atan: (e) => a.atan(e.d),
  atan2: (e) => a.atan2(e.d, 1),
  pi: () => a.pi(),
  coalesce: (e) => [choice.coalesce(e.n, 0), choice.coalesce(e.s, 'x')],
  nullif: (e) => choice.nullif(e.i, 0),
  greatest: (e) => choice.greatest(e.i, e.b, 3),
  least: (e) => choice.least(e.ts, e.ts),
  caseWhen: (e) => choice.caseWhen(e.ok, 1).when(c.not(e.ok), 2).end(),
  cast: (e) => [choice.cast(e.i, t.text()), choice.cast(e.s, t.timestamptz()), choice.cast(e.s, t.numeric(10, 2))],
  literal: () => [choice.literal('x'), choice.literal(1.5), choice.literal(new Date(0)), choice.literal(true)],
  eq: (e) => [c.eq(e.i, 1), c.eq(e.doc, { a: 1 }), c.eq(e.raw, new Uint8Array([1])), c.eq(e.id, e.id)],
  ne: (e) => c.ne(e.s, 'x'),
  lt: (e) => c.lt(e.ts, new Date(0)),
  lte: (e) => c.lte(e.day, '2026-01-01'),
  gt: (e) => c.gt(e.n, '1.50'),
  gte: (e) => c.gte(e.b, 2n),
  between: (e) => c.between(e.i, 1, 2),
  inList: (e) => [c.inList(e.s, ['a', "b'"]), c.inList(e.i, [])],
  isDistinctFrom: (e) => c.isDistinctFrom(e.i, 1),
  isNotDistinctFrom: (e) => c.isNotDistinctFrom(e.i, e.b),
  isNull: (e) => c.isNull(e.i),
  isNotNull: (e) => c.isNotNull(a.add(e.i, 1)),
  isTrue: (e) => c.isTrue(e.ok),
  isFalse: (e) => c.isFalse(c.gt(e.i, 1)),
  isUnknown: (e) => c.isUnknown(e.ok),
  and: (e) => c.and(e.ok, c.or(e.ok, c.gt(e.i, 1))),
  or: (e) => c.or(e.ok, c.and(e.ok, e.ok)),
  not: (e) => c.not(c.and(e.ok, e.ok)),
  interval: () => d.interval('1 day 2 hours'),
  now: () => [],
  dateTrunc: (e) => [d.dateTrunc('hour', e.ts), d.dateTrunc('hour', e.span), d.dateTrunc('day', new Date(0))],
  dateBin: (e) => [d.dateBin('5 minutes', e.ts), d.dateBin('1h', e.local, '2026-01-01')],
  extract: (e) => [d.extract('year', e.day), d.extract('epoch', e.ts)],
  datePart: (e) => [d.datePart('hour', e.clock), d.datePart('dow', e.local)],
  age: (e) => d.age(e.ts, e.ts),
  atUtc: (e) => [d.atUtc(e.ts), d.atUtc(e.local)],
  toChar: (e) => d.toChar(e.ts, 'YYYY-MM-DD'),
  toTimestamp: (e) => d.toTimestamp(e.d),
  makeDate: (e) => d.makeDate(e.i, 1, 2),
  makeTime: (e) => d.makeTime(e.i, 1, 2.5),
  makeTimestamp: (e) => d.makeTimestamp(e.i, 1, 2, 3, 4, e.d),
  isFiniteTime: (e) => d.isFiniteTime(e.ts),
  justifyHours: (e) => d.justifyHours(e.span),
  justifyDays: (e) => d.justifyDays(e.span),
  justifyInterval: (e) => d.justifyInterval(e.span),
  field: (e) => [json.field(e.doc, 'a'), json.field(e.doc, 0)],
  fieldText: (e) => [json.fieldText(e.doc, "a'b"), json.fieldText(e.doc, 0)],
  fieldAt: (e) => json.fieldAt(e.doc, ['a', 0, '"}']),
  fieldTextAt: (e) => json.fieldTextAt(e.doc, ['a', 'b']),
  hasKey: (e) => json.hasKey(e.doc, 'a'),
  contains: (e) => json.contains(e.doc, { a: [1] }),
  containedBy: (e) => json.containedBy({ a: 1 }, e.doc),
  jsonConcat: (e) => json.jsonConcat(e.doc, [1]),
  without: (e) => [json.without(e.doc, 'a'), json.without(e.doc, 0)],
  stripNulls: (e) => json.stripNulls(e.doc),
  jsonTypeof: (e) => json.jsonTypeof(e.doc),
  jsonArrayLength: (e) => json.jsonArrayLength(e.doc),
  cat: (e) => [x.cat(e.s, '-', e.i), x.cat(e.i)],
  concat: (e) => x.concat(e.s, 1, e.ok),
  concatWs: (e) => x.concatWs(', ', e.s, e.i),
  length: (e) => [x.length(e.s), x.length(e.raw)],
  charLength: (e) => x.charLength(e.s),
  octetLength: (e) => x.octetLength(e.raw),
  bitLength: (e) => x.bitLength(e.s),
  lower: (e) => x.lower(e.s),
  upper: (e) => x.upper(e.s),
  initcap: (e) => x.initcap(e.s),
  substring: (e) => [x.substring(e.s, 2), x.substring(e.s, 2, e.i)],
  left: (e) => x.left(e.s, 2),
  right: (e) => x.right(e.s, -1),
  splitPart: (e) => x.splitPart(e.s, ',', 1),
  overlay: (e) => [x.overlay(e.s, 'x', 1), x.overlay(e.s, 'x', 1, 2)],
  trim: (e) => [x.trim(e.s), x.trim(e.s, 'x')],
  ltrim: (e) => x.ltrim(e.s),
  rtrim: (e) => x.rtrim(e.s, ' '),
  position: (e) => x.position(e.s, 'x'),
  startsWith: (e) => x.startsWith(e.s, 'x'),
  replace: (e) => x.replace(e.s, 'a', 'b'),
  translate: (e) => x.translate(e.s, 'ab', 'cd'),
  reverse: (e) => x.reverse(e.s),
  repeat: (e) => x.repeat(e.s, 2),
  lpad: (e) => [x.lpad(e.s, 5), x.lpad(e.s, 5, '0')],
  rpad: (e) => x.rpad(e.s, 5, '0'),
  ascii: (e) => x.ascii(e.s),
  chr: (e) => x.chr(e.i),
  md5: (e) => x.md5(e.s),
  encode: (e) => x.encode(e.raw, 'hex'),
  decode: (e) => x.decode(e.s, 'base64'),
  like: (e) => [x.like(e.s, 'a%'), x.like(e.s, '10!%', { escape: '!' })],
  notLike: (e) => x.notLike(x.cat(e.s, 'x'), '%x'),
  ilike: (e) => x.ilike(e.s, 'A%'),
  notIlike: (e) => x.notIlike(e.s, 'A%'),
  matches: (e) => [x.matches(e.s, '^a'), x.matches(e.s, '^a', { ignoreCase: true })],
  regexpReplace: (e) => [x.regexpReplace(e.s, 'a', 'b'), x.regexpReplace(e.s, 'a', 'b', 'g')],
  regexpCount: (e) => x.regexpCount(e.s, 'a'),
  regexpSubstr: (e) => x.regexpSubstr(e.s, 'a+'),
  rowNumber: (e) => rowNumber({ by: e.i, per: [e.s] }),
}

const grouped: Readonly<Record<string, (e: Row) => Expr | readonly Expr[]>> = {
  count: (e) => [aggregates.count(), aggregates.count(e.s), aggregates.count(e.s, { distinct: true })],
  countDistinct: (e) => aggregates.countDistinct(e.s).filter(e.ok),
  sum: (e) => [aggregates.sum(e.i), aggregates.sum(e.b), aggregates.sum(e.n), aggregates.sum(e.d)],
  avg: (e) => [aggregates.avg(e.i), aggregates.avg(e.d), aggregates.avg(e.n, { distinct: true })],
  min: (e) => [aggregates.min(e.ts), aggregates.min(e.s)],
  max: (e) => [aggregates.max(e.n), aggregates.max(e.day).filter(e.ok)],
  boolAnd: (e) => aggregates.boolAnd(e.ok),
  boolOr: (e) => aggregates.boolOr(c.gt(e.i, 1)),
}

/** Names that the builder has under another, or only as SQL text. */
const elsewhere: Readonly<Record<string, string>> = {
  '@': 'abs',
  '^': 'power',
  pow: 'power',
  '%': 'mod',
  ceiling: 'ceil',
  character_length: 'charLength',
  substring: 'substring',
  '^@': 'startsWith',
  '!~': 'not(matches(…))',
  '!~*': 'not(matches(…, { ignoreCase }))',
  regexp_like: 'matches',
  jsonb_contains: 'contains',
  jsonb_contained: 'containedBy',
  mod: 'mod',
  position: 'position, as strpos',
  like_escape: 'like(…, { escape })',
  $key: 'for plans alone',
  $fit: 'for plans alone',
}

let catalog: Catalog
beforeAll(async () => {
  await loadParser()
  catalog = defineProgram(parseSql(appToSql(defineApp({ everything }))), bindSelect).catalog
})

const used = new Set<string>()

function note(scalar: Scalar): void {
  if (scalar.op === 'call') used.add(scalar.fn.slice(0, scalar.fn.lastIndexOf('(')))
  for (const child of childrenOf(scalar)) note(child)
}

/** The kinds that the builder takes a type for; a number that the app says nothing of may be any. */
function check(build: (e: Row) => Expr | readonly Expr[]): void {
  const list = [rows().select(({ e }) => ({ x: [build(e)].flat()[0] ?? e.i }) as never)]
  const count = [build(rowOf())].flat().length
  for (let i = 1; i < count; i++) list.push(rows().select(({ e }) => ({ x: [build(e)].flat()[i] }) as never))
  for (const query of list) {
    const [statement] = parseSql(query.text)
    if (statement.kind !== 'select') throw new Error('no query')
    const { plan, columns } = bindSelect(catalog, statement.node, statement)
    const { type } = query.outputs[0]
    const found: SqlType = columns[0].type
    if (type !== null && type !== 'string') expect(kindOfColumn(found, 'plain'), query.text).toBe(type)
    if (plan.op === 'map') plan.outputs.forEach(note)
  }
}

function rowOf(): Row {
  let row: Row | undefined
  rows().select(({ e }) => {
    row = e
    return { x: e.i }
  })
  return row as Row
}

describe('functions of the builder', () => {
  it.each(Object.entries({ ...calls, ...grouped }))('%s is of the type that it says', (_, build) => {
    check(build)
  })

  it('are all called here', () => {
    const rooms = { ...aggregates, ...arithmetic, ...choice, ...comparison, ...datetime, ...json, ...text }
    const names = Object.keys(rooms)
    expect(
      Object.keys({ ...calls, ...grouped })
        .filter((name) => name !== 'rowNumber')
        .sort(),
    ).toEqual(names.sort())
  })

  it('are all that SQL has', () => {
    const missing = functionNames().filter((name) => !used.has(name) && !Object.hasOwn(elsewhere, name))
    expect(missing).toEqual([])
  })

  it('know a column by its kind', () => {
    expect((rowOf().n as unknown as Node).type).toBe('numeric')
  })
})
