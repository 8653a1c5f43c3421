import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ViewInfo } from '../ask/catalog.ts'
import { go, query, whyAddress } from '../shell/place.ts'
import { plural } from '../text/numbers.ts'
import type { RowKey } from './why-key.ts'

/** Of a view with many columns, those that are asked about and so many others: the answer stands below. */
const fewFields = 8

interface AskRowProps {
  readonly view: ViewInfo
  readonly asked: RowKey
}

/** Asks about another row, be it there or not: by as many columns as tell it from the others. */
export function AskRow({ view, asked }: AskRowProps): JSX.Element {
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>(
    Object.fromEntries(Object.entries(asked).map(([column, value]) => [column, value ?? ''])),
  )
  const [all, setAll] = useState(view.columns.length <= fewFields * 2)
  const shown = all ? view.columns : view.columns.filter(({ name }, i) => i < fewFields || name in asked)
  return (
    <form
      class="ask-row"
      aria-label="Ask about a row"
      onSubmit={(event) => {
        event.preventDefault()
        const key = Object.fromEntries(Object.entries(typed).filter(([, value]) => value !== ''))
        const asOf = query.value.get('as_of')
        go(whyAddress(view.name, key, asOf === null ? null : Number(asOf)))
      }}
    >
      {shown.map(({ name, type }) => (
        <label key={name} class="ask-field">
          <span class="label">{name}</span>
          <input
            class="field"
            type="text"
            title={type}
            placeholder="any"
            autocomplete="off"
            spellcheck={false}
            value={typed[name] ?? ''}
            onInput={(event) => setTyped({ ...typed, [name]: event.currentTarget.value })}
          />
        </label>
      ))}
      {shown.length < view.columns.length && (
        <button type="button" class="button plain" onClick={() => setAll(true)}>
          {`${plural(view.columns.length - shown.length, 'more column')} …`}
        </button>
      )}
      <button type="submit" class="button">
        Ask why
      </button>
    </form>
  )
}
