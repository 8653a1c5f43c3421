import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import type { Context, Span, SpanContext, TimeInput, Tracer } from '@opentelemetry/api'
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

type OpenTelemetry = typeof import('@opentelemetry/api')

const scope = 'millrace'
/** Where every copy of OpenTelemetry's API 1.x keeps what is registered. */
const registered = Symbol.for('opentelemetry.js.api.1')
/** Links of one span: an exporter's usual limit. */
const mostLinks = 128
const spans = new AsyncLocalStorage<Span>()

let library: OpenTelemetry | null = null

/** OpenTelemetry's API, which is loaded by the first process that traces, and by no other. */
export function openTelemetry(): OpenTelemetry {
  return (library ??= createRequire(import.meta.url)('@opentelemetry/api') as OpenTelemetry)
}

/** @returns null where no SDK is registered: then nothing is made, not even an empty span */
export function activeTracer(): Tracer | null {
  if ((globalThis as { readonly [registered]?: unknown })[registered] === undefined) return null
  const { ProxyTracerProvider, trace } = openTelemetry()
  const provider = trace.getTracerProvider()
  if (provider instanceof ProxyTracerProvider && provider.getDelegateTracer(scope, version) === undefined) return null
  return trace.getTracer(scope, version)
}

/** @returns null where nobody listens */
export function startSpan(name: string, { fromMicros, causes, attributes = {} }: SpanStart): OpenSpan | null {
  const tracer = activeTracer()
  if (tracer === null) return null
  const { SpanStatusCode } = openTelemetry()
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
  const { ROOT_CONTEXT, trace } = openTelemetry()
  return cause === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, cause)
}

/** Runs work so that whatever it waits for finds the span again. */
export function withinSpan<T>(span: Span, work: () => T): T {
  const { context, trace } = openTelemetry()
  return spans.run(span, () => context.with(trace.setSpan(context.active(), span), work))
}

/** The span that this work belongs to: of a request here, or of whoever calls us from his own. */
export function currentSpan(): Span | null {
  const { context, trace } = openTelemetry()
  return spans.getStore() ?? trace.getSpan(context.active()) ?? null
}

function timeOf(micros: bigint): TimeInput {
  return [Number(micros / 1_000_000n), Number(micros % 1_000_000n) * 1000]
}
