import type { ErrorPlace } from '../data/errors.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import type { AppFunction } from '../expr/app-function.ts'
import type { Node, RangeVar, SelectStmt, Statement, StatementOf } from '../sql/parse.ts'
import { refusal, unsupported } from '../sql/refuse.ts'
import { listSpelling, placeAt, placeOfCharacter, type Source, spelling } from '../sql/source.ts'
import { fold } from '../sql/tokens.ts'
import { Catalog, topicRelation, viewRelation } from './catalog.ts'
import { onlyKnown, readOptions } from './definition-options.ts'
import { definesOwnTopic } from './own-topics.ts'
import type { Order, Plan } from './plan.ts'
import type { Program, TopicDefinition, ViewDefinition } from './program.ts'
import { retainOf } from './retention.ts'
import { followDefinition } from './schema-change.ts'
import { defineTopic } from './topic-definition.ts'

export interface SelectOptions {
  /** `emit = 'final'`: reads events on time only, and puts rows out when their window has closed. */
  readonly final?: boolean
  /** `late = 'drop'`: reads events on time only. */
  readonly lateDrop?: boolean
}

export interface BoundSelect {
  readonly plan: Plan
  readonly columns: readonly ColumnSchema[]
  readonly order: readonly Order[]
}

/** Binds the query of a view. The catalog has what stands above it. */
export type BindSelect = (
  catalog: Catalog,
  select: SelectStmt,
  statement: { readonly source: Source },
  options: SelectOptions,
) => BoundSelect

export interface Defined {
  readonly program: Program
  readonly catalog: Catalog
}

/**
 * Works through definitions in their order.
 * @param previous names that it has keep their ids, and topics become what they were by changes that are allowed
 * @param functions the app's own, which queries may call
 * @throws MillraceError sql/… with the place of the first mistake, schema/incompatible
 */
export function defineProgram(
  statements: readonly Statement[],
  bindSelect: BindSelect,
  previous: Program = { topics: [], views: [] },
  functions: readonly AppFunction[] = [],
): Defined {
  const names = statements.flatMap((statement) => {
    const name = nameOf(statement)
    return name === null ? [] : [spelling(statement, name.location)]
  })
  let catalog = Catalog.after(previous, names).withFunctions(functions)
  for (const statement of statements) catalog = define(catalog, statement, bindSelect)
  return { program: catalog.program, catalog }
}

function nameOf(statement: Statement): RangeVar | null {
  switch (statement.kind) {
    case 'createTopic':
      return statement.node.relation ?? null
    case 'createView':
      return statement.node.view ?? null
    case 'createMaterializedView':
      return statement.node.into?.rel ?? null
    default:
      return null
  }
}

function define(catalog: Catalog, statement: Statement, bindSelect: BindSelect): Catalog {
  const relation = nameOf(statement)
  if (relation === null) throw noDefinition(statement)
  const name = checkedName(relation, statement)
  if (catalog.find(name) !== null) {
    if ('if_not_exists' in statement.node && statement.node.if_not_exists) return catalog
    const place = placeAt(statement, relation.location)
    throw refusal('sql/definition', `relation "${name}" is already defined`, place, 'give one of them another name')
  }
  switch (statement.kind) {
    case 'createTopic':
      return catalog.add(topicRelation(topicOf(catalog, statement, name)))
    case 'createView':
      return defineQuery(catalog, statement, name, bindSelect)
    case 'createMaterializedView':
      return catalog.add(viewRelation(defineView(catalog, statement, name, bindSelect)))
    default:
      throw noDefinition(statement)
  }
}

function topicOf(catalog: Catalog, statement: StatementOf<'createTopic'>, name: string): TopicDefinition {
  const defined = defineTopic(statement, name, catalog.idFor(name))
  const before = catalog.topicBefore(name)
  return before === null ? defined : followDefinition(before, defined)
}

function checkedName(relation: RangeVar, statement: Statement): string {
  const place = placeAt(statement, relation.location)
  if (relation.schemaname !== undefined) {
    throw unsupported('a schema before a name is not supported', place, 'all names are in one space: leave it out')
  }
  if (relation.relpersistence === 't') throw unsupported('a temporary relation is not supported', place)
  if (relation.relpersistence === 'u')
    throw unsupported('UNLOGGED is not supported', place, 'every topic is in the log')
  const name = spelling(statement, relation.location)
  if (name.startsWith('_') && !definesOwnTopic(statement, name)) {
    const what = `the name "${name}" is reserved: names that begin with _ are Millrace's own`
    throw refusal('sql/definition', what, place, 'choose another name')
  }
  return name
}

function defineQuery(
  catalog: Catalog,
  statement: StatementOf<'createView'>,
  name: string,
  bindSelect: BindSelect,
): Catalog {
  const { node, source } = statement
  const at = placeAt(source, node.view?.location)
  onlyKnown(node, ['view', 'aliases', 'query', 'options', 'withCheckOption'], at, {
    replace: ['OR REPLACE is not supported', 'a program defines each name once: leave it out'],
  })
  if (node.withCheckOption !== 'NO_CHECK_OPTION') throw unsupported('WITH CHECK OPTION is not supported', at)
  readOptions(node.options, source, {}, 'CREATE VIEW keeps nothing; options belong to CREATE MATERIALIZED VIEW')
  const query = selectOf(node.query, at)
  const bound = bindSelect(catalog, query, statement, {})
  const columnNames = columnList(node.aliases, node.view, statement)
  const columns = named(bound.columns, columnNames, at)
  return catalog.add({ kind: 'query', name, columns, query, columnNames, source })
}

function defineView(
  catalog: Catalog,
  statement: StatementOf<'createMaterializedView'>,
  name: string,
  bindSelect: BindSelect,
): ViewDefinition {
  const { node, source } = statement
  const into = node.into ?? {}
  const at = placeAt(source, into.rel?.location)
  onlyKnown(node, ['query', 'into', 'objtype', 'if_not_exists'], at)
  onlyKnown(into, ['rel', 'colNames', 'options', 'onCommit'], at, {
    skipData: ['WITH NO DATA is not supported', 'a view always has what its query says: leave it out'],
    tableSpaceName: ['TABLESPACE is not supported'],
    accessMethod: ['USING is not supported'],
  })
  const options = readOptions(into.options, source, {
    emit: ['continuous', 'final'],
    late: ['drop'],
    retain: null,
  })
  const final = options.get('emit')?.text === 'final'
  const lateDrop = options.has('late')
  const retain = options.get('retain')
  const bound = bindSelect(catalog, selectOf(node.query, at), statement, {
    ...(final ? { final } : {}),
    ...(lateDrop ? { lateDrop } : {}),
  })
  return {
    id: catalog.idFor(name),
    name,
    columns: named(bound.columns, columnList(into.colNames, into.rel, statement), at),
    plan: bound.plan,
    order: bound.order,
    emit: final ? 'final' : 'continuous',
    sql: statement.text,
    ...(retain === undefined ? {} : { retain: retainOf(retain) }),
  }
}

function selectOf(node: Node | undefined, place: ErrorPlace): SelectStmt {
  if (node !== undefined && 'SelectStmt' in node) return node.SelectStmt
  throw unsupported('a view of anything but a query is not supported', place, 'write AS SELECT …')
}

function columnList(
  list: readonly Node[] | undefined,
  name: RangeVar | undefined,
  statement: Statement,
): readonly string[] {
  const folded = (list ?? []).map((item) => ('String' in item ? (item.String.sval ?? '') : ''))
  return folded.length === 0 ? [] : listSpelling(statement, name?.location, folded)
}

/** The columns under their final names, which differ by more than case. */
function named(columns: readonly ColumnSchema[], names: readonly string[], place: ErrorPlace): readonly ColumnSchema[] {
  if (names.length > columns.length) {
    const what = `${names.length} column names for a query of ${columns.length} columns`
    throw refusal('sql/definition', what, place, 'name at most as many columns as the query has')
  }
  const renamed = columns.map((column, i) => (i < names.length ? { ...column, name: names[i] } : column))
  const seen = new Map<string, string>()
  for (const { name } of renamed) {
    const other = seen.get(fold(name))
    if (other !== undefined) {
      const what =
        other === name
          ? `the query has two columns named "${name}"`
          : `the query's columns "${other}" and "${name}" differ only in case`
      throw refusal('sql/definition', what, place, `give one of them another name: … AS ${name}_2`)
    }
    seen.set(fold(name), name)
  }
  return renamed
}

const appendInstead = 'definitions hold no data: append events to the topic'
const otherHints: Readonly<Record<string, string>> = {
  InsertStmt: appendInstead,
  UpdateStmt: appendInstead,
  DeleteStmt: appendInstead,
  MergeStmt: appendInstead,
  CopyStmt: appendInstead,
  TruncateStmt: appendInstead,
  IndexStmt: 'state is indexed as the queries need it: leave it out',
  AlterTableStmt: 'change the CREATE statement itself',
  RenameStmt: 'change the CREATE statement itself',
  CreateSchemaStmt: 'all names are in one space: leave it out',
  CreateEnumStmt: 'use text',
  CreateDomainStmt: 'use the type itself',
  CompositeTypeStmt: 'use jsonb',
  CreateFunctionStmt: 'functions are written in TypeScript: fn() in an app that is a module',
  CreateSeqStmt: 'events bring their own values',
  CreateTableAsStmt: 'write CREATE MATERIALIZED VIEW … AS SELECT …',
  TransactionStmt: 'a file of definitions is applied as a whole: leave it out',
  VariableSetStmt: 'leave it out: the zone is UTC',
}

/** The refusal of a statement that defines nothing. */
function noDefinition(statement: Statement): Error {
  const place = placeOfCharacter(statement.source, statement.start)
  if (statement.kind === 'select') {
    const hint = 'give the query a name: CREATE VIEW or CREATE MATERIALIZED VIEW … AS SELECT …'
    return unsupported('a SELECT alone defines nothing', place, hint)
  }
  if (statement.kind === 'drop') {
    return unsupported('DROP in a file of definitions is not supported', place, 'take the definition out of the file')
  }
  const tag = Object.keys(statement.node)[0]
  const [first, ...rest] = statement.text.slice(0, 100).match(/[a-z]+/gi) ?? ['this statement']
  const second = rest.find((word) => !/^(or|replace|temp|temporary|unlogged|unique|global|local)$/i.test(word))
  const words = /^(create|alter)$/i.test(first) && second !== undefined ? `${first} ${second}` : first
  const what = tag === 'CreateTableAsStmt' ? 'CREATE TABLE AS' : words.toUpperCase()
  return unsupported(`${what} is not supported`, place, otherHints[tag])
}
