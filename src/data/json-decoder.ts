import { type BodyFormat, type EventError, type EventReader, EventWalker, windowBytes } from './ingest/event-walker.ts'
import { JsonScanner } from './ingest/json-scan.ts'
import { type DecoderTopic, type Problem, RowReader } from './ingest/row-reader.ts'

/**
 * Events as JSON to blocks. A decoder is generated from the topic's schema, reads bytes and writes lanes, and is
 * strict: see CONTRACT's "Events" for what it takes.
 */

/** Rows of one topic, in order: data/block.ts. */
export interface EventBlock {
  readonly rows: number
  readonly bytes: Uint8Array
}

export interface DecodeOptions {
  /** `reject`: one bad event and there are no blocks. `skip`: the good ones are there. Default `reject`. */
  readonly policy?: 'reject' | 'skip'
  /** The most errors told. Default 100. */
  readonly maxErrors?: number
}

export interface Decoded {
  readonly blocks: readonly EventBlock[]
  /** Events in `blocks`. */
  readonly rows: number
  readonly errors: readonly EventError[]
  /** Events that `errors` are about, all of them. */
  readonly badEvents: number
  /** The body is not JSON: then there are no blocks, whatever the policy. */
  readonly malformed: boolean
}

export const defaultMaxErrors = 100

/** Makes the decoder of one topic. It keeps its buffers, so make it once and use it for every request. */
export function compileDecoder(topic: DecoderTopic): TopicDecoder {
  return new TopicDecoder(topic)
}

export class TopicDecoder {
  readonly topic: DecoderTopic
  readonly #scanner = new JsonScanner()
  readonly #reader: BlockReader

  constructor(topic: DecoderTopic) {
    this.topic = topic
    this.#reader = new BlockReader(new RowReader(topic, this.#scanner))
  }

  /**
   * Reads a whole body.
   * @param format `auto` tells an array by its bracket, and NDJSON from one object by what follows the first one
   */
  decodeBody(body: Uint8Array, format: BodyFormat | 'auto' = 'auto', options: DecodeOptions = {}): Decoded {
    const known = format === 'auto' ? this.#detectFormat(body) : format
    const walk = new Walk(this.#scanner, this.#reader, known, options)
    walk.walker.walkAll(body)
    if (known === 'array') walk.walker.expectEnd()
    return walk.decoded()
  }

  #detectFormat(body: Uint8Array): BodyFormat {
    const scanner = this.#scanner
    scanner.load(body.subarray(0, windowBytes))
    const format = detectFormat(scanner)
    // What the first piece does not show to its end takes the whole body.
    if (body.length <= windowBytes || format === 'array' || (format === 'ndjson' && !scanner.endedEarly)) return format
    scanner.load(body)
    return detectFormat(scanner)
  }
}

/** Reads NDJSON or a JSON array that comes in pieces. */
export class EventStream {
  readonly #scanner = new JsonScanner()
  readonly #reader: BlockReader
  readonly #walk: Walk
  readonly #format: 'array' | 'ndjson'

  constructor(topic: DecoderTopic, format: 'array' | 'ndjson', options: DecodeOptions = {}) {
    this.#reader = new BlockReader(new RowReader(topic, this.#scanner))
    this.#format = format
    this.#walk = new Walk(this.#scanner, this.#reader, format, options, true)
  }

  get errors(): readonly EventError[] {
    return this.#walk.walker.errors
  }

  get badEvents(): number {
    return this.#walk.walker.badEvents
  }

  get malformed(): boolean {
    return this.#walk.walker.malformed
  }

  /** @returns the blocks that are full; the last event may lie in two pieces */
  feed(piece: Uint8Array): readonly EventBlock[] {
    const { walker } = this.#walk
    this.#scanner.append(piece)
    walker.walk(false)
    if (this.#format === 'array' && walker.closed) walker.expectEnd()
    walker.discard()
    return this.#reader.takeFull()
  }

  /** @returns the remaining blocks. What was there last may have been an error: look at `errors` */
  end(): readonly EventBlock[] {
    const { walker } = this.#walk
    walker.walk(true)
    if (this.#format === 'array') walker.expectEnd()
    return this.#reader.takeAll()
  }
}

/** One walk through a body and its outcome. */
class Walk {
  readonly walker: EventWalker
  readonly #reader: BlockReader
  readonly #policy: 'reject' | 'skip'

  constructor(
    scanner: JsonScanner,
    reader: BlockReader,
    format: BodyFormat,
    options: DecodeOptions,
    countsLines = false,
  ) {
    this.#reader = reader
    this.#policy = options.policy ?? 'reject'
    this.walker = new EventWalker(scanner, reader, format, {
      maxErrors: options.maxErrors ?? defaultMaxErrors,
      countsLines,
    })
  }

  decoded(): Decoded {
    const { errors, badEvents, malformed } = this.walker
    const all = this.#reader.takeAll()
    const blocks = malformed || (badEvents > 0 && this.#policy === 'reject') ? [] : all
    return { blocks, rows: blocks.reduce((sum, block) => sum + block.rows, 0), errors, badEvents, malformed }
  }
}

/** Reads rows and cuts them into blocks. */
class BlockReader implements EventReader {
  readonly #row: RowReader
  #blocks: EventBlock[] = []

  constructor(row: RowReader) {
    this.#row = row
  }

  get problems(): readonly Problem[] {
    return this.#row.problems
  }

  read(at: number): number {
    return this.#row.read(at)
  }

  commit(): void {
    this.#row.commit()
    if (this.#row.builder.full) this.#cut()
  }

  rollback(): void {
    this.#row.rollback()
  }

  #cut(): void {
    const { builder } = this.#row
    const { rows } = builder
    this.#blocks.push({ rows, bytes: builder.finish() })
  }

  takeFull(): readonly EventBlock[] {
    const blocks = this.#blocks
    this.#blocks = []
    return blocks
  }

  takeAll(): readonly EventBlock[] {
    if (this.#row.builder.rows > 0) this.#cut()
    return this.takeFull()
  }
}

function detectFormat(scanner: JsonScanner): BodyFormat {
  scanner.lineFeed = 0x20
  scanner.errorAt = 0
  const start = scanner.space(0)
  if (scanner.bytes[start] === 0x5b) return 'array'
  const end = scanner.skip(start)
  if (end >= 0) return scanner.space(end) < scanner.end ? 'ndjson' : 'object'
  // The first event is broken. A line that begins like another one tells what was meant.
  const line = scanner.bytes.indexOf(0x0a, start)
  if (line < 0 || line >= scanner.end) return 'object'
  const broken = scanner.errorAt <= line
  return broken && scanner.bytes[scanner.space(line)] === 0x7b ? 'ndjson' : 'object'
}
