import { Connection } from '../client/connection.ts'
import { MillraceError } from '../data/errors.ts'
import { dial } from '../io/dial.ts'

export const defaultPort = 4280
export const defaultUrl = `http://127.0.0.1:${defaultPort}`

/** @throws MillraceError usage */
export function connect(url: string): Connection {
  if (URL.canParse(url) && /^https?:/i.test(url)) return new Connection(url, dial, {})
  throw new MillraceError('usage', `--url ${url} is no URL`, { hint: `write it as ${defaultUrl}` })
}
