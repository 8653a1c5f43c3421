/** What snippets are made of: text that runs as it is copied, whatever is in the names and values it speaks of. */
import { appFile } from '../ask/project.ts'
import { hasToken } from '../ask/server.ts'

/** The same question in three languages, as far as each can ask it. */
export interface Snippets {
  readonly sql?: string
  readonly curl?: string
  readonly typescript?: string
}

/** Words that PostgreSQL takes for names in quotes only. */
const reserved = new Set(
  (
    'all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation ' +
    'column concurrently constraint create cross current_catalog current_date current_role current_schema ' +
    'current_time current_timestamp current_user default deferrable desc distinct do else end except false fetch for ' +
    'foreign freeze from full grant group having ilike in initially inner intersect into is isnull join lateral ' +
    'leading left like limit localtime localtimestamp natural not notnull null offset on only or order outer overlaps ' +
    'placing primary references returning right select session_user similar some symmetric table tablesample then to ' +
    'trailing true union unique user using variadic verbose when where window with'
  ).split(' '),
)

/** An identifier as SQL wants it. */
export function sqlName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !reserved.has(name) ? name : `"${name.replaceAll('"', '""')}"`
}

/** A text as SQL wants it: of an unknown type, which the column that it is compared with decides. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** `a = '1' AND b IS NULL` */
export function sqlCondition(key: Readonly<Record<string, string | null>>): string {
  return Object.entries(key)
    .map(([name, value]) => (value === null ? `${sqlName(name)} IS NULL` : `${sqlName(name)} = ${sqlText(value)}`))
    .join(' AND ')
}

/** ` ORDER BY …`, for columns with a minus before those that descend. */
export function sqlOrder(order: readonly string[]): string {
  if (order.length === 0) return ''
  const keys = order.map((key) => (key.startsWith('-') ? `${sqlName(key.slice(1))} DESC` : sqlName(key)))
  return ` ORDER BY ${keys.join(', ')}`
}

function shellText(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** A value as TypeScript: texts in single quotes, those of several lines as they stand. */
export function tsValue(value: unknown): string {
  if (typeof value === 'string') {
    if (value.includes('\n')) return `\`${value.replace(/[\\`]|\$(?=\{)/g, '\\$&')}\``
    return `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
  }
  if (Array.isArray(value)) return `[${value.map(tsValue).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(([name, field]) => `${tsKey(name)}: ${tsValue(field)}`)
    return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
  }
  return JSON.stringify(value)
}

const plainName = /^[A-Za-z_$][\w$]*$/

function tsKey(name: string): string {
  return plainName.test(name) ? name : tsValue(name)
}

/** `.name`, or `['a name']`. */
export function tsProperty(name: string): string {
  return plainName.test(name) ? `.${name}` : `[${tsValue(name)}]`
}

/** Options behind other arguments: nothing where there are none. */
export function tsOptions(options: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(options).filter(([, value]) => value !== null && value !== undefined)
  return given.length === 0 ? '' : tsValue(Object.fromEntries(given))
}

/** A path of the API. Parts are encoded; of pairs, those without a value are left out. */
export function apiPath(parts: readonly string[], pairs: readonly (readonly [string, string | null])[] = []): string {
  const given = pairs.flatMap(([name, value]) =>
    value === null ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`],
  )
  return `/v1/${parts.map(encodeURIComponent).join('/')}${given.length === 0 ? '' : `?${given.join('&')}`}`
}

/** A page's reader who has a token has it in the environment, too: no token is ever copied. */
const token = 'MILLRACE_TOKEN'

interface CurlOptions {
  /** An answer without an end, to be printed as it comes. */
  readonly follow?: boolean
  readonly body?: unknown
}

export function curl(path: string, { follow = false, body }: CurlOptions = {}): string {
  return [
    'curl',
    ...(follow ? ['-N'] : []),
    ...(body === undefined ? [] : ['-X POST']),
    shellText(location.origin + path),
    ...(hasToken.value ? [`-H "authorization: Bearer $${token}"`] : []),
    ...(body === undefined ? [] : ["-H 'content-type: application/json'", `-d ${shellText(JSON.stringify(body))}`]),
  ].join(' ')
}

function clientOptions(): string {
  const headers = hasToken.value ? `, headers: { authorization: \`Bearer \${process.env['${token}']}\` }` : ''
  return `{ url: ${tsValue(location.origin)}${headers} }`
}

/** Of what the app defines, typed by it. @param rest what is done with `db` */
export function typed(rest: string): string {
  return `import { createClient } from 'millrace/client'\n\nconst db = createClient<${programType(appFile.value)}>(${clientOptions()})\n${rest}\n`
}

/** What tells the compiler of the app: its module, or what `millrace generate` writes beside an app in SQL. */
function programType(file: string | null): string {
  const name = file?.split(/[\\/]/).pop() ?? 'millrace.ts'
  return /\.sql$/i.test(name) ? "import('./millrace.gen.ts').Program" : `typeof import('./${name}')`
}

/** Of whatever a server runs. @param rest what is done with `server` */
export function inspecting(rest: string): string {
  return `import { createInspector } from 'millrace/client'\n\nconst server = createInspector(${clientOptions()})\n${rest}\n`
}
