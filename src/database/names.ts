import { MillraceError } from '../data/errors.ts'
import type { Program, TopicDefinition, ViewDefinition } from '../plan/program.ts'
import { nearest } from '../sql/refuse.ts'

/** In its own spelling first, then in any case. */
export function byName<T extends { readonly name: string }>(all: readonly T[], name: string): T | null {
  const lower = name.toLowerCase()
  return all.find((one) => one.name === name) ?? all.find((one) => one.name.toLowerCase() === lower) ?? null
}

/** A topic's or a view's name by its id. */
export function nameIn({ topics, views }: Program, relation: number): string {
  return [...topics, ...views].find(({ id }) => id === relation)?.name ?? `#${relation}`
}

/** The hint for a name that nothing has. */
export function known(all: readonly { readonly name: string }[], wanted: string): string {
  const names = all.map(({ name }) => name)
  if (names.length === 0) return 'none is defined'
  const near = nearest(wanted, names)
  return near === null ? `there are ${names.join(', ')}` : `did you mean ${near}?`
}

/** @throws MillraceError topic/unknown */
export function topicNamed({ topics }: Pick<Program, 'topics'>, name: string): TopicDefinition {
  const topic = byName(topics, name)
  if (topic !== null) return topic
  throw new MillraceError('topic/unknown', `there is no topic ${name}`, { hint: known(topics, name) })
}

/** @throws MillraceError column/unknown */
export function ordinalOf({ name, columns }: Pick<ViewDefinition, 'name' | 'columns'>, wanted: string): number {
  const column = byName(columns, wanted)
  if (column !== null) return columns.indexOf(column)
  throw new MillraceError('column/unknown', `${name} has no column ${wanted}`, { hint: known(columns, wanted) })
}
