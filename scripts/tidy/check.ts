// The whole check, over texts: tidy.ts gives it the tree, the tests give it planted mistakes.
import { checkConsoleImports } from './console.ts'
import type { Finding } from './finding.ts'
import { checkBrowserSafe, checkImports, entries, isTest, resolveImport } from './rooms.ts'
import { checkFile, checkNames } from './rules.ts'
import { type Import, importsOf, type Scanned, scan } from './scan.ts'

export interface SourceFile {
  readonly path: string
  readonly text: string
  readonly scanned: Scanned
  readonly imports: readonly Import[]
}

export const mostLines = 400

/** Files that are longer than `mostLines`, with how long they may be. Entries only shrink. */
export type Ratchet = Readonly<Record<string, number>>

/**
 * `texts` holds files by path from the repository's root: those in src/ and in console/src/ are checked, the others
 * only count as users.
 */
export function check(texts: ReadonlyMap<string, string>, ratchet: Ratchet = {}): Finding[] {
  const all = new Map<string, SourceFile>()
  for (const [path, text] of texts) {
    const scanned = scan(text)
    all.set(path, { path, text, scanned, imports: importsOf(text, scanned) })
  }
  const sources = new Map([...all].filter(([path]) => path.startsWith('src/')))
  const findings: Finding[] = []
  for (const file of sources.values()) findings.push(...checkImports(file, sources), ...checkFile(file))
  const pages = new Map([...all].filter(([path]) => path.startsWith('console/src/')))
  for (const file of pages.values()) findings.push(...checkConsoleImports(file, all), ...checkNames(file))
  const bounded = new Map([...sources, ...pages])
  findings.push(...checkBrowserSafe(sources), ...deadFiles(all), ...lengths(bounded, ratchet))
  return findings.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line))
}

// A unit test beside a file does not make it alive; a tool, a simulation or a test across rooms does.
function deadFiles(all: ReadonlyMap<string, SourceFile>): Finding[] {
  const used = new Set(entries)
  for (const { path, text, scanned, imports } of all.values()) {
    if (path.startsWith('src/') && isTest(path)) continue
    for (const { specifier } of imports) used.add(resolveImport(path, specifier))
    // Workers are started by URL, as .ts from the sources and as .js from dist/.
    for (const { start, end } of scanned.strings) {
      const value = text.slice(start, end)
      if (/^\.\.?\/.*\.[jt]s$/.test(value)) used.add(resolveImport(path, value.replace(/\.js$/, '.ts')))
    }
  }
  return [...all.keys()]
    .filter((path) => path.startsWith('src/') && !isTest(path) && !path.endsWith('.d.ts') && !used.has(path))
    .map((file) => ({ file, line: 1, what: 'nobody imports this file', instead: 'use it or delete it' }))
}

function lengths(sources: ReadonlyMap<string, SourceFile>, ratchet: Ratchet): Finding[] {
  const findings: Finding[] = []
  const list = 'scripts/tidy/ratchet.json'
  for (const { path, text } of sources.values()) {
    if (isTest(path)) continue
    const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
    const most = Math.max(mostLines, ratchet[path] ?? 0)
    if (lines > most) {
      findings.push({
        file: path,
        line: most + 1,
        what: `has ${lines} lines, ${most} are allowed`,
        instead: 'look for the second idea in it and give that a file of its own',
      })
    }
  }
  for (const [path, most] of Object.entries(ratchet)) {
    const text = sources.get(path)?.text
    const lines = text === undefined ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
    if (lines <= mostLines) {
      findings.push({ file: list, line: 1, what: `${path} needs no entry any more`, instead: 'delete the entry' })
    } else if (lines < most) {
      findings.push({ file: list, line: 1, what: `${path} shrank to ${lines}`, instead: `write ${lines} there` })
    }
  }
  return findings
}
