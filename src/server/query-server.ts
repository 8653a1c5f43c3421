import { MillraceError } from '../data/errors.ts'
import type { Database } from '../database.ts'
import type { Clock } from '../io/io.ts'
import type { Gate, Limits } from './limits.ts'

/** What runs queries over the log for requests: few at the same time, and none for long. */
export interface QueryServer {
  readonly database: Database
  readonly clock: Clock
  readonly limits: Limits
  readonly queries: Gate
}

/**
 * @param run is told by the signal to stop
 * @throws MillraceError request/busy, request/timeout, and what `run` throws
 */
export async function bounded<T>(
  { clock, limits, queries }: QueryServer,
  request: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const leave = queries.enter()
  const timeout = new AbortController()
  const cancel = clock.after(limits.queryMs, () => timeout.abort(tooLong(limits)))
  try {
    const signal = AbortSignal.any([request, timeout.signal])
    return await orAborted(run(signal), signal)
  } finally {
    cancel()
    leave()
  }
}

function tooLong({ queryMs }: Limits): MillraceError {
  return new MillraceError('request/timeout', `the query took longer than the ${queryMs} ms that it may take`, {
    hint: 'ask for less, or define a view: its result is kept up to date',
  })
}

/** Whatever an aborted query ends with, the reason counts. */
export function orAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    answer.then(resolve, (error) => reject(signal.aborted ? signal.reason : error))
  })
}
