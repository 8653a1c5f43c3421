// Where the cases lie.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type LawCase, parseCase, printCase } from './case-file.ts'

const folder = path.join(import.meta.dirname, 'cases')

/** All cases by feature, in the order of their names. */
export function readCases(): LawCase[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => file.split(path.sep).join('/'))
  return files
    .filter((file) => file.endsWith('.case'))
    .sort()
    .map((file) => parseCase(file.replace(/\.case$/, ''), readFileSync(path.join(folder, file), 'utf8')))
}

/** Keeps a failing case for good. @returns its path from the repository's root */
export function writeRegression(item: LawCase): string {
  mkdirSync(path.join(folder, 'regressions'), { recursive: true })
  writeFileSync(path.join(folder, `${item.name}.case`), printCase(item))
  return `test/law/cases/${item.name}.case`
}
