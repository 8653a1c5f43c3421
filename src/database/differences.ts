import { invariant, MillraceError } from '../data/errors.ts'
import { type ColumnSchema, sameType } from '../data/sql-type.ts'
import type { OpenedProgram } from '../engine/definitions.ts'
import { viewMeaning } from '../plan/fingerprint.ts'
import type { Program, ViewDefinition } from '../plan/program.ts'
import { type ChangedRows, compareRows, type PinnedView } from '../views/difference.ts'
import type { Slices } from '../views/slices.ts'
import { isDamaged } from '../views/stored-page.ts'
import type { View } from '../views/view.ts'
import type { Running } from './running.ts'
import { atOneTick, buildChanged, end, type Stage, together } from './take-over.ts'

export interface Counted {
  /** Each counted as often as it is there. */
  readonly rows: number
  readonly errors: number
}

/** What becomes of one view under other definitions. */
export interface Difference {
  readonly view: string
  /** `same` and `changed` tell of the definition; `reshaped` has other columns, so that no row can be compared. */
  readonly kind: 'same' | 'new' | 'dropped' | 'changed' | 'reshaped'
  /** Null: there is no such view. */
  readonly before: Counted | null
  readonly after: Counted | null
  /** Only where it is `changed`; after definitions have changed not even there where the old rows turn out to be damaged. */
  readonly changes: ChangedRows | null
}

export interface Comparison {
  /** The tick at which both were looked at. */
  readonly tick: number
  /** In the order of the new definitions, what they drop behind. */
  readonly views: readonly Difference[]
}

/** A view before and after, both at one tick. */
export interface Pair {
  readonly name: string
  readonly same: boolean
  readonly before: PinnedView | null
  readonly after: PinnedView | null
}

/**
 * Compares other definitions with those at work: what changed is built from the log beside them, looked at in one turn
 * with them, and thrown away.
 * @param current what is at work, whenever asked
 * @param most differing rows listed per view
 * @throws as building does; the signal's reason
 */
export async function compareDefinitions(
  stage: Stage & { readonly signal: AbortSignal },
  current: () => Running,
  wanted: OpenedProgram,
  most: number,
): Promise<Comparison> {
  const { signal } = stage
  try {
    signal.throwIfAborted()
    const { tick, pairs } = await pinBoth(stage, current, wanted)
    const slices = current().views.slices()
    return { tick, views: await comparePairs(pairs, (a, b) => compareRows(a, b, most, slices, signal)) }
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  }
}

async function pinBoth(stage: Stage, current: () => Running, wanted: OpenedProgram) {
  const builder = await buildChanged(stage, current().program, wanted)
  try {
    const old = current()
    const pair = () => {
      const { tick } = old.views
      // State that turned out to be damaged is made again, and the views it was of stand still.
      if (old !== current() || (builder !== null && builder.views.tick !== tick)) {
        throw new MillraceError('request/busy', 'the views are being made again', { hint: 'ask again in a while' })
      }
      return { tick, pairs: pairViews(old, wanted.program, (view) => builder?.views.byId(view.id)) }
    }
    return await (builder === null ? atOneTick([old], pair) : together(stage, old, builder, pair))
  } finally {
    if (builder !== null) await end(stage, builder)
  }
}

/**
 * Views by name before and after, as they are right now.
 * @param built a view of `wanted`; asked only where none at work means the same
 */
export function pairViews(
  current: Running,
  wanted: Program,
  built: (view: ViewDefinition) => View | undefined,
): readonly Pair[] {
  const { views } = current
  const meanings = new Map(views.views.map((view) => [viewMeaning(current.program, view.definition), view]))
  const unpaired = new Set(views.views)
  const pairs = wanted.views.map((definition): Pair => {
    const before = views.find(definition.name)
    if (before !== null) unpaired.delete(before)
    const meaning = viewMeaning(wanted, definition)
    const same = before !== null && viewMeaning(current.program, before.definition) === meaning
    const after = same ? before : (meanings.get(meaning) ?? built(definition))
    invariant(after !== undefined, `nothing was built for ${definition.name}`)
    const pinned = before === null ? null : { definition: before.definition, version: before.version }
    return { name: definition.name, same, before: pinned, after: { definition, version: after.version } }
  })
  const dropped = [...unpaired].map(({ definition, version }): Pair => {
    return { name: definition.name, same: false, before: { definition, version }, after: null }
  })
  return [...pairs, ...dropped]
}

/**
 * What a change of definitions made of views, with the rows that differ counted.
 * @throws the signal's reason
 */
export function countChanges(pairs: readonly Pair[], slices: Slices, signal: AbortSignal) {
  return comparePairs(pairs, (before, after) =>
    compareRows(before, after, 0, slices, signal).catch((error: unknown) => {
      if (!isDamaged(error)) throw error
      return null
    }),
  )
}

/** @param compare two versions of one view */
async function comparePairs(
  pairs: readonly Pair[],
  compare: (before: PinnedView, after: PinnedView) => Promise<ChangedRows | null>,
): Promise<readonly Difference[]> {
  const differences: Difference[] = []
  for (const { name: view, same, before, after } of pairs) {
    const counts = { view, before: counted(before), after: counted(after) }
    if (before === null || after === null) {
      differences.push({ ...counts, kind: before === null ? 'new' : 'dropped', changes: null })
    } else if (!sameColumns(before.definition.columns, after.definition.columns)) {
      differences.push({ ...counts, kind: 'reshaped', changes: null })
    } else if (same) differences.push({ ...counts, kind: 'same', changes: null })
    else {
      differences.push({ ...counts, kind: 'changed', changes: await compare(before, after) })
    }
  }
  return differences
}

function counted(pinned: PinnedView | null): Counted | null {
  return pinned === null ? null : { rows: pinned.version.rows, errors: pinned.version.errors }
}

function sameColumns(a: readonly ColumnSchema[], b: readonly ColumnSchema[]): boolean {
  return a.length === b.length && a.every(({ name, type }, i) => name === b[i].name && sameType(type, b[i].type))
}
