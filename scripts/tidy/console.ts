// What the console may import: itself, the public client, and what its own package names.
import type { SourceFile } from './check.ts'
import type { Finding } from './finding.ts'
import { resolveImport } from './rooms.ts'

const client = 'millrace/client'
const folder = 'console/src/'

/** Packages that pages are made of; `console/package.json` has their versions. */
const packages = new Set([
  'preact',
  '@preact/signals',
  'uplot',
  '@dagrejs/dagre',
  '@codemirror/autocomplete',
  '@codemirror/commands',
  '@codemirror/lang-sql',
  '@codemirror/state',
  '@codemirror/view',
  '@codemirror/language',
  '@lezer/highlight',
])

export function checkConsoleImports(file: SourceFile, known: ReadonlyMap<string, SourceFile>): Finding[] {
  const findings: Finding[] = []
  for (const { specifier, line } of file.imports) {
    const refuse = (what: string, instead: string): void => {
      findings.push({ file: file.path, line, what, instead })
    }
    if (specifier.startsWith('.')) {
      const target = resolveImport(file.path, specifier)
      if (!target.startsWith(folder)) {
        refuse(`imports ${target} from outside the console`, `the console sees a server through '${client}' only`)
      } else if (/\.tsx?$/.test(target) ? !known.has(target) : !target.endsWith('.css')) {
        refuse(`imports ${target}, which does not exist`, 'name the file itself, with its ending')
      }
      continue
    }
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
    if (specifier !== client && !packages.has(name)) {
      refuse(
        `imports '${specifier}'`,
        `the console takes '${client}' and the packages that scripts/tidy/console.ts names`,
      )
    }
  }
  return findings
}
