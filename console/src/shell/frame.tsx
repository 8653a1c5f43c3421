import type { FunctionComponent, JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { catalog, watchCatalog } from '../ask/catalog.ts'
import { watchCharts } from '../ask/charts.ts'
import { refusalOf } from '../ask/refusal.ts'
import { Empty, Trouble, Waiting } from '../design/empty.tsx'
import { loadAnew } from './load-anew.ts'
import { followLinks, place } from './place.ts'
import { ProjectBanner } from './project-banner.tsx'
import { type PageProps, routeOf } from './routes.ts'
import { Search } from './search.tsx'
import { listenToKeys } from './shortcuts.ts'
import { Sidebar } from './sidebar.tsx'
import { TokenForm } from './token-form.tsx'
import './frame.css'

/** What stands around every page. */
export function Frame(): JSX.Element {
  useLayoutEffect(() => {
    document.addEventListener('click', followLinks)
    const ends = [watchCatalog(), watchCharts(), listenToKeys()]
    return () => {
      document.removeEventListener('click', followLinks)
      for (const end of ends) end()
    }
  }, [])
  const { refusal } = catalog.value
  // Who asks is not known yet, so that no page would get an answer.
  const unknown = refusal?.code.startsWith('auth') ?? false
  return (
    <div class="frame">
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <Sidebar />
      <main id="main" class="main" tabIndex={-1}>
        {refusal !== null && (unknown ? <TokenForm refusal={refusal} /> : <Banner />)}
        <ProjectBanner />
        {!unknown && <CurrentPage />}
      </main>
      <Search />
    </div>
  )
}

function Banner(): JSX.Element {
  const refusal = catalog.value.refusal!
  const replaying = refusal.code === 'request/busy'
  return (
    <p class="banner" role="status">
      <strong>{replaying ? 'Starting: ' : 'No answer: '}</strong>
      {refusal.message}
      {refusal.hint !== null && <span class="quiet">{` · ${refusal.hint}`}</span>}
    </p>
  )
}

/** A page's file that is not there, though the document was loaded anew: the server is away, or its console is not whole. */
function Unloaded({ failure }: { readonly failure: unknown }): JSX.Element {
  return (
    <div class="unloaded">
      <Trouble title="This page could not be loaded" refusal={refusalOf(failure)} />
      <button type="button" class="button" onClick={() => location.reload()}>
        Load it again
      </button>
    </div>
  )
}

interface Loaded {
  readonly pattern: string
  readonly Page: FunctionComponent<PageProps>
}

function CurrentPage(): JSX.Element {
  const found = routeOf(place.value.path)
  const [loaded, setLoaded] = useState<Loaded | null>(null)
  const [failure, setFailure] = useState<unknown>(null)
  const route = found?.route
  useLayoutEffect(() => {
    if (route === undefined) return
    let wanted = true
    setFailure(null)
    route.load().then(
      ({ Page }) => wanted && setLoaded({ pattern: route.pattern, Page }),
      async (error) => {
        if (!(await loadAnew()) && wanted) setFailure(error)
      },
    )
    return () => {
      wanted = false
    }
  }, [route])
  const title = found === null ? 'Nothing here' : found.route.title(found.names)
  const address = loaded?.pattern === route?.pattern ? place.value.path : null
  const before = useRef(address)
  // Whoever opened the page by something that went away with the page before begins at its title.
  useEffect(() => {
    if (address === null) return
    const isOther = before.current !== null && before.current !== address
    before.current = address
    if (isOther && document.activeElement === document.body) document.querySelector<HTMLElement>('#main h1')?.focus()
  }, [address])
  useEffect(() => {
    document.title = `${title} · Millrace`
  }, [title])
  if (found === null) {
    return (
      <Empty title={`There is no page at ${place.value.path}`}>
        <p>
          Press <kbd>/</kbd> to find a view or a topic, or go to the{' '}
          <a class="link" href="/">
            overview
          </a>
          .
        </p>
      </Empty>
    )
  }
  if (failure !== null) return <Unloaded failure={failure} />
  if (loaded?.pattern !== found.route.pattern) return <Waiting what={`Opening ${title}`} />
  const { Page } = loaded
  return <Page key={found.names.join('\n')} names={found.names} />
}
