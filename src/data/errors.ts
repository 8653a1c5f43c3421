/** One class for users' mistakes and refused operations. Broken invariants throw `Bug` instead. */

/** Every code a user can meet, with its HTTP status and the exit code of the command line: see docs/ERRORS.md. */
export const errorCodes = {
  'sql/syntax': { status: 400, exit: 3 },
  'sql/unsupported': { status: 400, exit: 3 },
  'sql/unknown-relation': { status: 404, exit: 3 },
  'sql/unknown-column': { status: 400, exit: 3 },
  'sql/ambiguous': { status: 400, exit: 3 },
  'sql/unknown-function': { status: 400, exit: 3 },
  'sql/type': { status: 400, exit: 3 },
  'sql/grouping': { status: 400, exit: 3 },
  'sql/definition': { status: 400, exit: 3 },
  'sql/value': { status: 400, exit: 3 },
  'sql/error-rows': { status: 422, exit: 1 },
  'sql/too-many-rows': { status: 400, exit: 1 },
  'sql/not-select': { status: 400, exit: 3 },
  'sql/parameter': { status: 400, exit: 3 },
  'event/invalid': { status: 422, exit: 1 },
  'event/too-large': { status: 413, exit: 1 },
  'event/unsupported-delete': { status: 422, exit: 1 },
  'append/idempotency-conflict': { status: 422, exit: 1 },
  'request/malformed': { status: 400, exit: 1 },
  'request/too-large': { status: 413, exit: 1 },
  'request/media-type': { status: 415, exit: 1 },
  'request/parameter': { status: 400, exit: 1 },
  'request/host': { status: 421, exit: 1 },
  'request/origin': { status: 403, exit: 1 },
  'request/method': { status: 405, exit: 1 },
  'request/timeout': { status: 504, exit: 1 },
  'request/slow': { status: 408, exit: 1 },
  'request/headers': { status: 431, exit: 1 },
  'request/too-many-rows': { status: 400, exit: 1 },
  'request/busy': { status: 503, exit: 1 },
  'request/rate': { status: 429, exit: 1 },
  'request/share': { status: 429, exit: 1 },
  'auth/required': { status: 401, exit: 1 },
  'auth/invalid': { status: 401, exit: 1 },
  'auth/forbidden': { status: 403, exit: 1 },
  'auth/unavailable': { status: 503, exit: 1 },
  'upstream/failed': { status: 502, exit: 1 },
  'upstream/timeout': { status: 504, exit: 1 },
  'upstream/open': { status: 503, exit: 1 },
  'not-found': { status: 404, exit: 1 },
  'view/unknown': { status: 404, exit: 2 },
  'topic/unknown': { status: 404, exit: 2 },
  'column/unknown': { status: 400, exit: 2 },
  'tick/not-reached': { status: 504, exit: 1 },
  'tick/expired': { status: 410, exit: 1 },
  'tick/future': { status: 400, exit: 1 },
  'log/corrupt': { status: 500, exit: 1 },
  'log/poisoned': { status: 503, exit: 1 },
  'log/full': { status: 507, exit: 1 },
  'log/locked': { status: 503, exit: 1 },
  'log/version': { status: 500, exit: 1 },
  'log/closed': { status: 503, exit: 1 },
  'log/reader-expired': { status: 503, exit: 1 },
  'backup/refused': { status: 409, exit: 1 },
  'diff/refused': { status: 403, exit: 1 },
  'project/refused': { status: 403, exit: 1 },
  'state/corrupt': { status: 500, exit: 1 },
  'state/snapshot': { status: 507, exit: 1 },
  'schema/incompatible': { status: 409, exit: 2 },
  'schema/unmappable': { status: 400, exit: 2 },
  'app/load': { status: 400, exit: 2 },
  usage: { status: 400, exit: 2 },
  'server/unreachable': { status: 502, exit: 4 },
  internal: { status: 500, exit: 1 },
  'engine/memory': { status: 507, exit: 1 },
  'engine/stopped': { status: 503, exit: 1 },
} as const

export type ErrorCode = keyof typeof errorCodes

/** Where a mistake is. Lines and columns count from 1. */
export interface ErrorPlace {
  readonly file?: string
  readonly line?: number
  readonly column?: number
  /** RFC 6901, counted from the request's body. */
  readonly pointer?: string
  readonly topic?: string
  readonly offset?: number
  /** The nearest tick that can be asked for. */
  readonly tick?: number
  /** The source line itself, so that a caret can be drawn under the column. */
  readonly source?: string
}

/** One of several mistakes in one request. */
export interface ErrorDetail {
  readonly pointer: string
  readonly detail: string
}

export interface ErrorOptions {
  /** One thing to do about it. */
  readonly hint?: string
  readonly place?: ErrorPlace
  readonly errors?: readonly ErrorDetail[]
  readonly cause?: unknown
}

/** A mistake of the user's or a refusal: it has a stable code, says where, and gives one thing to do. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly place: ErrorPlace
  readonly errors: readonly ErrorDetail[]

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.place = options.place ?? {}
    this.errors = options.errors ?? []
  }

  get status(): number {
    return errorCodes[this.code].status
  }

  get exit(): number {
    return errorCodes[this.code].exit
  }
}

/** A broken invariant: ours, never the user's. */
export class Bug extends Error {
  override readonly name = 'Bug'
}

/** Invariants stay checked in production. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Bug(message)
}
