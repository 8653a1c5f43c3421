import { activeTracer, contextOf, currentSpan, openTelemetry, type SpanName, withinSpan } from '../io/tracing.ts'
import type { ApiAnswer, ApiRequest } from './exchange.ts'

/** Answers a request within a span of its own, where traces are taken: a child of the one that its sender names. */
export async function tracedRequest(request: ApiRequest, answer: () => Promise<ApiAnswer>): Promise<ApiAnswer> {
  const tracer = activeTracer()
  if (tracer === null) return answer()
  const { SpanKind, SpanStatusCode } = openTelemetry()
  const { method } = request
  const parent = parentOf(request.header('traceparent'), request.header('tracestate'))
  const attributes = { 'http.request.method': method }
  const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, contextOf(parent))
  try {
    const answered = await withinSpan(span, answer)
    span.setAttribute('http.response.status_code', answered.status)
    if (answered.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
    return answered
  } finally {
    span.end()
  }
}

/** @param route the pattern, never the path: it holds what a sender makes up */
export function nameRequest(method: string, route: string): void {
  if (activeTracer() === null) return
  currentSpan()?.updateName(`${method} ${route}`).setAttribute('http.route', route)
}

/** What W3C's Trace Context says of the sender's span; null where it says nothing that can be read. */
export function parentOf(traceparent: string | null, tracestate: string | null): SpanName | null {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(traceparent ?? '')
  if (match === null) return null
  const [, format, traceId, spanId, flags, more] = match
  const { createTraceState, isSpanContextValid } = openTelemetry()
  // A later version may have more behind what we know; this one may not.
  if (format === 'ff' || (format === '00' && more !== undefined)) return null
  const state = tracestate === null || tracestate.length > 512 ? {} : { traceState: createTraceState(tracestate) }
  const context = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true, ...state }
  return isSpanContextValid(context) ? context : null
}
