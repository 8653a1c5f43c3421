import { channel } from 'node:diagnostics_channel'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Running, startRunning } from '../../test/support/running-server.ts'

let running: Running | null = null
const opened: Socket[] = []
/** The server's ends of connections. */
let taken: Socket[] = []
const onTaken = (message: unknown): void => {
  taken.push((message as { readonly socket: Socket }).socket)
}

beforeEach(() => {
  taken = []
  channel('net.server.socket').subscribe(onTaken)
})

afterEach(async () => {
  channel('net.server.socket').unsubscribe(onTaken)
  for (const socket of opened.splice(0)) socket.destroy()
  await running?.stop()
  running = null
})

/** A connection that takes what comes. */
function dialled(options: { readonly allowHalfOpen?: boolean } = {}): { readonly socket: Socket; text(): string } {
  const socket = connect({ port: running!.server.port, host: '127.0.0.1', ...options })
  let text = ''
  socket
    .on('error', () => {})
    .on('data', (piece) => {
      text += piece.toString('latin1')
    })
  opened.push(socket)
  return { socket, text: () => text }
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
const liveStreams = async (): Promise<string | undefined> =>
  /^millrace_live_streams (\d+)$/m.exec(await (await fetch(`${running!.url}/metrics`)).text())?.[1]

describe('requests behind each other on one connection', () => {
  it.each(['/v1/topics/bid/live', '/v1/views/owners/live'])('end with it, whosever turn it was: %s', async (path) => {
    running = await startRunning()
    const { socket } = dialled()
    socket.write(get(path).repeat(20))
    await expect.poll(liveStreams, { timeout: 60_000 }).toBe('20')
    socket.destroy()
    await expect.poll(liveStreams, { timeout: 60_000 }).toBe('0')
  })

  it('are answered in their order', async () => {
    running = await startRunning()
    const { socket, text } = dialled()
    const paths = ['/livez', '/v1/views/owners', '/nope', '/v1/views/%', '/livez']
    socket.write(paths.map(get).join(''))
    await expect.poll(() => text().match(/HTTP\/1\.1 \d+/g)?.length, { timeout: 60_000 }).toBe(5)
    expect(text().match(/HTTP\/1\.1 (\d+)/g)).toEqual([200, 200, 404, 400, 200].map((status) => `HTTP/1.1 ${status}`))
  })

  it('are so many at most that wait for their answers', async () => {
    running = await startRunning({ limits: { requestsOfConnection: 8 } })
    const { socket, text } = dialled()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(get('/v1/topics/bid/live').repeat(8) + get('/livez'))
    await closed
    expect(text()).not.toContain('"alive"')
    await expect.poll(liveStreams, { timeout: 60_000 }).toBe('0')
    // One after the other there may be more.
    const { socket: patient, text: answered } = dialled()
    for (let i = 1; i <= 20; i++) {
      patient.write(get('/livez'))
      await expect.poll(() => answered().split('"alive"').length - 1, { timeout: 60_000 }).toBe(i)
    }
  })
})

describe('what is no HTTP', () => {
  it('behind a request is not answered in the middle of its answer', async () => {
    running = await startRunning()
    const { socket, text } = dialled()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(get('/v1/topics/bid/live'))
    await expect.poll(text, { timeout: 60_000 }).toContain('"complete":true')
    socket.write('HELLO\r\n\r\n')
    await closed
    expect(text().match(/HTTP\/1\.1/g)).toHaveLength(1)
    expect(text()).not.toContain('request/malformed')
  })

  it('is not taken for the answer to a request before it', async () => {
    running = await startRunning()
    const { socket, text } = dialled()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(`${get('/v1/views/owners?min_tick=1')}HELLO\r\n\r\n`)
    await closed
    expect(text()).toBe('')
  })

  it('in a body is answered, and nothing is appended', async () => {
    running = await startRunning()
    const head = 'POST /v1/append HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n'
    for (const body of ['ZZ\r\n', '5\r\nhello\r\nZZ\r\n']) {
      const { socket, text } = dialled()
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.write(`${head}Content-Type: application/json\r\n\r\n${body}`)
      await closed
      expect(text().match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400'])
    }
    // Behind a request that is not answered yet it would be taken for the answer to that.
    const { socket, text } = dialled()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(`${get('/v1/views/owners?min_tick=9')}${head}\r\nZZ\r\n`)
    await closed
    expect(text()).toBe('')
  })

  it('keeps no connection, though its sender never closes his side', async () => {
    running = await startRunning({ limits: { dropMs: 50 } })
    const { socket, text } = dialled({ allowHalfOpen: true })
    socket.write('HELLO\r\n\r\n')
    await expect.poll(text, { timeout: 60_000 }).toContain('request/malformed')
    await expect.poll(() => taken.map(({ destroyed }) => destroyed), { timeout: 60_000 }).toEqual([true])
  })
})

describe('an answer that nobody takes', () => {
  it('is given up, though it was whole', async () => {
    running = await startRunning({ limits: { slowReaderMs: 200 } }, 'CREATE TABLE note (text text);')
    const row = `{"text":"${'x'.repeat(1500)}"}\n`
    const { tick } = await running.database.appendText('note', new TextEncoder().encode(row.repeat(10_000)), 'ndjson')
    await running.database.waitForTick(tick)
    const { socket } = dialled()
    socket.pause()
    // More than what lies in sockets on its way.
    socket.write(get('/v1/topics/note/events?limit=10000'))
    await expect.poll(() => taken.map(({ destroyed }) => destroyed), { timeout: 60_000 }).toEqual([true])
    const taker = await fetch(`${running.url}/v1/topics/note/events?limit=10000`)
    expect((await taker.arrayBuffer()).byteLength).toBeGreaterThan(15_000_000)
  })
})
