import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The only place that knows where Millrace's own modules are: in dist/, as users run them; those that nobody outside
 * can load one by one are in dist/modules/. MILLRACE_BENCH_FROM names another folder, such as src for a profile of the
 * sources, or an earlier build to compare with.
 */
const root = fileURLToPath(new URL('..', import.meta.url))
export const from = path.resolve(root, process.env['MILLRACE_BENCH_FROM'] ?? 'dist')
const ending = path.basename(from) === 'src' ? 'ts' : 'js'

const modules = path.join(from, 'modules')
const loaded = existsSync(modules) ? modules : from

if (!existsSync(from)) throw new Error(`there is no ${from}: build Millrace first (npm run build)`)

/** Loads a module by its path without ending, such as `log/log`. */
export function load<T>(module: string): Promise<T> {
  return import(path.join(loaded, `${module}.${ending}`)) as Promise<T>
}
