import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { catalog, topics, views } from '../ask/catalog.ts'
import { Dot, type Tone } from '../design/badge.tsx'
import { count, short } from '../text/numbers.ts'
import { place, topicAddress, viewAddress } from './place.ts'
import { openSearch } from './search.tsx'
import { sections } from './sections.ts'
import { theme, toggleTheme } from './theme.ts'
import './sidebar.css'

/** The way to everything: pages, views, topics. */
export function Sidebar(): JSX.Element {
  const { path, query } = place.value
  const [open, setOpen] = useState(false)
  // On a phone it covers the page that was chosen in it.
  useEffect(() => setOpen(false), [path, query])
  const menu = useRef<HTMLButtonElement>(null)
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || !open) return
    setOpen(false)
    menu.current?.focus()
  }
  return (
    <nav class={open ? 'sidebar open' : 'sidebar'} aria-label="Console" onKeyDown={onKeyDown}>
      <div class="wordmark">
        <a href="/" class="wordmark-link">
          <img src="/page/icon.svg" alt="" width="20" height="20" />
          Millrace
        </a>
        <State />
        <button
          type="button"
          ref={menu}
          class="button menu-button"
          aria-expanded={open}
          aria-controls="side-body"
          onClick={() => setOpen(!open)}
        >
          {open ? 'Close' : 'Menu'}
        </button>
      </div>
      <div class="side-body" id="side-body">
        <button type="button" class="search-button" onClick={openSearch}>
          Find a view or topic
          <kbd>/</kbd>
        </button>
        <ul class="side-list">
          {sections.value.map(({ title, address }) => (
            <li key={address}>
              <a
                class="side-link"
                href={address}
                aria-current={path === address ? 'page' : isInside(path, address) ? 'true' : undefined}
              >
                {title}
              </a>
            </li>
          ))}
        </ul>
        <div class="side-scroll">
          <Relations
            title="Views"
            items={views.value.map(({ name, rows, errors }) => ({
              name,
              address: viewAddress(name),
              note: short(rows),
              said: `${count(rows)} rows`,
              errors,
            }))}
          />
          <Relations
            title="Topics"
            items={topics.value.map(({ name, events }) => ({
              name,
              address: topicAddress(name),
              note: short(events),
              said: `${count(events)} events`,
              errors: 0,
            }))}
          />
        </div>
        <div class="side-foot">
          <button type="button" class="button plain" onClick={toggleTheme}>
            {theme.value === 'dark' ? 'Light theme' : 'Dark theme'}
          </button>
        </div>
      </div>
    </nav>
  )
}

/** A dashboard stands under its section; the other sections have no pages of their own below them. */
function isInside(path: string, address: string): boolean {
  return address === '/dashboards' && path.startsWith(`${address}/`)
}

function State(): JSX.Element {
  const { value, refusal } = catalog.value
  const [tone, text]: [Tone, string] =
    refusal !== null
      ? ['bad', refusal.code.startsWith('auth') ? 'no token' : 'no answer']
      : value === null
        ? ['plain', 'connecting']
        : ['good', `tick ${count(value.tick)}`]
  return (
    <span class="side-state num">
      <Dot tone={tone} />
      {text}
    </span>
  )
}

interface Item {
  readonly name: string
  readonly address: string
  readonly note: string
  readonly said: string
  readonly errors: number
}

function Relations({ title, items }: { title: string; items: readonly Item[] }): JSX.Element | null {
  const { path } = place.value
  if (items.length === 0) return null
  return (
    <section aria-label={title}>
      <h2 class="side-title">{title}</h2>
      <ul class="side-list">
        {items.map(({ name, address, note, said, errors }) => (
          <li key={name}>
            <a
              class="side-link"
              href={address}
              title={`${name}: ${said}`}
              aria-current={path === address ? 'page' : path.startsWith(`${address}/`) ? 'true' : undefined}
            >
              <span class="cut">{name}</span>
              {errors > 0 && <Dot tone="bad" label={`${count(errors)} error rows`} />}
              <span class="side-note num">{note}</span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  )
}
