import { MillraceError } from '../data/errors.ts'

/** What a replay failed with, where that has no name of its own. */
export function replayFailed(error: unknown): MillraceError {
  const reason = error instanceof Error ? error.message : String(error)
  return new MillraceError('engine/stopped', `the replay failed: ${reason}`, { cause: error })
}
