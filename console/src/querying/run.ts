/** The query of the page: what is asked, what was answered. */
import { type ReadonlySignal, signal } from '@preact/signals'
import type { Inspector, SqlBody, WireRow } from 'millrace/client'
import { isAbort, type Refusal, refusalOf } from '../ask/refusal.ts'
import { Bag, type HeldRow } from '../rows/bag.ts'
import { sqlWhileSeen } from '../rows/while-seen.ts'
import { type AnswerColumns, distinctColumns, rowOf } from './answer.ts'

/** What a query gave: once, or as it is now. */
export interface Answer {
  readonly tick: number
  readonly columns: AnswerColumns
  /** A row that is there several times stands once where the query is followed. */
  readonly rows: readonly HeldRow[]
  /** Each row as often as it is there. */
  readonly size: number
}

export interface RunState {
  readonly answer: Answer | null
  readonly refusal: Refusal | null
  readonly running: boolean
  /** How long the answer took. */
  readonly ms: number | null
}

export class Run {
  readonly #state = signal<RunState>({ answer: null, refusal: null, running: true, ms: null })
  readonly #stop = new AbortController()
  #frame = 0

  constructor(server: Inspector, sql: string, live: boolean) {
    void this.#go(live ? () => this.#follow(server, sql) : () => this.#ask(server, sql))
  }

  get state(): ReadonlySignal<RunState> {
    return this.#state
  }

  stop(): void {
    this.#stop.abort()
    cancelAnimationFrame(this.#frame)
    this.#state.value = { ...this.#state.value, running: false }
  }

  async #go(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (this.#stop.signal.aborted || isAbort(error)) return
      cancelAnimationFrame(this.#frame)
      this.#state.value = { ...this.#state.value, refusal: refusalOf(error), running: false }
    }
  }

  async #ask(server: Inspector, sql: string): Promise<void> {
    const start = performance.now()
    const body = await server.relations.sql(sql, { signal: this.#stop.signal })
    this.#state.value = { answer: answerOf(body), refusal: null, running: false, ms: performance.now() - start }
  }

  /** Rows change with the screen's frames, however many changes come between two of them. */
  async #follow(server: Inspector, sql: string): Promise<void> {
    let columns: AnswerColumns = []
    let bag = new Bag(columns, [])
    let whole = true
    for await (const step of sqlWhileSeen(server, sql, this.#stop.signal)) {
      const { kind, tick, complete, changes } = step
      if (kind === 'reset') {
        // What came of a snapshot that broke off is not gone on with; until the next one is whole, the last answer stands.
        whole = true
        continue
      }
      if (kind === 'snapshot' && whole) {
        columns = distinctColumns(step.columns)
        bag = new Bag(columns, step.order)
      }
      whole = complete
      const named = changes.map(({ row, weight }) => ({ row: rowOf(columns, row), weight }))
      bag.apply(named, kind === 'change' ? performance.now() : 0)
      if (whole) this.#soon(() => ({ tick, columns, rows: bag.rows, size: bag.size }))
    }
  }

  #soon(answer: () => Answer): void {
    cancelAnimationFrame(this.#frame)
    this.#frame = requestAnimationFrame(() => {
      this.#state.value = { answer: answer(), refusal: null, running: true, ms: null }
    })
  }
}

function answerOf({ tick, columns, rows }: SqlBody): Answer {
  const named = distinctColumns(columns)
  const held = rows.map((cells, i): HeldRow => heldOnce(rowOf(named, cells), i))
  return { tick, columns: named, rows: held, size: rows.length }
}

/** A row of an answer that stays as it is. */
function heldOnce(row: WireRow, index: number): HeldRow {
  return { key: String(index), row, weight: 1, litAt: 0, changed: null }
}
