/** The query of the page: what is asked, what was answered. */
import { type ReadonlySignal, signal } from '@preact/signals'
import type { Inspector, SqlBody } from 'millrace/client'
import { isAbort, type Refusal, refusalOf } from '../ask/refusal.ts'
import { followSql } from './follow.ts'

export interface RunState {
  readonly answer: SqlBody | null
  readonly refusal: Refusal | null
  readonly running: boolean
  /** How long the last answer took. */
  readonly ms: number | null
}

export class Run {
  readonly #state = signal<RunState>({ answer: null, refusal: null, running: true, ms: null })
  readonly #stop = new AbortController()

  constructor(server: Inspector, sql: string, live: boolean) {
    void this.#go(server, sql, live)
  }

  get state(): ReadonlySignal<RunState> {
    return this.#state
  }

  stop(): void {
    this.#stop.abort()
    this.#state.value = { ...this.#state.value, running: false }
  }

  async #go(server: Inspector, sql: string, live: boolean): Promise<void> {
    const { signal: stop } = this.#stop
    const start = performance.now()
    try {
      if (!live) {
        const answer = await server.relations.sql(sql, { signal: stop })
        this.#state.value = { answer, refusal: null, running: false, ms: performance.now() - start }
        return
      }
      for await (const answer of followSql(server, sql, stop)) {
        if (!stop.aborted) this.#state.value = { answer, refusal: null, running: true, ms: null }
      }
    } catch (error) {
      if (stop.aborted || isAbort(error)) return
      this.#state.value = { ...this.#state.value, refusal: refusalOf(error), running: false }
    }
  }
}
