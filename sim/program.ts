// How the program under test is laid out.
import { type Definition, sqlDefinition } from '../src/engine/definitions.ts'
import type { CrashDisk } from '../src/io/twin/crash-disk.ts'
import type { FileLogOptions } from '../src/log/file-log.ts'
import { defineProgram } from '../src/plan/definition.ts'
import { planSelect } from '../src/plan/optimise.ts'
import type { TopicDefinition } from '../src/plan/program.ts'
import { parseSql } from '../src/sql/parse.ts'
import { appSql, keepAll, type Retention, type ViewName } from './app.ts'
import type { TopicName } from './history.ts'
import type { SimulationPlan } from './plan.ts'

export const folder = 'data'
/** Journal files so small that they end all the time. */
const smallSizes = { fileBytes: 24_000, stepBytes: 4096, largeBytes: 2048, reserveBytes: 512, sectionBytes: 64 }
/** And so small that history is made, trimmed and merged all the time. */
const tinySizes = { fileBytes: 3000, stepBytes: 1024, largeBytes: 700, reserveBytes: 256, sectionBytes: 16 }
const busyHistory = { share: 1, busyShare: 1, mergeFiles: 3, keyBytes: 4000 }

/** How the log of a plan is kept. */
export function logOf({ smallFiles, retention, lives }: SimulationPlan): Partial<FileLogOptions> {
  if (retention !== null || lives.some(({ trimMs }) => trimMs !== null))
    return { sizes: tinySizes, history: busyHistory }
  return smallFiles ? { sizes: smallSizes } : {}
}

const definitions = new Map<string, Definition>()

/** Planning takes longer than a whole life: the same definitions are planned once. */
export function definitionOf(views: readonly ViewName[], retention: Retention | null): Definition {
  const text = appSql(views, retention ?? keepAll)
  const known = definitions.get(text)
  if (known !== undefined) return known
  const plain = sqlDefinition(text)
  const planned = plain.plan({ topics: [], views: [] })
  const definition: Definition = {
    text: plain.text,
    plan: (previous, select) =>
      previous.topics.length > 0 || select !== undefined ? plain.plan(previous, select) : planned,
  }
  definitions.set(text, definition)
  return definition
}

/** The ticks of the bases on a disk. */
export function basesOf({ paths }: CrashDisk): readonly number[] {
  return paths.flatMap((path) => {
    const tick = path.startsWith(`${folder}/state/`) ? /\/base-(\d{15})\.json$/.exec(path)?.[1] : undefined
    return tick === undefined ? [] : [Number(tick)]
  })
}

let topics: readonly TopicDefinition[] | null = null

/** How a topic lies in the log, whatever views there are; the parser must be loaded. */
export function topicOf(name: TopicName): TopicDefinition {
  topics ??= defineProgram(parseSql(appSql([], keepAll)), planSelect).program.topics
  return topics.find((topic) => topic.name === name)!
}
