import { type ErrorCode, type ErrorDetail, type ErrorPlace, errorCodes, MillraceError } from '../data/errors.ts'

/** An error on the wire: RFC 9457, with Millrace's code, a hint and where the mistake is. */
export interface Problem extends ErrorPlace {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  readonly hint?: string
  readonly errors?: readonly ErrorDetail[]
}

export const problemType = 'application/problem+json'

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  507: 'Insufficient Storage',
}

/** What is not a user's mistake tells nothing of its inside. */
export function problemOf(error: unknown): Problem {
  if (!(error instanceof MillraceError)) {
    return problem('internal', 'the server made a mistake; its log says which', {})
  }
  const { code, message, hint, place, errors } = error
  return {
    ...problem(code, message, place),
    ...(hint === undefined ? {} : { hint }),
    ...(errors.length === 0 ? {} : { errors }),
  }
}

function problem(code: ErrorCode, detail: string, { file: _, ...place }: ErrorPlace): Problem {
  const { status } = errorCodes[code]
  return { type: `urn:millrace:problem:${code}`, title: titles[status] ?? 'Error', status, detail, code, ...place }
}

/** The error that a problem tells of, or null for a body that is none. */
export function errorOf(body: unknown): MillraceError | null {
  if (typeof body !== 'object' || body === null) return null
  const { code, detail, hint, errors, line, column, source, pointer, topic, offset, tick } = body as Partial<Problem>
  if (typeof code !== 'string' || !Object.hasOwn(errorCodes, code)) return null
  const place = { line, column, source, pointer, topic, offset, tick }
  const known = Object.fromEntries(Object.entries(place).filter(([, value]) => value !== undefined))
  return new MillraceError(code, String(detail), {
    place: known,
    ...(typeof hint === 'string' ? { hint } : {}),
    ...(Array.isArray(errors) ? { errors } : {}),
  })
}

/** For the client, which sees the rooms above only through this one. */
export function unreachable(url: string, cause: unknown): MillraceError {
  const reason = cause instanceof Error ? deepest(cause).message : String(cause)
  return new MillraceError('server/unreachable', `no answer from ${url}: ${reason}`, {
    hint: 'is the server running, and is this its URL?',
    cause,
  })
}

function deepest(error: Error): Error {
  return error.cause instanceof Error ? deepest(error.cause) : error
}

/** An answer that no Millrace server gives. */
export function notMillrace(url: string, status: number): MillraceError {
  return new MillraceError('server/unreachable', `${url} answered ${status}, but not as a Millrace server does`, {
    hint: 'is this the URL of a Millrace server?',
  })
}

export function isRefusal(error: unknown): error is MillraceError {
  return error instanceof MillraceError
}

const passing: ReadonlySet<ErrorCode> = new Set(['server/unreachable', 'request/busy', 'request/share', 'log/closed'])

/** Busy, starting or out of reach: the same request may do later. */
export function mayPass({ code }: MillraceError): boolean {
  return passing.has(code)
}
