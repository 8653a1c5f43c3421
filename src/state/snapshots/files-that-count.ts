import type { RunFile } from '../runs/run-format.ts'

/** What of older runs still counts. */
export function without(files: readonly RunFile[], goOn: ReadonlySet<string>): RunFile[] {
  return files
    .map((file) => ({ ...file, arrangements: file.arrangements.filter((name) => goOn.has(name)) }))
    .filter(({ arrangements }) => arrangements.length > 0)
}

/** The files with some, which are neighbours as far as they are still there, merged into one. */
export function replaced(files: readonly RunFile[], merged: readonly RunFile[], one: RunFile): RunFile[] {
  const names = new Set(merged.map(({ name }) => name))
  // An arrangement that ended meanwhile counts no more in what was made of it either.
  const counting = new Set(files.filter(({ name }) => names.has(name)).flatMap(({ arrangements }) => arrangements))
  const arrangements = one.arrangements.filter((name) => counting.has(name))
  const from = files.findIndex(({ name }) => names.has(name))
  const kept = files.filter(({ name }) => !names.has(name))
  if (arrangements.length > 0) kept.splice(from, 0, { ...one, arrangements })
  return kept
}
