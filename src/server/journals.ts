import type { Gateway } from '../app/gateway.ts'
import { MillraceError } from '../data/errors.ts'
import type { Database } from '../database.ts'
import type { Clock } from '../io/io.ts'
import type { OwnTopic } from '../plan/own-topics.ts'
import type { Caller } from './caller.ts'
import type { ApiRequest } from './exchange.ts'
import { OwnJournal } from './own-journal.ts'

/** Tells of requests in Millrace's own topics, as far as the gateway asks for it. */
export class Journals {
  readonly #audit: OwnJournal | null
  readonly #access: OwnJournal | null

  /** @param onMistake told when nothing can be written */
  constructor(gateway: Gateway | null, database: Database, clock: Clock, onMistake: (error: unknown) => void) {
    const open = (topic: OwnTopic, wanted: boolean | undefined): OwnJournal | null =>
      wanted === true ? new OwnJournal(database, clock, topic, onMistake) : null
    this.#audit = open('_audit', gateway?.audit)
    this.#access = open('_access', gateway?.accessLog)
  }

  /** @param refusal null: he may */
  decided(request: ApiRequest, route: string, name: string, caller: Caller | null, refusal: unknown): void {
    if (this.#audit === null) return
    this.#audit.add({
      caller: caller?.id ?? null,
      role: caller?.role ?? null,
      actor: caller?.actor ?? null,
      address: request.address,
      method: request.method,
      route,
      name: name === '' ? null : name.slice(0, longestName),
      decision: refusal === null ? 'allowed' : 'refused',
      code: refusal instanceof MillraceError ? refusal.code : null,
    })
  }

  answered(request: ApiRequest, route: string, caller: string | null, status: number, seconds: number): void {
    const ms = Math.round(seconds * 1e6) / 1000
    this.#access?.add({ caller, address: request.address, method: request.method, route, status, ms })
  }

  /** Resolves when all is written. */
  async flush(): Promise<void> {
    await this.#audit?.flush()
    await this.#access?.flush()
  }
}

const longestName = 200
