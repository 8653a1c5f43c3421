/** The one client of the server that this page came from. */
import { signal } from '@preact/signals'
import { createInspector, type Inspector } from 'millrace/client'

const stored = 'millrace.token'
const given = localStorage.getItem(stored)

function made(token: string | null): Inspector {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` }
  return createInspector({ url: location.origin, headers })
}

/** Another one once a token is given: what asks again with it is what reads this signal. */
export const server = signal(made(given))
export const hasToken = signal(given !== null)

export function useToken(token: string | null): void {
  if (token === null) localStorage.removeItem(stored)
  else localStorage.setItem(stored, token)
  hasToken.value = token !== null
  server.value = made(token)
}
