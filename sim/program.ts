// How the program under test is laid out.
import { type Definition, sqlDefinition } from '../src/engine/definitions.ts'
import { appSql, type ViewName } from './app.ts'

export const folder = 'data'
/** Journal files so small that they end all the time. */
export const smallSizes = { fileBytes: 24_000, stepBytes: 4096, largeBytes: 2048, reserveBytes: 512 }

const definitions = new Map<string, Definition>()

/** Planning takes longer than a whole life: the same definitions are planned once. */
export function definitionOf(views: readonly ViewName[]): Definition {
  const known = definitions.get(views.join())
  if (known !== undefined) return known
  const plain = sqlDefinition(appSql(views))
  const planned = plain.plan({ topics: [], views: [] })
  const definition: Definition = {
    text: plain.text,
    plan: (previous, select) =>
      previous.topics.length > 0 || select !== undefined ? plain.plan(previous, select) : planned,
  }
  definitions.set(views.join(), definition)
  return definition
}
