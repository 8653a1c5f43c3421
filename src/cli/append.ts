import type { Connection } from '../client/connection.ts'
import { type ByteSource, fileSource, openInput, streamSource } from '../connectors/files/byte-source.ts'
import { formatOf, readInput } from '../connectors/files/input.ts'
import { blockColumn, openBlock } from '../data/block.ts'
import { ByteWriter } from '../data/byte-writer.ts'
import { blockCells, bytesLength, bytesStart, isNull } from '../data/cell-access.ts'
import { MillraceError } from '../data/errors.ts'
import { compilePrinter } from '../data/json-print.ts'
import { known } from '../database/names.ts'
import type { Io } from '../io/io.ts'
import type { TopicDefinition } from '../plan/program.ts'
import type { CatalogBody } from '../protocol/answers.ts'
import { typeOfName } from '../protocol/type-names.ts'
import { say, writeOut } from './output.ts'

/** Bytes of one request, but for a line that is longer. */
const requestBytes = 2 * 1024 * 1024

/** Whole lines of NDJSON, and which line of the input they begin with. */
interface Lines {
  readonly bytes: Uint8Array
  readonly firstLine: number
}

/** Appends a file's events to a topic of a running server, in requests of a good size. */
export async function append(
  io: Io,
  connection: Connection,
  topic: string,
  path: string,
  json: boolean,
): Promise<number> {
  const raw = path === '-' || formatOf(path) === 'ndjson'
  if (!raw) await (await openInput(io.disk, path)).close()
  const chunks = raw
    ? linesOf(path === '-' ? standardInput() : await fileSource(io.disk, path))
    : printedLines(io, path, definitionOf(await connection.catalog(), topic))
  let events = 0
  let asked = !raw
  for await (const { bytes, firstLine } of chunks) {
    const answer = await post(connection, topic, bytes, path, raw ? firstLine : null)
    asked = true
    const { first_offset, last_offset } = JSON.parse(answer) as { first_offset: number; last_offset: number }
    events += last_offset - first_offset + 1
    if (json) await writeOut(answer.endsWith('\n') ? answer : `${answer}\n`)
  }
  // Without events nothing was sent: is there such a server and topic at all?
  if (!asked) definitionOf(await connection.catalog(), topic)
  say(`appended ${events} ${events === 1 ? 'event' : 'events'} to ${topic}`)
  return 0
}

async function post(
  connection: Connection,
  topic: string,
  body: Uint8Array,
  path: string,
  firstLine: number | null,
): Promise<string> {
  try {
    const response = await connection.open(`/v1/topics/${encodeURIComponent(topic)}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: body as NonNullable<RequestInit['body']>,
    })
    return await response.text()
  } catch (error) {
    if (!(error instanceof MillraceError) || error.place.line === undefined || firstLine === null) throw error
    // The server counts the lines of its request.
    const { code, message, hint, place, errors } = error
    const before = firstLine - 1
    throw new MillraceError(code, message, {
      place: { ...place, ...movedPointer(place.pointer, before), file: path, line: before + error.place.line },
      errors: errors.map((one) => ({ ...one, ...movedPointer(one.pointer, before) })),
      ...(hint === undefined ? {} : { hint }),
    })
  }
}

/** A pointer into a request, as one into the whole input: its first step counts lines. */
function movedPointer(pointer: string | undefined, lines: number): { readonly pointer?: string } {
  if (pointer === undefined) return {}
  return { pointer: pointer.replace(/^\/(\d+)/, (_, index) => `/${Number(index) + lines}`) }
}

function standardInput(): ByteSource {
  return streamSource('-', process.stdin as AsyncIterable<Uint8Array>)
}

/** The bytes as they are, cut behind line ends. */
async function* linesOf(source: ByteSource): AsyncGenerator<Lines> {
  let gathered: Uint8Array[] = []
  let size = 0
  let line = 1
  const take = (bytes: Uint8Array): void => {
    if (bytes.length === 0) return
    gathered.push(bytes.slice())
    size += bytes.length
  }
  const flush = (): Lines => {
    const bytes = new Uint8Array(size)
    let at = 0
    for (const piece of gathered) {
      bytes.set(piece, at)
      at += piece.length
    }
    const lines = { bytes, firstLine: line }
    for (const byte of bytes) if (byte === 0x0a) line++
    gathered = []
    size = 0
    return lines
  }
  for await (const piece of source.pieces) {
    let from = 0
    while (size + piece.length - from >= requestBytes) {
      // The last line end that fits, or the next one behind a line that is longer.
      const fits = piece.lastIndexOf(0x0a, from + Math.max(0, requestBytes - size))
      const end = fits >= from ? fits : piece.indexOf(0x0a, from)
      if (end < 0) break
      take(piece.subarray(from, end + 1))
      from = end + 1
      yield flush()
    }
    take(piece.subarray(from))
  }
  if (size > 0) yield flush()
}

function definitionOf({ topics }: CatalogBody, name: string): TopicDefinition {
  const topic = topics.find((one) => one.name.toLowerCase() === name.toLowerCase())
  if (topic === undefined) {
    throw new MillraceError('topic/unknown', `there is no topic ${name}`, { hint: known(topics, name) })
  }
  const columns = topic.columns.map((column) => ({ ...column, type: typeOfName(column.type) }))
  const ordinal = (column: string): number => columns.findIndex((one) => one.name === column)
  return {
    id: 1,
    name: topic.name,
    columns,
    primaryKey: topic.primary_key.map(ordinal),
    eventTime: topic.event_time === null ? null : ordinal(topic.event_time),
    latenessMicros: topic.lateness_micros,
  }
}

/** Events of any format as NDJSON, checked here, where file and line are known. Unknown fields go along. */
async function* printedLines(io: Io, path: string, topic: TopicDefinition): AsyncGenerator<Lines> {
  const print = compilePrinter(topic.columns)
  const out = new ByteWriter(requestBytes)
  const flush = (): Lines => {
    const bytes = out.bytes.slice(0, out.length)
    out.length = 0
    return { bytes, firstLine: 1 }
  }
  for await (const { bytes } of readInput(io.disk, path, topic)) {
    const block = openBlock(bytes)
    const cells = blockCells(block, topic.columns.length)
    const rest = block.columns.get(blockColumn.rest) ?? null
    for (let row = 0; row < block.rows; row++) {
      print(block.memory, cells, row, out)
      if (!isNull(block.memory, rest, row)) {
        out.length--
        out.ascii(',')
        const start = bytesStart(block.memory, rest, row)
        out.copy(block.memory.u8, start + 1, start + bytesLength(block.memory, rest, row))
      }
      out.ascii('\n')
      if (out.length >= requestBytes) yield flush()
    }
  }
  if (out.length > 0) yield flush()
}
