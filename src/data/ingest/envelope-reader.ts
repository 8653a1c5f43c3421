import type { EventReader } from './event-walker.ts'
import { failed, type JsonScanner } from './json-scan.ts'
import { type DecoderTopic, type Problem, pointerStep, RowReader } from './row-reader.ts'

/** A topic among others, by the id that the log knows it by. */
export interface ListedTopic extends DecoderTopic {
  readonly id: number
}

/**
 * Reads events that name their topic: `{"topic": …, "op"?: …, "data": {…}}`, the keys in any order. In the usual
 * order the data are read straight away; where the topic or a delete is named behind them, they are read again.
 */
export class EnvelopeReader implements EventReader {
  problems: Problem[] = []
  /** The topic's reader of the event last read, whose row `commit` and `rollback` are about. */
  row: RowReader | null = null
  readonly #scanner: JsonScanner
  readonly #topics: ReadonlyMap<string, RowReader>
  #topicStart = failed
  #operationStart = failed
  #dataStart = failed
  #deleting = false
  /** How the data were read already, if they were. */
  #read: 'no' | 'upsert' | 'delete' = 'no'
  #lastName = ''
  #lastBytes = new Uint8Array()

  constructor(topics: ReadonlyMap<string, RowReader>, scanner: JsonScanner) {
    this.#scanner = scanner
    this.#topics = topics
  }

  read(at: number): number {
    const scanner = this.#scanner
    this.#begin()
    if (scanner.bytes[at] !== 0x7b) {
      this.#problem('', 'an event must be a JSON object')
      return scanner.skip(at)
    }
    at = scanner.space(at + 1)
    if (scanner.bytes[at] === 0x7d) at++
    else {
      for (;;) {
        at = this.#field(at)
        if (at < 0) return failed
        at = scanner.space(at)
        const c = scanner.bytes[at++]
        if (c === 0x7d) break
        if (c !== 0x2c) return scanner.expected(at - 1, "',' or '}'")
        at = scanner.space(at)
      }
    }
    this.#finish()
    return at
  }

  #begin(): void {
    if (this.problems.length > 0) this.problems = []
    this.row = null
    this.#topicStart = failed
    this.#operationStart = failed
    this.#dataStart = failed
    this.#deleting = false
    this.#read = 'no'
  }

  commit(): void {
    this.row!.commit()
  }

  rollback(): void {
    this.row?.rollback()
  }

  #problem(pointer: string, detail: string, code?: Problem['code']): void {
    this.problems.push(code === undefined ? { pointer, detail } : { pointer, detail, code })
  }

  #field(start: number): number {
    const scanner = this.#scanner
    if (scanner.bytes[start] !== 0x22) return scanner.expected(start, 'a key in double quotes')
    const end = scanner.skipString(start)
    if (end < 0) return failed
    const colon = scanner.colon(end)
    if (colon < 0) return failed
    const at = scanner.space(colon)
    switch (scanner.string(start, end)) {
      case 'topic':
        return this.#topic(at)
      case 'op':
        return this.#operation(at)
      case 'data':
        return this.#data(at)
    }
    this.#problem(pointerStep(scanner.string(start, end)), 'an event has the fields topic, op and data')
    return scanner.skip(at)
  }

  #topic(at: number): number {
    const scanner = this.#scanner
    const end = scanner.skip(at)
    if (end < 0) return failed
    if (this.#topicStart !== failed) this.#problem('/topic', 'the key is there twice')
    else if (scanner.bytes[at] !== 0x22) this.#problem('/topic', 'the name of a topic must be a string')
    else {
      const name = this.#name(at, end)
      this.row = this.#topics.get(name) ?? null
      if (this.row === null) this.#problem('/topic', `there is no topic ${JSON.stringify(name)}`, 'topic/unknown')
    }
    this.#topicStart = at
    return end
  }

  /** Neighbouring events mostly share their topic, so that its text is at hand. */
  #name(start: number, end: number): string {
    const s = this.#scanner.bytes
    const last = this.#lastBytes
    let same = last.length === end - start
    for (let i = 0; same && i < last.length; i++) same = last[i] === s[start + i]
    if (!same) {
      this.#lastBytes = s.slice(start, end)
      this.#lastName = this.#scanner.string(start, end)
    }
    return this.#lastName
  }

  #operation(at: number): number {
    const scanner = this.#scanner
    const end = scanner.skip(at)
    if (end < 0) return failed
    const text = scanner.bytes[at] === 0x22 ? scanner.string(at, end) : scanner.text(at, end)
    if (this.#operationStart !== failed) this.#problem('/op', 'the key is there twice')
    else if (!['upsert', 'delete', 'append', 'null'].includes(text)) {
      this.#problem('/op', 'the operation must be "upsert" or "delete"')
    }
    this.#deleting = text === 'delete'
    this.#operationStart = at
    return end
  }

  #data(at: number): number {
    if (this.#dataStart !== failed) this.#problem('/data', 'the key is there twice')
    else if (this.row !== null) {
      this.#dataStart = at
      this.#read = this.#deleting ? 'delete' : 'upsert'
      return this.row.read(at, this.#deleting)
    }
    this.#dataStart = at
    return this.#scanner.skip(at)
  }

  #finish(): void {
    const { row } = this
    if (this.#topicStart === failed) this.#problem('', 'the topic is missing')
    if (this.#dataStart === failed) this.#problem('', 'the data are missing')
    if (row === null) return
    const { primaryKey, name } = row.topic
    if (this.#deleting && primaryKey.length === 0) {
      const detail = `${name} has no primary key, so nothing can be deleted from it`
      this.#problem('/op', detail, 'event/unsupported-delete')
    }
    const wanted = this.#deleting ? 'delete' : 'upsert'
    if (this.#read !== wanted) {
      // With the envelope itself in order, the data come behind what says how to read them.
      if (this.problems.length > 0) return
      row.rollback()
      row.read(this.#dataStart, this.#deleting)
    }
    for (const problem of row.problems) this.problems.push({ ...problem, pointer: `/data${problem.pointer}` })
  }
}

/** One reader a topic, all over one scanner. */
export function topicReaders(topics: readonly ListedTopic[], scanner: JsonScanner): ReadonlyMap<string, RowReader> {
  return new Map(topics.map((topic) => [topic.name, new RowReader(topic, scanner)]))
}
