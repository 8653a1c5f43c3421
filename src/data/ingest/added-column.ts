import { corrupt } from '../block.ts'
import type { BlockBuilder } from '../block-builder.ts'
import { builtPart, type Part } from '../block-parts.ts'
import { cellErrors } from '../cell.ts'
import { bytesLength, bytesStart, isNull } from '../cell-access.ts'
import type { StoredColumn } from '../stored-column.ts'
import type { JsonScanner } from './json-scan.ts'
import { RowReader } from './row-reader.ts'

/**
 * A column that came later, as older events have it: among their unknown fields, read as if it had been a column
 * then. A field that does not fit its type is an error cell and stays where it was.
 */
export class AddedColumn {
  readonly id: number
  readonly #scanner: JsonScanner
  readonly #reader: RowReader
  readonly #builder: BlockBuilder

  constructor(id: number, { name, type }: StoredColumn, scanner: JsonScanner) {
    this.id = id
    this.#scanner = scanner
    this.#reader = new RowReader(
      { name: '', columns: [{ name, type, nullable: true }], primaryKey: [], eventTime: null },
      scanner,
    )
    this.#builder = this.#reader.builder
  }

  /**
   * Looks through the rows of a block.
   * @param rests each row's unknown fields as JSON text; a field that was found is taken out
   * @param cells what the block has of the column itself
   * @returns whether a field was found: then `finish` gives the column
   */
  take(rests: (Uint8Array | null)[], cells: Part | null): boolean {
    this.#builder.clear()
    this.#builder.reserveRows(rests.length)
    let any = false
    for (let row = 0; row < rests.length; row++) {
      const rest = rests[row]
      if (cells !== null && !isNull(cells.memory, cells.section, row)) this.#copy(cells, row)
      else if (rest === null || !this.#read(rests, row, rest)) this.#builder.columns[0].setNull(row)
      else any = true
      this.#builder.commitRow()
    }
    return any
  }

  /** @returns null where all cells are NULL */
  finish(): Part | null {
    return builtPart(this.#builder, this.id, 0)
  }

  /** @returns whether the field is there */
  #read(rests: (Uint8Array | null)[], row: number, rest: Uint8Array): boolean {
    const reader = this.#reader
    const [column] = reader.columns
    this.#scanner.load(rest)
    if (reader.read(0) < 0) throw corrupt('unknown fields of an event are no JSON object')
    if (reader.problems.length > 0) {
      column.setNull(row)
      column.state[row] = cellErrors.unfitField
      return true
    }
    const { unknown } = reader
    if (unknown.length > 0) unknown.close()
    // The text was made of the same fields in the same way: it is shorter by the one that was found.
    if (unknown.length === rest.length) return false
    rests[row] = unknown.length === 0 ? null : unknown.bytes.slice(0, unknown.length)
    return true
  }

  #copy({ memory, section }: Part, row: number): void {
    const [column] = this.#builder.columns
    if (section.lane === 'i32') column.setI32(row, memory.i32[(section.data >>> 2) + row])
    else if (section.lane === 'i64') column.setBig(row, memory.i64[section.data / 8 + row])
    else if (section.lane === 'f64') column.setF64(row, memory.f64[section.data / 8 + row])
    else {
      const start = bytesStart(memory, section, row)
      column.setBytes(row, memory.u8, start, start + bytesLength(memory, section, row))
    }
  }
}
