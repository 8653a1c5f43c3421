// How the program under test is laid out.
import { type Definition, sqlDefinition } from '../src/engine/definitions.ts'
import type { FileLogOptions } from '../src/log/file-log.ts'
import { appSql, type ViewName } from './app.ts'
import type { SimulationPlan } from './plan.ts'

export const folder = 'data'
/** Journal files so small that they end all the time. */
const smallSizes = { fileBytes: 24_000, stepBytes: 4096, largeBytes: 2048, reserveBytes: 512 }
/** And so small that history is made, trimmed and merged all the time. */
const tinySizes = { fileBytes: 3000, stepBytes: 1024, largeBytes: 700, reserveBytes: 256 }
const busyHistory = { share: 1, busyShare: 1, mergeFiles: 3, keyBytes: 4000 }

/** How the log of a plan is kept. */
export function logOf({ smallFiles, lives }: SimulationPlan): Partial<FileLogOptions> {
  if (lives.some(({ trimMs }) => trimMs !== null)) return { sizes: tinySizes, history: busyHistory }
  return smallFiles ? { sizes: smallSizes } : {}
}

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
