import { trace } from '@opentelemetry/api'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bidJson, type Running, startRunning } from '../../test/support/running-server.ts'
import { parentOf } from './request-trace.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'
const traceparent = `00-${traceId}-${spanId}-01`

let running: Running | null = null
const exporter = new InMemorySpanExporter()

beforeEach(() => {
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
})

afterEach(async () => {
  await running?.stop()
  running = null
  trace.disable()
  exporter.reset()
})

const json = { 'content-type': 'application/json' }

function named(name: string): ReadableSpan {
  const found = exporter.getFinishedSpans().filter((span) => span.name === name)
  expect(found, name).toHaveLength(1)
  return found[0]
}

const ended = (): string[] => exporter.getFinishedSpans().map(({ name }) => name)

const parentIdOf = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId

describe('traces', () => {
  it('follow an event from its request to the push of its change', async () => {
    running = await startRunning()
    const { url, database } = running
    const stop = new AbortController()
    const response = await fetch(`${url}/v1/views/by_auction/live`, { signal: stop.signal })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('snapshot')) text += (await reader.read()).value ?? ''
    exporter.reset()
    const headers = { ...json, traceparent }
    const posted = await fetch(`${url}/v1/topics/bid/events`, { method: 'POST', headers, body: bidJson(1) })
    const { tick } = (await posted.json()) as { tick: number }
    await database.waitForTick(tick)
    while (!text.includes('event: change')) text += (await reader.read()).value ?? ''
    const all = ['POST /v1/topics/{topic}/events', 'append', 'commit', 'tick', 'engine', 'view', 'push']
    await expect.poll(ended).toEqual(expect.arrayContaining(all))
    const request = named('POST /v1/topics/{topic}/events')
    expect(request.spanContext().traceId).toBe(traceId)
    expect(parentIdOf(request)).toBe(spanId)
    expect(request.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.route': '/v1/topics/{topic}/events',
      'http.response.status_code': 201,
    })
    const append = named('append')
    expect(append.attributes).toEqual({ 'millrace.topics': ['bid'], 'millrace.events': 1, 'millrace.tick': tick })
    const wholeTick = named('tick')
    expect(wholeTick.attributes['millrace.tick']).toBe(tick)
    expect(wholeTick.attributes['millrace.views']).toEqual(['by_auction', 'shares'])
    const idOf = (span: ReadableSpan): string => span.spanContext().spanId
    expect(parentIdOf(append)).toBe(idOf(request))
    expect(parentIdOf(named('commit'))).toBe(idOf(append))
    expect(parentIdOf(wholeTick)).toBe(idOf(append))
    expect(parentIdOf(named('engine'))).toBe(idOf(wholeTick))
    expect(parentIdOf(named('view'))).toBe(idOf(wholeTick))
    expect(parentIdOf(named('push'))).toBe(idOf(wholeTick))
    for (const span of exporter.getFinishedSpans()) {
      expect(span.spanContext().traceId).toBe(traceId)
      expect(span.ended).toBe(true)
    }
    stop.abort()
  })

  it('link what many appends share', async () => {
    running = await startRunning()
    const { url, database } = running
    exporter.reset()
    const ids = Array.from({ length: 8 }, (_, i) => traceId.slice(0, -1) + i)
    const answers = await Promise.all(
      ids.map(async (id) => {
        const headers = { ...json, traceparent: `00-${id}-${spanId}-01` }
        const response = await fetch(`${url}/v1/topics/bid/events`, { method: 'POST', headers, body: bidJson(1) })
        return ((await response.json()) as { tick: number }).tick
      }),
    )
    await database.waitForTick(Math.max(...answers))
    for (const name of ['commit', 'tick']) {
      const causes = (): string[] =>
        exporter
          .getFinishedSpans()
          .filter((span) => span.name === name)
          .flatMap(({ links, parentSpanContext }) =>
            parentSpanContext === undefined ? links.map(({ context }) => context) : [parentSpanContext],
          )
          .map((cause) => cause.traceId)
          .sort()
      await expect.poll(causes, { message: name }).toEqual(ids)
    }
    const shared = exporter.getFinishedSpans().filter(({ name, links }) => name === 'tick' && links.length > 0)
    for (const span of shared) expect(ids).not.toContain(span.spanContext().traceId)
  })

  it('tell codes of what went wrong, and nothing of what was sent', async () => {
    running = await startRunning()
    const body = '{"auction":"s3cret"}'
    const headers = { ...json, traceparent, 'idempotency-key': 's3cret', authorization: 'Bearer s3cret' }
    await fetch(`${running.url}/v1/topics/bid/events?on_invalid=s3cret`, { method: 'POST', headers, body })
    await fetch(`${running.url}/v1/topics/s3cret/events`, { method: 'POST', headers, body })
    await fetch(`${running.url}/s3cret`)
    const all = exporter.getFinishedSpans().map(({ name, attributes, status, events }) => ({
      name,
      attributes,
      status,
      events,
    }))
    expect(all.length).toBeGreaterThanOrEqual(3)
    expect(JSON.stringify(all)).not.toContain('s3cret')
  })

  it('belong to the caller of an embedded database', async () => {
    running = await startRunning()
    const { database } = running
    const tracer = trace.getTracer('app')
    const { withinSpan } = await import('../io/tracing.ts')
    const span = tracer.startSpan('of the app')
    const body = new TextEncoder().encode(bidJson(1))
    const { tick } = await withinSpan(span, () => database.appendText('bid', body, 'json'))
    await database.waitForTick(tick)
    expect(parentIdOf(named('append'))).toBe(span.spanContext().spanId)
  })
})

describe('without an SDK', () => {
  it('makes no span', async () => {
    trace.disable()
    running = await startRunning()
    const headers = { ...json, traceparent }
    await fetch(`${running.url}/v1/topics/bid/events`, { method: 'POST', headers, body: bidJson(1) })
    expect(exporter.getFinishedSpans()).toEqual([])
  })
})

describe('a traceparent', () => {
  it('names a span', () => {
    expect(parentOf(traceparent, 'a=1')).toMatchObject({ traceId, spanId, traceFlags: 1, isRemote: true })
    expect(parentOf(`01-${traceId}-${spanId}-03-more`, null)).toMatchObject({ traceId, traceFlags: 1 })
    expect(parentOf(`00-${traceId}-${spanId}-00`, null)).toMatchObject({ traceFlags: 0 })
  })

  it.each([
    '',
    traceId,
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}-01-more`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${traceId}-${spanId}-01\n`,
    'x'.repeat(10_000),
  ])('says nothing as %s', (text) => {
    expect(parentOf(text, null)).toBeNull()
  })
})
