/** What went wrong, as it is told to people. */

export interface Refusal {
  readonly code: string
  readonly message: string
  readonly hint: string | null
  readonly line: number | null
  readonly column: number | null
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[]
}

/** The client throws errors with a code, a message and a hint; anything else is a mistake of this page. */
export function refusalOf(error: unknown): Refusal {
  const { code, message, hint, place, errors } = (error ?? {}) as {
    readonly code?: unknown
    readonly message?: unknown
    readonly hint?: unknown
    readonly place?: { readonly line?: number; readonly column?: number }
    readonly errors?: Refusal['errors']
  }
  return {
    code: typeof code === 'string' ? code : 'console',
    message: typeof message === 'string' ? message : String(error),
    hint: typeof hint === 'string' ? hint : null,
    line: place?.line ?? null,
    column: place?.column ?? null,
    errors: Array.isArray(errors) ? errors : [],
  }
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}
