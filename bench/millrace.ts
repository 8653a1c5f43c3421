/**
 * The only place that knows where Millrace's own modules are: in dist/, as users run them, or with
 * MILLRACE_BENCH_FROM=src in the sources, for a profile with readable names.
 */
const from = process.env['MILLRACE_BENCH_FROM'] === 'src' ? 'src' : 'dist'

/** Loads a module by its path without ending, such as `log/log`. */
export function load<T>(module: string): Promise<T> {
  return import(new URL(`../${from}/${module}.${from === 'src' ? 'ts' : 'js'}`, import.meta.url).href) as Promise<T>
}
