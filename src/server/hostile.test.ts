import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { FarClock } from '../../test/support/far-clock.ts'
import { bidJson, type Running, startRunning } from '../../test/support/running-server.ts'

let running: Running | null = null

afterEach(async () => {
  await running?.stop()
  running = null
})

/** Writes raw bytes and reads until the server closes, or for so long where it needn't. */
function raw(pieces: readonly (string | Uint8Array)[], { waitMs = 120_000, half = false } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(running!.server.port, '127.0.0.1')
    let text = ''
    const timer = setTimeout(() => socket.destroy(), waitMs)
    socket.on('data', (piece) => {
      text += piece.toString('latin1')
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error)
    })
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(text)
    })
    for (const piece of pieces) socket.write(piece)
    if (half) socket.end()
  })
}

const request = (line: string, ...headers: string[]): string =>
  `${[`${line} HTTP/1.1`, ...(headers.some((header) => /^host:/i.test(header)) ? [] : ['Host: localhost']), 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0)
const codeOf = (answer: string): string => /"code":"([^"]+)"/.exec(answer)?.[1] ?? ''

async function stillServes(): Promise<void> {
  expect((await fetch(`${running!.url}/livez`)).status).toBe(200)
}

describe('Host and Origin', () => {
  it.each([
    ['localhost', 200],
    ['LOCALHOST:1', 200],
    ['127.0.0.1', 200],
    ['127.9.9.9:80', 200],
    ['[::1]:4280', 200],
    ['db.example', 200],
    ['evil.example', 421],
    ['localhost.evil.example', 421],
    ['127.0.0.1.evil.example', 421],
    ['10.0.0.1', 421],
    ['localhost@evil.example', 421],
    ['', 421],
  ])('asked as %j: %i', async (host, status) => {
    running = await startRunning({ allowedHosts: ['db.example'] })
    const answer = await raw([request('GET /livez', `Host: ${host}`)])
    expect(statusOf(answer)).toBe(status)
    if (status !== 200) expect(codeOf(answer)).toBe('request/host')
  })

  it.each([
    ['http://localhost:4280', 'localhost:4280', 200],
    ['https://localhost', 'localhost', 200],
    ['http://localhost:80', 'localhost', 200],
    ['https://app.example', 'localhost:4280', 200],
    ['http://localhost:9999', 'localhost:4280', 403],
    ['http://evil.example', 'localhost:4280', 403],
    ['https://app.example.evil', 'localhost:4280', 403],
    ['null', 'localhost:4280', 403],
    ['file://', 'localhost:4280', 403],
  ])('from %j at %j: %i', async (origin, host, status) => {
    running = await startRunning({ allowedOrigins: ['https://app.example'] })
    const answer = await raw([request('GET /livez', `Host: ${host}`, `Origin: ${origin}`)])
    expect(statusOf(answer)).toBe(status)
    expect(answer.toLowerCase()).not.toContain('access-control-allow-origin: *')
    const allows = answer.toLowerCase().includes('access-control-allow-origin: https://app.example\r')
    expect(allows).toBe(origin === 'https://app.example')
  })

  it('refuses an event from a foreign page', async () => {
    running = await startRunning()
    const body = bidJson(1)
    const headers = ['Origin: http://evil.example', `Content-Length: ${body.length}`]
    expect(statusOf(await raw([request('POST /v1/topics/bid/events', ...headers), body]))).toBe(403)
    expect(running.database.status().topics[0].nextOffset).toBe(0)
  })
})

describe('hostile input', () => {
  it.each([
    ['/v1/topics/%2e%2e/events', 404],
    ['/v1/topics/..%2f..%2fetc%2fpasswd/events', 404],
    ['/v1/topics/../views/owners', 404],
    ['/v1//views/owners', 404],
    ['/v1/views/owners/', 404],
    ['/page/..%2findex.html', 404],
    ['/page/../listen.ts', 404],
    ['/page/%2e%2e/listen.ts', 404],
    ['/v1/views/%ff', 400],
    ['/v1/views/%', 400],
    ['/v1/views/a%00b', 404],
    ['/v1/views/__proto__', 404],
    ['/v1/topics/constructor/events', 404],
    ['http://evil.example/livez', 404],
    ['*', 404],
    ['/v1/views/owners#x', 404],
    ['/V1/VIEWS/owners', 404],
    ['/v1/views/OWNERS', 200],
    ['/v1/views/owner%73', 200],
  ])('path %s: %i', async (path, status) => {
    running = await startRunning()
    expect(statusOf(await raw([request(`GET ${path}`)]))).toBe(status)
  })

  it('shows a page to who asks for one where nothing is, and says no to all others', async () => {
    running = await startRunning()
    const html = 'Accept: text/html,application/xhtml+xml,*/*;q=0.8'
    for (const path of ['/nonsense', '/views', '/a/b/c/d', '/v1/nothing', '/%3Cscript%3Ealert(1)%3C/script%3E']) {
      const page = await raw([request(`GET ${path}`, html)])
      expect([path, statusOf(page)]).toEqual([path, 404])
      expect(page.toLowerCase()).toContain('content-type: text/html')
      expect(page.toLowerCase()).toContain("content-security-policy: default-src 'none'")
      expect(page.toLowerCase()).toContain('cache-control: no-store')
      expect(page).not.toContain('alert(1)')
      for (const accept of ['Accept: application/json', 'Accept: */*', 'Accept: text/html-x', 'X-None: 1']) {
        const refused = await raw([request(`GET ${path}`, accept)])
        expect([path, accept, statusOf(refused), codeOf(refused)]).toEqual([path, accept, 404, 'not-found'])
      }
      expect(codeOf(await raw([request(`POST ${path}`, html)]))).toBe('not-found')
    }
    // A view that is missing is the answer to a question, not a page.
    expect(codeOf(await raw([request('GET /v1/views/nope', html)]))).toBe('view/unknown')
  })

  it('refuses bodies that are too large, announced or not', async () => {
    running = await startRunning({ limits: { bodyBytes: 1000 } })
    const url = `${running.url}/v1/topics/bid/events`
    const large = bidJson(1).padEnd(2_000_000)
    const announced = await fetch(url, { method: 'POST', body: large, headers: { 'content-type': 'application/json' } })
    expect([announced.status, await announced.json()]).toMatchObject([413, { code: 'request/too-large' }])
    const lying = await raw([
      request('POST /v1/append', 'Transfer-Encoding: chunked'),
      `${(1500).toString(16)}\r\n${' '.repeat(1500)}\r\n`,
    ])
    expect([statusOf(lying), codeOf(lying)]).toEqual([413, 'request/too-large'])
    expect(lying).toContain('1000 bytes')
    const fits = await fetch(url, {
      method: 'POST',
      body: bidJson(1).padEnd(1000),
      headers: { 'content-type': 'application/json' },
    })
    expect(fits.status).toBe(201)
  })

  it('takes a body of the default bound, and one byte more is refused', async () => {
    running = await startRunning()
    const url = `${running.url}/v1/topics/bid/events`
    const headers = { 'content-type': 'application/json' }
    const bound = 16 * 1024 * 1024
    expect((await fetch(url, { method: 'POST', headers, body: bidJson(1).padEnd(bound) })).status).toBe(201)
    expect((await fetch(url, { method: 'POST', headers, body: bidJson(1).padEnd(bound + 1) })).status).toBe(413)
  })

  it('lets a sender that is far from its end read why it is refused', async () => {
    running = await startRunning({ limits: { bodyBytes: 1000, dropBytes: 100_000 } })
    const url = `${running.url}/v1/topics/bid/events`
    const headers = { 'content-type': 'application/json' }
    // Far more than what sockets buffer: most of it is never taken.
    const body = new Uint8Array(48 * 1024 * 1024).fill(0x20)
    for (let i = 0; i < 3; i++) {
      const refused = await fetch(url, { method: 'POST', headers, body })
      expect([refused.status, await refused.json()]).toMatchObject([413, { code: 'request/too-large' }])
    }
    const endless = await raw([request('POST /v1/append', 'Content-Length: 5000'), ' '.repeat(2000)])
    expect([statusOf(endless), codeOf(endless)]).toEqual([413, 'request/too-large'])
    expect((await fetch(`${running.url}/livez`)).status).toBe(200)
  })

  it('does not wait for slow bodies and headers', async () => {
    running = await startRunning({ limits: { bodyMs: 150, headersMs: 300 } })
    const body = await raw([request('POST /v1/append', 'Content-Length: 100'), '{"events":'])
    expect([statusOf(body), codeOf(body)]).toEqual([408, 'request/slow'])
    const headers = await raw(['GET /livez HTTP/1.1\r\nHost: loc'])
    expect([statusOf(headers), codeOf(headers)]).toEqual([408, 'request/slow'])
    await stillServes()
  })

  it('bounds what all bodies take together', async () => {
    running = await startRunning({ limits: { bodyBytesInAll: 1000, bodyMs: 400 } })
    const head = request('POST /v1/append', 'Content-Length: 800')
    // One of two that never end waits for its body, and the other finds no room meanwhile.
    const both = async (): Promise<string[]> =>
      (await Promise.all([raw([head]), raw([head])])).sort((a, b) => statusOf(a) - statusOf(b))
    let answers = await both()
    // Where the machine has stood still in between, they didn't meet.
    while (statusOf(answers[1]) === 408) answers = await both()
    const [waited, refused] = answers
    expect([statusOf(waited), statusOf(refused), codeOf(refused)]).toEqual([408, 503, 'request/busy'])
    expect(refused.toLowerCase()).toContain('retry-after: 1')
    const body = '{"events":[]}'.padEnd(900)
    expect(statusOf(await raw([request('POST /v1/append', 'Content-Length: 900'), body]))).toBe(201)
  })

  it('refuses what is no HTTP', async () => {
    running = await startRunning()
    for (const text of ['\x16\x03\x01\x02\x00\x01', 'HELLO\r\n\r\n', 'FOO / HTTP/1.1\r\nHost: localhost\r\n\r\n']) {
      const answer = await raw([text], { half: true })
      expect([text, statusOf(answer), codeOf(answer)]).toEqual([text, 400, 'request/malformed'])
    }
    await stillServes()
  })

  it('refuses floods of headers', async () => {
    running = await startRunning()
    const one = await raw([request('GET /livez', `X-Large: ${'x'.repeat(20_000)}`)])
    expect([statusOf(one), codeOf(one)]).toEqual([431, 'request/headers'])
    const many = Array.from({ length: 3000 }, (_, i) => `X-${i}: 1`)
    expect(statusOf(await raw([request('GET /livez', ...many)]))).toBe(431)
    await stillServes()
  })

  it('appends nothing of a request that breaks off', async () => {
    running = await startRunning()
    const body = `[${bidJson(1)},${bidJson(2)}]`
    const head = request('POST /v1/topics/bid/events', `Content-Length: ${body.length + 10}`)
    await raw([head, body], { half: true, waitMs: 300 })
    expect(running.database.status().topics[0].nextOffset).toBe(0)
    await stillServes()
  })

  it('does not confuse lengths that contradict each other', async () => {
    running = await startRunning()
    const smuggled = await raw([
      request('POST /v1/append', 'Content-Length: 4', 'Transfer-Encoding: chunked'),
      '0\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n',
    ])
    expect(statusOf(smuggled)).toBe(400)
    expect(smuggled).not.toContain('alive')
  })

  it.each([
    ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
    ['Transfer-Encoding: xchunked'],
    ['Transfer-Encoding : chunked'],
    ['Transfer-Encoding: chunked, identity'],
    ['Content-Length: 5', 'Content-Length: 6'],
    ['Content-Length: +5'],
    ['Content-Length: 0x5'],
    ['Content-Length: 5, 5'],
    ['Content-Length: -1'],
    ['X-A: 1\nTransfer-Encoding: chunked'],
    ['X-A: 1\rContent-Length: 3'],
    [' Content-Length: 5'],
    ['X\0A: 1'],
  ])('lets nobody put a second request into a first one: %j %j', async (...headers) => {
    running = await startRunning()
    const second = 'GET /v1/catalog HTTP/1.1\r\nHost: localhost\r\n\r\n'
    const lines = ['POST /v1/append HTTP/1.1', 'Host: localhost', ...headers.filter((header) => header !== undefined)]
    const answer = await raw([`${lines.join('\r\n')}\r\n\r\n0\r\n\r\n${second}`], { waitMs: 400 })
    expect(answer.match(/HTTP\/1\.1 2\d\d/g) ?? []).toEqual([])
    expect(answer).not.toContain('"topics"')
    await stillServes()
  })

  it('takes no more connections of one address than it may have, and leaves the others theirs', async () => {
    running = await startRunning({ limits: { connectionsOfAddress: 5 } })
    const from = (localAddress: string) => connect({ port: running!.server.port, host: '127.0.0.1', localAddress })
    const open = Array.from({ length: 20 }, () => from('127.0.0.2'))
    let closed = 0
    for (const socket of open) socket.on('error', () => {}).on('close', () => closed++)
    await expect.poll(() => closed).toBe(15)
    await stillServes()
    for (const socket of open) socket.destroy()
    await expect.poll(() => closed).toBe(20)
    // The server hears a little later that they are closed.
    const again = (): Promise<number> =>
      new Promise((resolve) => {
        const socket = from('127.0.0.2')
        socket.on('error', () => {}).on('close', () => resolve(0))
        socket.once('data', (piece) => resolve(statusOf(String(piece))))
        socket.write(request('GET /livez'))
      })
    await expect.poll(again).toBe(200)
  })

  it('ends at once though connections are open in which nothing was asked', async () => {
    // What ends them after a while never comes: a server that waits for that hangs.
    running = await startRunning({ io: new FarClock().io })
    const sockets = Array.from({ length: 3 }, () => connect(running!.server.port, '127.0.0.1').on('error', () => {}))
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
    const used = await fetch(`${running.url}/livez`)
    await used.text()
    const ended = Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))))
    await running.server.close()
    await ended
  })

  it('goes on when readers go away in the middle', async () => {
    running = await startRunning()
    const rows = Array.from({ length: 30_000 }, (_, id) => `{"id":${id},"owner":"${'x'.repeat(100)}"}`).join('\n')
    const { tick } = await running.database.appendText('account', new TextEncoder().encode(rows), 'ndjson')
    await running.database.waitForTick(tick)
    for (let i = 0; i < 10; i++) {
      await raw([request('GET /v1/views/owners'), ''], { waitMs: i * 5 })
      await raw([request('GET /v1/views/owners/live'), ''], { waitMs: i * 5 })
    }
    await stillServes()
    const metrics = async () => (await fetch(`${running!.url}/metrics`)).text()
    await expect.poll(metrics).toContain('millrace_live_streams 0')
  })

  it('takes many appends at the same time', async () => {
    running = await startRunning()
    const url = `${running.url}/v1/topics/bid/events`
    const headers = { 'content-type': 'application/json' }
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        fetch(url, { method: 'POST', headers, body: bidJson(i) }).then((response) => response.json()),
      ),
    )
    const offsets = answers.map((answer) => (answer as { first_offset: number }).first_offset)
    expect([...offsets].sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, i) => i))
  })
})
