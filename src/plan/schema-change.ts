import { MillraceError } from '../data/errors.ts'
import { typeName } from '../data/sql-type.ts'
import { columnIds, type StoredColumn } from '../data/stored-column.ts'
import { isWider } from '../data/widen.ts'
import { fold } from '../sql/tokens.ts'
import type { DroppedColumn, Program, TopicDefinition } from './program.ts'

/** A block's directory has 16 bits for a column's number, and some are taken. */
const mostIds = 60_000

/**
 * A topic's definition behind one that the log holds. Columns are the same by their names, whatever order they come
 * in, and keep their numbers in blocks; new ones get numbers that none ever had. What was dropped is remembered: it
 * may come back as what it was. Event time and lateness may change: all views are made anew from the log then, as if
 * they had always been so.
 * @throws MillraceError schema/incompatible, naming what can't change so
 */
export function followDefinition(before: TopicDefinition, now: TopicDefinition): TopicDefinition {
  const refuse = (what: string, hint: string): MillraceError =>
    new MillraceError('schema/incompatible', `topic ${now.name} is not what the log holds: ${what}`, {
      hint,
      place: { topic: now.name },
    })
  checkKey(before, now, refuse)
  const ids = columnIds(before.columns)
  const known = new Map<string, Known>()
  for (const column of before.dropped ?? []) known.set(fold(column.name), { column, gone: true })
  before.columns.forEach((column, i) => {
    known.set(fold(column.name), { column: { ...column, id: ids[i] }, gone: false })
  })
  let next = 1 + Math.max(...[...known.values()].map(({ column }) => column.id))
  const columns = now.columns.map((column, ordinal) => {
    const found = known.get(fold(column.name))
    if (found === undefined && next === mostIds) {
      throw refuse(`it has had ${mostIds} columns`, 'give the topic another name, and begin anew')
    }
    const stored = found === undefined ? addedColumn(column, next++, refuse) : changedColumn(found, column, refuse)
    known.delete(fold(column.name))
    return withoutOrdinal(stored, ordinal)
  })
  const dropped = [...known.values()].map(({ column }) => column)
  return { ...now, columns, ...(dropped.length === 0 ? {} : { dropped }) }
}

/**
 * What was defined once, as it stands after so many events: of a column that was dropped, events have come without.
 * @param eventsOf a topic, by its id
 */
export function afterEvents(program: Program, eventsOf: (topic: number) => number): Program {
  const topics = program.topics.map((topic): TopicDefinition => {
    if (topic.dropped === undefined) return topic
    const dropped = topic.dropped.map((column) =>
      column.nullable || column.events === eventsOf(topic.id) ? column : { ...column, nullable: true },
    )
    return { ...topic, dropped }
  })
  return { ...program, topics }
}

/** Notes in a program that is about to be stored how many events its topics have while columns are dropped. */
export function noteDropped(program: Program, eventsOf: (topic: number) => number): Program {
  const topics = program.topics.map((topic): TopicDefinition => {
    if (topic.dropped === undefined) return topic
    return { ...topic, dropped: topic.dropped.map((column) => ({ events: eventsOf(topic.id), ...column })) }
  })
  return { ...program, topics }
}

type Refuse = (what: string, hint: string) => MillraceError

interface Known {
  readonly column: DroppedColumn
  readonly gone: boolean
}

const otherName = 'give the changed topic another name, or start with an empty data folder'

function checkKey(before: TopicDefinition, now: TopicDefinition, refuse: Refuse): void {
  const names = ({ columns, primaryKey }: TopicDefinition): string[] => primaryKey.map((i) => columns[i].name)
  const [old, key] = [names(before), names(now)]
  if (old.map(fold).join() === key.map(fold).join()) return
  throw refuse(`its primary key was (${old.join(', ')}) and is (${key.join(', ')}) now`, otherName)
}

function addedColumn(column: StoredColumn, id: number, refuse: Refuse): DroppedColumn {
  if (column.nullable) return { ...column, id, added: true }
  throw refuse(
    `its new column ${column.name} ${typeName(column.type)} is NOT NULL, and events of before lack it`,
    `declare ${column.name} without NOT NULL, and use coalesce where it is read`,
  )
}

function changedColumn({ column: was, gone }: Known, now: StoredColumn, refuse: Refuse): DroppedColumn {
  const { name, type, nullable } = now
  const [old, wanted] = [typeName(was.type), typeName(type)]
  if (!isWider(was.type, type)) {
    throw refuse(
      gone
        ? `its column ${name}, which it had before as ${old}, comes back as ${wanted}`
        : `column ${name} was ${old} and is ${wanted} now`,
      `a column only widens (smallint, integer, bigint, numeric; real, double precision; varchar, text): give ${
        gone ? 'this one' : 'the changed one'
      } another name`,
    )
  }
  if (was.nullable && !nullable) {
    throw refuse(
      gone
        ? `its column ${name} comes back as NOT NULL, and events have come without it`
        : `column ${name} could be NULL and is NOT NULL now`,
      `declare ${name} without NOT NULL, and use coalesce where it is read`,
    )
  }
  const earlier = old === wanted ? was.was : [...(was.was ?? []), was.type]
  const { id } = was
  const added = gone || was.added === true
  return { name, type, nullable, id, ...(added ? { added } : {}), ...(earlier === undefined ? {} : { was: earlier }) }
}

/** A number is written only where it is not the column's ordinal: so topics that never changed stay as they were. */
function withoutOrdinal({ id, ...column }: DroppedColumn, ordinal: number): StoredColumn {
  return id === ordinal ? column : { ...column, id }
}
