// What a file of src/ may not hold, whatever room it is in.
import type { SourceFile } from './check.ts'
import type { Finding } from './finding.ts'
import { isTest } from './rooms.ts'
import { lineAt, reExport, staticImport } from './scan.ts'

interface Ban {
  readonly pattern: RegExp
  readonly what: string
  readonly instead: string
  /** Path prefixes where it is allowed; io/ always is. */
  readonly except?: readonly string[]
}

const timers = ['src/client/']
const bans: readonly Ban[] = [
  { pattern: /(?<![\w$.])Date\s*\.\s*now\b/g, what: 'Date.now', instead: "ask io/'s clock, or take the tick's time" },
  {
    pattern: /(?<![\w$.])new\s+Date\s*(?:\(\s*\)|(?![\w$\s(]))|(?<![\w$.])(?<!new\s+)Date\s*\(\s*\)/g,
    what: 'the current time by Date',
    instead: "ask io/'s clock, or take the tick's time",
  },
  { pattern: /(?<![\w$.])Math\s*\.\s*random\b/g, what: 'Math.random', instead: "take io/'s seeded random source" },
  {
    pattern: /(?<![\w$.])(?:setTimeout|setInterval|setImmediate)\s*\(/g,
    what: 'a timer',
    instead: "use io/'s clock, which the simulator can turn",
    except: timers,
  },
  {
    pattern: /(?<![\w$.])process\s*(?:\.|\?\.|\[)/g,
    what: 'process',
    instead: 'take environment, arguments and signals from io/ or cli/',
    except: ['src/cli/'],
  },
  { pattern: /(?<![\w$.])performance\s*\.\s*now\b/g, what: 'performance.now', instead: "ask io/'s clock" },
  {
    pattern: /(?<![\w$.])(?<!function\s+)fetch\s*\(/g,
    what: 'fetch',
    instead: "dial out through io/'s network",
    except: ['src/client/'],
  },
  {
    pattern: /(?<![\w$])globalThis\s*\.\s*(?:fetch|process|performance|crypto|setTimeout|setInterval|setImmediate)\b/g,
    what: 'a global of the environment',
    instead: 'take it from io/',
    except: ['src/client/'],
  },
  {
    pattern: /(?<![\w$.])crypto\s*\.\s*(?:randomUUID|getRandomValues|subtle)\b/g,
    what: 'crypto',
    instead: "take io/'s random source",
  },
  {
    pattern: /\bimport\s*\(\s*(?!['"\s])/g,
    what: 'import() of a computed name',
    instead: 'load modules through io/, or name the file',
    except: ['src/cli/'],
  },
  {
    pattern:
      /\.\s*(?:getHours|getMinutes|getSeconds|getDay|getDate|getMonth|getFullYear|getTimezoneOffset|toLocale\w*|localeCompare)\s*\(/g,
    what: "the machine's zone or locale",
    instead: 'use the UTC getters, and compare text by code units: results must not depend on the machine',
  },
]

const syntax: readonly Omit<Ban, 'except'>[] = [
  {
    pattern: /^[ \t]*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+[\w$]+\s*\{/gm,
    what: 'an enum',
    instead: 'use a union of literals, or a frozen object `as const`',
  },
  {
    pattern: /^[ \t]*(?:export\s+)?(?:declare\s+)?(?:namespace|module)\s+[\w$.'"]+\s*\{/gm,
    what: 'a namespace',
    instead: 'a file is a module: export from it by name',
  },
  { pattern: /^[ \t]*@[\w$]/gm, what: 'a decorator', instead: 'call a function' },
  { pattern: /(?<![\w$.])export\s+default\b|\bas\s+default\b/g, what: 'a default export', instead: 'export by name' },
  {
    pattern: /(?<![\w$.])export\s+(?:type\s+)?\*/g,
    what: 'export *',
    instead: 'export name by name, so that the public API can be read',
  },
]

const refusedNames = new Set(['util', 'utils', 'common', 'core', 'helper', 'helpers', 'type', 'types'])
const marks = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`, 'g')

/** Names that say nothing, and marks of unfinished work. */
export function checkNames({ path, text }: SourceFile): Finding[] {
  const findings: Finding[] = []
  for (const name of path.split('/').slice(1)) {
    if (refusedNames.has(name.replace(/(?:\.test)?\.tsx?$/, ''))) {
      findings.push({
        file: path,
        line: 1,
        what: `the name '${name}' says nothing`,
        instead: 'name it after what it holds, in the lowest room that needs it',
      })
    }
  }
  for (const { index } of text.matchAll(marks)) {
    const line = lineAt(text, index)
    findings.push({ file: path, line, what: 'a mark of unfinished work', instead: 'do it, or write an issue' })
  }
  return findings
}

export function checkFile(file: SourceFile): Finding[] {
  const { path, text } = file
  const { code } = file.scanned
  const findings: Finding[] = []
  const find = (rule: Omit<Ban, 'except'>, within: string): void => {
    for (const { index } of within.matchAll(rule.pattern)) {
      const at = index + within.slice(index).search(/\S/)
      findings.push({ file: path, line: lineAt(text, at), what: rule.what, instead: rule.instead })
    }
  }

  findings.push(...checkNames(file))
  if (path.endsWith('.d.ts')) return findings
  for (const rule of syntax) find(rule, code)
  if (isTest(path)) return findings

  if (!path.startsWith('src/io/') && path !== 'src/io.ts') {
    for (const ban of bans) if (!ban.except?.some((prefix) => path.startsWith(prefix))) find(ban, code)
  }
  findings.push(...topLevelAwaits(file), ...barrel(file))
  return findings
}

// Inside a function, an await has an `async` before it in the same top-level statement; the formatter puts every
// top-level statement, and nothing else but its closing bracket, at the start of a line.
function topLevelAwaits({ path, text, scanned }: SourceFile): Finding[] {
  const findings: Finding[] = []
  for (const { index } of scanned.code.matchAll(/(?<![\w$.])await\b/g)) {
    if (/\basync\b/.test(lastStatement(scanned.code.slice(0, index)))) continue
    findings.push({
      file: path,
      line: lineAt(text, index),
      what: 'a top-level await',
      instead: 'await inside a function: importing a module must not wait',
    })
  }
  return findings
}

function lastStatement(code: string): string {
  const starts = [...code.matchAll(/^[^\s)\]}]/gm)]
  return code.slice(starts.at(-1)?.index ?? 0)
}

function barrel({ path, scanned, imports }: SourceFile): Finding[] {
  if (path === 'src/index.ts') return []
  const named = /\/index\.ts$/.test(path)
  const rest = scanned.code
    .replace(new RegExp(`(?:${staticImport.source}|${reExport.source})\\s*['"]`, 'g'), '')
    .replace(/\bexport\s+(?:type\s+)?\{[^}]*\}/g, '')
    .replace(/[;\s]/g, '')
  if (!named && (rest !== '' || imports.length === 0)) return []
  return [
    {
      file: path,
      line: 1,
      what: 'a barrel',
      instead: 'import from the files themselves; only src/index.ts re-exports',
    },
  ]
}
