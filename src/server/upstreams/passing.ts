import { Bug, MillraceError } from '../../data/errors.ts'
import type { Caller } from '../caller.ts'
import type { ApiRequest } from '../exchange.ts'

/** What of a request and of an answer goes through to the other side. All else stays where it is. */

const sent = [
  ...['accept', 'accept-language', 'content-type', 'content-language', 'if-none-match', 'if-modified-since'],
  ...['if-match', 'range', 'idempotency-key', 'user-agent', 'x-request-id', 'traceparent', 'tracestate'],
]
const answered = [
  ...['content-type', 'content-language', 'content-disposition', 'content-range', 'accept-ranges', 'etag'],
  ...['last-modified', 'cache-control', 'expires', 'retry-after', 'x-request-id'],
]

/**
 * The headers that a service gets: those that say what is asked, and who asks. Tokens and cookies stay here, and so
 * does what belongs to the one connection.
 */
export function sentHeaders(request: ApiRequest, caller: Caller): Record<string, string> {
  const headers: Record<string, string> = { 'accept-encoding': 'identity', 'x-forwarded-for': request.address }
  for (const name of sent) {
    const value = request.header(name)
    if (value !== null) headers[name] = value
  }
  // A subject may be any text; a header may not.
  return {
    ...headers,
    'millrace-caller': encodeURIComponent(caller.id),
    'millrace-role': encodeURIComponent(caller.role),
  }
}

export function answeredHeaders(headers: Headers): Record<string, string> {
  return Object.fromEntries(
    answered.flatMap((name) => {
      const value = headers.get(name)
      return value === null ? [] : [[name, value]]
    }),
  )
}

/**
 * A service's URL for what stands behind the route's path. It always lies below the service's own.
 * @param rest segments, still encoded; empty for the route's path itself
 * @throws MillraceError request/malformed for segments that another server may read as something else
 */
export function urlBelow(base: string, rest: string, query: string): string {
  const url = new URL(base)
  const root = url.pathname.replace(/\/$/, '')
  for (const segment of rest.split('/')) checkSegment(segment)
  if (/[^\x21-\x7e]|[#\\]/.test(query)) throw malformed('the query')
  const path = rest === '' ? url.pathname : `${root}/${rest}`
  const made = new URL(`${url.origin}${path}${query === '' ? '' : `?${query}`}`)
  if (made.origin !== url.origin || !made.pathname.startsWith(root)) throw new Bug('a path led out of its service')
  return made.href
}

function checkSegment(segment: string): void {
  if (!/^[\w.~!$&'()*+,;=:@%-]*$/.test(segment)) throw malformed('the path')
  let plain: string
  try {
    plain = decodeURIComponent(segment)
  } catch {
    throw malformed('the path')
  }
  // Encoded once more, it would be decoded by somebody else.
  const odd = [...plain].some((character) => character < ' ' || character === '\x7f' || '/\\?#'.includes(character))
  // Some servers leave out what stands behind a semicolon, and spaces, before they look for dots.
  if (odd || /^\s*\.{1,2}\s*(;|$)/.test(plain) || /%(2e|2f|5c|00|25)/i.test(plain)) throw malformed('the path')
}

function malformed(what: string): MillraceError {
  return new MillraceError('request/malformed', `${what} has what services read in different ways`, {
    hint: 'leave out dots, slashes and control characters that are encoded',
  })
}
