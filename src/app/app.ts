import { MillraceError } from '../data/errors.ts'
import { typeName } from '../data/sql-type.ts'
import type { AppFunction } from '../expr/app-function.ts'
import { fold } from '../sql/tokens.ts'
import type { Chart, NamedChart } from './chart.ts'
import type { Definition, Query, Table, Topic, View } from './definitions.ts'
import type { Named } from './expression.ts'
import type { Callable } from './scalar-function.ts'
import { quotedName, quotedText } from './sql-text.ts'

/** A program: what is defined, by name. */
export interface App<Definitions extends Readonly<Record<string, Definition>> = Readonly<Record<string, Definition>>> {
  readonly kind: 'app'
  readonly definitions: Definitions
  /** Beside the definitions: what is drawn is no part of what runs. */
  readonly charts: readonly NamedChart[]
}

/**
 * Each definition under its own name: a client that knows an app by its type alone has nothing but the property. A chart
 * has no other name than that.
 */
type UnderOwnNames<D> = { readonly [K in keyof D]: { readonly name: K } | Chart }

/** Charts give no handle on a database. */
type WithoutCharts<D> = { readonly [K in keyof D as D[K] extends Chart ? never : K]: Extract<D[K], Definition> }

/** Names that a database has for itself; `then` would make a promise of it. */
const taken = new Set(['close', 'sql', 'then', 'catch', 'finally', 'constructor', 'prototype', '__proto__', 'toJSON'])

const definitionKinds: ReadonlySet<unknown> = new Set(['topic', 'table', 'view', 'query', 'function', 'chart'])

export function isApp(value: unknown): value is App {
  return typeof value === 'object' && value !== null && (value as Partial<App>).kind === 'app'
}

/** Tells who writes JavaScript what the compiler tells others. @throws MillraceError app/load */
export function checkApp(app: unknown): asserts app is App {
  if (isApp(app)) return
  throw new MillraceError('app/load', 'what was given is no app', {
    hint: 'give what defineApp({ … }) returns; an app in SQL is served by millrace dev or start',
  })
}

/**
 * Puts definitions together: `export default defineApp({ orders, revenue })`.
 * @throws MillraceError app/load where a name is given twice or misplaced, or a definition reads one that is missing
 */
export function defineApp<const D extends Readonly<Record<string, Definition | Chart>>>(
  definitions: D & UnderOwnNames<D>,
): App<WithoutCharts<D>> {
  const names = new Map<string, Definition>()
  const own: Record<string, Definition> = {}
  const charts: NamedChart[] = []
  for (const [property, definition] of Object.entries<Definition | Chart>(definitions)) {
    const { kind } = (definition ?? {}) as { readonly kind?: unknown }
    if (!definitionKinds.has(kind)) {
      throw new MillraceError('app/load', `${property} is no topic, table, view, query, function or chart`, {
        hint: 'define it with topic(), table(), view(), … before it is put into defineApp',
      })
    }
    if (definition.kind === 'chart') {
      const { kind: _, ...drawn } = definition
      charts.push(Object.freeze({ name: property, ...drawn }))
      continue
    }
    if (definition.name !== property) {
      throw new MillraceError('app/load', `the definition named ${definition.name} stands under ${property}`, {
        hint: 'use the same name for both',
      })
    }
    if (taken.has(property)) {
      throw new MillraceError('app/load', `no definition can be named ${property}`, { hint: 'choose another name' })
    }
    const other = names.get(fold(property))
    if (other !== undefined) {
      throw new MillraceError('app/load', `the names ${other.name} and ${property} differ only in case`, {
        hint: 'give one of them another name',
      })
    }
    names.set(fold(property), definition)
    own[property] = definition
  }
  for (const definition of names.values()) checkReads(definition, names)
  for (const { name, view } of charts) {
    if (names.get(fold(view.name)) === view) continue
    throw new MillraceError('app/load', `${name} draws ${view.name}, which the app lacks`, {
      hint: `put ${view.name} into defineApp({ … }) too`,
    })
  }
  functionsOf([...names.values()])
  return Object.freeze({
    kind: 'app',
    definitions: Object.freeze(own) as WithoutCharts<D>,
    charts: Object.freeze(charts),
  })
}

function readsOf(definition: Definition): readonly Named[] {
  return definition.kind === 'view' || definition.kind === 'query' ? definition.sql.reads : []
}

function checkReads(definition: Definition, names: ReadonlyMap<string, Definition>): void {
  for (const read of readsOf(definition)) {
    if (read.kind === 'function') continue
    const there = names.get(fold(read.name))
    if (there === read) continue
    const what =
      there === undefined
        ? `${definition.name} reads ${read.name}, which the app lacks`
        : `${definition.name} reads another ${read.name} than the app's`
    throw new MillraceError('app/load', what, { hint: `put ${read.name} into defineApp({ … }) too` })
  }
}

/** One definition as SQL. */
export interface DefinitionText {
  readonly name: string
  readonly text: string
  /** Lines at the text's start that stand before what the user wrote. */
  readonly linesBefore: number
}

/**
 * An app's definitions as SQL, in an order in which each reads only what stands before it.
 * @throws MillraceError app/load where definitions read each other in a circle
 */
export function appDefinitions(app: App): readonly DefinitionText[] {
  return inOrder(Object.values(app.definitions)).map(definitionText)
}

/**
 * An app as the SQL file that defines the same catalog. Functions of the app stand in it for their text's sake: that
 * another function is another definition. They can't be defined in SQL.
 */
export function appToSql(app: App): string {
  // The semicolon gets a line of its own, lest a comment at a query's end swallow it.
  return [...appFunctions(app).map(functionText), ...appDefinitions(app).map(({ text }) => text)]
    .map((text) => `${text}\n;\n`)
    .join('\n')
}

/** The functions in TypeScript that an app's queries call. */
export function appFunctions(app: App): readonly AppFunction[] {
  return functionsOf(Object.values(app.definitions)).map(({ definition }) => definition)
}

function functionsOf(definitions: readonly Definition[]): readonly Callable[] {
  const found = new Map<string, Callable>()
  for (const read of definitions.flatMap(readsOf)) {
    if (read.kind !== 'function') continue
    const callable = read as Callable
    const other = found.get(fold(read.name))
    if (other !== undefined && other !== callable) {
      throw new MillraceError('app/load', `two functions are named ${read.name}`, { hint: 'give one another name' })
    }
    found.set(fold(read.name), callable)
  }
  return [...found.values()]
}

function functionText({ name, args, returns, nulls, source }: AppFunction): string {
  const strict = nulls === 'strict' ? ' STRICT' : ''
  const head = `CREATE FUNCTION ${quotedName(name)}(${args.map(typeName).join(', ')}) RETURNS ${typeName(returns)}`
  return `${head} LANGUAGE typescript IMMUTABLE${strict} AS ${quotedText(source)}`
}

/** Readers behind what they read; otherwise as they were given, topics first. */
function inOrder(definitions: readonly Definition[]): readonly Definition[] {
  const ordered = new Set<Definition>()
  const above: Definition[] = []
  const visit = (definition: Definition): void => {
    if (ordered.has(definition)) return
    if (above.includes(definition)) {
      const circle = [...above.slice(above.indexOf(definition)), definition].map(({ name }) => name)
      throw new MillraceError('app/load', `definitions read each other in a circle: ${circle.join(' → ')}`, {
        hint: 'take one of them apart',
      })
    }
    above.push(definition)
    for (const read of readsOf(definition)) if (read.kind !== 'function') visit(read as Definition)
    above.pop()
    ordered.add(definition)
  }
  for (const definition of definitions) if (readsOf(definition).length === 0 && isTopic(definition)) visit(definition)
  for (const definition of definitions) visit(definition)
  return [...ordered]
}

function isTopic(definition: Definition): boolean {
  return definition.kind === 'topic' || definition.kind === 'table'
}

function definitionText(definition: Definition): DefinitionText {
  const { name } = definition
  switch (definition.kind) {
    case 'topic':
    case 'table':
      return { name, text: topicText(definition), linesBefore: 0 }
    case 'view':
    case 'query':
      return { name, text: `${viewHead(definition)} AS\n${definition.sql.text}`, linesBefore: 1 }
  }
}

function topicText(definition: Topic | Table): string {
  const lines = definition.columns.map(
    ({ name, type, nullable }) => `  ${quotedName(name)} ${typeName(type)}${nullable ? '' : ' NOT NULL'}`,
  )
  const options: string[] = []
  if (definition.kind === 'table') lines.push(`  PRIMARY KEY (${definition.key.map(quotedName).join(', ')})`)
  else {
    if (definition.time !== null) options.push(`event_time = ${quotedText(definition.time)}`)
    if (definition.lateness !== null) options.push(`lateness = ${quotedText(definition.lateness)}`)
  }
  if (definition.retention !== null) options.push(`retention = ${quotedText(definition.retention)}`)
  const tail = options.length === 0 ? '' : ` WITH (${options.join(', ')})`
  return `CREATE TABLE ${quotedName(definition.name)} (\n${lines.join(',\n')}\n)${tail}`
}

function viewHead(definition: View | Query): string {
  if (definition.kind === 'query') return `CREATE VIEW ${quotedName(definition.name)}`
  const options: string[] = []
  if (definition.emit === 'final') options.push(`emit = 'final'`)
  if (definition.late === 'drop') options.push(`late = 'drop'`)
  if (definition.retain !== null) options.push(`retain = ${quotedText(definition.retain)}`)
  const tail = options.length === 0 ? '' : ` WITH (${options.join(', ')})`
  return `CREATE MATERIALIZED VIEW ${quotedName(definition.name)}${tail}`
}
