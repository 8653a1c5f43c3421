/** Sends a request to another process and resolves with its answer's head. Throws `Unreachable` when nobody answers. */
export type Dial = (url: string, request?: RequestInit) => Promise<Response>

export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

/** HTTP as the runtime has it. */
export const nodeDial: Dial = async (url, request) => {
  try {
    return await fetch(url, request)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    // A host with several addresses fails with an error that says nothing and holds one per address.
    const reason = cause instanceof AggregateError ? (cause.errors[0] as Error).message : (cause as Error).message
    throw new Unreachable(reason, { cause: error })
  }
}
