/** The app that the server is developed with. */
import { signal } from '@preact/signals'

/** Its file; null where nobody knows. */
export const appFile = signal<string | null>(null)
