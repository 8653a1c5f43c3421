import { type Block, blockColumn, checkHeader, directoryBytes, headerBytes, openBlock, openColumn } from './block.ts'
import { BlockBuilder } from './block-builder.ts'
import { builtPart, joinBlock, type Part } from './block-parts.ts'
import { bytesLength, bytesStart, isNull } from './cell-access.ts'
import { AddedColumn } from './ingest/added-column.ts'
import { JsonScanner } from './ingest/json-scan.ts'
import { viewsOver } from './memory.ts'
import { laneOf } from './sql-type.ts'
import { columnIds, type StoredColumn } from './stored-column.ts'
import { widenedPart } from './widen.ts'

/**
 * Blocks of a topic whose columns have changed since. The log keeps what was appended; whoever reads it gets the
 * columns of today: a widened one in the lane of its type now, an added one with what the events had among their
 * unknown fields. Columns that were dropped stay where they are, and nobody asks for them.
 *
 * @returns null where no block can need it; else what gives a block as it would be written now, or the very same
 * @throws MillraceError log/corrupt, from the returned function
 */
export function olderBlocks(columns: readonly StoredColumn[]): ((bytes: Uint8Array) => Uint8Array) | null {
  if (!columns.some(({ was, added }) => was !== undefined || added === true)) return null
  const reader = new OlderBlocks(columns)
  return (bytes) => reader.read(bytes)
}

class OlderBlocks {
  readonly #columns: ReadonlyMap<number, StoredColumn>
  readonly #added: readonly AddedColumn[]

  constructor(columns: readonly StoredColumn[]) {
    const ids = columnIds(columns)
    const scanner = new JsonScanner()
    this.#columns = new Map(columns.map((column, i) => [ids[i], column]))
    this.#added = columns.flatMap((column, i) =>
      column.added === true ? [new AddedColumn(ids[i], column, scanner)] : [],
    )
  }

  read(bytes: Uint8Array): Uint8Array {
    const { widened, rest } = this.#look(bytes)
    if (widened.length === 0 && !rest) return bytes
    const block = openBlock(bytes)
    const parts = new Map<number, Part>()
    for (const [id, section] of block.columns) parts.set(id, { id, memory: block.memory, section })
    for (const id of widened) put(parts, id, widenedPart(block, id, this.#columns.get(id)!))
    if (rest && !this.#takeFields(block, parts) && widened.length === 0) return bytes
    return joinBlock(block.rows, [...parts.values()])
  }

  /** What of a block is not as it would be written now; only its directory is looked at. */
  #look(bytes: Uint8Array): { readonly widened: readonly number[]; readonly rest: boolean } {
    const whole = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice()
    const memory = viewsOver(whole.buffer, whole.byteOffset, whole.byteLength)
    const rows = checkHeader(memory, 0, whole.byteLength)
    const widened: number[] = []
    let rest = false
    for (let i = 0, entry = headerBytes >>> 2; i < memory.u32[4]; i++, entry += directoryBytes >>> 2) {
      const id = memory.u32[entry] & 0xffff
      const column = this.#columns.get(id)
      if (id === blockColumn.rest) rest = this.#added.length > 0
      else if (column?.was !== undefined && openColumn(memory, 0, entry, rows).lane !== laneOf(column.type)) {
        widened.push(id)
      }
    }
    return { widened, rest }
  }

  /** Moves what added columns find among the unknown fields. @returns whether there was any */
  #takeFields({ memory, rows, columns }: Block, parts: Map<number, Part>): boolean {
    const section = columns.get(blockColumn.rest)!
    const rests = Array.from({ length: rows }, (_, row) => {
      if (isNull(memory, section, row)) return null
      const start = bytesStart(memory, section, row)
      return memory.u8.subarray(start, start + bytesLength(memory, section, row))
    })
    let any = false
    for (const added of this.#added) {
      if (!added.take(rests, parts.get(added.id) ?? null)) continue
      any = true
      put(parts, added.id, added.finish())
    }
    if (any) put(parts, blockColumn.rest, restPart(rests))
    return any
  }
}

function put(parts: Map<number, Part>, id: number, part: Part | null): void {
  if (part === null) parts.delete(id)
  else parts.set(id, part)
}

function restPart(rests: readonly (Uint8Array | null)[]): Part | null {
  const builder = new BlockBuilder([])
  builder.reserveRows(rests.length)
  for (const rest of rests) {
    if (rest !== null) builder.setRest(rest, 0, rest.length)
    builder.commitRow()
  }
  return builtPart(builder, blockColumn.rest, blockColumn.rest)
}
