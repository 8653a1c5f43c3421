// A page in React that follows a view: what react.test.ts bundles and opens.
import { createElement, StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { createClient } from '../../src/client/client.ts'
import { useLive, useLiveSql } from '../../src/client/react.ts'

interface Spent {
  readonly auction: number
  readonly bids: number
  readonly total: number
}

/** What the page has of a browser: the compiler knows Node's world alone here. */
const { document, location } = globalThis as unknown as {
  readonly location: { readonly search: string }
  readonly document: {
    readonly body: { appendChild(element: object): Parameters<typeof createRoot>[0] }
    createElement(name: string): object
  }
}

const url = new URLSearchParams(location.search).get('api') ?? ''
const db = createClient({ url }) as unknown as {
  by_auction: Parameters<typeof useLive<Spent>>[0]
  nothing: Parameters<typeof useLive<Spent>>[0]
  sql: Parameters<typeof useLiveSql>[0]['sql']
}

const byTotal = (a: Spent, b: Spent): number => b.total - a.total

function Table({ id }: { readonly id: string }) {
  const { state, tick, rows } = useLive(db.by_auction, { key: ['auction'], order: byTotal })
  const lines = rows.map(({ auction, bids, total }) =>
    createElement('li', { key: auction }, `${auction}: ${bids} bids, ${total}`),
  )
  return createElement('ul', { id, 'data-state': state, 'data-tick': tick }, lines)
}

function Dearest() {
  const asked = 'SELECT auction, total FROM by_auction WHERE bids < $1 ORDER BY total DESC LIMIT 1'
  const { rows } = useLiveSql<Spent>(db, asked, { params: [100] })
  return createElement('p', { id: 'dearest' }, rows.map(({ auction, total }) => `${auction}: ${total}`).join())
}

function Missing() {
  const { state, error } = useLive(db.nothing)
  return createElement('p', { id: 'missing' }, `${state} ${error instanceof Error ? error.message : ''}`)
}

function Page() {
  const [second, setSecond] = useState(true)
  return createElement(
    'main',
    {},
    createElement(Table, { id: 'first' }),
    second ? createElement(Table, { id: 'second' }) : null,
    createElement(Dearest),
    createElement(Missing),
    createElement('button', { type: 'button', onClick: () => setSecond(!second) }, 'toggle'),
  )
}

createRoot(document.body.appendChild(document.createElement('div'))).render(
  createElement(StrictMode, {}, createElement(Page)),
)
