import {
  attributeProblems,
  cloudEventPointer,
  isAttributeName,
  openCloudEvents,
  withAttributes,
} from '../data/cloud-events.ts'
import { MillraceError } from '../data/errors.ts'
import { badEvents, type DecodeOptions, type IngestAnswer } from '../database/ingest.ts'
import type { Database } from '../database.ts'
import type { ApiRequest } from './exchange.ts'
import { mediaTypeOf } from './media-type.ts'

/** How CloudEvents come: one envelope, an array of them, or attributes in headers beside the data alone. */
export type CloudEventMode = 'structured' | 'batch' | 'binary'

/**
 * Which mode of the HTTP binding a request has; null where it brings no CloudEvents.
 * @throws MillraceError request/media-type for formats other than JSON
 */
export function cloudEventMode(request: ApiRequest): CloudEventMode | null {
  const type = mediaTypeOf(request) ?? ''
  if (type === 'application/cloudevents+json') return 'structured'
  if (type === 'application/cloudevents-batch+json') return 'batch'
  if (type.startsWith('application/cloudevents')) {
    throw new MillraceError('request/media-type', `CloudEvents do not come as ${type}`, {
      hint: 'send application/cloudevents+json or application/cloudevents-batch+json',
    })
  }
  return request.header('ce-specversion') === null ? null : 'binary'
}

/**
 * Appends the events' data; their attributes stand beside the data's fields as `ce_id`, `ce_source` and so on.
 * @throws MillraceError event/invalid, request/malformed, and as Database.appendText
 */
export async function appendCloudEvents(
  database: Database,
  topic: string,
  request: ApiRequest,
  mode: CloudEventMode,
  body: Uint8Array,
  options: DecodeOptions,
): Promise<IngestAnswer> {
  if (options.onInvalid === 'skip') {
    throw new MillraceError('request/parameter', 'CloudEvents are appended all or none', {
      hint: 'leave out on_invalid=skip',
    })
  }
  const opened = mode === 'binary' ? fromHeaders(request, body) : fromEnvelopes(body, mode === 'batch')
  try {
    return await database.appendText(topic, opened, 'json', options)
  } catch (error) {
    throw error instanceof MillraceError ? pointedBack(error, mode) : error
  }
}

function fromEnvelopes(body: Uint8Array, batch: boolean): Uint8Array {
  const opened = openCloudEvents(body, batch)
  if (opened.malformed || opened.badEvents > 0) throw badEvents(opened)
  return opened.body
}

function fromHeaders(request: ApiRequest, body: Uint8Array): Uint8Array {
  const attributes = new Map<string, string>()
  for (const header of request.headerNames()) {
    if (!header.startsWith('ce-')) continue
    const name = header.slice(3)
    if (!isAttributeName(name)) throw wrongHeader(`the header ${header} names no attribute`)
    attributes.set(name, decodedHeader(header, request.header(header) ?? ''))
  }
  const type = mediaTypeOf(request)
  if (type !== null) attributes.set('datacontenttype', type)
  const [problem] = attributeProblems(attributes)
  if (problem !== undefined) throw wrongHeader(problem.detail)
  return withAttributes(body, attributes)
}

/** Header values are percent-encoded UTF-8. */
function decodedHeader(header: string, value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    throw wrongHeader(`the header ${header} is no percent-encoded UTF-8`)
  }
}

function wrongHeader(detail: string): MillraceError {
  const errors = [{ pointer: '', detail }]
  return new MillraceError('event/invalid', detail, { place: { pointer: '' }, errors })
}

function pointedBack(error: MillraceError, mode: CloudEventMode): MillraceError {
  const { code, message, hint, place, errors, cause } = error
  const back = (pointer: string): string => cloudEventPointer(pointer, mode)
  return new MillraceError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    place: place.pointer === undefined ? place : { ...place, pointer: back(place.pointer) },
    errors: errors.map((detail) => ({ ...detail, pointer: back(detail.pointer) })),
    cause,
  })
}
