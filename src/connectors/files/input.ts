import { MillraceError } from '../../data/errors.ts'
import type { EventGroup } from '../../data/event-list.ts'
import { EventListStream } from '../../data/event-list.ts'
import type { ListedTopic } from '../../data/ingest/envelope-reader.ts'
import type { EventError } from '../../data/ingest/event-walker.ts'
import type { DecoderTopic } from '../../data/ingest/row-reader.ts'
import { type EventBlock, EventStream } from '../../data/json-decoder.ts'
import type { Disk } from '../../io/io.ts'
import { type ByteSource, fileSource, type InputBlock, openInput, withoutMark } from './byte-source.ts'
import { CsvStream } from './csv.ts'

export interface InputGroup extends EventGroup {
  readonly readBytes: number
}

export type InputFormat = 'ndjson' | 'json' | 'csv' | 'parquet'

/** What takes pieces of a file and gives blocks. */
interface BlockStream {
  readonly errors: readonly EventError[]
  feed(piece: Uint8Array): readonly EventBlock[]
  end(): readonly EventBlock[]
}

/** @throws MillraceError usage, for a name whose ending says nothing */
export function formatOf(path: string): InputFormat {
  const ending = /\.(\w+)$/.exec(path)?.[1].toLowerCase()
  if (ending === 'ndjson' || ending === 'jsonl') return 'ndjson'
  if (ending === 'json' || ending === 'csv' || ending === 'parquet') return ending
  throw new MillraceError('usage', `cannot tell the format of ${path}`, {
    place: { file: path },
    hint: 'name it .ndjson, .jsonl, .json, .csv or .parquet',
  })
}

/**
 * Reads a file of one topic's events, its format told by its ending.
 * @throws MillraceError event/invalid at the first bad event, with file, line and pointer; usage
 */
export async function* readInput(disk: Disk, path: string, topic: DecoderTopic): AsyncGenerator<InputBlock> {
  const format = formatOf(path)
  if (format !== 'parquet') {
    yield* readSource(await fileSource(disk, path), format, topic)
    return
  }
  // Loaded only when it is needed: its decompressors take a while to start.
  const { readParquet } = await import('./parquet.ts')
  yield* readParquet(await openInput(disk, path), path, topic)
}

/** The same for bytes from anywhere, such as standard input; Parquet needs a file. */
export function readSource(
  source: ByteSource,
  format: Exclude<InputFormat, 'parquet'>,
  topic: DecoderTopic,
): AsyncGenerator<InputBlock> {
  switch (format) {
    case 'ndjson':
      return readNdjson(source, topic)
    case 'json':
      return readJson(source, topic)
    case 'csv':
      return readCsv(source, topic)
  }
}

/** One JSON object a line. */
export function readNdjson(source: ByteSource, topic: DecoderTopic): AsyncGenerator<InputBlock> {
  return readBlocks(source, new EventStream(topic, 'ndjson', { maxErrors: 1 }))
}

/** A JSON array of objects. */
export function readJson(source: ByteSource, topic: DecoderTopic): AsyncGenerator<InputBlock> {
  return readBlocks(source, new EventStream(topic, 'array', { maxErrors: 1 }))
}

/** CSV (RFC 4180) with a line of column names. */
export function readCsv(source: ByteSource, topic: DecoderTopic): AsyncGenerator<InputBlock> {
  return readBlocks(source, new CsvStream(topic))
}

async function* readBlocks(source: ByteSource, stream: BlockStream): AsyncGenerator<InputBlock> {
  let readBytes = 0
  for await (const piece of withoutMark(source.pieces)) {
    readBytes += piece.length
    const blocks = stream.feed(piece)
    throwFirst(source.name, stream.errors)
    for (const block of blocks) yield { ...block, readBytes }
  }
  const blocks = stream.end()
  throwFirst(source.name, stream.errors)
  for (const block of blocks) yield { ...block, readBytes }
}

/**
 * Reads an NDJSON file of events that name their topic, in order of arrival, `cutEvery` events at a time.
 * @throws MillraceError at the first bad event: event/invalid, topic/unknown or event/unsupported-delete
 */
export async function* readEventList(
  source: ByteSource,
  topics: readonly ListedTopic[],
  cutEvery?: number,
): AsyncGenerator<InputGroup> {
  const stream = new EventListStream(topics, 'ndjson', {
    maxErrors: 1,
    ...(cutEvery === undefined ? {} : { cutEvery }),
  })
  let readBytes = 0
  for await (const piece of withoutMark(source.pieces)) {
    readBytes += piece.length
    const groups = stream.feed(piece)
    throwFirst(source.name, stream.errors)
    for (const group of groups) yield { ...group, readBytes }
  }
  const groups = stream.end()
  throwFirst(source.name, stream.errors)
  for (const group of groups) yield { ...group, readBytes }
}

function throwFirst(file: string, errors: readonly EventError[]): void {
  if (errors.length > 0) throw badEvent(file, errors[0])
}

/** The error that a bad event of a file ends the reading with. */
export function badEvent(file: string, error: EventError): MillraceError {
  const { line, pointer, detail } = error
  const code = error.code === 'request/malformed' ? 'event/invalid' : error.code
  return new MillraceError(code, detail, {
    place: { file, pointer, ...(line === undefined ? {} : { line }) },
    errors: [{ pointer, detail }],
    hint: hints[code] ?? 'correct the event, or leave it out',
  })
}

const hints: Readonly<Record<string, string>> = {
  'topic/unknown': 'define the topic in the app, or correct its name',
  'event/unsupported-delete': 'give the topic a primary key, or leave the delete out',
}
