import { MillraceError } from '../data/errors.ts'

/** Made once: an error with its stack for each reader that goes away would cost more than the request. */
const hungUp = new MillraceError('request/slow', 'nobody waits for the answer any more')

/** Whether somebody still waits for an answer. The signal is made when it is asked for: most requests need none. */
export class Gone {
  #controller: AbortController | null = null
  is = false

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.is) this.#controller.abort(hungUp)
    }
    return this.#controller.signal
  }

  now(): void {
    this.is = true
    this.#controller?.abort(hungUp)
  }
}
