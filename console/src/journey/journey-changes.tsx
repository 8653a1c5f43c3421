import type { JourneyBody } from 'millrace/client'
import type { JSX } from 'preact'
import { cellText } from '../rows/order.ts'
import { viewAddress, whyAddress } from '../shell/place.ts'
import { RowFacts } from '../why/row-facts.tsx'

type Change = JourneyBody['changes'][number]

/** Which rows of which views it changed: what they were, what they became. */
export function JourneyChanges({ changes }: { readonly changes: readonly Change[] }): JSX.Element {
  if (changes.length === 0) return <p class="label">It changed no row of any view.</p>
  return (
    <ul class="plain-list">
      {paired(changes).map((change, i) => (
        <ChangeLine key={`${change.view} ${i}`} change={change} />
      ))}
    </ul>
  )
}

/** A view whose rows have no key tells of a change as one row gone and one come: told together where they are alike. */
function paired(changes: readonly Change[]): readonly Change[] {
  const come = changes.filter(({ before }) => before === null)
  const taken = new Set<Change>()
  const told = changes.map((change) => {
    const { view, before, after } = change
    if (before === null || after !== null) return change
    const names = Object.keys(before)
    const alike = (other: Change): number =>
      names.filter((name) => cellText(before[name]) === cellText(other.after?.[name])).length
    const [best] = come
      .filter((other) => other.view === view && !taken.has(other) && alike(other) * 2 >= names.length)
      .sort((a, b) => alike(b) - alike(a))
    if (best === undefined) return change
    taken.add(best)
    return { ...change, key: best.key, after: best.after }
  })
  return told.filter((change) => !taken.has(change))
}

function ChangeLine({ change }: { readonly change: Change }): JSX.Element {
  const { view, key, before, after, tick } = change
  const changed = new Set(
    Object.keys(after ?? before ?? {}).filter((name) => cellText(before?.[name]) !== cellText(after?.[name])),
  )
  const textKey = Object.fromEntries(Object.entries(key).map(([name, value]) => [name, cellText(value)]))
  return (
    <li class="plain-row journey-change">
      <div class="journey-change-head">
        <a class="table-link" href={viewAddress(view)}>
          {view}
        </a>
        {after !== null && (
          <a class="link" href={whyAddress(view, textKey, tick)}>
            Why
          </a>
        )}
      </div>
      <div class="journey-sides">
        <span class="label">before</span>
        {before === null ? <span class="quiet">not there</span> : <RowFacts row={before} marked={changed} />}
        <span class="label">after</span>
        {after === null ? <span class="quiet">not there</span> : <RowFacts row={after} marked={changed} />}
      </div>
    </li>
  )
}
