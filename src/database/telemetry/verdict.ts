import type { MillraceError } from '../../data/errors.ts'
import { counted } from '../../plan/why-words.ts'
import type { ProblemBody, VerdictBody } from '../../protocol/telemetry.ts'
import type { DatabaseStatus } from '../contract.ts'

/** What the verdict looks at. */
export interface Standings {
  readonly status: DatabaseStatus
  /** Events that the log has. */
  readonly lastEvent: number
  /** What is known of an engine that has worked on one tick for too long; null: it hasn't. */
  readonly stuck: string | null
  /** By topic, over the last minute. */
  readonly lately: readonly { readonly topic: string; readonly events: number; readonly late: number }[]
  readonly disk: { readonly freeBytes: number; readonly totalBytes: number } | null
  readonly memoryBytes: number
}

/** So many events at least before a share of them says something. */
const enoughEvents = 100
const lateShare = 0.01
const freeBytesLeast = 256 << 20
const freeShareLeast = 0.03
const memoryShareMost = 0.85

/** One sentence: all right, or what is wrong; with a hint for each problem, the worst first. */
export function verdictOf(standings: Standings): VerdictBody {
  const problems = [
    ...failures(standings),
    ...diskProblems(standings),
    ...memoryProblems(standings),
    ...errorRows(standings.status),
    ...lateEvents(standings),
  ]
  const [worst] = problems
  if (worst === undefined) return { ok: true, message: goodWords(standings.status), problems }
  const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`
  return { ok: false, message: `${capital(worst.message)}${more}.`, problems }
}

function goodWords({ views, tick }: DatabaseStatus): string {
  const what = views.length === 0 ? 'no view is defined yet' : `${counted(views.length, 'view')} at tick ${tick}`
  return `All right: ${what}.`
}

function failures({ status, lastEvent, stuck }: Standings): ProblemBody[] {
  const { failure, caughtUp, events } = status
  if (failure !== null) return [failed(failure)]
  if (!caughtUp) {
    const message = `the log is being replayed: ${events} of ${lastEvent} events`
    return [{ code: 'replaying', message, hint: 'wait: reads and appends are refused until it is done' }]
  }
  if (stuck === null) return []
  const hint = 'mend what is named and start again, or append smaller batches; the log takes events meanwhile'
  return [{ code: 'stuck', message: stuck, hint }]
}

function failed(failure: MillraceError): ProblemBody {
  const poisoned = failure.code === 'log/poisoned'
  const hint = failure.hint ?? 'start again: the log is safe'
  return { code: poisoned ? 'poisoned' : 'failed', message: `nothing moves any more: ${failure.message}`, hint }
}

function diskProblems({ disk }: Standings): ProblemBody[] {
  if (disk === null) return []
  const { freeBytes, totalBytes } = disk
  if (freeBytes >= Math.min(freeBytesLeast, totalBytes / 2) && freeBytes >= totalBytes * freeShareLeast) return []
  const message = `the disk is nearly full: ${megabytes(freeBytes)} of ${megabytes(totalBytes)} are free`
  return [{ code: 'disk-nearly-full', message, hint: 'free some space: appends are refused when nothing is left' }]
}

function memoryProblems({ status, memoryBytes }: Standings): ProblemBody[] {
  if (status.stateBytes < memoryBytes * memoryShareMost) return []
  const message = `state takes ${megabytes(status.stateBytes)} of the ${megabytes(memoryBytes)} that the engine may use`
  const hint = 'give it more memory (--memory), keep less state, or keep the data in a folder so that state can leave'
  return [{ code: 'memory-nearly-full', message, hint }]
}

function errorRows({ views }: DatabaseStatus): ProblemBody[] {
  return views
    .filter(({ errors }) => errors > 0)
    .map(({ name, errors }) => ({
      code: 'error-rows',
      message: `${counted(errors, 'row')} of ${name} could not be computed`,
      hint: `GET /v1/views/${encodeURIComponent(name)}/errors says why, and which events it comes from`,
      view: name,
    }))
}

function lateEvents({ lately }: Standings): ProblemBody[] {
  return lately
    .filter(({ events, late }) => events >= enoughEvents && late >= events * lateShare)
    .map(({ topic, events, late }) => ({
      code: 'late-events',
      message: `${Math.round((late / events) * 1000) / 10} % of the events of ${topic} in the last minute came late`,
      hint: `a longer lateness of ${topic} would let them in: GET /v1/time suggests one`,
      topic,
    }))
}

function megabytes(bytes: number): string {
  return bytes < 10 * 2 ** 30 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${Math.round(bytes / 2 ** 30)} GiB`
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
