import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ViewInfo } from '../ask/catalog.ts'
import { go, query, whyAddress } from '../shell/place.ts'
import type { RowKey } from './why-key.ts'

interface AskRowProps {
  readonly view: ViewInfo
  readonly asked: RowKey
}

/** Asks about another row, be it there or not: by as many columns as tell it from the others. */
export function AskRow({ view, asked }: AskRowProps): JSX.Element {
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>(
    Object.fromEntries(Object.entries(asked).map(([column, value]) => [column, value ?? ''])),
  )
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
      {view.columns.map(({ name, type }) => (
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
      <button type="submit" class="button">
        Ask why
      </button>
    </form>
  )
}
