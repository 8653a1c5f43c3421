import { microsPerDay } from '../data/datetime.ts'
import type { ErrorPlace } from '../data/errors.ts'
import { parseInterval } from '../data/interval.ts'
import { type ColumnSchema, typeName } from '../data/sql-type.ts'
import type { ColumnDef, Constraint, Node, StatementOf } from '../sql/parse.ts'
import { nearest, refusal, unsupported } from '../sql/refuse.ts'
import { placeAt, type Source, spelling } from '../sql/source.ts'
import { fold } from '../sql/tokens.ts'
import { sqlTypeOf } from '../sql/type-name.ts'
import { type Option, onlyKnown, readOptions } from './definition-options.ts'
import type { TopicDefinition } from './program.ts'
import { retentionOf } from './retention.ts'

const mostColumns = 1600

/** Gathers what CREATE TABLE says about its columns, in the order it says it. */
interface Draft {
  readonly source: Source
  readonly columns: { name: string; type: ColumnSchema['type']; nullable: boolean | null; place: ErrorPlace }[]
  readonly byName: Map<string, number>
  primaryKey: readonly number[] | null
}

/**
 * The topic or table that a CREATE TABLE defines.
 * @throws MillraceError sql/definition, sql/unsupported, sql/type with the place
 */
export function defineTopic(statement: StatementOf<'createTopic'>, name: string, id: number): TopicDefinition {
  const { node, source } = statement
  const at = placeAt(source, node.relation?.location)
  onlyKnown(node, ['relation', 'tableElts', 'options', 'oncommit', 'if_not_exists'], at, {
    inhRelations: ['INHERITS and PARTITION OF are not supported'],
    partbound: ['PARTITION OF is not supported'],
    partspec: ['PARTITION BY is not supported', 'a topic has one partition: leave it out'],
    ofTypename: ['OF type is not supported', 'list the columns'],
    accessMethod: ['USING is not supported'],
    tablespacename: ['TABLESPACE is not supported'],
  })
  if (node.oncommit !== 'ONCOMMIT_NOOP') throw unsupported('ON COMMIT is not supported', at)
  const draft: Draft = { source, columns: [], byName: new Map(), primaryKey: null }
  const elements = node.tableElts ?? []
  for (const element of elements) if ('ColumnDef' in element) addColumn(draft, element.ColumnDef)
  if (draft.columns.length === 0) {
    throw refusal('sql/definition', `"${name}" has no columns`, at, 'list at least one column')
  }
  for (const element of elements) addConstraint(draft, element, at)
  const primaryKey = draft.primaryKey ?? []
  const columns = draft.columns.map(
    (column, i): ColumnSchema => ({
      name: column.name,
      type: column.type,
      nullable: column.nullable !== false && !primaryKey.includes(i),
    }),
  )
  const options = readOptions(node.options, source, { event_time: null, lateness: null, retention: null })
  const eventTime = eventTimeOf(options.get('event_time'), columns, primaryKey)
  const latenessMicros = latenessOf(options.get('lateness'), eventTime)
  const retention = retentionOf(options.get('retention'), primaryKey.length > 0)
  return {
    id,
    name,
    columns,
    primaryKey,
    eventTime,
    latenessMicros,
    ...(retention === undefined ? {} : { retention }),
  }
}

function addColumn(draft: Draft, node: ColumnDef): void {
  const { source, columns, byName } = draft
  const place = placeAt(source, node.location)
  const name = spelling(source, node.location)
  onlyKnown(node, ['colname', 'typeName', 'is_local', 'constraints', 'location', 'collClause'], place, {
    compression: ['COMPRESSION is not supported', 'leave it out'],
    storage_name: ['STORAGE is not supported', 'leave it out'],
    fdwoptions: ['OPTIONS is not supported', 'leave it out'],
  })
  if (name.startsWith('_')) {
    const what = `the column name "${name}" is reserved: names that begin with _ are Millrace's own`
    throw refusal('sql/definition', what, place, 'choose another name')
  }
  const other = byName.get(fold(name))
  if (other !== undefined) {
    const written = columns[other].name
    const what =
      written === name ? `column "${name}" is given twice` : `columns "${written}" and "${name}" differ only in case`
    throw refusal('sql/definition', what, place, 'give one of them another name')
  }
  const collation = node.collClause?.collname?.map((part) => ('String' in part ? part.String.sval : '')).join('.')
  if (collation !== undefined && collation !== 'C' && collation !== 'default' && collation !== 'POSIX') {
    const at = placeAt(source, node.collClause?.location)
    throw unsupported(`the collation ${collation} is not supported`, at, 'text is compared by code point: COLLATE "C"')
  }
  if (columns.length === mostColumns) {
    throw refusal('sql/definition', `more than ${mostColumns} columns`, place, 'put some of them in one jsonb')
  }
  byName.set(fold(name), columns.length)
  columns.push({ name, type: sqlTypeOf(node.typeName ?? {}, source), nullable: null, place })
  for (const item of node.constraints ?? []) {
    if ('Constraint' in item) constrain(draft, item.Constraint, [columns.length - 1])
  }
}

function addConstraint(draft: Draft, element: Node, at: ErrorPlace): void {
  if ('ColumnDef' in element) return
  if ('TableLikeClause' in element) {
    const place = placeAt(draft.source, element.TableLikeClause.relation?.location)
    throw unsupported('LIKE is not supported', place, 'list the columns')
  }
  if (!('Constraint' in element)) throw unsupported('a part of this definition is not supported', at)
  const node = element.Constraint
  const keys = (node.keys ?? []).map((key) => {
    const name = 'String' in key ? (key.String.sval ?? '') : ''
    const index = draft.byName.get(fold(name))
    if (index !== undefined) return index
    throw unknownColumn(name, draft.columns, placeAt(draft.source, node.location))
  })
  constrain(draft, node, keys)
}

function unknownColumn(name: string, columns: readonly { readonly name: string }[], place: ErrorPlace): Error {
  const names = columns.map((column) => column.name)
  const near = nearest(name, names)
  const hint = near === null ? `there are ${names.slice(0, 12).join(', ')}` : `did you mean ${near}?`
  return refusal('sql/unknown-column', `column "${name}" does not exist`, place, hint)
}

const refusedConstraints: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  CONSTR_DEFAULT: ['DEFAULT', 'a missing column is NULL: use coalesce(column, value) where it is read'],
  CONSTR_IDENTITY: ['GENERATED AS IDENTITY', 'events bring their own values; every topic has _offset'],
  CONSTR_GENERATED: ['GENERATED ALWAYS AS', 'compute the column in a view'],
  CONSTR_CHECK: ['CHECK', 'filter in a view, or check before the append'],
  CONSTR_UNIQUE: ['UNIQUE', 'use PRIMARY KEY for the one key of a table'],
  CONSTR_EXCLUSION: ['EXCLUDE', 'leave it out'],
  CONSTR_FOREIGN: ['REFERENCES', 'topics come independently of each other: leave it out'],
}
const ofConstraint = ['contype', 'conname', 'keys', 'location', 'is_enforced', 'initially_valid']

function constrain(draft: Draft, node: Constraint, columns: readonly number[]): void {
  const place = placeAt(draft.source, node.location)
  const kind = node.contype ?? ''
  if (Object.hasOwn(refusedConstraints, kind)) {
    const [what, hint] = refusedConstraints[kind]
    throw unsupported(`${what} is not supported`, place, hint)
  }
  if (kind !== 'CONSTR_NULL' && kind !== 'CONSTR_NOTNULL' && kind !== 'CONSTR_PRIMARY') {
    throw unsupported('this constraint is not supported', place, 'leave it out')
  }
  onlyKnown(node, ofConstraint, place, {
    is_no_inherit: ['NO INHERIT is not supported', 'leave it out'],
    skip_validation: ['NOT VALID is not supported', 'leave it out'],
    without_overlaps: ['WITHOUT OVERLAPS is not supported'],
    including: ['INCLUDE is not supported', 'leave it out'],
    options: ['WITH behind a constraint is not supported', 'leave it out'],
    indexname: ['USING INDEX is not supported', 'leave it out'],
    indexspace: ['USING INDEX TABLESPACE is not supported', 'leave it out'],
  })
  if (kind === 'CONSTR_PRIMARY') setPrimaryKey(draft, columns, place)
  else for (const index of columns) setNullable(draft, index, kind === 'CONSTR_NULL', place)
}

function setNullable(draft: Draft, index: number, nullable: boolean, place: ErrorPlace): void {
  const column = draft.columns[index]
  if ((column.nullable ?? nullable) !== nullable) {
    throw refusal('sql/definition', `column "${column.name}" is both NULL and NOT NULL`, place, 'keep one of them')
  }
  column.nullable = nullable
}

function setPrimaryKey(draft: Draft, columns: readonly number[], place: ErrorPlace): void {
  if (draft.primaryKey !== null) {
    const hint = 'put all its columns in one: PRIMARY KEY (a, b)'
    throw refusal('sql/definition', 'a table has only one primary key', place, hint)
  }
  for (const [position, index] of columns.entries()) {
    const { name, type } = draft.columns[index]
    if (columns.indexOf(index) !== position) {
      throw refusal('sql/definition', `column "${name}" is in the primary key twice`, place, 'name it once')
    }
    // Equal values of these have more than one form: which row would a delete mean?
    if (type.kind === 'jsonb' || type.kind === 'interval') {
      throw unsupported(`${typeName(type)} in a primary key is not supported`, place, 'use text for the key')
    }
    if (type.kind === 'numeric' && type.precision === undefined) {
      const what = 'numeric without a precision in a primary key is not supported: 1.0 and 1.00 would be two keys'
      throw unsupported(what, place, 'give it a precision and a scale: numeric(18, 2)')
    }
    setNullable(draft, index, false, place)
  }
  draft.primaryKey = columns
}

function eventTimeOf(
  option: Option | undefined,
  columns: readonly ColumnSchema[],
  primaryKey: readonly number[],
): number | null {
  if (option === undefined) return null
  const { text, place } = option
  const index = columns.findIndex((column) => fold(column.name) === fold(text))
  if (index < 0) throw unknownColumn(text, columns, place)
  const { name, type, nullable } = columns[index]
  if (type.kind !== 'timestamp' && type.kind !== 'timestamptz') {
    const what = `event_time "${name}" is of type ${typeName(type)}`
    throw refusal('sql/definition', what, place, 'make the column a timestamp or timestamptz')
  }
  if (nullable) {
    throw refusal('sql/definition', `event_time "${name}" can be NULL`, place, 'declare the column NOT NULL')
  }
  if (primaryKey.length > 0) {
    const hint = 'leave out event_time, or the PRIMARY KEY'
    throw unsupported('event_time of a table with a primary key is not supported', place, hint)
  }
  return index
}

function latenessOf(option: Option | undefined, eventTime: number | null): string {
  if (option === undefined) return '0'
  const { text, place, word } = option
  const wrong = (what: string, hint: string): Error => refusal('sql/definition', what, place, hint)
  if (eventTime === null) throw wrong('lateness without event_time', "add event_time = 'column'")
  const interval = word ? parseInterval(text) : null
  if (interval === null) throw wrong(`lateness ${JSON.stringify(text)} is not an interval`, "write it like '4 seconds'")
  if (interval.months !== 0) throw wrong("lateness can't be in months", 'write it in days or shorter units')
  const micros = BigInt(interval.days) * BigInt(microsPerDay) + interval.micros
  if (micros < 0n) throw wrong("lateness can't be negative", "write '0 seconds' for none")
  return String(micros)
}
