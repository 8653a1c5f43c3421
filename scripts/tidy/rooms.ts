// Which room may import what. The order is the drawing's in docs/ARCHITECTURE.md: a room sees only the rooms above it.
import path from 'node:path'
import type { SourceFile } from './check.ts'
import type { Finding } from './finding.ts'
import type { Import } from './scan.ts'

/** From the top of the drawing down; rooms on one line are siblings and never import each other. */
export const order: readonly (readonly string[])[] = [
  ['data'],
  ['protocol'],
  ['expr'],
  ['sql'],
  ['app'],
  ['plan'],
  ['io'],
  ['log', 'state'],
  ['engine'],
  ['views'],
  ['connectors'],
  ['database'],
  ['client'],
  ['server'],
  ['testing'],
  ['cli'],
  ['index.ts'],
]

/** Rooms that see less than everything above them. */
const narrowed: Readonly<Record<string, readonly string[]>> = { client: ['app', 'protocol'] }

/** What others start at. Nobody in src/ needs to import these. */
export const entries = [
  'src/index.ts',
  'src/client/client.ts',
  'src/client/react.ts',
  'src/client/tanstack-db.ts',
  'src/testing/testing.ts',
  'src/cli/main.ts',
]

/** Where each dependency may be imported: by path prefix. What is not named here is not a dependency of src/. */
const packages: Readonly<Record<string, readonly string[]>> = {
  '@standard-schema/spec': ['src/'],
  'libpg-query': ['src/sql/', 'src/sql.ts'],
  commander: ['src/cli/'],
  'cli-progress': ['src/cli/'],
  '@clack/prompts': ['src/cli/'],
  hyparquet: ['src/connectors/files/'],
  'hyparquet-compressors': ['src/connectors/files/'],
  pino: ['src/io/', 'src/server/', 'src/cli/'],
  'prom-client': ['src/server/'],
  jose: ['src/server/'],
  'rate-limiter-flexible': ['src/server/'],
  opossum: ['src/server/'],
  'lru-cache': ['src/server/', 'src/database/sight.ts', 'src/views/page-cache.ts'],
  '@opentelemetry/api': ['src/io/', 'src/server/'],
  react: ['src/client/react.ts'],
  acorn: ['src/app/function-source.ts'],
  jiti: ['src/io/', 'src/cli/'],
}

const pureModules = new Set(['assert', 'assert/strict', 'buffer', 'path', 'path/posix', 'url', 'util', 'zlib'])

const nodeAllowed: readonly { readonly path: string; readonly modules: 'all' | readonly string[] }[] = [
  { path: 'src/io/', modules: 'all' },
  { path: 'src/io.ts', modules: 'all' },
  { path: 'src/server/listen.ts', modules: ['net', 'http', 'https'] },
  { path: 'src/cli/', modules: ['process', 'tty', 'readline', 'readline/promises'] },
]

export function isTest(file: string): boolean {
  return file.endsWith('.test.ts')
}

/** `src/log/journal.ts` is in `log`; so is `src/log.ts`, while the room has one file. */
export function roomOf(file: string): string | undefined {
  const part = file.split('/')[1] ?? ''
  if (rank(part) >= 0) return part
  const folder = part.replace(/\.ts$/, '')
  return rank(folder) >= 0 ? folder : undefined
}

function rank(room: string): number {
  return order.findIndex((line) => line.includes(room))
}

export function resolveImport(from: string, specifier: string): string {
  return path.posix.join(path.posix.dirname(from), specifier)
}

export function checkImports(file: SourceFile, known: ReadonlyMap<string, SourceFile>): Finding[] {
  const findings: Finding[] = []
  if (roomOf(file.path) === undefined) {
    findings.push({
      file: file.path,
      line: 1,
      what: 'is in no room',
      instead: `put it into one of ${order.flat().join(', ')}`,
    })
  }
  for (const item of file.imports) {
    const problem = item.specifier.startsWith('.')
      ? relative(file.path, item, known)
      : item.specifier.startsWith('node:')
        ? nodeModule(file.path, item.specifier.slice('node:'.length))
        : packageImport(file.path, item.specifier)
    if (problem) findings.push({ file: file.path, line: item.line, ...problem })
  }
  return findings
}

type Problem = Pick<Finding, 'what' | 'instead'> | undefined

function relative(file: string, { specifier }: Import, known: ReadonlyMap<string, SourceFile>): Problem {
  if (!specifier.endsWith('.ts')) {
    return { what: `imports '${specifier}' without .ts`, instead: 'name the file itself, with its .ts ending' }
  }
  const target = resolveImport(file, specifier)
  if (!target.startsWith('src/')) {
    return isTest(file)
      ? undefined
      : { what: `imports ${target} from outside src/`, instead: 'what is published must live in src/' }
  }
  if (!known.has(target)) return { what: `imports ${target}, which does not exist`, instead: 'mend the path' }
  if (isTest(target)) return { what: `imports the test file ${target}`, instead: 'move what is shared out of the test' }

  const from = roomOf(file)
  const to = roomOf(target)
  if (from === undefined || to === undefined) return undefined
  if (from === to) return from === 'connectors' ? betweenConnectors(file, target) : undefined
  const allowed = narrowed[from]
  if (allowed) {
    if (allowed.includes(to)) return undefined
    return { what: `${from} imports ${to}`, instead: `${from} may import ${allowed.join(' and ')} only` }
  }
  if (rank(to) < rank(from)) return undefined
  const why = rank(to) === rank(from) ? 'siblings never import each other' : `${to} lies below ${from}`
  return {
    what: `${from} imports ${to}: ${why}`,
    instead: 'move what both need to the lowest room that needs it, or hand it in as an argument',
  }
}

function betweenConnectors(file: string, target: string): Problem {
  const folder = (name: string): string | undefined => name.match(/^src\/connectors\/([^/]+)\//)?.[1]
  const to = folder(target)
  if (to === undefined || to === folder(file)) return undefined
  return folder(file) === undefined
    ? { what: `the connectors' door imports the connector ${to}`, instead: 'register connectors in database.ts' }
    : { what: `connector ${folder(file)} imports connector ${to}`, instead: 'move what both need into src/connectors/' }
}

function nodeModule(file: string, name: string): Problem {
  if (isTest(file)) return undefined
  const allowed = nodeAllowed.find((rule) => file.startsWith(rule.path))
  if (pureModules.has(name) || allowed?.modules === 'all' || allowed?.modules.includes(name)) return undefined
  return {
    what: `imports node:${name} outside io/`,
    instead: 'take the clock, disk, network or thread from io/, so that the simulator can stand in for it',
  }
}

function packageImport(file: string, specifier: string): Problem {
  if (isTest(file)) return undefined
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  const homes = packages[name]
  if (homes === undefined) {
    return {
      what: `imports '${specifier}', which no room owns`,
      instead: "write Node's own modules with node:, or name the package's room in scripts/tidy/rooms.ts",
    }
  }
  if (homes.some((home) => file.startsWith(home))) return undefined
  return { what: `imports '${name}'`, instead: `only ${homes.join(', ')} may: go through its adapter` }
}

/** Files of the client that stand on a library of their users' choice. */
const peers: Readonly<Record<string, string>> = { 'src/client/react.ts': 'react' }

/** The client runs in browsers: nothing that it loads at run time may need Node or a package. */
export function checkBrowserSafe(known: ReadonlyMap<string, SourceFile>): Finding[] {
  const findings: Finding[] = []
  const queue = [...known.keys()].filter((file) => roomOf(file) === 'client' && !isTest(file))
  const seen = new Set(queue)
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    for (const { specifier, typeOnly, line } of known.get(file)!.imports) {
      if (typeOnly || peers[file] === specifier) continue
      if (!specifier.startsWith('.')) {
        findings.push({
          file,
          line,
          what: `imports '${specifier}', but the browser's client loads this file`,
          instead: 'use `import type`, or move what the client needs into a file of its own',
        })
        continue
      }
      const target = resolveImport(file, specifier)
      if (known.has(target) && !seen.has(target)) {
        seen.add(target)
        queue.push(target)
      }
    }
  }
  return findings
}
