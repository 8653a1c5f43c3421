/** Which page stands at which address. A page is a file of its own, loaded when it is first opened. */
import type { FunctionComponent } from 'preact'

export interface PageProps {
  /** The variable parts of the address, in their order, decoded. */
  readonly names: readonly string[]
}

export interface PageModule {
  readonly Page: FunctionComponent<PageProps>
}

export interface Route {
  /** `{…}` stands for any name. The server's list is in src/server/page.ts. */
  readonly pattern: string
  readonly title: (names: readonly string[]) => string
  readonly load: () => Promise<PageModule>
}

const titled = (title: string) => (): string => title

export const routes: readonly Route[] = [
  { pattern: '/', title: titled('Overview'), load: () => import('../pages/overview.tsx') },
  { pattern: '/dashboards', title: titled('Dashboards'), load: () => import('../pages/dashboards.tsx') },
  { pattern: '/dashboards/{name}', title: ([name]) => name, load: () => import('../pages/dashboards.tsx') },
  { pattern: '/views/{view}', title: ([view]) => view, load: () => import('../pages/view.tsx') },
  { pattern: '/topology', title: titled('Topology'), load: () => import('../pages/topology.tsx') },
  { pattern: '/time', title: titled('Time'), load: () => import('../pages/time.tsx') },
  { pattern: '/query', title: titled('Query'), load: () => import('../pages/query.tsx') },
  { pattern: '/views/{view}/why', title: ([view]) => `Why: ${view}`, load: () => import('../pages/why.tsx') },
  { pattern: '/events', title: titled('Events'), load: () => import('../pages/events.tsx') },
  {
    pattern: '/events/{topic}/{offset}',
    title: ([topic, offset]) => `Event ${offset} of ${topic}`,
    load: () => import('../pages/event.tsx'),
  },
  { pattern: '/topics/{topic}', title: ([topic]) => topic, load: () => import('../pages/topic.tsx') },
]

export function routeOf(path: string): { readonly route: Route; readonly names: readonly string[] } | null {
  const segments = path.split('/')
  for (const route of routes) {
    const parts = route.pattern.split('/')
    if (parts.length !== segments.length) continue
    if (!parts.every((part, i) => part.startsWith('{') || part === segments[i])) continue
    const names = segments.filter((_, i) => parts[i].startsWith('{')).map(decoded)
    return { route, names }
  }
  return null
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
