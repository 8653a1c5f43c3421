import { MillraceError } from '../data/errors.ts'
import type { OpenedProgram } from '../engine/definitions.ts'
import type { Program } from '../plan/program.ts'
import type { DatabaseOptions } from './contract.ts'
import type { LogPast } from './log-past.ts'
import type { Surroundings } from './running.ts'

/**
 * What a start begins with: the wanted definitions, or those of which state is at hand, which they then take over from.
 * @returns `wanted` itself in the first case
 */
export async function firstProgram({ past, snapshots }: Surroundings, wanted: OpenedProgram): Promise<OpenedProgram> {
  if (snapshots === null) return wanted
  const { before } = wanted
  if (before !== null && (await snapshots.has(before.program))) return { ...before, before: null, changed: false }
  const { base } = snapshots
  if (past.viewsBeyond(wanted.program).size === 0 || base === null) return wanted
  if (await snapshots.has(wanted.program)) return wanted
  // The base has what the log has not any more; what was defined since is made beside it.
  const { text, program } = base.notes
  return { text, program, before: null, changed: false }
}

/** What stands for events that are gone can't be used, and the log alone can't make up for it. */
export function baseMissing({ data }: DatabaseOptions, past: LogPast, program: Program, cause?: Error): MillraceError {
  const beyond = past.viewsBeyond(program)
  const views = program.views.filter(({ id }) => beyond.has(id)).map(({ name }) => name)
  const why = cause === undefined ? 'no base or snapshot that has them is whole' : cause.message
  const what = `events that made ${views.join(', ')} are gone up to tick ${past.goneThrough(program)}, and ${why}`
  return new MillraceError('log/corrupt', what, {
    hint: `restore ${data} from a backup: the files in ${data}/state that a base names are part of the log`,
    place: { file: `${data}/state` },
    cause,
  })
}

/** Which new views lack events that are gone, in a line each. @param before the definitions so far */
export function newStarts({ topics, views }: Program, before: Program | null): readonly string[] {
  return views.flatMap(({ name, starts = [] }) => {
    const known = before?.views.find((view) => view.name === name)?.starts
    if (starts.length === 0 || JSON.stringify(known) === JSON.stringify(starts)) return []
    const gone = starts.map(({ topic, throughTick }) => {
      return `${topics.find(({ id }) => id === topic)?.name} up to tick ${throughTick}`
    })
    return [`${name} begins with what is left: events are gone of ${gone.join(' and of ')}`]
  })
}
