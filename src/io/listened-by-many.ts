import { setMaxListeners } from 'node:events'

/** A signal that any number of tasks wait for at the same time: the runtime would warn of the eleventh. */
export function listenedByMany(signal: AbortSignal): void {
  setMaxListeners(0, signal)
}
