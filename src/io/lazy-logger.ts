import { createRequire } from 'node:module'
import type { Logger } from 'pino'

/** What a server logs with. */
export type ServerLogger = Pick<Logger, 'debug' | 'error'>

const mutedErrors = new Set(['fatal', 'silent'])

/**
 * JSON lines on stderr, each written before the call returns. Most servers write none for long: the library is loaded
 * with the first.
 * @param level from which on lines are written, as pino names it
 */
export function lazyLogger(level: string): ServerLogger {
  let made: Logger | null = null
  const logger = (): Logger => {
    if (made === null) {
      const { pino } = createRequire(import.meta.url)('pino') as typeof import('pino')
      made = pino({ level }, pino.destination({ fd: 2, sync: true }))
    }
    return made
  }
  return {
    debug: (...line: unknown[]) => {
      if (level === 'debug') logger().debug(...(line as Parameters<Logger['debug']>))
    },
    error: (...line: unknown[]) => {
      if (!mutedErrors.has(level)) logger().error(...(line as Parameters<Logger['error']>))
    },
  }
}
