import type { ListedError } from '../app/database-shape.ts'
import { type ByteSource, fileSource, openInput, streamSource } from '../connectors/files/byte-source.ts'
import { formatOf, readEventList, readInput, readSource } from '../connectors/files/input.ts'
import { parseTimestamptz } from '../data/datetime.ts'
import { MillraceError } from '../data/errors.ts'
import { Database } from '../database.ts'
import type { Disk, Io } from '../io/io.ts'
import type { AppendBlock } from '../log/log.ts'
import type { TopicDefinition } from '../plan/program.ts'
import { type Commits, feedByTick, feedFreely, gatherCommits } from './feed.ts'
import { loadApp } from './load-app.ts'
import type { Format } from './option-values.ts'
import { say, writeOut } from './output.ts'
import { printViews } from './print-views.ts'
import { ProgressBar } from './progress.ts'

/** What is read, in the order it was given. */
export type Input =
  | { readonly kind: 'topic'; readonly topic: string; readonly path: string }
  | { readonly kind: 'events'; readonly path: string }

export interface RunOptions {
  readonly inputs: readonly Input[]
  readonly tick: number | null
  readonly views: readonly string[]
  readonly format: Format
  readonly data: string | null
  readonly now: string | null
  readonly numbers: 'exact' | 'string'
}

/** Below so many bytes of input an engine in this thread is done before another one has started. */
const inlineBytes = 4 * 1024 * 1024

/**
 * Reads all input to its end, closes the windows and prints the views.
 * @returns the exit code
 */
export async function run(io: Io, app: string | undefined, options: RunOptions): Promise<number> {
  const { definition } = await loadApp(io.disk, app)
  const now = options.now === null ? io.clock.nowMicros() : timeOf(options.now)
  const bytes = await sizeOf(io.disk, options.inputs)
  const db = await Database.open({
    // now() stands still, so that a run gives the same result however long it takes.
    io: { ...io, clock: { ...bound(io), nowMicros: () => now } },
    definition,
    data: options.data,
    engine: bytes < inlineBytes ? 'inline' : 'worker',
    onNotice: say,
  })
  try {
    return await runIn(io, db, now, options)
  } finally {
    await db.close()
  }
}

function bound({ clock }: Io): Io['clock'] {
  return {
    nowMicros: () => clock.nowMicros(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, task) => clock.after(delayMs, task),
  }
}

async function runIn(io: Io, db: Database, now: bigint, options: RunOptions): Promise<number> {
  if (options.now !== null && db.status().timeMicros > now) {
    throw new MillraceError('usage', `--now ${options.now} is before the last tick of ${options.data}`, {
      hint: 'give a later time, or none',
    })
  }
  const named = [...new Set(options.views.map((name) => db.view(name).name))]
  const names = named.length > 0 ? named : db.catalog().views.map(({ name }) => name)
  if ((options.format === 'csv' || options.format === 'table') && names.length !== 1) {
    const hint = names.length === 0 ? 'the app defines no view' : `give one --view: ${names.join(', ')}`
    throw new MillraceError('usage', `--format ${options.format} prints one view, not ${names.length}`, { hint })
  }
  const inputs = options.inputs.map((input) => ({
    input,
    topic: input.kind === 'topic' ? db.topic(input.topic) : null,
  }))
  const feed = options.tick === null ? feedFreely : feedByTick
  const bar = new ProgressBar('reading')
  try {
    for (const { input, topic } of inputs) {
      const total = input.path === '-' ? 0 : await fileBytes(io.disk, input.path)
      const tell = (readBytes: number): void => {
        if (total > 0) bar.update(readBytes, total, `${input.path}: ${db.status().events} events through`)
      }
      await feed(db, await commitsOf(io.disk, db, input, topic, options.tick, tell))
    }
  } finally {
    bar.stop()
  }
  await db.closeWindows()
  const answers = await db.readAll(names)
  const views = answers.map(({ view, rows }) => ({ name: view.name, rows }))
  await printViews(views, views.length === 1, options.format, options.numbers, writeOut)
  return await tellErrors(db, answers)
}

const toldErrors = 3

async function tellErrors(
  db: Database,
  answers: readonly { readonly view: { name: string }; readonly errors: number }[],
): Promise<number> {
  let code = 0
  for (const { view, errors } of answers) {
    if (errors === 0) continue
    code = 1
    const { rows } = await db.errors(view.name, { limit: toldErrors })
    const counted = rows.reduce((sum, { count }) => sum + count, 0)
    const more = errors > counted ? '; …' : ''
    say(
      `view ${view.name} has ${errors} error ${errors === 1 ? 'row' : 'rows'}: ${rows.map(errorText).join('; ')}${more}`,
    )
  }
  return code
}

/** `division by zero (in WHERE) from bid, event 5` */
function errorText({ reason, positions, key }: ListedError): string {
  const from = positions.map(({ topic, offset }) => `${topic}, event ${offset}`)
  if (key !== null)
    from.push(
      Object.entries(key)
        .map(([name, value]) => `${name} = ${value ?? 'NULL'}`)
        .join(', '),
    )
  return from.length === 0 ? reason : `${reason} from ${from.join(' and ')}`
}

function timeOf(text: string): bigint {
  const micros = parseTimestamptz(text)
  if (micros !== null) return micros
  throw new MillraceError('usage', `--now ${text} is no time`, { hint: 'write it as 2026-11-21T10:00:00Z' })
}

/** All files must be there before the first event is appended. */
async function sizeOf(disk: Disk, inputs: readonly Input[]): Promise<number> {
  let sum = 0
  for (const { path, kind } of inputs) {
    if (path === '-') continue
    const format = kind === 'topic' || /\.parquet$/i.test(path) ? formatOf(path) : 'ndjson'
    if (kind === 'events' && format !== 'ndjson') {
      throw new MillraceError('usage', `--events ${path} is not NDJSON`, { hint: 'use --input TOPIC=FILE' })
    }
    // A Parquet file holds several times its size.
    sum += (await fileBytes(disk, path)) * (format === 'parquet' ? 8 : 1)
  }
  return sum
}

async function fileBytes(disk: Disk, path: string): Promise<number> {
  const file = await openInput(disk, path)
  try {
    return await file.size()
  } finally {
    await file.close()
  }
}

async function commitsOf(
  disk: Disk,
  db: Database,
  input: Input,
  topic: TopicDefinition | null,
  tick: number | null,
  tell: (readBytes: number) => void,
): Promise<Commits> {
  if (topic === null) {
    const groups = readEventList(await sourceOf(disk, input.path), db.catalog().topics, tick ?? undefined)
    return listCommits(told(groups, tell))
  }
  const blocks = input.path === '-' ? readSource(standardInput(), 'ndjson', topic) : readInput(disk, input.path, topic)
  return gatherCommits(topic.id, told(blocks, tell), tick)
}

async function* told<T extends { readonly readBytes: number }>(
  parts: AsyncIterable<T>,
  tell: (readBytes: number) => void,
): AsyncGenerator<T> {
  for await (const part of parts) {
    tell(part.readBytes)
    yield part
  }
}

async function* listCommits(
  groups: AsyncIterable<{ readonly blocks: readonly AppendBlock[] }>,
): AsyncGenerator<readonly AppendBlock[]> {
  for await (const { blocks } of groups) if (blocks.length > 0) yield blocks
}

async function sourceOf(disk: Disk, path: string): Promise<ByteSource> {
  return path === '-' ? standardInput() : fileSource(disk, path)
}

function standardInput(): ByteSource {
  return streamSource('-', process.stdin as AsyncIterable<Uint8Array>)
}
