// Live queries put to the test: a whole database, whose views' queries are followed from the middle on.
import { typeName } from '../../src/data/sql-type.ts'
import { compileRowTexts } from '../../src/data/text-print.ts'
import { Database, type LiveMessage } from '../../src/database.ts'
import { sqlDefinition } from '../../src/engine/definitions.ts'
import { engineThread } from '../../src/engine/thread.ts'
import { simulatedIo } from '../../src/io/twin/simulated-io.ts'
import type { ViewDefinition } from '../../src/plan/program.ts'
import { keeperThread } from '../../src/state/snapshots/keeper-thread.ts'
import type { CaseEvent } from './case-file.ts'
import type { ViewState, ViewStates } from './subject.ts'
import { bodyOf, stateOf } from './trimmed-mode.ts'

/** What came of the runs so far: queries that were followed to the end, and those that ended with error rows. */
export const liveCounts = { followed: 0, ended: 0 }

/** Long enough, on a simulated clock, for whatever is under way. */
const settleMs = 20

/** After each tick, the views as the readers of their queries have them. */
export async function* runLive(
  text: string,
  ticks: readonly (readonly CaseEvent[])[],
  timesOf: (events: readonly CaseEvent[], before: bigint) => bigint,
  startMicros: bigint,
): AsyncIterable<ViewStates> {
  const machine = simulatedIo(1, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
  let now = startMicros
  const clock = {
    nowMicros: () => now,
    monotonicMs: () => machine.clock.monotonicMs(),
    after: (delayMs: number, task: () => void) => machine.clock.after(delayMs, task),
  }
  const io = { ...machine, clock }
  const options = { io, data: null, engine: 'inline', memoryBytes: 64 << 20 } as const
  const database = await Database.open({ ...options, definition: sqlDefinition(text) })
  const { views } = database.catalog()
  const readers = new Map<string, Reader>()
  try {
    for (const [i, events] of ticks.entries()) {
      now = timesOf(events, now)
      if (i > 0) {
        const { tick } = await database.appendMixed(bodyOf(events))
        await (events.every(({ topic }) => topic === null) ? database.makeTick() : database.waitForTick(tick))
      }
      if (i === Math.floor(ticks.length / 3)) for (const view of views) readers.set(view.name, follow(database, view))
      await new Promise<void>((resolve) => machine.clock.after(settleMs, resolve))
      yield await statesOf(database, readers)
    }
    for (const { ended } of readers.values()) liveCounts[ended ? 'ended' : 'followed']++
    await database.closeWindows()
    yield await statesOf(database, new Map())
  } finally {
    await database.close().catch(() => {})
  }
}

const plainView = /^\s*CREATE\s+MATERIALIZED\s+VIEW\s+("[^"]*"|\S+)\s+AS\s+/i

/** A view's query where nothing stands beside it, else all of the view. */
function follow(database: Database, { name, sql }: ViewDefinition): Reader {
  return new Reader(messagesOf(database, plainView.test(sql) ? sql.replace(plainView, '') : `SELECT * FROM "${name}"`))
}

async function* messagesOf(database: Database, query: string): AsyncGenerator<LiveMessage> {
  yield* (await database.liveQuery(query, { mostQueries: 100 })).messages
}

async function statesOf(database: Database, readers: ReadonlyMap<string, Reader>): Promise<ViewStates> {
  const answers = await database.readAll(database.catalog().views.map(({ name }) => name))
  const states = new Map<string, ViewState>()
  for (const answer of answers) {
    const reader = readers.get(answer.view.name)
    if (reader?.failure != null) throw reader.failure
    // With rows that cannot be computed a query has no answer.
    const own = reader === undefined || reader.ended
    states.set(answer.view.name.toLowerCase(), own ? stateOf(answer) : reader.state)
  }
  return states
}

/** What a reader has. */
class Reader {
  ended = false
  failure: unknown = null
  #columns: ViewState['columns'] = []
  readonly #rows = new Map<string, { readonly cells: readonly (string | null)[]; weight: number }>()

  constructor(messages: AsyncIterable<LiveMessage>) {
    this.#read(messages).catch((error: { code?: string }) => {
      if (error.code === 'sql/error-rows') this.ended = true
      else if (error.code !== 'log/closed') this.failure = error
    })
  }

  async #read(messages: AsyncIterable<LiveMessage>): Promise<void> {
    for await (const message of messages) {
      if (message.kind === 'reset') throw new Error('a reset that nothing asks for')
      const { rows } = message
      this.#columns = rows.columns.map(({ name, type }) => ({ name, type: typeName(type).replace(/\(.*\)/, '') }))
      const texts = compileRowTexts(rows.columns)
      rows.forEach((page, row, weight) => {
        const cells = [...texts(page.memory, page.columns, row)]
        const key = JSON.stringify(cells)
        const sum = weight + (this.#rows.get(key)?.weight ?? 0)
        if (sum === 0) this.#rows.delete(key)
        else this.#rows.set(key, { cells, weight: sum })
      })
    }
  }

  get state(): ViewState {
    const rows = [...this.#rows.values()].flatMap(({ cells, weight }) => Array.from({ length: weight }, () => cells))
    return { columns: this.#columns, rows, errors: 0 }
  }
}
