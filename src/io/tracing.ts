import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Context,
  context,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanStatusCode,
  type TimeInput,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { version } from '../data/version.ts'

/** What OpenTelemetry knows a span by, wherever it is. */
export type SpanName = SpanContext

/** A span that has begun. Times are microseconds since 1970. */
export interface OpenSpan {
  readonly name: SpanName
  set(attribute: string, value: string | number): void
  /** Something went wrong. Its code alone: a message may hold what an event held. */
  fail(code: string): void
  end(micros: bigint): void
}

export interface SpanStart {
  readonly fromMicros: bigint
  /** What has one cause belongs to its trace; what has several is a trace of its own with a link to each. */
  readonly causes: readonly SpanName[]
  readonly attributes?: Readonly<Record<string, string | number | string[]>>
}

const scope = 'millrace'
/** Links of one span: an exporter's usual limit. */
const mostLinks = 128
const spans = new AsyncLocalStorage<Span>()

/** @returns null where no SDK is registered: then nothing is made, not even an empty span */
export function activeTracer(): Tracer | null {
  const provider = trace.getTracerProvider()
  if (provider instanceof ProxyTracerProvider && provider.getDelegateTracer(scope, version) === undefined) return null
  return trace.getTracer(scope, version)
}

/** @returns null where nobody listens */
export function startSpan(name: string, { fromMicros, causes, attributes = {} }: SpanStart): OpenSpan | null {
  const tracer = activeTracer()
  if (tracer === null) return null
  const links = causes.length === 1 ? [] : causes.slice(0, mostLinks).map((cause) => ({ context: cause }))
  const options = { attributes, links, startTime: timeOf(fromMicros) }
  const span = tracer.startSpan(name, options, contextOf(causes.length === 1 ? causes[0] : null))
  return {
    name: span.spanContext(),
    set: (attribute, value) => void span.setAttribute(attribute, value),
    fail: (code) => void span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', code),
    end: (micros) => span.end(timeOf(micros)),
  }
}

/** The context of work whose cause is a span somewhere; null: it has none. */
export function contextOf(cause: SpanName | null): Context {
  return cause === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, cause)
}

/** Runs work so that whatever it waits for finds the span again. */
export function withinSpan<T>(span: Span, work: () => T): T {
  return spans.run(span, () => context.with(trace.setSpan(context.active(), span), work))
}

/** The span that this work belongs to: of a request here, or of whoever calls us from his own. */
export function currentSpan(): Span | null {
  return spans.getStore() ?? trace.getSpan(context.active()) ?? null
}

function timeOf(micros: bigint): TimeInput {
  return [Number(micros / 1_000_000n), Number(micros % 1_000_000n) * 1000]
}
