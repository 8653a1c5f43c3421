import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../data/errors.ts'
import { version } from '../data/version.ts'
import { type Disk, type Io, IoError } from '../io/io.ts'
import { readText } from './load-app.ts'
import type { Language } from './option-values.ts'
import { say, writeOut } from './output.ts'

export interface InitOptions {
  /** Null: asked for on a terminal, else TypeScript. */
  readonly language: Language | null
  readonly json: boolean
}

/** The templates' folder in the package, seen from src/ and from dist/ alike. */
const templates = fileURLToPath(new URL('../../templates', import.meta.url))

const inBoth: readonly (readonly [template: string, file: string])[] = [
  ['package.json.txt', 'package.json'],
  ['gitignore', '.gitignore'],
  ['../README.txt', 'README.md'],
  ['events/customers.ndjson', 'events/customers.ndjson'],
  ['events/orders.ndjson', 'events/orders.ndjson'],
]
const own: Readonly<Record<Language, typeof inBoth>> = {
  ts: ['millrace.ts', 'follow.ts', 'tsconfig.json'].map((name) => [name, name]),
  sql: [['millrace.sql', 'millrace.sql']],
}

/** What may lie in a folder that an app is begun in. */
const harmless = new Set(['.git', '.gitignore', '.DS_Store', '.idea', '.vscode', 'LICENSE'])

/**
 * Begins an app: a folder with definitions that run at once, and events for them.
 * @throws MillraceError usage where something is there already: nothing is ever overwritten
 */
export async function init(io: Io, named: string | undefined, options: InitOptions): Promise<number> {
  const { disk } = io
  const { json } = options
  const asked = await ask(named, options)
  if (asked === null) return interruptedCode
  const { folder, language } = asked
  const files = [...own[language], ...inBoth]
  await refuseFull(disk, folder)
  const name = packageName(path.basename(path.resolve(folder)))
  const words = { NAME: name, VERSION: version, APP: `millrace.${language}` }
  const made: string[] = []
  for (const [template, file] of files) {
    const text = await readText(disk, path.join(templates, language, template))
    if (await writeNew(disk, path.join(folder, file), filled(text, words))) made.push(file)
  }
  if (json) await writeOut(`${JSON.stringify({ folder, files: made })}\n`)
  else tellNext(folder, made)
  return 0
}

const interruptedCode = 130

/** Asks on a terminal for what was not said. @returns null if whoever was asked wants no app after all */
async function ask(folder: string | undefined, { language, json }: InitOptions) {
  const silent = json || !process.stdin.isTTY || !process.stderr.isTTY
  if (silent || (folder !== undefined && language !== null))
    return { folder: folder ?? '.', language: language ?? 'ts' }
  const { isCancel, select, text } = await import('@clack/prompts')
  const where = folder ?? (await text({ message: 'Where?', initialValue: 'my-app', output: process.stderr }))
  if (isCancel(where)) return null
  const choices = [
    { value: 'ts' as const, label: 'TypeScript' },
    { value: 'sql' as const, label: 'SQL' },
  ]
  const chosen = language ?? (await select({ message: 'In which language?', options: choices, output: process.stderr }))
  return isCancel(chosen) ? null : { folder: where, language: chosen }
}

async function refuseFull(disk: Disk, folder: string): Promise<void> {
  const there = (await disk.list(folder)).filter((name) => !harmless.has(name))
  if (there.length === 0) return
  const shown = there.slice(0, 3).join(', ') + (there.length > 3 ? ', …' : '')
  throw new MillraceError('usage', `${folder} is not empty: it has ${shown}`, {
    place: { file: folder },
    hint: 'name a folder that is not there yet, such as millrace init my-app',
  })
}

/** npm wants lower case and no spaces. */
function packageName(folder: string): string {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return name === '' || name === 'millrace' ? 'my-millrace-app' : name
}

function filled(text: string, words: Readonly<Record<string, string>>): string {
  return text.replace(/\b(?:NAME|VERSION|APP)\b/g, (word) => words[word])
}

/** @returns whether it was written; what is there stays */
async function writeNew(disk: Disk, file: string, text: string): Promise<boolean> {
  await disk.makeFolder(path.dirname(file))
  try {
    const opened = await disk.open(file, { create: 'new' })
    try {
      await opened.write(new TextEncoder().encode(text), 0)
    } finally {
      await opened.close()
    }
    return true
  } catch (error) {
    if (error instanceof IoError && error.failure === 'exists') return false
    throw error
  }
}

function tellNext(folder: string, made: readonly string[]): void {
  const here = path.resolve(folder) === process.cwd()
  say(`made ${made.join(', ')}${here ? '' : ` in ${folder}`}`)
  say('')
  say('Now run it:')
  if (!here) say(`  cd ${folder}`)
  say('  npm install')
  say('  npx millrace dev')
  say('')
  say('and in another terminal:')
  say('  npx millrace append customers events/customers.ndjson')
  say('  npx millrace append orders events/orders.ndjson')
  say('  npx millrace query "SELECT * FROM spent ORDER BY total DESC"')
}
