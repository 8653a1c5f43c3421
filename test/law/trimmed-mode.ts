// The whole database put to the test, which throws away its past in the middle and starts from what stands for it.
import { typeName } from '../../src/data/sql-type.ts'
import { compileRowTexts } from '../../src/data/text-print.ts'
import { Database, type ReadAnswer } from '../../src/database.ts'
import { type Definition, sqlDefinition } from '../../src/engine/definitions.ts'
import { engineThread } from '../../src/engine/thread.ts'
import type { Io } from '../../src/io/io.ts'
import { type SimulatedIo, simulatedIo } from '../../src/io/twin/simulated-io.ts'
import { type OpenedLog, openFileStore } from '../../src/log/file-log.ts'
import type { LogOptions } from '../../src/log/log.ts'
import type { BindSelect } from '../../src/plan/definition.ts'
import type { Program, TopicDefinition } from '../../src/plan/program.ts'
import { keeperThread } from '../../src/state/snapshots/keeper-thread.ts'
import { type CaseEvent, eventData } from './case-file.ts'
import type { ViewState, ViewStates } from './subject.ts'

/** A topic of the run's own: an event of it fills a file of the journal, so that history ends where it is to be cut. */
const filler = 'millrace_law_filler'
const fill = 'x'.repeat(3000)
const sizes = { fileBytes: 2400, stepBytes: 1024, largeBytes: 512, reserveBytes: 256 }

/** What came of the runs so far. */
export const trimmedCounts = {
  runs: 0,
  /** Runs of which events went, or tables were compacted. */
  trimmed: 0,
  /** Runs in which nothing could go, by the reason. */
  whole: new Map<string, number>(),
}

/**
 * Feeds ticks to a database on a disk. Twice in the middle all goes that may, the database is closed, and starts again:
 * from its snapshot, and with the base alone.
 */
export async function* runTrimmed(
  text: string,
  ticks: readonly (readonly CaseEvent[])[],
  timesOf: (events: readonly CaseEvent[], before: bigint) => bigint,
  startMicros: bigint,
  select?: BindSelect,
): AsyncIterable<ViewStates> {
  const site = new Site(text, startMicros, select)
  const moments = [Math.floor(ticks.length / 3), Math.floor((2 * ticks.length) / 3)]
  try {
    await site.open()
    for (const [i, events] of ticks.entries()) {
      site.nowMicros = timesOf(events, site.nowMicros)
      await site.feed(events, i > 0)
      yield await site.states()
      const moment = moments.indexOf(i)
      if (moment >= 0 && i > 0) await site.startAgain(moment === 0)
    }
    site.count()
    await site.database.closeWindows()
    yield await site.states()
  } finally {
    await site.close()
  }
}

class Site {
  nowMicros: bigint
  readonly #definition: KeepingNothing
  readonly #machine: SimulatedIo
  readonly #io: Io
  #opened: OpenedLog | null = null
  #database: Database | null = null
  #bases = 0

  constructor(text: string, startMicros: bigint, select: BindSelect | undefined) {
    this.nowMicros = startMicros
    this.#definition = keepingNothing(text, select)
    const threads = { engine: engineThread, keeper: keeperThread }
    this.#machine = simulatedIo(1, { threads, idle: 'advance' })
    const { clock } = this.#machine
    // A tick's time is what the case says.
    const told = {
      nowMicros: () => this.nowMicros,
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs: number, task: () => void) => clock.after(delayMs, task),
    }
    this.#io = { ...this.#machine, clock: told }
  }

  get database(): Database {
    return this.#database!
  }

  async open(): Promise<void> {
    this.#database = await Database.open({
      io: this.#io,
      definition: this.#definition,
      data: 'data',
      engine: 'inline',
      memoryBytes: 64 << 20,
      stateBytes: 1 << 20,
      snapshots: { everyBytes: 1e9, closeBytes: 1 },
      openLog: async (io: Io, folder: string, options: LogOptions) => {
        const history = { share: 1, busyShare: 1, mergeFiles: 3 }
        this.#opened = await openFileStore(io, folder, { ...options, sizes, history })
        return this.#opened.log
      },
    })
  }

  /** One tick. */
  async feed(events: readonly CaseEvent[], counts: boolean): Promise<void> {
    if (!counts) return
    const body = bodyOf(events, `{"topic":"${filler}","data":{"text":"${fill}"}}`)
    const { tick } = await this.database.appendMixed(body)
    await this.database.waitForTick(tick)
  }

  async states(): Promise<ViewStates> {
    const names = this.database.catalog().views.map(({ name }) => name)
    const answers = await this.database.readAll(names)
    return new Map(answers.map((answer) => [answer.view.name.toLowerCase(), stateOf(answer)]))
  }

  /** All that is not needed goes, and a new life begins. @param snapshot else there is but the base */
  async startAgain(snapshot: boolean): Promise<void> {
    await this.#opened!.store.settle()
    await this.database.close()
    const { disk } = this.#machine
    const state = disk.paths.filter((path) => path.startsWith('data/state/'))
    const based = state.some((path) => path.startsWith('data/state/base-'))
    if (based) this.#bases++
    if (!snapshot && based) {
      for (const path of state) if (path.startsWith('data/state/snapshot-')) disk.forget(path)
    }
    await this.open()
  }

  count(): void {
    trimmedCounts.runs++
    const starts = this.#opened!.log.starts()
    const { topics } = this.#definition.program
    const gone = topics.filter(({ id, name }) => name !== filler && starts.has(id))
    if (gone.length > 0 && (this.#bases > 0 || gone.every(isTable))) trimmedCounts.trimmed++
    else {
      const reason = topics.length === 1 ? 'it has no topic' : 'it has too few events'
      trimmedCounts.whole.set(reason, 1 + (trimmedCounts.whole.get(reason) ?? 0))
    }
  }

  async close(): Promise<void> {
    await this.#database?.close().catch(() => {})
    this.#machine.crash()
  }
}

/** A definition of which no topic keeps more than views need; and the program that it became. */
interface KeepingNothing extends Definition {
  readonly program: Program
}

function keepingNothing(text: string, select: BindSelect | undefined): KeepingNothing {
  const plain = sqlDefinition(`${text}\nCREATE TABLE ${filler} (text text);`)
  const known: { program: Program } = { program: { topics: [], views: [] } }
  return {
    text: plain.text,
    get program() {
      return known.program
    },
    plan: async (previous) => {
      const planned = await plain.plan(previous, select)
      const retention = { micros: '0', bytes: null }
      const topics = planned.program.topics.map((topic) => ({ ...topic, retention }))
      known.program = { ...planned.program, topics }
      return { ...planned, program: known.program }
    },
  }
}

/** Events as POST /v1/append takes them. @param more as JSON */
export function bodyOf(events: readonly CaseEvent[], ...more: readonly string[]): Uint8Array {
  const list = events.flatMap((event) => {
    if (event.topic === null) return []
    const operation = event.operation === 'delete' ? '"op":"delete",' : ''
    return [`{"topic":${JSON.stringify(event.topic)},${operation}"data":${eventData(event)}}`]
  })
  return new TextEncoder().encode(`{"events":[${[...list, ...more].join()}]}`)
}

function isTable({ primaryKey }: TopicDefinition): boolean {
  return primaryKey.length > 0
}

export function stateOf({ view, rows, errors }: ReadAnswer): ViewState {
  const texts = compileRowTexts(rows.columns)
  const printed: (string | null)[][] = []
  rows.forEach((page, row, weight) => {
    for (let n = 0; n < weight; n++) printed.push([...texts(page.memory, page.columns, row)])
  })
  const columns = view.columns.map(({ name, type }) => ({ name, type: typeName(type).replace(/\(.*\)/, '') }))
  return { columns, rows: printed, errors }
}
