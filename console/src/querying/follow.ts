/** A query that is run again whenever ticks have moved on. */
import type { Inspector, SqlBody } from 'millrace/client'

const shortestMs = 500

/**
 * Each answer whole, until the signal aborts. Between two runs it rests at least three times as long as the last one
 * took, so that a query over a long log doesn't take the server for itself.
 */
export async function* followSql(server: Inspector, sql: string, signal: AbortSignal): AsyncGenerator<SqlBody> {
  for (let tick = -1; !signal.aborted; ) {
    const start = performance.now()
    const answer = await server.relations.sql(sql, { signal })
    if (answer.tick !== tick) yield answer
    tick = answer.tick
    await rested(Math.max(shortestMs, (performance.now() - start) * 3), signal)
    while (!signal.aborted && (await server.relations.ready({ signal })).tick <= tick) await rested(shortestMs, signal)
  }
}

function rested(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
  })
}
