/** What snippets are made of: text that runs as it is copied. */
import { appFile } from '../ask/project.ts'
import { hasToken } from '../ask/server.ts'
import { shellText, tsValue } from './quotes.ts'

/** The same question in three languages, as far as each can ask it. */
export interface Snippets {
  readonly sql?: string
  readonly curl?: string
  readonly typescript?: string
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
  return /\.sql$/i.test(name) ? "import('./millrace.gen.ts').Program" : `typeof import(${tsValue(`./${name}`)})`
}

/** Of whatever a server runs. @param rest what is done with `server` */
export function inspecting(rest: string): string {
  return `import { createInspector } from 'millrace/client'\n\nconst server = createInspector(${clientOptions()})\n${rest}\n`
}
