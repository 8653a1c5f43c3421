/** Server-sent events: the HTML standard's text/event-stream, both ways. */

export const eventStreamType = 'text/event-stream'

export interface StreamEvent {
  /** `message` where the sender named none. */
  readonly event: string
  readonly data: string
  /** The id that was sent with this event, or null. */
  readonly id: string | null
}

/** What stands before an event's data, which must be one line. */
export function eventHead(event: string, id: string | null): string {
  return `event: ${event}\n${id === null ? '' : `id: ${id}\n`}data: `
}

export const eventEnd = '\n\n'

/** A line that readers pass over: it keeps the connection awake and finds out that nobody is there any more. */
export const heartbeat = ':\n\n'

/** Asks the reader to wait so long before it connects again. */
export function retryLine(ms: number): string {
  return `retry: ${ms}\n\n`
}

/** Reads a stream of events that comes in pieces. */
export class EventStreamParser {
  readonly #decoder = new TextDecoder()
  /** Pieces of the line that has not ended yet. */
  #partial: string[] = []
  #afterReturn = false
  #event = ''
  #data: string[] = []
  #id: string | null = null
  /** The wait that the sender asked for, or null. */
  retryMs: number | null = null

  /** @returns the events that ended in this piece */
  feed(piece: Uint8Array): readonly StreamEvent[] {
    const events: StreamEvent[] = []
    let text = this.#decoder.decode(piece, { stream: true })
    if (this.#afterReturn && text.startsWith('\n')) text = text.slice(1)
    if (text === '') return events
    this.#afterReturn = text.endsWith('\r')
    const lines = text.split(/\r\n|\n|\r/)
    const rest = lines.pop()!
    for (const line of lines) {
      this.#partial.push(line)
      const whole = this.#partial.join('')
      this.#partial = []
      const event = this.#line(whole)
      if (event !== null) events.push(event)
    }
    if (rest !== '') this.#partial.push(rest)
    return events
  }

  #line(line: string): StreamEvent | null {
    if (line === '') return this.#dispatch()
    const at = line.indexOf(':')
    if (at === 0) return null
    const field = at < 0 ? line : line.slice(0, at)
    const value = at < 0 ? '' : line.slice(line[at + 1] === ' ' ? at + 2 : at + 1)
    if (field === 'event') this.#event = value
    else if (field === 'data') this.#data.push(value)
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value)
    return null
  }

  #dispatch(): StreamEvent | null {
    const event = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id }
    const empty = this.#data.length === 0
    this.#event = ''
    this.#data = []
    this.#id = null
    return empty ? null : event
  }
}
