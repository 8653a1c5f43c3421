import { MillraceError } from '../data/errors.ts'
import { Catalog, type Relation } from '../plan/catalog.ts'
import type { Scan } from '../plan/plan.ts'
import { seenTopic } from '../views/ad-hoc.ts'
import type { Restriction } from '../views/restriction.ts'
import { type Sight, topicRestriction, viewRestriction } from './sight.ts'

/** A catalog as its reader sees it. */
export interface SeenCatalog {
  readonly catalog: Catalog
  /** By the ids of the relations that are not seen whole. */
  readonly restrictions: ReadonlyMap<number, Restriction>
}

const none: ReadonlyMap<number, Restriction> = new Map()

/**
 * Relations that the reader may not see are not there, so that no query, and no error of one, can tell of them; the
 * others have the columns that he sees. Named queries are bound over these as well: they lend nobody their author's
 * eyes.
 */
export async function seenCatalog(catalog: Catalog, sight: Sight | undefined): Promise<SeenCatalog> {
  if (sight === undefined) return { catalog, restrictions: none }
  const restrictions = new Map<number, Restriction>()
  let seen = Catalog.within(catalog)
  for (const relation of catalog.relations) {
    if (sight.of(relation.name) === 'hidden') continue
    seen = seen.add(relation.kind === 'query' ? relation : await seenRelation(relation, sight, restrictions))
  }
  return { catalog: seen, restrictions }
}

async function seenRelation(
  relation: Exclude<Relation, { kind: 'query' }>,
  sight: Sight,
  restrictions: Map<number, Restriction>,
): Promise<Relation> {
  const restriction =
    relation.kind === 'view'
      ? await viewRestriction(sight, relation.definition)
      : await topicRestriction(sight, relation.definition)
  if (restriction === null) return relation
  restrictions.set(relation.definition.id, restriction)
  const { columns } = restriction
  if (relation.kind === 'view') return { ...relation, columns, definition: { ...relation.definition, columns } }
  return { ...relation, columns, definition: seenTopic(relation.definition, restriction) }
}

/** Positions count all events, those that are hidden as well. @throws MillraceError sql/unsupported */
export function refusePositions(
  scans: readonly Scan[],
  restrictions: ReadonlyMap<number, Restriction>,
  catalog: Catalog,
): void {
  const scan = scans.find(({ relation, reads }) => restrictions.has(relation) && reads.some((column) => column < 0))
  if (scan === undefined) return
  const what = `the system columns of ${catalog.byId(scan.relation).name} are not to be had where you see some rows only`
  throw new MillraceError('sql/unsupported', what, { hint: 'leave them out of the query' })
}
