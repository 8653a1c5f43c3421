import { afterEach, describe, expect, it, vi } from 'vitest'
import type { StreamEvent } from '../protocol/event-stream.ts'
import { TopicPrinter } from './tail-topic.ts'

const written = vi.hoisted(() => ({ out: '', said: [] as string[] }))
vi.mock('./output.ts', () => ({
  writeOut: async (text: string) => {
    written.out += text
  },
  say: (text: string) => void written.said.push(text),
}))

afterEach(() => {
  written.out = ''
  written.said.length = 0
})

function events(tick: number, complete: boolean, ...told: readonly string[]): StreamEvent {
  const all = told.map((text, i) => {
    const [op, id, owner] = text.split(' ')
    const data = owner === undefined ? { id } : { id, owner }
    return { offset: i, tick, op, data }
  })
  return { event: 'events', id: '1', data: JSON.stringify({ events: all, tick, complete }) }
}

const reset: StreamEvent = { event: 'reset', id: '0', data: '{"tick":9}' }

function lines(): string[] {
  const all = written.out.trim().split('\n').filter(Boolean)
  written.out = ''
  return all.map((text) => {
    const { tick, row, weight } = JSON.parse(text)
    return `${tick}: ${weight} ${row.id} ${row.owner}`
  })
}

describe('a topic is printed', () => {
  it('event by event', async () => {
    const printer = new TopicPrinter('/t', [], null)
    await printer.print(events(1, false, 'append a x', 'append a x'))
    await printer.print(events(2, true))
    await printer.print(reset)
    await printer.print(events(3, true, 'append b y'))
    expect(lines()).toEqual(['1: 1 a x', '1: 1 a x', '3: 1 b y'])
    expect(written.said).toEqual(['some events are gone: those that are left follow'])
  })

  it('from a tick on', async () => {
    const printer = new TopicPrinter('/t', ['id'], 2)
    await printer.print(events(1, false, 'upsert a x', 'upsert b y'))
    await printer.print(events(3, false, 'delete a', 'upsert b z', 'delete c'))
    expect(lines()).toEqual(['3: -1 a x', '3: -1 b y', '3: 1 b z'])
  })

  it('as a table, once that is whole', async () => {
    const printer = new TopicPrinter('/t', ['id'], null)
    await printer.print(events(1, false, 'upsert a x', 'upsert b y', 'upsert a y'))
    expect(lines()).toEqual([])
    await printer.print(events(2, true, 'delete b', 'upsert c z'))
    expect(lines()).toEqual(['1: 1 a y', '2: 1 c z'])
    await printer.print(events(3, true, 'upsert a y', 'upsert c y'))
    expect(lines()).toEqual(['3: -1 c z', '3: 1 c y'])
  })

  it('as a table that begins anew: by what it has become meanwhile', async () => {
    const printer = new TopicPrinter('/t', ['id'], null)
    await printer.print(events(1, true, 'upsert a x', 'upsert b y'))
    lines()
    await printer.print(reset)
    await printer.print(events(5, false, 'upsert b y'))
    expect(lines()).toEqual([])
    await printer.print(events(9, true, 'upsert c z'))
    expect(lines()).toEqual(['9: -1 a x', '9: 1 c z'])
    expect(written.said).toEqual(['some events are gone: what is left of the table follows'])
  })

  it('until the server says why not', async () => {
    const printer = new TopicPrinter('/t', [], null)
    const problem = { event: 'problem', id: null, data: '{"code":"auth/invalid","detail":"no more"}' }
    await expect(printer.print(problem)).rejects.toMatchObject({ code: 'auth/invalid' })
  })
})
