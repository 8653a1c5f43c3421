import type { OpenedProgram } from '../../engine/definitions.ts'
import { isDamage } from '../../views/view-files.ts'
import { baseMissing } from '../first-program.ts'
import { Running } from '../running.ts'
import { built, end, prepare, type Stage } from '../take-over.ts'

/**
 * A program's views without any snapshot: from the log's beginning; from the base where the log alone can't make them.
 * @returns at the newest tick, and fed
 * @throws MillraceError log/corrupt where the base is damaged, or there is none
 */
export async function madeAnew(stage: Stage, wanted: OpenedProgram): Promise<Running> {
  const { program } = wanted
  const { options, past, snapshots } = stage
  if (past.viewsBeyond(program).size === 0) return built(stage, new Running(stage, wanted), null)
  const base = snapshots?.base ?? null
  if (snapshots === null || base === null) throw baseMissing(options, past, program)
  const fits = snapshots.baseFits(program)
  const held = fits ? wanted : { ...wanted, text: base.notes.text, program: base.notes.program }
  const from = new Running(stage, held)
  const restored = await snapshots.restoreBase(held.program, from.views).catch((error: unknown) => {
    throw isDamage(error) ? baseMissing(options, past, program, error as Error) : error
  })
  const based = await built(stage, from, restored)
  if (fits) return based
  // What was defined since is made beside it.
  try {
    return await prepare(stage, based, wanted)
  } finally {
    await end(stage, based)
  }
}
