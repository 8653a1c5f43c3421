import { MillraceError } from '../data/errors.ts'
import type { ApiRequest } from './exchange.ts'

/**
 * The body's media type in lower case without parameters, or null where none is stated.
 * @throws MillraceError request/media-type for bodies that are compressed or not in UTF-8
 */
export function mediaTypeOf(request: ApiRequest): string | null {
  const encoding = request.header('content-encoding')
  if (encoding !== null && encoding.toLowerCase() !== 'identity') {
    throw new MillraceError('request/media-type', `bodies do not come in ${encoding}`, {
      hint: 'send it without Content-Encoding',
    })
  }
  const header = request.header('content-type')
  if (header === null || header.trim() === '') return null
  const [type, ...parameters] = header.split(';').map((part) => part.trim().toLowerCase())
  for (const parameter of parameters) {
    const charset = /^charset\s*=\s*"?([^"]*)"?$/.exec(parameter)?.[1]
    if (charset === undefined || charset === 'utf-8' || charset === 'utf8' || charset === 'us-ascii') continue
    throw new MillraceError('request/media-type', `bodies do not come in ${charset}`, { hint: 'send UTF-8' })
  }
  return type
}

/** @throws MillraceError request/media-type */
export function requireJson(request: ApiRequest): void {
  const type = mediaTypeOf(request)
  if (type === null || type === 'application/json') return
  throw new MillraceError('request/media-type', `this call takes application/json, not ${type}`, {
    hint: 'set the Content-Type to application/json',
  })
}
