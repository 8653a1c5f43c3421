import { MillraceError } from '../data/errors.ts'
import type { Database } from '../database.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import { problemOf } from '../protocol/problem.ts'
import type { ProjectBody, SavedViewBody } from '../protocol/query.ts'
import { type ApiAnswer, type ApiRequest, jsonAnswer } from './exchange.ts'
import { isFlag, isText, readJsonBody } from './json-body.ts'
import { Parameters } from './parameters.ts'
import { type Call, on, type Route, route } from './routes.ts'

/** The files of the app that a server runs: there while it is being developed. */
export interface Project {
  readonly file: string
  /** Why what was saved last could not take over, or null. */
  readonly problem: unknown
  /** What saving the view would write where; nothing is written before `write` is called. */
  plan(view: NewView): Promise<PlannedFile>
}

export interface NewView {
  readonly name: string
  /** One SELECT, without its semicolon. */
  readonly sql: string
  /** The two as a statement of SQL. */
  readonly statement: string
}

export interface PlannedFile {
  readonly file: string
  readonly text: string
  readonly note?: string
  write(): Promise<void>
}

/** Routes that change the project; without one they say so. */
export function projectRoutes(database: Database, project: Project | undefined): readonly Route[] {
  return [
    route(
      '/v1/project',
      on('GET', 'admin', 'read', ({ query }) => projectState(project, query)),
    ),
    route(
      '/v1/project/views',
      on('POST', 'admin', 'admin', (call) => saveView(database, project, call)),
    ),
  ]
}

/** GET /v1/project */
function projectState(project: Project | undefined, query: string): ApiAnswer {
  new Parameters(query).end()
  const body: ProjectBody = {
    file: project?.file ?? null,
    problem: project === undefined || project.problem === null ? null : problemOf(project.problem),
  }
  return jsonAnswer(200, body, { 'cache-control': 'no-store' })
}

/**
 * POST /v1/project/views: `{"name", "sql", "write"}` keeps a query as a view of the project. Without `write` it says
 * what would be written, and the definitions to compare with those that run.
 *
 * It writes into its user's files: so only `millrace dev` allows it, only to callers on the same machine, and what it
 * adds is one view that fits the definitions that run.
 */
async function saveView(database: Database, project: Project | undefined, call: Call): Promise<ApiAnswer> {
  const { request, query } = call
  new Parameters(query).end()
  if (project === undefined || !request.local) {
    const what =
      project === undefined ? 'this server keeps no project' : 'only a caller on the server’s own machine may'
    throw new MillraceError('project/refused', `${what}: a view can’t be saved here`, {
      hint: 'run the app with `millrace dev` and ask it on the same machine, or write the view into the app yourself',
    })
  }
  const { name, sql, write } = await readRequest(request)
  const { text, views, topics } = database.catalog()
  const taken = [...views, ...topics].some((relation) => relation.name.toLowerCase() === name.toLowerCase())
  if (taken) {
    throw new MillraceError('project/refused', `there is a ${name} already`, { hint: 'choose another name' })
  }
  const statement = `CREATE MATERIALIZED VIEW ${quoted(name)} AS\n${sql};\n`
  const definition = `${text.trimEnd().replace(/;?$/, ';')}\n\n${statement}`
  await sqlDefinition(definition).plan({ topics: [], views: [] })
  const planned = await project.plan({ name, sql, statement })
  if (write) await planned.write()
  const body: SavedViewBody = {
    file: planned.file,
    text: planned.text,
    definition,
    written: write,
    ...(planned.note === undefined ? {} : { note: planned.note }),
  }
  return jsonAnswer(200, body, { 'cache-control': 'no-store' })
}

function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name}"`
}

/** @throws MillraceError request/malformed */
async function readRequest(request: ApiRequest): Promise<{ name: string; sql: string; write: boolean }> {
  const body = await readJsonBody(request, {
    name: { is: isText, what: 'text' },
    sql: { is: isText, what: '"SELECT …"' },
    write: { is: isFlag, what: 'true or false', optional: true },
  })
  const { name, sql, write = false } = body as { readonly name: string; readonly sql: string; readonly write?: boolean }
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(name)) {
    throw new MillraceError('request/malformed', `${JSON.stringify(name)} can’t be a view’s name here`, {
      place: { pointer: '/name' },
      hint: 'use letters, digits and _, at most 63 of them, and no digit first',
    })
  }
  return { name, sql: sql.trim().replace(/;\s*$/, ''), write }
}
