import { Connection, type Fetch } from '../client/connection.ts'
import { MillraceError } from '../data/errors.ts'
import { ask } from '../io/ask.ts'
import { dial } from '../io/dial.ts'
import { environment } from '../io/environment.ts'

export const defaultPort = 4280
export const defaultUrl = `http://127.0.0.1:${defaultPort}`

/** Holds the token or API key that a command sends: an argument would stand in the list of processes. */
const tokenVariable = 'MILLRACE_TOKEN'

/** @param actAs the caller that an admin asks as, as JSON @throws MillraceError usage */
export function connect(url: string, actAs?: string): Connection {
  return connectBy(dial, url, actAs)
}

/** The same, for a command that reads answers whole: it starts sooner. */
export function connectBriefly(url: string, actAs?: string): Connection {
  return connectBy(ask, url, actAs)
}

function connectBy(fetcher: Fetch, url: string, actAs: string | undefined): Connection {
  const token = environment(tokenVariable)
  const headers = {
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(actAs === undefined ? {} : { 'millrace-act-as': actAs }),
  }
  if (URL.canParse(url) && /^https?:/i.test(url)) return new Connection(url, fetcher, headers)
  throw new MillraceError('usage', `--url ${url} is no URL`, { hint: `write it as ${defaultUrl}` })
}
