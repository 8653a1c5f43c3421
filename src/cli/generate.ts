import path from 'node:path'
import { MillraceError } from '../data/errors.ts'
import type { Disk, Io } from '../io/io.ts'
import { type LoadedApp, loadApp, readText } from './load-app.ts'
import { say } from './output.ts'
import { clientTypes, rowTypes } from './row-types.ts'

/** The name of the generated file, beside the app's. */
const generatedName = 'millrace.gen.ts'

export interface GenerateOptions {
  /** Where it goes; null: beside the app. */
  readonly out: string | null
  /** Writes nothing, and fails where the file isn't what it should be. */
  readonly check: boolean
}

/** Writes the row types of what an app defines. */
export async function generate(io: Io, app: string | undefined, { out, check }: GenerateOptions): Promise<number> {
  const loaded = await loadApp(io.disk, app)
  const { path: file } = loaded
  const target = out ?? generatedBeside(file)
  const text = await typesOf(target, loaded)
  if ((await currentText(io.disk, target)) === text) {
    say(`${target} is up to date`)
    return 0
  }
  if (check) {
    throw new MillraceError('app/load', `${target} is not what ${file} defines`, {
      place: { file: target },
      hint: 'run millrace generate',
    })
  }
  await write(io.disk, target, text)
  say(`wrote ${target}`)
  return 0
}

/**
 * Writes the types anew where there are some already, or where an app in TypeScript has views for them.
 * @returns the file that was written, or null where nothing has changed
 */
export async function regenerate(disk: Disk, app: LoadedApp): Promise<string | null> {
  const target = generatedBeside(app.path)
  const before = await currentText(disk, target)
  if (before === null && app.untyped.length === 0) return null
  const text = await typesOf(target, app)
  if (text === before) return null
  await write(disk, target, text)
  return target
}

/** Whether the types beside an app are those that it has; null where there are none. */
export async function upToDate(disk: Disk, app: LoadedApp) {
  const target = generatedBeside(app.path)
  const text = await currentText(disk, target)
  return text === null ? null : { file: target, isCurrent: text === (await typesOf(target, app)) }
}

function generatedBeside(file: string): string {
  return path.join(path.dirname(file), generatedName)
}

async function typesOf(target: string, { path: file, definition, untyped }: LoadedApp): Promise<string> {
  const { program } = await definition.plan({ topics: [], views: [] })
  const shown = path
    .relative(path.dirname(path.resolve(target)), path.resolve(file))
    .split(path.sep)
    .join('/')
  return /\.sql$/i.test(file) ? clientTypes(shown, program) : rowTypes(shown, program, new Set(untyped))
}

async function currentText(disk: Disk, target: string): Promise<string | null> {
  const names = await disk.list(path.dirname(target))
  return names.includes(path.basename(target)) ? readText(disk, target) : null
}

/** A reader sees the old file or the new one. */
async function write(disk: Disk, target: string, text: string): Promise<void> {
  const unfinished = `${target}.new`
  const file = await disk.open(unfinished, { create: true })
  try {
    await file.truncate(0)
    await file.write(new TextEncoder().encode(text), 0)
  } finally {
    await file.close()
  }
  await disk.rename(unfinished, target)
}
