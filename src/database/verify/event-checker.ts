import { type Block, blockColumn, openBlock } from '../../data/block.ts'
import { bytesLength, bytesStart, isNull } from '../../data/cell-access.ts'
import { MillraceError } from '../../data/errors.ts'
import { laneOf } from '../../data/sql-type.ts'
import { columnId } from '../../data/stored-column.ts'
import { storedPrograms } from '../../engine/definitions.ts'
import { type LoggedBlock, offsetOf } from '../../log/log.ts'
import { catalogTopicId } from '../../plan/catalog.ts'
import type { TopicDefinition } from '../../plan/program.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Compares every event with its topic as the log itself defines it: the lanes of its columns, NULL only where it may
 * be, text that is UTF-8. Events of topics that no definition names are passed over.
 */
export class EventChecker {
  readonly #topics = new Map<number, TopicDefinition>()

  /** Blocks come in the log's order. @throws MillraceError log/corrupt */
  visit(logged: LoggedBlock): void {
    if (logged.topic === catalogTopicId) {
      for (const program of storedPrograms(logged.bytes)) {
        for (const topic of program.topics) this.#topics.set(topic.id, topic)
      }
      return
    }
    const topic = this.#topics.get(logged.topic)
    if (topic === undefined) return
    const block = openBlock(logged.bytes)
    for (const ordinal of topic.columns.keys()) checkColumn(topic, ordinal, block, logged)
  }
}

function checkColumn(topic: TopicDefinition, ordinal: number, block: Block, logged: LoggedBlock): void {
  const schema = topic.columns[ordinal]
  const wrong = (row: number, what: string): MillraceError =>
    new MillraceError('log/corrupt', `event ${offsetOf(logged, row)} of ${topic.name}: ${schema.name} ${what}`)
  const { memory, rows } = block
  const column = block.columns.get(columnId(topic.columns, ordinal)) ?? null
  const types = [schema.type, ...(schema.was ?? [])]
  if (column !== null && !types.some((type) => column.lane === laneOf(type)))
    throw wrong(0, 'is stored as another type')
  const operation = block.columns.get(blockColumn.operation)
  const mustBe = !schema.nullable
  const isText = schema.type.kind === 'text' || schema.type.kind === 'varchar'
  for (let row = 0; row < rows; row++) {
    if (isNull(memory, column, row)) {
      const deleted = operation !== undefined && memory.i32[(operation.data >>> 2) + row] === 1
      if (mustBe && (!deleted || topic.primaryKey.includes(ordinal))) throw wrong(row, 'is NULL')
      continue
    }
    if (column.state !== 0 && memory.u8[column.state + row] !== 0) throw wrong(row, 'is no value')
    if (!isText) continue
    const start = bytesStart(memory, column, row)
    try {
      utf8.decode(memory.u8.subarray(start, start + bytesLength(memory, column, row)))
    } catch {
      throw wrong(row, 'is no UTF-8')
    }
  }
}
