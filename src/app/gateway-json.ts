import { MillraceError } from '../data/errors.ts'
import { jsonMistake, jsonPlace } from '../data/ingest/json-entries.ts'
import { defineGateway, type Gateway, type GatewayOptions, policy, shareKinds } from './gateway.ts'

/** Says what a member must be, or checks it and throws. */
type Check = (value: unknown, path: Path) => void
type Path = readonly (string | number)[]

const text: Check = (value, path) =>
  must(typeof value === 'string' && value !== '', path, 'a text with something in it')
const flag: Check = (value, path) => must(typeof value === 'boolean', path, 'true or false')
const number: Check = (value, path) => must(typeof value === 'number', path, 'a number')
const names: Check = (value, path) =>
  must(value === '*' || (Array.isArray(value) && value.every((each) => typeof each === 'string')), path, '"*" or names')
const texts: Check = (value, path) =>
  must(Array.isArray(value) && value.every((each) => typeof each === 'string'), path, 'a list of texts')

function object(members: Readonly<Record<string, Check>>, needed: readonly string[] = []): Check {
  return (value, path) => {
    const found = membersOf(value, path)
    for (const name of needed) must(Object.hasOwn(found, name), [...path, name], 'there')
    for (const [name, member] of Object.entries(found)) {
      must(Object.hasOwn(members, name), [...path, name], `one of ${Object.keys(members).join(', ')}`)
      members[name](member, [...path, name])
    }
  }
}

function each(check: Check): Check {
  return (value, path) => {
    for (const [name, member] of Object.entries(membersOf(value, path))) check(member, [...path, name])
  }
}

function list(check: Check): Check {
  return (value, path) => {
    must(Array.isArray(value), path, 'a list')
    for (const [i, member] of (value as readonly unknown[]).entries()) check(member, [...path, i])
  }
}

const shares = object(Object.fromEntries(shareKinds.map((kind) => [kind, number])))
const environment = object({ env: text }, ['env'])
const shape = object(
  {
    auth: object({
      jwt: object({
        issuer: text,
        audience: text,
        jwks: text,
        jwksFile: text,
        secret: environment,
        algorithms: texts,
        roleClaim: text,
        clockToleranceSeconds: number,
      }),
      apiKeys: object({ file: text }, ['file']),
    }),
    anonymous: text,
    roles: each(object({ admin: flag, read: names, append: names, sql: flag, status: flag, shares })),
    policies: list(object({ relation: text, role: text, rows: text, mask: each(text) }, ['relation', 'role'])),
    rates: each(object({ requests: number, seconds: number }, ['requests', 'seconds'])),
    shares,
    origins: texts,
    maskKey: environment,
    audit: flag,
    accessLog: flag,
  },
  ['auth', 'roles'],
)

interface JsonPolicy {
  readonly relation: string
  readonly role: string
  readonly rows?: string
  readonly mask?: Readonly<Record<string, string>>
}

/**
 * A gateway written as JSON, for apps in SQL: the members of `defineGateway`. Claims in conditions are written
 * `current_claim('tenant')`.
 * @param file names the text in errors
 * @throws MillraceError app/load
 */
export function gatewayFromJson(json: string, file: string): Gateway {
  const mistake = jsonMistake(json)
  if (mistake !== null) {
    const { why, place } = mistake
    throw new MillraceError('app/load', `${file} is no JSON: ${why}`, { place: { file, ...place } })
  }
  const value: unknown = JSON.parse(json)
  try {
    shape(value, [])
    return gatewayOf(value as JsonGateway)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    const { code, message, hint } = error
    const place = error instanceof Misshapen ? { file, ...jsonPlace(json, error.path) } : { file }
    throw new MillraceError(code, message, { place, cause: error, ...(hint === undefined ? {} : { hint }) })
  }
}

type JsonGateway = Omit<GatewayOptions, 'policies'> & { readonly policies?: readonly JsonPolicy[] }

function gatewayOf({ policies = [], ...options }: JsonGateway): Gateway {
  return defineGateway({ ...options, policies: policies.map(({ relation, ...how }) => policy(relation, how)) })
}

function membersOf(value: unknown, path: Path): Readonly<Record<string, unknown>> {
  must(typeof value === 'object' && value !== null && !Array.isArray(value), path, 'an object')
  return value as Readonly<Record<string, unknown>>
}

function must(holds: boolean, path: Path, what: string): void {
  if (!holds) throw new Misshapen(path, what)
}

class Misshapen extends MillraceError {
  readonly path: Path

  constructor(path: Path, what: string) {
    const name = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('')
    super('app/load', `gateway${name} must be ${what}`, { hint: 'docs/SECURITY.md shows a whole file' })
    this.path = path
  }
}
