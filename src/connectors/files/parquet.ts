import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetRead, type SchemaElement } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { batchRows } from '../../data/batch.ts'
import type { BlockBuilder, BuilderColumn } from '../../data/block-builder.ts'
import { MillraceError } from '../../data/errors.ts'
import { type DecoderTopic, isRequired, rowBuilder } from '../../data/ingest/row-reader.ts'
import type { DiskFile } from '../../io/io.ts'
import type { InputBlock } from './byte-source.ts'
import { type ParquetColumn, type ParquetFiller, parquetFiller } from './parquet-cells.ts'

/**
 * Reads a Parquet file a row group at a time, column by column. Columns are matched by name; a column of the file
 * that the topic lacks is not read, since a file of columns is no list of events that could lose something.
 * @throws MillraceError event/invalid, for a value or column that does not fit the topic, or a damaged file
 */
export async function* readParquet(file: DiskFile, name: string, topic: DecoderTopic): AsyncGenerator<InputBlock> {
  try {
    const buffer = await asyncBuffer(file)
    const metadata = await readMetadata(buffer, name)
    const plan = planColumns(metadata, name, topic)
    const builder = rowBuilder(topic)
    const total = Number(metadata.num_rows)
    let first = 0
    for (const group of metadata.row_groups) {
      const rows = Number(group.num_rows)
      const chunks = await readGroup(buffer, metadata, plan, first, first + rows, name)
      for (let done = 0; done < rows; ) {
        const count = Math.min(batchRows - builder.rows, rows - done)
        fillRows(builder, plan, chunks, done, count, { file: name, first: first + done })
        done += count
        if (!builder.full) continue
        const block = { rows: builder.rows, bytes: builder.finish() }
        yield { ...block, readBytes: Math.floor((buffer.byteLength * (first + done)) / Math.max(1, total)) }
      }
      first += rows
    }
    if (builder.rows > 0) yield { rows: builder.rows, bytes: builder.finish(), readBytes: buffer.byteLength }
  } finally {
    await file.close()
  }
}

async function asyncBuffer(file: DiskFile): Promise<AsyncBuffer> {
  const byteLength = await file.size()
  return {
    byteLength,
    async slice(start, end = byteLength) {
      const from = start < 0 ? byteLength + start : start
      const bytes = new Uint8Array(Math.max(0, Math.min(end, byteLength) - from))
      const count = await file.read(bytes, from)
      return bytes.buffer.slice(0, count)
    },
  }
}

function damaged(name: string, cause: unknown): MillraceError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new MillraceError('event/invalid', `${name} cannot be read as Parquet: ${why}`, {
    place: { file: name },
    hint: 'check that the file is complete and not encrypted',
    cause,
  })
}

async function readMetadata(buffer: AsyncBuffer, name: string): Promise<FileMetaData> {
  try {
    return await parquetMetadataAsync(buffer)
  } catch (error) {
    throw damaged(name, error)
  }
}

interface ColumnPlan {
  readonly column: number
  /** The column's name in the file. */
  readonly name: string
  readonly fill: ParquetFiller
  readonly required: boolean
}

interface Plan {
  readonly columns: readonly ColumnPlan[]
  readonly missing: readonly number[]
}

/** Matches the file's columns with the topic's, and strips what would make the library convert values by itself. */
function planColumns(metadata: FileMetaData, name: string, topic: DecoderTopic): Plan {
  const columns: ColumnPlan[] = []
  for (const [column, schema] of topic.columns.entries()) {
    const element = findColumn(topLevel(metadata.schema), schema.name)
    const required = isRequired(topic, column)
    const refuse = (what: string): MillraceError =>
      new MillraceError('event/invalid', `column ${schema.name} of ${topic.name}: ${what}`, {
        place: { file: name },
        hint: 'change the topic’s column, or write the file with one that fits',
      })
    if (element === null) {
      if (required) throw refuse('the file has no such column, and it must not be null')
      continue
    }
    const fill = parquetFiller(schema.type, element)
    if (typeof fill === 'string') throw refuse(fill)
    columns.push({ column, name: element.name, fill, required })
  }
  for (const element of metadata.schema) {
    delete element.logical_type
    delete element.converted_type
  }
  const missing = topic.columns.map((_, i) => i).filter((i) => !columns.some(({ column }) => column === i))
  return { columns, missing }
}

/** The root's children, each with its nested ones left out. */
function topLevel(schema: readonly SchemaElement[]): ParquetColumn[] {
  const columns: ParquetColumn[] = []
  let at = 1
  const skip = (): void => {
    for (let children = schema[at++].num_children ?? 0; children > 0; children--) skip()
  }
  while (at < schema.length) {
    columns.push({ ...schema[at] })
    skip()
  }
  return columns
}

function findColumn(columns: readonly ParquetColumn[], name: string): ParquetColumn | null {
  const exact = columns.find((column) => column.name === name)
  if (exact !== undefined) return exact
  const folded = columns.filter((column) => column.name.toLowerCase() === name.toLowerCase())
  return folded.length === 1 ? folded[0] : null
}

/** One column's values in a row group. */
type Values = ArrayLike<unknown>

async function readGroup(
  file: AsyncBuffer,
  metadata: FileMetaData,
  plan: Plan,
  rowStart: number,
  rowEnd: number,
  name: string,
): Promise<readonly Values[]> {
  const columns: Values[] = []
  // One column at a time: decoding is synchronous, and whoever serves meanwhile gets a turn in between.
  for (const column of plan.columns) columns.push(await readColumn(file, metadata, column.name, rowStart, rowEnd, name))
  return columns
}

async function readColumn(
  file: AsyncBuffer,
  metadata: FileMetaData,
  column: string,
  rowStart: number,
  rowEnd: number,
  name: string,
): Promise<Values> {
  if (rowEnd === rowStart) return []
  const parts: { readonly start: number; readonly values: Values }[] = []
  try {
    await parquetRead({
      file,
      metadata,
      compressors,
      utf8: false,
      columns: [column],
      rowStart,
      rowEnd,
      onChunk: ({ columnData, rowStart: start }) => {
        parts.push({ start, values: columnData })
      },
    })
  } catch (error) {
    throw damaged(name, error)
  }
  const rows = parts.reduce((sum, part) => sum + part.values.length, 0)
  if (rows !== rowEnd - rowStart) throw damaged(name, `column ${column} has ${rows} of ${rowEnd - rowStart} rows`)
  if (parts.length === 1) return parts[0].values
  return parts.sort((a, b) => a.start - b.start).flatMap((part) => Array.from(part.values))
}

function fillRows(
  builder: BlockBuilder,
  plan: Plan,
  chunks: readonly Values[],
  from: number,
  count: number,
  place: { readonly file: string; readonly first: number },
): void {
  builder.reserveRows(builder.rows + count)
  for (const column of plan.missing) fillNulls(builder.columns[column], builder.rows, count)
  plan.columns.forEach(({ column, fill, name, required }, i) => {
    const cells = builder.columns[column]
    let at = 0
    let detail: string | null = null
    for (; at < count && detail === null; at++) {
      const value = chunks[i][from + at]
      const row = builder.rows + at
      if (value === null || value === undefined) {
        if (required) detail = 'must not be null'
        else cells.setNull(row)
      } else {
        detail = fill(cells, row, value)
        // A string counts from here on; rows are committed for all columns at once.
        if (cells.lane === 'bytes') cells.end += cells.words[row * 2 + 1]
      }
    }
    if (detail !== null) throw badCell(place.file, place.first + at - 1, name, detail)
  })
  builder.commitColumns(count)
}

function fillNulls(cells: BuilderColumn, row: number, count: number): void {
  for (let i = 0; i < count; i++) cells.setNull(row + i)
}

function badCell(file: string, row: number, column: string, detail: string): MillraceError {
  const pointer = `/${row}/${column.replaceAll('~', '~0').replaceAll('/', '~1')}`
  return new MillraceError('event/invalid', detail, {
    place: { file, pointer },
    errors: [{ pointer, detail }],
    hint: 'correct the value, or leave its row out',
  })
}
