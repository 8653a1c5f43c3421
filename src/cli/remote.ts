import { type ErrorCode, type ErrorDetail, errorCodes, MillraceError } from '../data/errors.ts'
import { type Dial, Unreachable } from '../io/dial.ts'

export const defaultUrl = 'http://127.0.0.1:4280'

/** A running server, as the commands use it. */
export class Remote {
  readonly #dial: Dial
  readonly #url: string

  constructor(dial: Dial, url: string) {
    if (!URL.canParse(url) || !/^https?:/.test(url)) {
      throw new MillraceError('usage', `--url ${url} is no URL`, { hint: `write it as ${defaultUrl}` })
    }
    this.#dial = dial
    this.#url = url.replace(/\/+$/, '')
  }

  /** @throws MillraceError server/unreachable, or what the server refuses with */
  async call(path: string, request: RequestInit = {}): Promise<Response> {
    let response: Response
    try {
      response = await this.#dial(`${this.#url}${path}`, request)
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error
      throw new MillraceError('server/unreachable', `no server answers at ${this.#url}: ${error.message}`, {
        hint: 'start one with millrace dev, or name another with --url',
        cause: error,
      })
    }
    if (response.ok) return response
    throw refusalOf(response.status, await response.text())
  }

  async get(path: string): Promise<string> {
    return (await this.call(path)).text()
  }

  async post(path: string, type: string, body: string | Uint8Array): Promise<string> {
    const response = await this.call(path, {
      method: 'POST',
      headers: { 'content-type': type },
      body: body as NonNullable<RequestInit['body']>,
    })
    return response.text()
  }
}

interface Problem {
  readonly code?: string
  readonly title?: string
  readonly detail?: string
  readonly hint?: string
  readonly errors?: readonly ErrorDetail[]
  readonly line?: number
  readonly column?: number
}

/** A problem document as the error that it was on the server. */
function refusalOf(status: number, text: string): MillraceError {
  let problem: Problem = {}
  try {
    problem = JSON.parse(text) as Problem
  } catch {
    // Whoever answered is no server of ours: its status is all there is.
  }
  const code = problem.code !== undefined && problem.code in errorCodes ? (problem.code as ErrorCode) : codeOf(status)
  const { line, column } = problem
  return new MillraceError(code, problem.detail ?? problem.title ?? `the server answered ${status}`, {
    ...(problem.hint === undefined ? {} : { hint: problem.hint }),
    ...(problem.errors === undefined ? {} : { errors: problem.errors }),
    place: { ...(line === undefined ? {} : { line }), ...(column === undefined ? {} : { column }) },
  })
}

function codeOf(status: number): ErrorCode {
  return status === 404 ? 'not-found' : status === 503 ? 'request/busy' : 'request/malformed'
}
