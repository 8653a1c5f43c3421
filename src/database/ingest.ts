import { MillraceError } from '../data/errors.ts'
import { EventListDecoder } from '../data/event-list.ts'
import { compileDecoder, type Decoded, type TopicDecoder } from '../data/json-decoder.ts'
import type { Append, AppendAnswer, Idempotency } from '../log/log.ts'
import type { TopicDefinition } from '../plan/program.ts'

/** How events come as text. `json`: one object or an array of them; `auto`: by looking. */
export type EventFormat = 'json' | 'ndjson' | 'auto'

export interface DecodeOptions {
  /** `reject` (default): one bad event refuses all; `skip`: the good ones are appended, the bad ones listed. */
  readonly onInvalid?: 'reject' | 'skip'
  readonly idempotency?: Idempotency
}

/** Whether events may go to a topic. */
export type Allows = (topic: string) => boolean

/** Decoded events, ready to be appended. */
export interface DecodedAppend extends Append {
  readonly rows: number
  readonly skipped: Decoded['errors']
  readonly skippedEvents: number
}

export interface IngestAnswer {
  readonly tick: number
  readonly firstOffset: number
  /** One less than `firstOffset` where nothing was appended. */
  readonly lastOffset: number
  readonly rows: number
  readonly repeated: boolean
  /** With `onInvalid: 'skip'`, the first mistakes in what was left out. */
  readonly skipped: Decoded['errors']
  /** Events that were left out, all of them. */
  readonly skippedEvents: number
}

/** Events as text, to blocks. */
export class Ingest {
  readonly #topics: readonly TopicDefinition[]
  readonly #decoders = new Map<number, TopicDecoder>()
  /** By the topics that they know. */
  readonly #lists = new Map<string, EventListDecoder>()

  constructor(topics: readonly TopicDefinition[]) {
    this.#topics = topics
  }

  /** @throws MillraceError event/invalid with one pointer per bad event, request/malformed */
  decode(topic: TopicDefinition, body: Uint8Array, format: EventFormat, options: DecodeOptions = {}): DecodedAppend {
    let decoder = this.#decoders.get(topic.id)
    if (decoder === undefined) {
      decoder = compileDecoder(topic)
      this.#decoders.set(topic.id, decoder)
    }
    const policy = options.onInvalid ?? 'reject'
    const decoded = decoder.decodeBody(body, format === 'json' ? bracketOf(body) : format, { policy })
    refuseBad(decoded, policy)
    return {
      blocks: decoded.blocks.map(({ rows, bytes }) => ({ topic: topic.id, rows, bytes })),
      rows: decoded.rows,
      skipped: decoded.errors,
      skippedEvents: decoded.badEvents,
      ...(options.idempotency === undefined ? {} : { idempotency: options.idempotency }),
    }
  }

  /** @throws MillraceError event/invalid with one pointer per bad event, request/malformed */
  decodeList(body: Uint8Array, idempotency?: Idempotency, mayAppend: Allows = () => true): Append {
    const topics = this.#topics.filter(({ name }) => mayAppend(name))
    const key = topics.map(({ id }) => id).join()
    const decoder = this.#lists.get(key) ?? new EventListDecoder(topics)
    this.#lists.set(key, decoder)
    const decoded = decoder.decodeBody(body)
    refuseBad(decoded, 'reject')
    return { blocks: decoded.blocks, ...(idempotency === undefined ? {} : { idempotency }) }
  }
}

/** JSON text is an array or one object. */
function bracketOf(body: Uint8Array): 'array' | 'object' {
  const first = body.find((byte) => byte > 0x20)
  return first === 0x5b ? 'array' : 'object'
}

type Bad = Pick<Decoded, 'errors' | 'badEvents' | 'malformed'>

function refuseBad(decoded: Bad, policy: 'reject' | 'skip'): void {
  if (decoded.malformed || (decoded.badEvents > 0 && policy === 'reject')) throw badEvents(decoded)
}

/** The error that refuses events that cannot be decoded, with a pointer to each mistake. */
export function badEvents({ errors, badEvents: count, malformed }: Bad): MillraceError {
  const [first] = errors
  const place = { pointer: first?.pointer ?? '', ...(first?.line === undefined ? {} : { line: first.line }) }
  if (malformed) {
    const why = first?.detail.replace(/^not JSON: /, '') ?? ''
    return new MillraceError('request/malformed', `the body cannot be read: ${why}`, { place, errors })
  }
  if (count === 1 && first !== undefined) return new MillraceError(first.code, first.detail, { place, errors })
  return new MillraceError('event/invalid', `${count} events are wrong`, { place, errors })
}

export function ingestAnswer({ rows, skipped, skippedEvents }: DecodedAppend, answer: AppendAnswer): IngestAnswer {
  const [{ firstOffset, lastOffset }] = answer.offsets
  return { tick: answer.tick, firstOffset, lastOffset, rows, repeated: answer.repeated, skipped, skippedEvents }
}

export function nothingAppended(
  { skipped, skippedEvents }: DecodedAppend,
  tick: number,
  nextOffset: number,
): IngestAnswer {
  return { tick, firstOffset: nextOffset, lastOffset: nextOffset - 1, rows: 0, repeated: false, skipped, skippedEvents }
}
