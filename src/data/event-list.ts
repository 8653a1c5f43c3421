import { EnvelopeReader, type ListedTopic, topicReaders } from './ingest/envelope-reader.ts'
import { type BodyFormat, type EventError, EventWalker } from './ingest/event-walker.ts'
import { JsonScanner } from './ingest/json-scan.ts'
import type { RowReader } from './ingest/row-reader.ts'
import type { DecodeOptions } from './json-decoder.ts'
import { defaultMaxErrors } from './json-decoder.ts'

/**
 * Events of several topics in one list, each naming its topic: an NDJSON file in order of arrival, or the body of an
 * append over several topics.
 */

/** Events that arrived one after the other; of each topic its blocks in order. */
export interface EventGroup {
  readonly events: number
  readonly blocks: readonly ListedBlock[]
}

export interface ListedBlock {
  /** The topic's id. */
  readonly topic: number
  readonly rows: number
  readonly bytes: Uint8Array
}

export interface ListOptions extends DecodeOptions {
  /** A group has so many events, the last one perhaps fewer. Default 65536. */
  readonly cutEvery?: number
}

const defaultCut = 65536

export interface DecodedList extends EventGroup {
  readonly errors: readonly EventError[]
  readonly badEvents: number
  readonly malformed: boolean
}

/** Reads the body of an append over several topics: `{"events": [{"topic", "op"?, "data"}, …]}`. */
export class EventListDecoder {
  readonly #scanner = new JsonScanner()
  readonly #topics: ReadonlyMap<string, RowReader>

  constructor(topics: readonly ListedTopic[]) {
    this.#topics = topicReaders(topics, this.#scanner)
  }

  decodeBody(body: Uint8Array, options: DecodeOptions = {}): DecodedList {
    const scanner = this.#scanner
    scanner.load(body)
    const reader = new GroupReader(this.#topics, scanner, Number.POSITIVE_INFINITY)
    const walker = new EventWalker(scanner, reader, 'array', {
      maxErrors: options.maxErrors ?? defaultMaxErrors,
      prefix: '/events',
    })
    walker.open('events')
    walker.walk(true)
    walker.close()
    reader.cut()
    const { errors, badEvents, malformed } = walker
    const kept = !malformed && (badEvents === 0 || options.policy === 'skip')
    const group = (kept ? reader.take()[0] : undefined) ?? { events: 0, blocks: [] }
    return { ...group, errors, badEvents, malformed }
  }
}

/** Reads a list that comes in pieces: NDJSON, one event a line, or a JSON array of events. */
export class EventListStream {
  readonly #scanner = new JsonScanner()
  readonly #reader: GroupReader
  readonly #walker: EventWalker
  readonly #format: BodyFormat

  constructor(topics: readonly ListedTopic[], format: 'ndjson' | 'array' = 'ndjson', options: ListOptions = {}) {
    this.#reader = new GroupReader(topicReaders(topics, this.#scanner), this.#scanner, options.cutEvery ?? defaultCut)
    this.#format = format
    this.#walker = new EventWalker(this.#scanner, this.#reader, format, {
      maxErrors: options.maxErrors ?? defaultMaxErrors,
      countsLines: true,
    })
  }

  get errors(): readonly EventError[] {
    return this.#walker.errors
  }

  get badEvents(): number {
    return this.#walker.badEvents
  }

  get malformed(): boolean {
    return this.#walker.malformed
  }

  /** @returns the groups that are whole */
  feed(piece: Uint8Array): readonly EventGroup[] {
    this.#scanner.append(piece)
    this.#walker.walk(false)
    if (this.#format === 'array' && this.#walker.closed) this.#walker.expectEnd()
    this.#walker.discard()
    return this.#reader.take()
  }

  /** @returns the remaining groups; look at `errors` before you use them */
  end(): readonly EventGroup[] {
    this.#walker.walk(true)
    if (this.#format === 'array') this.#walker.expectEnd()
    this.#reader.cut()
    return this.#reader.take()
  }
}

/** Commits rows to their topics' builders and cuts groups. */
class GroupReader extends EnvelopeReader {
  readonly #cutEvery: number
  #groups: EventGroup[] = []
  #events = 0
  #blocks: ListedBlock[] = []
  /** Topics with rows in their builder. */
  readonly #touched = new Set<RowReader>()

  constructor(topics: ReadonlyMap<string, RowReader>, scanner: JsonScanner, cutEvery: number) {
    super(topics, scanner)
    this.#cutEvery = cutEvery
    for (const row of topics.values()) row.builder.clear()
  }

  override commit(): void {
    super.commit()
    const row = this.row!
    if (row.builder.full) this.#finish(row)
    else this.#touched.add(row)
    if (++this.#events === this.#cutEvery) this.cut()
  }

  #finish(row: RowReader): void {
    const { rows } = row.builder
    if (rows > 0) this.#blocks.push({ topic: (row.topic as ListedTopic).id, rows, bytes: row.builder.finish() })
  }

  cut(): void {
    for (const row of this.#touched) this.#finish(row)
    this.#touched.clear()
    if (this.#events > 0) this.#groups.push({ events: this.#events, blocks: this.#blocks })
    this.#events = 0
    this.#blocks = []
  }

  take(): readonly EventGroup[] {
    const groups = this.#groups
    this.#groups = []
    return groups
  }
}
