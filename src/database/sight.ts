import { LRUCache } from 'lru-cache'
import { MillraceError } from '../data/errors.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { bindPolicy, type PolicyTarget, type PolicyText } from '../plan/policy.ts'
import type { TopicDefinition, ViewDefinition } from '../plan/program.ts'
import { loadParser } from '../sql/parse.ts'
import type { LiveMessage } from '../views/live.ts'
import { Restriction } from '../views/restriction.ts'

/** What a reader sees. Where none is given he sees everything. */
export interface Sight {
  /** Readers with equal keys see the same. */
  readonly key: string
  /** `whole`: all of a relation; `hidden`: as if it were not there. */
  of(relation: string): PolicyText | 'whole' | 'hidden'
  readonly claims: Readonly<Record<string, unknown>>
  /** Keys the hashes that stand for masked values. */
  readonly maskKey: string
}

const keptPerRelation = 1024

/** Policies compiled for readers, by the columns that they were compiled over. */
const compiled = new WeakMap<readonly ColumnSchema[], LRUCache<string, Restriction>>()

/**
 * @returns null where the reader sees everything
 * @throws MillraceError auth/forbidden where he sees nothing of it, and as bindPolicy
 */
export async function restrictionOf(sight: Sight | undefined, target: PolicyTarget): Promise<Restriction | null> {
  if (sight === undefined) return null
  const policy = sight.of(target.name)
  if (policy === 'whole') return null
  if (policy === 'hidden') throw new MillraceError('auth/forbidden', `your role may not read ${target.name}`)
  const { columns } = target
  const known = compiled.get(columns) ?? new LRUCache<string, Restriction>({ max: keptPerRelation })
  compiled.set(columns, known)
  const key = JSON.stringify([sight.key, policy])
  const found = known.get(key)
  if (found !== undefined) return found
  await loadParser()
  const made = new Restriction(columns, bindPolicy(target, policy, sight.claims, sight.maskKey))
  known.set(key, made)
  return made
}

export function viewRestriction(sight: Sight | undefined, view: ViewDefinition): Promise<Restriction | null> {
  return restrictionOf(sight, viewTarget(view))
}

export function topicRestriction(sight: Sight | undefined, topic: TopicDefinition): Promise<Restriction | null> {
  return restrictionOf(sight, topicTarget(topic))
}

/** A view as policies are about it. */
export function viewTarget({ name, columns }: Pick<ViewDefinition, 'name' | 'columns'>): PolicyTarget {
  return { name, columns, failing: columns.map(() => false), key: [] }
}

export function topicTarget({ name, columns, primaryKey }: TopicDefinition): PolicyTarget {
  return { name, columns, failing: columns.map(({ added }) => added === true), key: primaryKey }
}

/**
 * A live view as a reader sees it: what he doesn't see comes to nothing, and a row that leaves his sight comes as its
 * removal. Nothing is gathered on the way.
 */
export function seenLive(
  cursor: AsyncIterableIterator<LiveMessage>,
  sight: Sight | undefined,
  view: string,
): AsyncIterableIterator<LiveMessage> {
  if (sight === undefined || sight.of(view) === 'whole') return cursor
  const seen: AsyncIterableIterator<LiveMessage> = {
    [Symbol.asyncIterator]: () => seen,
    return: () => cursor.return?.() ?? Promise.resolve({ done: true, value: undefined }),
    async next() {
      for (;;) {
        const pulled = await cursor.next()
        if (pulled.done === true || pulled.value.kind === 'reset') return pulled
        const message = pulled.value
        const { columns } = message.rows
        const restriction = await restrictionOf(sight, viewTarget({ name: view, columns }))
        if (restriction === null) return pulled
        if (message.kind === 'snapshot') {
          return { done: false, value: { ...message, rows: restriction.apply(message.rows) } }
        }
        const rows = restriction.change(message.rows)
        if (rows.length > 0) return { done: false, value: { ...message, rows } }
      }
    },
  }
  return seen
}
