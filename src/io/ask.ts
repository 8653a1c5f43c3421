import type { IncomingMessage } from 'node:http'

/** Of `Response`, what reads a whole answer. */
type Whole = Pick<Response, 'ok' | 'status' | 'text' | 'json'> & { readonly headers: Pick<Headers, 'get'> }

/**
 * As `dial`, for who reads answers whole. The runtime's fetch takes longer to load than a short command to run, and
 * Node's HTTP client does not.
 * @param init a body is text or bytes
 * @returns no more of a `Response` than status, headers, text and JSON
 */
export async function ask(url: string, init: RequestInit = {}): Promise<Response> {
  const { request } = await (url.toLowerCase().startsWith('https:') ? import('node:https') : import('node:http'))
  const { method = 'GET', headers, body, signal } = init
  const answer = await new Promise<Whole>((resolve, reject) => {
    const options = {
      method,
      headers: { accept: '*/*', ...(headers as Readonly<Record<string, string>> | undefined) },
      ...(signal == null ? {} : { signal }),
    }
    let answered = false
    const asked = request(url, options, (message) => {
      answered = true
      whole(message).then(resolve, reject)
    })
    // Who answers before he has read all may end the connection under what is still being written.
    asked.on('error', (error) => {
      if (!answered) reject(error)
    })
    asked.end(body ?? undefined)
  })
  // Where it leads elsewhere, nothing was done here.
  const leadsElsewhere = answer.status >= 300 && answer.status < 400
  return leadsElsewhere ? fetch(url, init) : (answer as Response)
}

async function whole(message: IncomingMessage): Promise<Whole> {
  const pieces: Uint8Array[] = []
  for await (const piece of message) pieces.push(piece as Uint8Array)
  const bytes = Buffer.concat(pieces)
  const status = message.statusCode ?? 0
  const text = async (): Promise<string> => new TextDecoder().decode(bytes)
  return {
    ok: status >= 200 && status < 300,
    status,
    headers: { get: (name) => message.headers[name.toLowerCase()]?.toString() ?? null },
    text,
    json: async () => JSON.parse(await text()),
  }
}
