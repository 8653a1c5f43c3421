import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { topics, views } from '../ask/catalog.ts'
import { go, topicAddress, viewAddress } from './place.ts'
import { sections } from './sections.ts'

const open = signal(false)

export function openSearch(): void {
  open.value = true
}

interface Hit {
  readonly name: string
  readonly kind: string
  readonly address: string
}

function allHits(): Hit[] {
  return [
    ...views.value.map(({ name }) => ({ name, kind: 'view', address: viewAddress(name) })),
    ...topics.value.map(({ name, kind }) => ({ name, kind, address: topicAddress(name) })),
    ...sections.value.map(({ title, address, key }) => ({ name: title, kind: `g ${key}`, address })),
  ]
}

const mostHits = 12

/** Those whose name has the letters in their order; where the name begins with them comes first. */
function hitsOf(text: string): Hit[] {
  const wanted = text.trim().toLowerCase()
  const ranked = allHits().flatMap((hit) => {
    const rank = rankOf(hit.name.toLowerCase(), wanted)
    return rank === null ? [] : [{ hit, rank }]
  })
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .slice(0, mostHits)
    .map(({ hit }) => hit)
}

function rankOf(name: string, wanted: string): number | null {
  const at = name.indexOf(wanted)
  if (at >= 0) return at === 0 ? 0 : 1
  let from = 0
  for (const letter of wanted) {
    const found = name.indexOf(letter, from)
    if (found < 0) return null
    from = found + 1
  }
  return 2
}

/** Finds a view, a topic or a page by its name. */
export function Search(): JSX.Element | null {
  return open.value ? <Dialog /> : null
}

function Dialog(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  const [text, setText] = useState('')
  const [at, showAt] = useState(0)
  // Keys may come faster than the page is painted.
  const current = useRef(0)
  const setAt = (next: number): void => {
    current.current = next
    showAt(next)
  }
  const hits = hitsOf(text)
  // Before the next key: what is typed right behind the `/` belongs to the field.
  useLayoutEffect(() => {
    dialog.current?.showModal()
  }, [])
  const close = (): void => {
    dialog.current?.close()
    open.value = false
  }
  const choose = (hit: Hit | undefined): void => {
    if (hit === undefined) return
    close()
    go(hit.address)
    document.getElementById('main')?.focus()
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown') setAt(Math.min(hits.length - 1, current.current + 1))
    else if (event.key === 'ArrowUp') setAt(Math.max(0, current.current - 1))
    else if (event.key === 'Enter') choose(hits[current.current])
    else return
    event.preventDefault()
  }
  return (
    <dialog
      class="search"
      ref={dialog}
      aria-label="Find a view, topic or page"
      onClose={() => {
        open.value = false
      }}
      onClick={(event) => event.target === dialog.current && close()}
      onKeyDown={onKeyDown}
    >
      <input
        type="text"
        role="combobox"
        aria-label="Name of a view, topic or page"
        aria-expanded="true"
        aria-controls="search-hits"
        aria-activedescendant={hits.length > 0 ? `hit-${at}` : undefined}
        placeholder="Find a view, topic or page"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value)
          setAt(0)
        }}
      />
      <ul id="search-hits" role="listbox" aria-label="Found">
        {hits.map((hit, i) => (
          <li
            key={hit.address}
            id={`hit-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === at}
            class="search-hit"
            onMouseMove={() => setAt(i)}
            onClick={() => choose(hit)}
          >
            {hit.name}
            <span class="search-kind">{hit.kind}</span>
          </li>
        ))}
      </ul>
      <p class="search-keys">
        {hits.length === 0 ? (
          <span role="status">Nothing of that name. Names of views and topics are those of the app.</span>
        ) : (
          <>
            <span>
              <kbd>↑</kbd> <kbd>↓</kbd> choose
            </span>
            <span>
              <kbd>Enter</kbd> open
            </span>
            <span>
              <kbd>Esc</kbd> close
            </span>
          </>
        )}
      </p>
    </dialog>
  )
}
