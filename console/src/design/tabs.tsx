import type { ComponentChildren, JSX } from 'preact'
import { useRef } from 'preact/hooks'
import { query, setQuery } from '../shell/place.ts'
import './tabs.css'

export interface Tab {
  readonly id: string
  readonly title: string
  readonly note?: ComponentChildren
}

interface TabsProps {
  readonly label: string
  readonly tabs: readonly Tab[]
  /** The address's parameter that names the tab; the first one needs none. */
  readonly parameter?: string
  readonly actions?: ComponentChildren
}

/** The tab that the address names. */
export function tabOf(tabs: readonly Tab[], parameter = 'tab'): string {
  const wanted = query.value.get(parameter)
  return (tabs.find(({ id }) => id === wanted) ?? tabs[0]).id
}

/** Parts of a page of which one is seen; arrows go from one to the next. */
export function Tabs({ label, tabs, parameter = 'tab', actions }: TabsProps): JSX.Element {
  const list = useRef<HTMLDivElement>(null)
  const chosen = tabOf(tabs, parameter)
  const choose = (index: number): void => {
    const { id } = tabs[(index + tabs.length) % tabs.length]
    setQuery({ [parameter]: id === tabs[0].id ? null : id })
    list.current?.querySelector<HTMLElement>(`#tab-${id}`)?.focus()
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = tabs.findIndex(({ id }) => id === chosen)
    if (event.key === 'ArrowRight') choose(at + 1)
    else if (event.key === 'ArrowLeft') choose(at - 1)
    else return
    event.preventDefault()
  }
  return (
    <div class="tabs">
      <div class="tab-list" role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
        {tabs.map(({ id, title, note }, index) => (
          <button
            type="button"
            key={id}
            id={`tab-${id}`}
            role="tab"
            class="tab"
            aria-selected={id === chosen}
            aria-controls="tab-panel"
            tabIndex={id === chosen ? 0 : -1}
            onClick={() => choose(index)}
          >
            {title}
            {note !== undefined && <span class="tab-note num">{note}</span>}
          </button>
        ))}
      </div>
      {actions !== undefined && <div class="panel-actions">{actions}</div>}
    </div>
  )
}

/** What the chosen tab shows. */
export function TabPanel({ tab, children }: { tab: string; children: ComponentChildren }): JSX.Element {
  return (
    <div class="tab-panel" id="tab-panel" role="tabpanel" aria-labelledby={`tab-${tab}`}>
      {children}
    </div>
  )
}
