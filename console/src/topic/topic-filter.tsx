import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { query, setQuery } from '../shell/place.ts'

/** A condition over the topic's columns, in SQL. */
export function TopicFilter({ example }: { readonly example: string }): JSX.Element {
  const filter = query.value.get('where') ?? ''
  const [text, setText] = useState(filter)
  const clear = (): void => {
    setText('')
    setQuery({ where: null })
  }
  return (
    <form
      role="search"
      aria-label="Filter events"
      onSubmit={(event) => {
        event.preventDefault()
        setQuery({ where: text.trim() === '' ? null : text.trim(), event: null }, false)
      }}
    >
      <input
        class="field mono"
        type="text"
        aria-label="Condition in SQL"
        placeholder={`where … ${example}`}
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === 'Escape' && clear()}
      />
      <button type="submit" class="button">
        Filter
      </button>
      {filter !== '' && (
        <button type="button" class="button plain" onClick={clear}>
          Clear
        </button>
      )}
    </form>
  )
}
