import type { EventPosition, ListedError } from '../../app/database-shape.ts'
import { cellErrorTexts } from '../../data/cell.ts'
import { type Cells, isNull, safeInteger } from '../../data/cell-access.ts'
import type { MemoryViews } from '../../data/memory.ts'
import { cellText } from '../../data/text-print.ts'
import { errorReason } from '../../engine/lanes.ts'
import type { ErrorQuery } from '../../plan/error-places.ts'
import type { Rows } from '../../views/rows.ts'

/** Reads what an error query found. */
export function listedErrors(query: ErrorQuery, rows: Rows): ListedError[] {
  const listed: ListedError[] = []
  rows.forEach(({ memory, columns }, row, weight) => {
    const code = memory.i32[(columns[1]!.data >>> 2) + row]
    const place = query.places[memory.i32[(columns[0]!.data >>> 2) + row]]
    const keys = place.keys.map((name, i) => [name, keyOf(memory, columns[2 + 2 * query.positions + i], row)] as const)
    listed.push({
      reason: errorReason(code, place.clause),
      sqlstate: cellErrorTexts[code].sqlstate,
      count: weight,
      positions: place.topics.flatMap((topic, i) => positionOf(topic, memory, columns, 2 + 2 * i, row)),
      key: keys.length === 0 ? null : Object.fromEntries(keys),
    })
  })
  return listed
}

function keyOf(memory: MemoryViews, column: Cells, row: number): string | null {
  return cellText(memory, column, row, { kind: 'text' })
}

/** None where the row has nothing of the topic: the other side of an outer join, another input of a union. */
function positionOf(
  topic: string,
  memory: MemoryViews,
  columns: readonly Cells[],
  at: number,
  row: number,
): EventPosition[] {
  const partition = columns[at]
  const offset = columns[at + 1]
  if (isNull(memory, partition, row) || isNull(memory, offset, row)) return []
  return [{ topic, partition: memory.i32[(partition!.data >>> 2) + row], offset: safeInteger(memory, offset!, row) }]
}
