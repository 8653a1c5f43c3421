import { MillraceError } from '../data/errors.ts'
import type { Program, ViewDefinition } from '../plan/program.ts'

/** In its own spelling first, then in any case. */
export function byName<T extends { readonly name: string }>(all: readonly T[], name: string): T | null {
  const lower = name.toLowerCase()
  return all.find((one) => one.name === name) ?? all.find((one) => one.name.toLowerCase() === lower) ?? null
}

/** A topic's or a view's name by its id. */
export function nameIn({ topics, views }: Program, relation: number): string {
  return [...topics, ...views].find(({ id }) => id === relation)?.name ?? `#${relation}`
}

export function known(all: readonly { readonly name: string }[]): string {
  return all.length === 0 ? 'none is defined' : `there are ${all.map(({ name }) => name).join(', ')}`
}

/** @throws MillraceError request/parameter */
export function ordinalOf({ name, columns }: Pick<ViewDefinition, 'name' | 'columns'>, wanted: string): number {
  const column = byName(columns, wanted)
  if (column !== null) return columns.indexOf(column)
  throw new MillraceError('request/parameter', `${name} has no column ${wanted}`, { hint: known(columns) })
}
