/** How what a page shows is asked for elsewhere. */
import { appFile } from '../ask/project.ts'
import type { Snippets } from '../design/copy-as.tsx'

const origin = (): string => location.origin

/** An identifier as SQL wants it. */
export function sqlName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`
}

function property(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
}

const connect = (): string =>
  `import { createClient } from 'millrace/client'\n\nconst db = createClient<${programType(appFile.value)}>({ url: '${origin()}' })\n`

/** What tells the compiler of the app: its module, or what `millrace generate` writes beside an app in SQL. */
function programType(file: string | null): string {
  const name = file?.split(/[\\/]/).pop() ?? 'millrace.ts'
  return /\.sql$/i.test(name) ? "import('./millrace.gen.ts').Program" : `typeof import('./${name}')`
}

/** A view's rows, now or as of a tick. */
export function viewSnippets(view: string, order: string | null, asOf: string | null): Snippets {
  const descending = order?.startsWith('-') ?? false
  const column = order === null ? null : descending ? order.slice(1) : order
  const orderSql = column === null ? '' : ` ORDER BY ${sqlName(column)}${descending ? ' DESC' : ''}`
  const pairs = [order === null ? '' : `order=${encodeURIComponent(order)}`, asOf === null ? '' : `as_of=${asOf}`]
  const parameters = pairs.filter((pair) => pair !== '').join('&')
  const options = [order === null ? '' : `order: '${order}'`, asOf === null ? '' : `asOf: ${JSON.stringify(asOf)}`]
  const given = options.filter((option) => option !== '').join(', ')
  return {
    sql: `SELECT * FROM ${sqlName(view)}${orderSql};`,
    curl: `curl '${origin()}/v1/views/${encodeURIComponent(view)}${parameters === '' ? '' : `?${parameters}`}'`,
    typescript: `${connect()}const { rows } = await db${property(view)}.get(${given === '' ? '' : `{ ${given} }`})\n`,
  }
}

/** A view's live stream. */
export function liveSnippets(view: string): Snippets {
  return {
    curl: `curl -N '${origin()}/v1/views/${encodeURIComponent(view)}/live'`,
    typescript: `${connect()}for await (const { tick, changes } of db${property(view)}.live()) {\n${printed}}\n`,
  }
}

/** What is known of a view and can't be asked of the view itself: by an operator's client. */
function inspected(path: string, call: string): Snippets {
  return {
    curl: `curl '${origin()}${path}'`,
    typescript: `import { createInspector } from 'millrace/client'\n\nconst server = createInspector({ url: '${origin()}' })\n${call}\n`,
  }
}

/** A part of a view's page: what it shows there, to be asked for elsewhere. */
export function tabSnippets(tab: string, view: string, order: string | null, asOf: string | null): Snippets {
  const name = JSON.stringify(view)
  switch (tab) {
    case 'changes':
      return liveSnippets(view)
    case 'errors':
      return inspected(
        `/v1/views/${encodeURIComponent(view)}/errors`,
        `const { rows } = await server.relations.errors(${name})`,
      )
    case 'definition':
      return inspected('/v1/topology', 'const { nodes, edges } = await server.topology()')
    default:
      return viewSnippets(view, order, asOf)
  }
}

/** Reading and appending events. */
export function topicSnippets(topic: string, from: number, example: Readonly<Record<string, unknown>>): Snippets {
  const path = `${origin()}/v1/topics/${encodeURIComponent(topic)}/events`
  return {
    sql: `SELECT * FROM ${sqlName(topic)} WHERE _offset >= ${from} ORDER BY _offset LIMIT 100;`,
    curl: `curl '${path}?from=${from}&limit=100'\ncurl -X POST '${path}' -H 'content-type: application/json' -d '${JSON.stringify(example)}'`,
    typescript: `${connect()}const { tick } = await db${property(topic)}.append(${JSON.stringify(example)})\n`,
  }
}

export function sqlSnippets(sql: string): Snippets {
  return {
    sql,
    curl: `curl ${postSql('/v1/sql', sql)}`,
    typescript: `${connect()}const { rows } = await db.sql(${JSON.stringify(sql)})\n`,
  }
}

/** A query that is followed. */
export function liveSqlSnippets(sql: string): Snippets {
  return {
    sql,
    curl: `curl -N ${postSql('/v1/sql/live', sql)}`,
    typescript: `${connect()}for await (const { tick, changes } of db.sql.live(${JSON.stringify(sql)})) {\n${printed}}\n`,
  }
}

const printed = '  for (const { row, weight } of changes) console.log(tick, weight, row)\n'

function postSql(path: string, sql: string): string {
  const body = JSON.stringify({ sql }).replaceAll("'", "'\\''")
  return `-X POST '${origin()}${path}' -H 'content-type: application/json' -d '${body}'`
}
