import { type App, appFunctions, appToSql } from '../app/app.ts'
import { type AppReads, readsOfApp } from '../app/values.ts'
import { openBlock } from '../data/block.ts'
import { BlockBuilder } from '../data/block-builder.ts'
import { bytesLength, bytesStart, utf8Text } from '../data/cell-access.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { type AppendBlock, endOf, type Log } from '../log/log.ts'
import { appStatements } from '../plan/app-statements.ts'
import { catalogTopicId } from '../plan/catalog.ts'
import { type BindSelect, type Defined, defineProgram } from '../plan/definition.ts'
import { viewMeaning } from '../plan/fingerprint.ts'
import { nodesOf } from '../plan/nodes.ts'
import { planSelect } from '../plan/optimise.ts'
import { type OwnTopic, ownTopics } from '../plan/own-topics.ts'
import type { Program, TopicDefinition, ViewDefinition } from '../plan/program.ts'
import { afterEvents, noteDropped } from '../plan/schema-change.ts'
import { loadParser, parseSql } from '../sql/parse.ts'

/**
 * Definitions are events of the topic `_catalog`: the text as it was written, and the program that was made of it,
 * so that a restart runs the very same plan.
 */
interface StoredDefinitions {
  readonly text: string
  readonly program: Program
  /** Whether this version of Millrace can run the stored plans; ids and schemas are to be believed in any case. */
  readonly planned: boolean
  /** Every topic and view that was ever defined here, as it was last: their ids are never given to others. */
  readonly ever: Program
}

/** What to run: the text of all definitions, and how it becomes a program where the log has none of it. */
export interface Definition {
  /** Compared with what the log holds: the same text loads the stored program and plans nothing. */
  readonly text: string
  /** How readers in TypeScript show columns: an app's schemas say so, SQL doesn't. */
  readonly reads?: AppReads
  /**
   * @param previous names that it has keep their ids
   * @param select how queries become plans (default: bound and optimised)
   * @param first SQL of what is defined before it
   */
  plan(previous: Program, select?: BindSelect, first?: string): Promise<Defined>
}

/** A definition with some of Millrace's own topics before it. */
export function withOwnTopics(definition: Definition, topics: readonly OwnTopic[]): Definition {
  if (topics.length === 0) return definition
  const first = topics.map((topic) => ownTopics[topic]).join('\n')
  return {
    ...definition,
    text: `${first}\n${definition.text}`,
    plan: (previous, select) => definition.plan(previous, select, first),
  }
}

/** Definitions as SQL. @param file names the text in errors */
export function sqlDefinition(text: string, file?: string): Definition {
  return {
    text,
    async plan(previous, select = planSelect, first = '') {
      await loadParser()
      return defineProgram([...parseSql(first), ...parseSql(text, file)], select, previous)
    },
  }
}

/** An app's definitions. Errors in a view's SQL name the view. */
export function appDefinition(app: App): Definition {
  return {
    text: appToSql(app),
    reads: readsOfApp(app),
    async plan(previous, select = planSelect, first = '') {
      await loadParser()
      return defineProgram([...parseSql(first), ...appStatements(app)], select, previous, appFunctions(app))
    },
  }
}

/** Plans of another version are not loaded but made anew from the same text. */
const planVersion = 1

const schema: readonly ColumnSchema[] = [
  { name: 'text', type: { kind: 'text' }, nullable: false },
  { name: 'program', type: { kind: 'text' }, nullable: false },
]

const readRows = 1000

const emptyProgram: Program = { topics: [], views: [] }

async function readDefinitions(log: Log): Promise<StoredDefinitions | null> {
  let latest: Omit<StoredDefinitions, 'ever'> | null = null
  const topics = new Map<string, TopicDefinition>()
  const views = new Map<string, ViewDefinition>()
  for await (const event of catalogEvents(log)) {
    latest = event
    for (const topic of event.program.topics) topics.set(topic.name.toLowerCase(), topic)
    for (const view of event.program.views) views.set(view.name.toLowerCase(), view)
  }
  return latest === null ? null : { ...latest, ever: { topics: [...topics.values()], views: [...views.values()] } }
}

async function* catalogEvents(log: Pick<Log, 'readTopic'>): AsyncIterable<Omit<StoredDefinitions, 'ever'>> {
  for (let offset = 0; ; ) {
    const blocks = await log.readTopic(catalogTopicId, offset, readRows)
    if (blocks.length === 0) return
    for (const block of blocks) {
      yield* eventsOf(block.bytes)
      offset = endOf(block)
    }
  }
}

/** The programs that a log holds and this version of Millrace can run, the oldest first. */
export async function runnablePrograms(log: Pick<Log, 'readTopic'>): Promise<readonly Program[]> {
  const programs: Program[] = []
  for await (const { planned, program } of catalogEvents(log)) if (planned) programs.push(program)
  return programs
}

/** The programs that a block of `_catalog` holds, in their order. */
export function storedPrograms(bytes: Uint8Array): readonly Program[] {
  return eventsOf(bytes).map(({ program }) => program)
}

function eventsOf(bytes: Uint8Array): Omit<StoredDefinitions, 'ever'>[] {
  const block = openBlock(bytes)
  const read = (ordinal: number, row: number): string => {
    const column = block.columns.get(ordinal)
    if (column === undefined) return ''
    const start = bytesStart(block.memory, column, row)
    return utf8Text(block.memory.u8, start, bytesLength(block.memory, column, row))
  }
  return Array.from({ length: block.rows }, (_, row) => {
    const stored = JSON.parse(read(1, row)) as { version: number; program: Program }
    return { text: read(0, row), planned: stored.version === planVersion, program: stored.program }
  })
}

export function definitionBlock(text: string, program: Program): AppendBlock {
  const builder = new BlockBuilder(schema)
  builder.beginRow()
  builder.columns[0].setText(0, text)
  builder.columns[1].setText(0, JSON.stringify({ version: planVersion, program }))
  builder.commitRow()
  return { topic: catalogTopicId, rows: 1, bytes: builder.finish() }
}

export interface OpenedProgram {
  readonly text: string
  readonly program: Program
  /** What the log holds instead, if it can be run. */
  readonly before: Pick<OpenedProgram, 'text' | 'program'> | null
  /** The log has other definitions, or none: it has to be told. */
  readonly changed: boolean
}

/**
 * Says of each view where it begins: one that means what a view of before does goes on from there, any other has what
 * the log still holds.
 * @param before the definitions at work so far
 */
export function withStarts(program: Program, before: Program, starts: LogStarts): Program {
  const views: ViewDefinition[] = []
  for (const { starts: _, ...view } of program.views) {
    const given = (from: ViewDefinition['starts']): ViewDefinition =>
      from === undefined ? view : { ...view, starts: from }
    const meaningOf = (one: ViewDefinition): string => viewMeaning({ topics: program.topics, views }, one)
    // Of the same name first: of two that differ in their starts alone, each goes on as itself.
    const candidates = [...before.views].sort((a, b) => Number(b.name === view.name) - Number(a.name === view.name))
    const same = candidates.find((other) => viewMeaning(before, other) === meaningOf(given(other.starts)))
    views.push(given(same === undefined ? startsNow(program, view, starts) : same.starts))
  }
  return { ...program, views }
}

/** The same, with its new views beginning where the log does by now. */
export function begunNow(opened: OpenedProgram, before: Program, starts: LogStarts): OpenedProgram {
  return { ...opened, program: withStarts(opened.program, before, starts) }
}

type LogStarts = ReturnType<Log['starts']>

/** Where a view begins that is made from what the log holds. */
export function startsNow({ topics }: Program, { plan }: ViewDefinition, starts: LogStarts): ViewDefinition['starts'] {
  const found = new Map<number, number>()
  for (const node of nodesOf(plan)) {
    const topic = node.op === 'scan' ? topics.find(({ id }) => id === node.relation) : undefined
    const throughTick =
      topic === undefined || topic.primaryKey.length > 0 ? 0 : (starts.get(topic.id)?.throughTick ?? 0)
    if (topic !== undefined && throughTick > 0) found.set(topic.id, throughTick)
  }
  if (found.size === 0) return undefined
  return [...found].sort(([a], [b]) => a - b).map(([topic, throughTick]) => ({ topic, throughTick }))
}

/**
 * The program to run: the stored one where the definitions are the same, else one planned from them. Topics and
 * views keep their ids; what was dropped keeps its own, in case it comes back.
 * @throws MillraceError schema/incompatible, and what planning refuses
 */
export async function openProgram(log: Log, definition: Definition | undefined): Promise<OpenedProgram> {
  const stored = await readDefinitions(log)
  if (definition === undefined) {
    if (stored !== null && !stored.planned) return openProgram(log, sqlDefinition(stored.text))
    return { text: stored?.text ?? '', program: stored?.program ?? emptyProgram, before: null, changed: false }
  }
  const { text } = definition
  if (stored?.planned && stored.text === text) return { text, program: stored.program, before: null, changed: false }
  const { offsets } = log.position()
  const eventsOf = (topic: number): number => offsets.get(topic) ?? 0
  const { program } = await definition.plan(afterEvents(stored?.ever ?? emptyProgram, eventsOf))
  const before = stored?.planned ? stored : null
  const settled = withStarts(program, before?.program ?? emptyProgram, log.starts())
  return { text, program: noteDropped(settled, eventsOf), before, changed: true }
}
