import { MillraceError } from '../data/errors.ts'
import type { Database, EventFormat } from '../database.ts'
import { sha256 } from '../io/digest.ts'
import type { Idempotency } from '../log/log.ts'
import type { AppendBody, AppendMixedBody } from '../protocol/answers.ts'
import { appendCloudEvents, cloudEventMode } from './cloud-events.ts'
import { type ApiAnswer, type ApiRequest, jsonAnswer } from './exchange.ts'
import { mediaTypeOf, requireJson } from './media-type.ts'
import { Parameters } from './parameters.ts'

/** Events go in: the first file of an event's life. */

const formats: Readonly<Record<string, EventFormat>> = {
  'application/json': 'json',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/x-jsonlines': 'ndjson',
}

/** POST /v1/topics/{topic}/events */
export async function appendEvents(
  database: Database,
  request: ApiRequest,
  scope: string,
  name: string,
  query: string,
): Promise<ApiAnswer> {
  const topic = database.topic(name)
  const parameters = new Parameters(query)
  const onInvalid = parameters.choice('on_invalid', ['reject', 'skip']) ?? 'reject'
  parameters.end()
  const mode = cloudEventMode(request)
  const format = mode === null ? formatOf(request) : null
  const key = idempotencyKey(request)
  const body = await request.readBody()
  const options = { onInvalid, ...keyed(`/v1/topics/${topic.name}/events${scope}`, key, body) }
  const { tick, firstOffset, lastOffset, repeated, skipped, skippedEvents } =
    mode === null
      ? await database.appendText(topic.name, body, format!, options)
      : await appendCloudEvents(database, topic.name, request, mode, body, options)
  const answer: AppendBody = {
    tick,
    first_offset: firstOffset,
    last_offset: lastOffset,
    ...(onInvalid === 'skip'
      ? { skipped: skippedEvents, errors: skipped.map(({ pointer, detail }) => ({ pointer, detail })) }
      : {}),
  }
  return jsonAnswer(201, answer, replayed(repeated))
}

/** Whom events over several topics come from. */
export interface Appender {
  /** Sets his idempotency keys apart. */
  readonly scope: string
  readonly mayAppend: (topic: string) => boolean
}

/** POST /v1/append */
export async function appendMixed(
  database: Database,
  request: ApiRequest,
  { scope, mayAppend }: Appender,
  query: string,
): Promise<ApiAnswer> {
  new Parameters(query).end()
  if (cloudEventMode(request) !== null) {
    throw new MillraceError('request/media-type', 'CloudEvents go to one topic at a time', {
      hint: 'POST them to /v1/topics/{topic}/events',
    })
  }
  requireJson(request)
  const key = idempotencyKey(request)
  const body = await request.readBody()
  const { idempotency } = keyed(`/v1/append${scope}`, key, body)
  const { tick, offsets, repeated } = await database.appendMixed(body, idempotency, mayAppend)
  const names = new Map(database.catalog().topics.map((topic) => [topic.id, topic.name]))
  const answer: AppendMixedBody = {
    tick,
    offsets: Object.fromEntries(
      offsets.map(({ topic, firstOffset, lastOffset }) => [
        names.get(topic),
        { first_offset: firstOffset, last_offset: lastOffset },
      ]),
    ),
  }
  return jsonAnswer(201, answer, replayed(repeated))
}

function replayed(repeated: boolean): Record<string, string> {
  return repeated ? { 'idempotency-replayed': 'true' } : {}
}

function formatOf(request: ApiRequest): EventFormat {
  const type = mediaTypeOf(request)
  if (type === null) return 'auto'
  if (Object.hasOwn(formats, type)) return formats[type]
  throw new MillraceError('request/media-type', `events do not come as ${type}`, {
    hint: 'send application/json or application/x-ndjson as the Content-Type',
  })
}

/** The most characters of an idempotency key. */
const keyLength = 255

function idempotencyKey(request: ApiRequest): string | null {
  const key = request.header('idempotency-key')
  if (key === null) return null
  if (key.length > 0 && key.length <= keyLength && /^[\x20-\x7e]+$/.test(key)) return key
  throw new MillraceError('request/parameter', `Idempotency-Key has 1 to ${keyLength} printable ASCII characters`)
}

function keyed(scope: string, key: string | null, body: Uint8Array): { idempotency?: Idempotency } {
  return key === null ? {} : { idempotency: { scope, key, digest: sha256(body) } }
}
