/** Where the reader is: all of it stands in the address. */
import { computed, signal } from '@preact/signals'

interface Place {
  readonly path: string
  readonly query: string
}

function here(): Place {
  return { path: location.pathname, query: location.search }
}

export const place = signal<Place>(here())
export const query = computed(() => new URLSearchParams(place.value.query))

addEventListener('popstate', () => {
  place.value = here()
})

/** Goes to an address of the console. @param replace leaves no step in the history: for what changes while dragging */
export function go(address: string, replace = false): void {
  if (replace) history.replaceState(null, '', address)
  else history.pushState(null, '', address)
  place.value = here()
}

/** Changes parameters of the address; null takes one away. */
export function setQuery(changes: Readonly<Record<string, string | null>>, replace = true): void {
  const next = new URLSearchParams(location.search)
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) next.delete(name)
    else next.set(name, value)
  }
  const text = next.toString()
  if (`?${text}` === location.search || (text === '' && location.search === '')) return
  go(location.pathname + (text === '' ? '' : `?${text}`), replace)
}

export function viewAddress(name: string): string {
  return `/views/${encodeURIComponent(name)}`
}

export function dashboardAddress(name: string): string {
  return `/dashboards/${encodeURIComponent(name)}`
}

export function topicAddress(name: string): string {
  return `/topics/${encodeURIComponent(name)}`
}

export function eventAddress(topic: string, offset: number): string {
  return `/events/${encodeURIComponent(topic)}/${offset}`
}

/** Where a view's row is explained. @param key columns that tell the row from all others; null is NULL */
export function whyAddress(view: string, key: Readonly<Record<string, string | null>>, asOf: number | null): string {
  const parameters = new URLSearchParams()
  for (const [column, value] of Object.entries(key)) {
    if (value === null) parameters.append('isnull', column)
    else parameters.append(`eq.${column}`, value)
  }
  if (asOf !== null) parameters.set('as_of', String(asOf))
  return `${viewAddress(view)}/why?${parameters}`
}

/** Links inside the console change the address without loading a page. */
export function followLinks(event: MouseEvent): void {
  if (
    event.defaultPrevented ||
    event.button !== 0 ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  ) {
    return
  }
  const link = event.target instanceof Element ? event.target.closest('a') : null
  if (link === null || link.origin !== location.origin || link.target !== '' || link.hasAttribute('download')) return
  // A place on this very page: the browser goes there, and takes the focus along.
  if (link.hash !== '' && link.pathname === location.pathname && link.search === location.search) return
  if (/^\/(v1|metrics|livez|readyz|openapi)/.test(link.pathname)) return
  event.preventDefault()
  if (link.href !== location.href) go(link.pathname + link.search)
}
