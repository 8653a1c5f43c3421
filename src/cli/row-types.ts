import type { ColumnSchema, SqlType } from '../data/sql-type.ts'
import type { Program, TopicDefinition, ViewDefinition } from '../plan/program.ts'

const head = (app: string): string =>
  `// What ${app} defines. Written by \`millrace generate\`: changes are overwritten.\n`

/**
 * The row types of views in an app of TypeScript, by name, where `view()` looks for them.
 * @param app the app's file, for the first line
 * @param untyped the views whose rows the compiler doesn't know without
 */
export function rowTypes(app: string, { views }: Program, untyped: ReadonlySet<string>): string {
  const members = views
    .filter(({ name }) => untyped.has(name))
    .map(({ name, columns }) => `    ${property(name)}: ${rowType(columns, reads, '    ')}\n`)
  return `${head(app)}declare module 'millrace' {\n  interface SqlRows {\n${members.join('')}  }\n}\n\nexport {}\n`
}

/** The type of an app in SQL that a client takes: `createClient<Program>(…)`. */
export function clientTypes(app: string, { topics, views }: Program): string {
  const kinds = new Set([...topics.map(kindOf), ...(views.length > 0 ? ['View'] : [])])
  const names = ['App', ...[...kinds].sort()].join(', ')
  const members = [...topics.map(topicMember), ...views.map(viewMember)]
  return `${head(app)}import type { ${names} } from 'millrace'\n\nexport type Program = App<{\n${members.join('')}}>\n`
}

function kindOf({ primaryKey }: TopicDefinition): 'Table' | 'Topic' {
  return primaryKey.length > 0 ? 'Table' : 'Topic'
}

function topicMember(topic: TopicDefinition): string {
  const { name, columns, primaryKey } = topic
  const key = primaryKey.map((ordinal) => ({ ...columns[ordinal], nullable: false }))
  const parts = [JSON.stringify(name), rowType(columns, takes, '  '), rowType(columns, reads, '  ')]
  if (key.length > 0) parts.push(rowType(key, takes, '  '))
  return `  ${property(name)}: ${kindOf(topic)}<${parts.join(', ')}>\n`
}

function viewMember({ name, columns }: ViewDefinition): string {
  return `  ${property(name)}: View<${JSON.stringify(name)}, ${rowType(columns, reads, '  ')}>\n`
}

function rowType(columns: readonly ColumnSchema[], field: (column: ColumnSchema) => string, indent: string): string {
  if (columns.length === 0) return 'object'
  return `{\n${columns.map((column) => `${indent}  ${field(column)}\n`).join('')}${indent}}`
}

/** A column as reads give it. */
function reads({ name, type, nullable }: ColumnSchema): string {
  return `${property(name)}: ${readType(type)}${nullable ? ' | null' : ''}`
}

/** A column as an append takes it. */
function takes({ name, type, nullable }: ColumnSchema): string {
  return nullable
    ? `${property(name)}?: ${takenType(type)} | null | undefined`
    : `${property(name)}: ${takenType(type)}`
}

function property(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name)
}

function readType({ kind }: SqlType): string {
  switch (kind) {
    case 'boolean':
      return 'boolean'
    case 'smallint':
    case 'integer':
    case 'real':
    case 'double':
      return 'number'
    case 'bigint':
      return 'number | bigint'
    case 'numeric':
      return 'number | string'
    case 'jsonb':
    case 'unknown':
      return 'unknown'
    default:
      return 'string'
  }
}

function takenType(type: SqlType): string {
  switch (type.kind) {
    case 'numeric':
      return 'number | bigint | string'
    case 'bytea':
      return 'string | Uint8Array'
    case 'timestamp':
    case 'timestamptz':
      return 'string | Date'
    default:
      return readType(type)
  }
}
