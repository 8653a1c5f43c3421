import type { Gateway } from '../app/gateway.ts'

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
  const left = before.policies.filter(
    ({ relation, role }) =>
      Object.hasOwn(after.roles, role) &&
      !after.policies.some((each) => each.role === role && same(each.relation, relation)),
  )
  return {
    ...after,
    policies: [...after.policies, ...left],
    audit: before.audit && after.audit,
    accessLog: before.accessLog && after.accessLog,
  }
}
