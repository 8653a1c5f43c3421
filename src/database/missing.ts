import { invariant } from '../data/errors.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { arrangementsOf } from '../engine/engine.ts'
import { viewMeaning } from '../plan/fingerprint.ts'
import { nodesOf, topicSystemColumns } from '../plan/nodes.ts'
import type { Scan } from '../plan/plan.ts'
import type { Program, TopicDefinition, ViewDefinition } from '../plan/program.ts'
import { partOf } from '../views/replay.ts'

/** The ids of the views that mean what none of `current` means. */
export function changedViews(current: Program, wanted: Program): ReadonlySet<number> {
  const known = new Set(current.views.map((view) => viewMeaning(current, view)))
  return new Set(wanted.views.filter((view) => !known.has(viewMeaning(wanted, view))).map(({ id }) => id))
}

/**
 * What makes some views of a program anew, out of the log. Views below them that the log alone can't make are given:
 * their rows come from those that have them.
 * @param beyond views that hold events which are gone
 */
export function partFromLog(program: Program, views: ReadonlySet<number>, beyond: ReadonlySet<number>): Program {
  const part = partOf(program, views)
  const given = part.views.filter(({ id }) => beyond.has(id) && !views.has(id)).map(({ id }) => id)
  return given.length === 0 ? part : { ...part, given }
}

/**
 * What must be built so that `wanted` finds all its state there or in `current`; null: nothing.
 * @param beyond views of `wanted` that hold events which are gone
 */
export function missingFrom(current: Program, wanted: Program, beyond: ReadonlySet<number>): Program | null {
  const changed = changedViews(current, wanted)
  const part = changed.size === 0 ? null : partFromLog(wanted, changed, beyond)
  const held = new Set([...arrangementsOf(current), ...(part === null ? [] : arrangementsOf(part))])
  const lacks = (more: Program): boolean => {
    const all = new Set([...held, ...arrangementsOf(more)])
    return !arrangementsOf(wanted).every((name) => all.has(name))
  }
  const nothing: Program = { topics: [], views: [] }
  if (!lacks(nothing)) return part
  // What several views share may be another thing than what each of them has alone: a table with more system columns
  // read. Tables are made as all views together have them.
  const probing = withProbes(wanted, part ?? nothing)
  if (!lacks(probing)) return probing
  invariant(beyond.size === 0, 'state that the log has not any more is shared in another way')
  return wanted
}

/** A part of a program together with all its topics, each table as the program's views read it. */
function withProbes(program: Program, part: Program): Program {
  const scans = program.views
    .flatMap(({ plan }) => nodesOf(plan))
    .filter((node): node is Scan => node.op === 'scan' && node.events !== 'late')
  let id = 1 + Math.max(0, ...program.topics.map((topic) => topic.id), ...program.views.map((view) => view.id))
  const probes = program.topics.flatMap((topic) => {
    if (topic.primaryKey.length === 0) return []
    const own = scans.filter(({ relation }) => relation === topic.id)
    return (['all', 'onTime'] as const).flatMap((events) => {
      const reads = [...new Set(own.filter((scan) => scan.events === events).flatMap((scan) => scan.reads))]
      return reads.length === 0 ? [] : [probe(id++, topic, reads, events)]
    })
  })
  // In front: who comes first says in which order a table has its columns.
  return { ...part, topics: program.topics, views: [...probes, ...part.views] }
}

function probe(id: number, topic: TopicDefinition, reads: readonly number[], events: Scan['events']): ViewDefinition {
  const columns = reads.map(
    (ordinal): ColumnSchema =>
      ordinal < 0 ? topicSystemColumns.find((column) => column.id === ordinal)!.schema : topic.columns[ordinal],
  )
  const plan: Scan = { op: 'scan', relation: topic.id, reads, events, columns }
  return { id, name: `_${topic.name}_${id}`, columns, plan, order: [], emit: 'continuous', sql: '' }
}
