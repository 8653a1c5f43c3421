import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type App, isApp } from '../app/app.ts'
import type { NamedChart } from '../app/chart.ts'
import { checkGatewayNames, type Gateway } from '../app/gateway.ts'
import { MillraceError } from '../data/errors.ts'
import { appDefinition, type Definition, sqlDefinition } from '../engine/definitions.ts'
import { type Disk, IoError } from '../io/io.ts'
import { readWholeText } from '../io/whole-file.ts'

export interface LoadedApp {
  readonly path: string
  readonly definition: Definition
  /** Who may ask for what: the module's `gateway`. */
  readonly gateway: Gateway | null
  /** What the console's dashboards show; nothing of an app in SQL. */
  readonly charts: readonly NamedChart[]
  /** Of an app in TypeScript: its views in SQL as text, whose rows the compiler doesn't know. */
  readonly untyped: readonly string[]
}

/** What is looked for where no app is named. */
const defaultApps = ['millrace.ts', 'millrace.sql']

/**
 * Loads a SQL file, or a module whose default export is an app.
 * @param again it was loaded before: modules are read anew
 * @throws MillraceError app/load
 */
export async function loadApp(disk: Disk, named: string | undefined, again = false): Promise<LoadedApp> {
  const path = named ?? (await findApp(disk))
  if (/\.sql$/i.test(path)) {
    const definition = sqlDefinition(await readText(disk, path), path)
    return { path, definition, gateway: null, charts: [], untyped: [] }
  }
  if (!/\.[cm]?[jt]s$/i.test(path)) {
    throw new MillraceError('app/load', `${path} is no app`, { hint: 'name a .sql, .ts or .js file' })
  }
  // Whether the file is there is told apart from what goes wrong inside it.
  await readText(disk, path)
  const module = await importModule(path, again)
  const app = appOf(path, module)
  const gateway = gatewayOf(path, app, module)
  return { path, definition: appDefinition(app), gateway, charts: app.charts, untyped: untypedViews(app) }
}

function untypedViews(app: App): readonly string[] {
  const views = Object.values(app.definitions).filter((definition) => definition.kind === 'view')
  return views.filter(({ sql }) => sql.outputs === undefined).map(({ name }) => name)
}

async function findApp(disk: Disk): Promise<string> {
  const names = await disk.list('.')
  const found = defaultApps.find((name) => names.includes(name))
  if (found !== undefined) return found
  throw new MillraceError('app/load', `there is no ${defaultApps.join(' or ')} here`, {
    hint: 'name the app: a .sql, .ts or .js file',
  })
}

/** @throws MillraceError app/load */
export async function readText(disk: Disk, path: string): Promise<string> {
  try {
    return await readWholeText(disk, path)
  } catch (error) {
    if (!(error instanceof IoError)) throw error
    const why = error.failure === 'missing' ? 'there is no such file' : error.message
    const hint = 'name a file that exists and may be read'
    throw new MillraceError('app/load', `cannot read ${path}: ${why}`, { hint, place: { file: path }, cause: error })
  }
}

/** What an import by the runtime alone may fail with, and jiti may not. */
const beyondRuntime = ['ERR_MODULE_NOT_FOUND', 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX', 'ERR_UNKNOWN_FILE_EXTENSION']

/** Natively where the runtime can; through jiti where it can't, or where modules imported before may have changed. */
async function importModule(path: string, again: boolean): Promise<unknown> {
  try {
    const strips = Boolean((process.features as { readonly typescript?: unknown }).typescript)
    if (again || !(strips || /\.[cm]?js$/i.test(path))) return await importByJiti(path, again)
    try {
      return await import(pathToFileURL(resolve(path)).href)
    } catch (error) {
      if (beyondRuntime.includes((error as NodeJS.ErrnoException).code ?? '')) return await importByJiti(path, again)
      throw error
    }
  } catch (error) {
    if (error instanceof MillraceError) throw placedIn(path, error)
    const reason = error instanceof Error ? error.message : String(error)
    throw new MillraceError('app/load', `${path} cannot be loaded: ${reason}`, { place: { file: path }, cause: error })
  }
}

/** What a definition throws knows no file: where it was called from does. */
function placedIn(path: string, error: MillraceError): MillraceError {
  if (error.place.file !== undefined) return error
  const frame = (error.stack ?? '').split('\n').find((line) => line.includes(resolve(path)))
  const [, line, column] = /:(\d+):(\d+)\)?$/.exec(frame ?? '') ?? []
  const at = line === undefined ? {} : { line: Number(line), column: Number(column) }
  // A place in a text of SQL counts from that text's beginning, not from the file's.
  const place = error.place.line === undefined ? { file: path, ...at } : error.place
  const { code, message, hint, errors } = error
  return new MillraceError(code, message, { place, errors, cause: error, ...(hint === undefined ? {} : { hint }) })
}

async function importByJiti(path: string, again: boolean): Promise<unknown> {
  const { createJiti } = await import('jiti')
  // What the app imports from millrace is what runs it, wherever the app lies.
  const alias = { millrace: fileURLToPath(new URL('../index.js', import.meta.url)) }
  const jiti = createJiti(import.meta.url, { moduleCache: !again, interopDefault: false, alias })
  return jiti.import(resolve(path))
}

function appOf(path: string, module: unknown): App {
  const app = (module as { readonly default?: unknown } | null)?.default
  if (isApp(app)) return app
  throw new MillraceError('app/load', `${path} has no app as its default export`, {
    place: { file: path },
    hint: 'write export default defineApp({ … })',
  })
}

function gatewayOf(path: string, app: App, module: unknown): Gateway | null {
  const gateway = (module as { readonly gateway?: unknown }).gateway
  if (gateway === undefined) return null
  if ((gateway as { readonly kind?: unknown } | null)?.kind !== 'gateway') {
    throw new MillraceError('app/load', `${path} exports a gateway that is none`, {
      place: { file: path },
      hint: 'write export const gateway = defineGateway({ … })',
    })
  }
  try {
    checkGatewayNames(gateway as Gateway, app)
  } catch (error) {
    throw error instanceof MillraceError ? placedIn(path, error) : error
  }
  return gateway as Gateway
}
