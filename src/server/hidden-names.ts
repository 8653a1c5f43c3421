import { MillraceError } from '../data/errors.ts'
import type { Sight } from '../database/sight.ts'

/**
 * A mistake as a reader may be told it. Whose name is not there is helped by the names that are; those that he may not
 * read are not for him.
 */
export function withoutNames(error: unknown, sight: Sight | undefined): unknown {
  if (sight === undefined || !(error instanceof MillraceError)) return error
  const isName = error.code === 'topic/unknown' || error.code === 'view/unknown'
  return isName ? new MillraceError(error.code, error.message) : error
}
