import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Running, startRunning } from '../../test/support/running-server.ts'
import { Metrics } from './metrics.ts'

let running: Running
beforeEach(async () => {
  running = await startRunning()
})
afterEach(() => running.stop())

const scraped = async (metrics: Metrics): Promise<string> =>
  new TextDecoder().decode((await metrics.answer()).body as Uint8Array)

// More than wait at most: they are counted before the library is asked for, while it is loaded, and after.
it.each([3, 1500])('counts %i requests from before anybody asked, and those that follow', async (requests) => {
  const metrics = new Metrics(running.database, () => 0)
  const observe = (): void => {
    metrics.observe('/livez', 'GET', 200, 0.002)
    metrics.countBody(2)
  }
  for (let i = 0; i < requests; i++) observe()
  const counts = (text: string): readonly (string | undefined)[] => [
    /^millrace_http_request_seconds_count\{.*\} (\d+)$/m.exec(text)?.[1],
    /^millrace_http_body_bytes_total (\d+)$/m.exec(text)?.[1],
  ]
  const both = await Promise.all([scraped(metrics), scraped(metrics)])
  expect(both.map(counts)).toEqual([0, 1].map(() => [String(requests), String(2 * requests)]))
  observe()
  expect(counts(await scraped(metrics))).toEqual([String(requests + 1), String(2 * requests + 2)])
  metrics.close()
})
