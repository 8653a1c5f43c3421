import type { Gateway, Policy, Role } from '../app/gateway.ts'
import { MillraceError } from '../data/errors.ts'
import { topicTarget, viewTarget } from '../database/sight.ts'
import type { Database } from '../database.ts'
import { nodesOf } from '../plan/nodes.ts'
import { checkPolicy } from '../plan/policy.ts'
import type { Program } from '../plan/program.ts'
import { loadParser } from '../sql/parse.ts'
import type { Caller } from './caller.ts'
import { forbidden } from './caller.ts'
import type { Needs, Permission } from './routes.ts'

/** Says what a caller may do. What no role grants is refused, whether it exists or not. */
export class Access {
  readonly #gateway: Gateway
  readonly #database: Database

  constructor(gateway: Gateway, database: Database) {
    this.#gateway = gateway
    this.#database = database
  }

  /**
   * @param caller null: nobody
   * @param name the topic or view that the path names
   * @throws MillraceError auth/required, auth/forbidden
   */
  check(caller: Caller | null, needs: Needs, name: string): void {
    if (needs === 'public') return
    if (caller === null) {
      throw new MillraceError('auth/required', 'this call is not for everybody: it needs a token or an API key', {
        hint: 'send it as Authorization: Bearer …; commands take it from MILLRACE_TOKEN',
      })
    }
    if (needs === 'append topic' && name.startsWith('_')) throw forbidden(`only Millrace itself writes ${name}`)
    if (caller.admin || needs === 'known') return
    if (typeof needs !== 'string') {
      if (!needs.roles.includes(caller.role)) throw forbidden('your role may not use this route')
      return
    }
    if (!this.#grants(caller, needs, name)) throw refused(needs, name)
  }

  #grants(caller: Caller, needs: Exclude<Permission, 'public' | 'known'>, name: string): boolean {
    const role = this.#role(caller)
    switch (needs) {
      case 'read view':
      case 'read topic':
        return this.mayRead(caller, name)
      case 'read view whole':
      case 'read topic whole':
        return this.seesWhole(caller, name)
      case 'trace view':
        return this.mayTrace(caller, name)
      case 'trace topic':
        return this.#mayFollow(caller, name)
      case 'append topic':
        return this.mayAppend(caller, name)
      case 'append':
        return role.append !== undefined
      case 'sql':
        return role.sql === true
      case 'status':
        return role.status === true
      case 'admin':
        return false
    }
  }

  mayRead(caller: Caller, name: string): boolean {
    return caller.admin || lists(this.#role(caller).read, name)
  }

  mayAppend(caller: Caller, topic: string): boolean {
    // What Millrace writes itself nobody else writes.
    return !topic.startsWith('_') && (caller.admin || lists(this.#role(caller).append, topic))
  }

  /** What the caller sees of a relation that it may read; null: all of it. */
  policy({ role }: Caller, name: string): Policy | null {
    return this.#gateway.policies.find((each) => each.role === role && same(each.relation, name)) ?? null
  }

  /** Whether no policy stands between the caller and a relation that it may read. */
  seesWhole(caller: Caller, name: string): boolean {
    if (caller.admin) return true
    const { policies } = this.#gateway
    return (
      this.mayRead(caller, name) && !policies.some((each) => each.role === caller.role && same(each.relation, name))
    )
  }

  /** Whether the caller sees a view and all that it is computed from. */
  mayTrace(caller: Caller, view: string): boolean {
    return caller.admin || this.#below(view).every((name) => this.seesWhole(caller, name))
  }

  /**
   * Whether the caller sees a topic, all views that its events reach, and all that these are computed from: an event's
   * journey shows rows of them, and of what they join it with.
   */
  #mayFollow(caller: Caller, topic: string): boolean {
    if (!this.seesWhole(caller, topic)) return false
    const { views } = this.#database.catalog()
    return views
      .map(({ name }) => this.#below(name))
      .filter((names) => names.some((name) => same(name, topic)))
      .every((names) => names.every((name) => this.seesWhole(caller, name)))
  }

  /** A view's name and those of all relations below it. */
  #below(view: string): readonly string[] {
    const { topics, views } = this.#database.catalog()
    const names = new Map([...topics, ...views].map(({ id, name }) => [id, name]))
    const seen = new Set([view])
    for (const name of seen) {
      const plan = views.find((each) => same(each.name, name))?.plan
      if (plan === undefined) continue
      for (const node of nodesOf(plan)) if (node.op === 'scan') seen.add(names.get(node.relation) ?? '')
    }
    return [...seen]
  }

  #role({ role }: Caller): Role {
    const { roles } = this.#gateway
    return Object.hasOwn(roles, role) ? roles[role] : {}
  }
}

/**
 * A policy that is about nothing would leave open what it was meant to close; and one that can't be computed is told
 * before anybody meets it.
 * @throws MillraceError app/load, sql/…
 */
export async function checkPolicies(gateway: Gateway | null, { topics, views }: Program): Promise<void> {
  if (gateway === null || gateway.policies.length === 0) return
  await loadParser()
  for (const each of gateway.policies) {
    const { relation } = each
    const topic = topics.find(({ name }) => same(name, relation))
    const view = views.find(({ name }) => same(name, relation))
    if (topic !== undefined) checkPolicy(topicTarget(topic), each, each.role)
    if (view !== undefined) checkPolicy(viewTarget(view), each, each.role)
    if (topic !== undefined || view !== undefined) continue
    throw new MillraceError('app/load', `a policy names ${relation}, which is no topic, table or view`, {
      hint: 'mend its name; a named query needs none, as it sees what its reader sees',
    })
  }
}

function lists(list: Role['read'], name: string): boolean {
  if (list === undefined) return false
  if (list === '*') return !name.startsWith('_')
  return list.some((each) => same(typeof each === 'string' ? each : each.name, name))
}

function same(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}

function refused(needs: Permission, name: string): MillraceError {
  return forbidden(`your role may not ${deedOf(needs, name)}`, 'ask with another token, or have the role extended')
}

/** What a permission allows, in words. */
function deedOf(needs: Permission, name: string): string {
  switch (needs) {
    case 'read view':
    case 'read topic':
      return `read ${name}`
    case 'read view whole':
    case 'read topic whole':
      return `see all rows and columns of ${name}, as this call has to`
    case 'trace view':
      return `see all that ${name} is computed from`
    case 'trace topic':
      return `see all views that events of ${name} reach, and all that these are computed from`
    case 'append topic':
      return `append to ${name}`
    case 'append':
      return 'append'
    case 'sql':
      return 'ask queries'
    case 'status':
      return 'see how the server is'
    default:
      return 'do this: it is for administrators'
  }
}
