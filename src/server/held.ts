import type { ApiAnswer, ApiRequest } from './exchange.ts'

/**
 * An answer's body that keeps something until it has been taken, or nobody wants it any more.
 * @param request its signal is aborted when nobody waits for the answer any more
 * @param leave may be called more than once
 */
export function holding(
  body: ApiAnswer['body'],
  request: Pick<ApiRequest, 'signal'>,
  leave: () => void,
): ApiAnswer['body'] {
  if (body === null || body instanceof Uint8Array) {
    leave()
    return body
  }
  const gone = request.signal
  const pieces = body[Symbol.asyncIterator]()
  const end = (): void => {
    gone.removeEventListener('abort', end)
    leave()
  }
  gone.addEventListener('abort', end)
  if (gone.aborted) end()
  // No generator: one that nobody begins to read never comes to its end.
  const held: AsyncIterableIterator<Uint8Array> = {
    [Symbol.asyncIterator]: () => held,
    async next() {
      try {
        const piece = await pieces.next()
        if (piece.done === true) end()
        return piece
      } catch (error) {
        end()
        throw error
      }
    },
    async return() {
      end()
      await pieces.return?.()
      return { done: true, value: undefined }
    },
  }
  return held
}
