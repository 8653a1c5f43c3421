import type { Gateway, Policy, Role } from '../app/gateway.ts'

/** What of a gateway is another one than before, in words; nothing where both are the same. */
export function gatewayChanges(before: Gateway | null, after: Gateway | null): readonly string[] {
  if (before === null || after === null) {
    if (before === after) return []
    return [after === null ? 'there is none any more: everybody may do everything' : 'now there is one']
  }
  const policyOf = ({ policies }: Gateway) => keyed(policies, ({ relation, role }) => `${relation} for ${role}`)
  const routesOf = ({ routes }: Gateway) => keyed(routes, ({ path }) => path)
  return [
    ...differences('role', before.roles, after.roles),
    ...differences('policy of', policyOf(before), policyOf(after)),
    ...differences('rate', before.rates, after.rates),
    ...differences('share', before.shares, after.shares),
    ...differences('route', routesOf(before), routesOf(after)),
    ...differences('', settingsOf(before), settingsOf(after)),
  ]
}

/** What is not a list of named things. */
function settingsOf({
  auth,
  anonymous,
  maskKey,
  origins,
  audit,
  accessLog,
}: Gateway): Readonly<Record<string, unknown>> {
  return { auth, anonymous, maskKey, origins, audit, accessLog }
}

function keyed<T>(list: readonly T[], nameOf: (each: T) => string): Readonly<Record<string, T>> {
  return Object.fromEntries(list.map((each) => [nameOf(each), each]))
}

function differences(
  what: string,
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return names.flatMap((name) => {
    if (textOf(before[name]) === textOf(after[name])) return []
    const deed = !Object.hasOwn(before, name) ? 'added' : Object.hasOwn(after, name) ? 'changed' : 'removed'
    return [`${what === '' ? '' : `${what} `}${name} ${deed}`]
  })
}

/** Functions count by their text: what they see from outside is not looked at. */
function textOf(value: unknown): string | undefined {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'function' ? String(each) : each))
}

/**
 * What stands in front while definitions change: what either gateway hides is hidden, under the names of before and of
 * after. Topics of Millrace's own that only one of them writes are not written.
 */
export function between(before: Gateway | null, after: Gateway | null): Gateway | null {
  if (before === null || after === null) return before ?? after
  const same = (name: string, other: string): boolean => name.toLowerCase() === other.toLowerCase()
  const left = before.policies.filter(({ role }) => Object.hasOwn(after.roles, role))
  const policies = [...after.policies]
  for (const each of left) {
    const at = policies.findIndex(({ role, relation }) => role === each.role && same(relation, each.relation))
    if (at < 0) policies.push(each)
    else policies[at] = bothOf(each, policies[at])
  }
  const roles = Object.entries(after.roles).map(([name, role]) => {
    const own = Object.hasOwn(before.roles, name) ? before.roles[name] : {}
    return [name, { ...role, ...sharedRights(own, role) }]
  })
  return {
    ...after,
    anonymous: before.anonymous === after.anonymous ? after.anonymous : null,
    roles: Object.fromEntries(roles),
    policies,
    audit: before.audit && after.audit,
    accessLog: before.accessLog && after.accessLog,
  }
}

/** What both policies show. */
function bothOf(before: Policy, after: Policy): Policy {
  if (textOf([before.rows, before.mask]) === textOf([after.rows, after.mask])) return after
  const rows = [...new Set([before.rows, after.rows])].filter((each) => each !== null)
  const mask = new Map<string, string>()
  for (const [column, how] of [...Object.entries(before.mask), ...Object.entries(after.mask)]) {
    const name = column.toLowerCase()
    mask.set(name, (mask.get(name) ?? how) === how ? how : 'null')
  }
  return {
    ...after,
    mask: Object.fromEntries(mask),
    rows: rows.length === 0 ? null : rows.map((each) => `(${each}\n)`).join(' AND '),
  }
}

function sharedRights(before: Role, after: Role): Pick<Role, 'admin' | 'sql' | 'status' | 'read' | 'append'> {
  return {
    admin: before.admin === true && after.admin === true,
    sql: rightOf(before, 'sql') && rightOf(after, 'sql'),
    status: rightOf(before, 'status') && rightOf(after, 'status'),
    read: sharedNames(before, after, 'read'),
    append: sharedNames(before, after, 'append'),
  }
}

function rightOf(role: Role, right: 'sql' | 'status'): boolean {
  return role.admin === true || role[right] === true
}

function sharedNames(before: Role, after: Role, right: 'read' | 'append'): '*' | readonly string[] {
  const listed = (role: Role): '*' | readonly string[] => {
    const list = role.admin === true ? '*' : (role[right] ?? [])
    return list === '*' ? '*' : list.map((each) => (typeof each === 'string' ? each : each.name))
  }
  const [one, other] = [listed(before), listed(after)]
  if (one === '*') return other
  if (other === '*') return one
  const names = new Set(one.map((name) => name.toLowerCase()))
  return other.filter((name) => names.has(name.toLowerCase()))
}
