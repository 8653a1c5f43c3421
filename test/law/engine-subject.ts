// The real path put to the test: SQL → program, JSON → blocks, blocks → engine, deltas → rows as multisets.
import { type Block, blockColumn, openBlock } from '../../src/data/block.ts'
import { blockCells } from '../../src/data/cell-access.ts'
import { MillraceError } from '../../src/data/errors.ts'
import { JsonScanner } from '../../src/data/ingest/json-scan.ts'
import { RowReader } from '../../src/data/ingest/row-reader.ts'
import { typeName } from '../../src/data/sql-type.ts'
import { compileRowTexts, type RowTexts } from '../../src/data/text-print.ts'
import type { TickInput, TopicBlock, ViewDelta } from '../../src/engine/port.ts'
import { bindSelect } from '../../src/plan/bind.ts'
import { defineProgram } from '../../src/plan/definition.ts'
import { planSelect } from '../../src/plan/optimise.ts'
import type { Program, TopicDefinition, ViewDefinition } from '../../src/plan/program.ts'
import { loadParser, parseSql } from '../../src/sql/parse.ts'
import { type CaseEvent, eventData, printEvent } from './case-file.ts'
import { runLive } from './live-mode.ts'
import { startEngine } from './state-modes.ts'
import type { StateMode, Subject, SubjectOptions, ViewState, ViewStates } from './subject.ts'
import { runTrimmed } from './trimmed-mode.ts'

/** Where no event says otherwise, the oracle's clock stands here too. */
const startMicros = BigInt(Date.parse('2026-01-01T00:00:00Z')) * 1000n

export class EngineSubject implements Subject {
  /** The parser is loaded once; all else is made anew for each run. */
  static async load(): Promise<EngineSubject> {
    await loadParser()
    return new EngineSubject()
  }

  define(definition: string, plain = false): Program {
    return defineProgram(parseSql(definition), plain ? bindSelect : planSelect).program
  }

  async *run(
    definition: string,
    ticks: readonly (readonly CaseEvent[])[],
    options: SubjectOptions,
  ): AsyncIterable<ViewStates> {
    const { state, ...others } = options
    if (state === 'trimmed') {
      const bind = options.plain ? bindSelect : planSelect
      yield* runTrimmed(definition, ticks, timeOf, startMicros, bind)
    } else if (state === 'live') yield* runLive(definition, ticks, timeOf, startMicros)
    else yield* this.runProgram(this.define(definition, options.plain), ticks, { ...others, state })
  }

  /** Answers a query over what the ticks brought, as an ad-hoc query would be. */
  async ask(definition: string, sql: string, ticks: readonly (readonly CaseEvent[])[]): Promise<ViewState> {
    const { program, catalog } = defineProgram(parseSql(definition), planSelect)
    const [statement] = parseSql(sql)
    if (statement.kind !== 'select') throw new Error(`no query: ${sql}`)
    const { plan, order, columns } = planSelect(catalog, statement.node, statement, { adHoc: true })
    const id = 1 + Math.max(0, ...[...program.topics, ...program.views].map((relation) => relation.id))
    const view: ViewDefinition = { id, name: 'query', columns: plan.columns, plan, order, emit: 'continuous', sql }
    let state: ViewState | undefined
    const all = { ...program, views: [...program.views, view] }
    for await (const states of this.runProgram(all, ticks, {})) state = states.get('query')
    if (state === undefined) throw new Error('a query without a tick')
    const width = columns.length
    return { ...state, columns: state.columns.slice(0, width), rows: state.rows.map((row) => row.slice(0, width)) }
  }

  async *runProgram(
    program: Program,
    ticks: readonly (readonly CaseEvent[])[],
    options: ProgramOptions,
  ): AsyncIterable<ViewStates> {
    const engine = startEngine(program, options.state, options.weakHash ?? false)
    const feed = new Feed(program)
    const views = new Map(program.views.map((view) => [view.id, new Accumulated(view)]))
    let timeMicros = startMicros
    for (let tick = 0; tick <= ticks.length; tick++) {
      const events = ticks[tick] ?? []
      timeMicros = timeOf(events, timeMicros)
      const blocks = feed.blocks(events, timeMicros)
      const closing = tick === ticks.length ? { closeWindows: true } : {}
      const input: TickInput = { kind: 'tick', tick: tick + 1, timeMicros, blocks, ...closing }
      for (const delta of (await engine.step(input)).deltas) views.get(delta.view)?.apply(delta)
      yield new Map([...views.values()].map((view) => [view.name, view.state()]))
    }
    engine.destroy()
  }
}

/** How a program alone can be run. */
interface ProgramOptions extends Omit<SubjectOptions, 'state'> {
  readonly state?: StateMode | undefined
}

/** The time of the tick that takes some events. */
function timeOf(events: readonly CaseEvent[], before: bigint): bigint {
  return events.reduce((time, { at }) => (at === null ? time : micros(at)), before)
}

function micros(text: string): bigint {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? ''
  const seconds = BigInt(Date.parse(text.replace(/\.\d+/, ''))) / 1000n
  return seconds * 1000000n + BigInt(fraction.padEnd(6, '0'))
}

/** Events to blocks: neighbours of one topic lie in one block, as appends would put them. */
class Feed {
  readonly #topics: ReadonlyMap<string, TopicFeed>

  constructor(program: Program) {
    this.#topics = new Map(program.topics.map((topic) => [topic.name.toLowerCase(), new TopicFeed(topic)]))
  }

  blocks(events: readonly CaseEvent[], appendedAtMicros: bigint): TopicBlock[] {
    const blocks: TopicBlock[] = []
    let open: TopicFeed | null = null
    const close = (): void => {
      if (open !== null) blocks.push({ ...open.finish(), appendedAtMicros })
      open = null
    }
    for (const event of events) {
      if (event.topic === null) continue
      const feed = this.#topics.get(event.topic.toLowerCase())
      if (feed === undefined) throw new Error(`no topic ${event.topic}`)
      if (feed !== open || feed.full) close()
      feed.add(event)
      open = feed
    }
    close()
    return blocks
  }
}

class TopicFeed {
  readonly #topic: TopicDefinition
  readonly #scanner = new JsonScanner()
  readonly #reader: RowReader
  #offset = 0

  constructor(topic: TopicDefinition) {
    this.#topic = topic
    this.#reader = new RowReader(topic, this.#scanner)
  }

  get full(): boolean {
    return this.#reader.builder.full
  }

  add(event: CaseEvent): void {
    this.#scanner.load(Buffer.from(eventData(event)))
    this.#reader.read(0, event.operation === 'delete')
    const [problem] = this.#reader.problems
    if (problem) {
      throw new MillraceError('event/invalid', `${problem.pointer} ${problem.detail}: ${printEvent(event)}`)
    }
    this.#reader.commit()
  }

  finish(): Omit<TopicBlock, 'appendedAtMicros'> {
    const { builder } = this.#reader
    const firstOffset = this.#offset
    this.#offset += builder.rows
    return { topic: this.#topic.id, partition: 0, firstOffset, bytes: builder.finish() }
  }
}

/** A view's rows as printed, with their weights; what no correct delta does is an error here. */
class Accumulated {
  readonly name: string
  readonly #view: ViewDefinition
  readonly #texts: RowTexts
  readonly #weights = new Map<string, number>()
  #errors = 0

  constructor(view: ViewDefinition) {
    this.name = view.name.toLowerCase()
    this.#view = view
    this.#texts = compileRowTexts(view.columns)
  }

  apply(delta: ViewDelta): void {
    const signs = new Map<string, number>()
    for (const bytes of delta.blocks) this.#add(openBlock(bytes), signs)
    for (const { weight } of delta.errors) {
      if (weight === 0) throw new Error(`view ${this.name}: an error row of weight 0`)
      this.#errors += weight
    }
    for (const row of signs.keys()) {
      const weight = this.#weights.get(row) ?? 0
      if (weight < 0) throw new Error(`view ${this.name}: row ${row} is there ${weight} times`)
      if (weight === 0) this.#weights.delete(row)
    }
    if (this.#errors < 0) throw new Error(`view ${this.name}: ${this.#errors} error rows`)
  }

  #add(block: Block, signs: Map<string, number>): void {
    const { memory, rows } = block
    const cells = blockCells(block, this.#view.columns.length)
    const weights = block.columns.get(blockColumn.weight)
    for (let i = 0; i < rows; i++) {
      const weight = weights === undefined ? 1 : memory.i32[(weights.data >>> 2) + i]
      if (weight === 0) throw new Error(`view ${this.name}: a change of weight 0`)
      const row = JSON.stringify(this.#texts(memory, cells, i))
      const sign = Math.sign(weight)
      if ((signs.get(row) ?? sign) !== sign)
        throw new Error(`view ${this.name}: row ${row} with both signs in one tick`)
      signs.set(row, sign)
      this.#weights.set(row, (this.#weights.get(row) ?? 0) + weight)
    }
  }

  state(): ViewState {
    const rows: (string | null)[][] = []
    for (const [row, weight] of this.#weights) for (let i = 0; i < weight; i++) rows.push(JSON.parse(row))
    const columns = this.#view.columns.map(({ name, type }) => ({ name, type: typeName(type).replace(/\(.*\)/, '') }))
    return { columns, rows, errors: this.#errors }
  }
}
