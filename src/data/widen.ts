import { type Block, corrupt, type Section } from './block.ts'
import { BlockBuilder } from './block-builder.ts'
import { builtPart, type Part } from './block-parts.ts'
import { bigInteger, isNull } from './cell-access.ts'
import { makeDecimal, powerOfTen } from './decimal.ts'
import { encodeDecimal } from './decimal-bytes.ts'
import type { MemoryViews } from './memory.ts'
import { laneOf, type SqlType } from './sql-type.ts'
import type { StoredColumn } from './stored-column.ts'

const integerDigits: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 }

/**
 * Whether every value of a type is one of another, equal to the same ones as before, and prints as PostgreSQL's ALTER
 * TYPE would leave it: then a column may change so. A type is wider than itself.
 */
export function isWider(from: SqlType, to: SqlType): boolean {
  switch (from.kind) {
    case 'smallint':
    case 'integer':
    case 'bigint': {
      if (to.kind === 'numeric') {
        return to.precision === undefined || to.precision - (to.scale ?? 0) >= integerDigits[from.kind]
      }
      return to.kind in integerDigits && integerDigits[to.kind] >= integerDigits[from.kind]
    }
    case 'numeric':
      if (to.kind !== 'numeric') return false
      if (to.precision === undefined) return true
      return from.precision !== undefined && from.scale === to.scale && from.precision <= to.precision
    case 'varchar':
    case 'text':
      if (to.kind === 'text') return true
      if (to.kind !== 'varchar') return false
      return (
        to.length === undefined || (from.kind === 'varchar' && from.length !== undefined && from.length <= to.length)
      )
    case 'real':
      return to.kind === 'real' || to.kind === 'double'
    default:
      return from.kind === to.kind
  }
}

/**
 * A column's cells as its type of today holds them. Only integers and decimals ever change their lane: what other
 * types gain does not show in a cell.
 * @returns null where all of them are NULL
 * @throws MillraceError log/corrupt where the column never had this lane
 */
export function widenedPart(block: Block, id: number, { name, type, was = [] }: StoredColumn): Part | null {
  const section = block.columns.get(id)!
  const before = was.find((earlier) => laneOf(earlier) === section.lane)
  if (before === undefined) throw corrupt(`its column ${id} is of lane ${section.lane}, not ${laneOf(type)}`)
  const scaleBefore = before.kind === 'numeric' ? (before.scale ?? 0) : 0
  const scale = type.kind === 'numeric' ? (type.scale ?? scaleBefore) : 0
  const factor = powerOfTen(scale - scaleBefore)
  const builder = new BlockBuilder([{ name, type, nullable: true }])
  const [column] = builder.columns
  const { memory, rows } = block
  builder.reserveRows(rows)
  for (let row = 0; row < rows; row++) {
    if (isNull(memory, section, row)) column.setNull(row)
    else {
      const coefficient = integerIn(memory, section, row) * factor
      if (column.lane === 'i64') column.setBig(row, coefficient)
      else column.setBytes(row, encodeDecimal(makeDecimal(coefficient, scale)))
    }
    builder.commitRow()
  }
  return builtPart(builder, id, 0)
}

function integerIn(memory: MemoryViews, section: Section, row: number): bigint {
  if (section.lane === 'i32') return BigInt(memory.i32[(section.data >>> 2) + row])
  return bigInteger(memory, section, row)
}
