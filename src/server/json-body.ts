import { MillraceError } from '../data/errors.ts'
import type { ApiRequest } from './exchange.ts'
import { requireJson } from './media-type.ts'

/** Says whether a member is what it must be. */
type Is = (value: unknown) => boolean

export const isText: Is = (value) => typeof value === 'string'
export const isFlag: Is = (value) => typeof value === 'boolean'
export const isCount: Is = (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

/** What a member is, in words, and whether it may be left out. */
export interface Member {
  readonly is: Is
  readonly what: string
  readonly optional?: boolean
}

/**
 * Reads a small body that is a JSON object with these members and no others. Numbers are doubles: what has to keep
 * every digit is read by `readSqlBody` and the decoders of events.
 * @throws MillraceError request/media-type, request/malformed with the member's place
 */
export async function readJsonBody(
  request: ApiRequest,
  members: Readonly<Record<string, Member>>,
): Promise<Readonly<Record<string, unknown>>> {
  requireJson(request)
  const value = parsed(await request.readBody())
  const shape = Object.entries(members).map(([name, { what }]) => `"${name}": ${what}`)
  const wrong = (why: string, pointer: string): MillraceError =>
    new MillraceError('request/malformed', why, { place: { pointer }, hint: `send {${shape.join(', ')}}` })
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong('the body is no JSON object', '')
  for (const [name, own] of Object.entries(value)) {
    const pointer = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (!Object.hasOwn(members, name)) throw wrong(`${JSON.stringify(name)} is unknown`, pointer)
    if (!members[name].is(own)) throw wrong(`${name} is ${members[name].what}`, pointer)
  }
  for (const [name, { optional = false }] of Object.entries(members)) {
    if (!optional && !Object.hasOwn(value, name)) throw wrong(`${name} is missing`, `/${name}`)
  }
  return value as Readonly<Record<string, unknown>>
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    // What is no JSON is no object of it.
    return undefined
  }
}
