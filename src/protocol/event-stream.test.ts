import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventStreamParser, eventEnd, eventHead, heartbeat, retryLine } from './event-stream.ts'

const encoder = new TextEncoder()

function parse(text: string): ReturnType<EventStreamParser['feed']> {
  return new EventStreamParser().feed(encoder.encode(text))
}

describe('EventStreamParser', () => {
  it('reads what the server writes', () => {
    const text = `${retryLine(7)}${heartbeat}${eventHead('change', '12')}{"a":1}${eventEnd}${eventHead('reset', null)}{}${eventEnd}`
    expect(parse(text)).toEqual([
      { event: 'change', data: '{"a":1}', id: '12' },
      { event: 'reset', data: '{}', id: null },
    ])
  })

  it('follows the standard where others write', () => {
    expect(parse('data\n\ndata\ndata\n\ndata:')).toEqual([
      { event: 'message', data: '', id: null },
      { event: 'message', data: '\n', id: null },
    ])
    expect(parse('data: a\r\ndata:  b\rdata:c\n\r\n')).toEqual([{ event: 'message', data: 'a\n b\nc', id: null }])
    expect(parse('\ufeffid: 1\ndata: x\n\n')).toEqual([{ event: 'message', data: 'x', id: '1' }])
    expect(parse('event: x\nid: 3\n\nid: a\0b\nother: 1\n: note\nretry: 9\ndata: y\n\n')).toEqual([
      { event: 'message', data: 'y', id: null },
    ])
  })

  it('reads the same, however it is cut', () => {
    const line = fc.stringMatching(/^[^\r\n]*$/, { size: 'small' })
    const event = fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r'))
    fc.assert(
      fc.property(fc.array(event), fc.array(fc.nat({ max: 40 })), (events, cuts) => {
        const text = events.map(([data, end]) => `id: 1${end}data: ${data}${end}${end}`).join('')
        const bytes = encoder.encode(text)
        const parser = new EventStreamParser()
        const told: unknown[] = []
        let at = 0
        for (const cut of [...cuts, bytes.length]) {
          told.push(...parser.feed(bytes.subarray(at, at + cut)))
          at += cut
        }
        expect(told).toEqual(events.map(([data]) => ({ event: 'message', data, id: '1' })))
      }),
    )
  })
})
