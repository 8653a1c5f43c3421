import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ask } from './ask.ts'

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function serve(listener: RequestListener): Promise<string> {
  const listening = createServer(listener)
  server = listening
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`
}

describe('a request whose answer is read whole', () => {
  it('brings what was sent, and what was answered', async () => {
    const url = await serve((request, response) => {
      request.setEncoding('utf8')
      let body = ''
      request.on('data', (piece) => {
        body += piece
      })
      request.on('end', () => {
        response.writeHead(request.method === 'POST' ? 201 : 404, { 'retry-after': '3' })
        response.end(JSON.stringify([request.url, request.headers['x-a'] ?? null, body]))
      })
    })
    const posted = await ask(`${url}/a?b=ü`, { method: 'POST', headers: { 'x-a': '1' }, body: 'né' })
    expect([posted.ok, posted.status, posted.headers.get('Retry-After')]).toEqual([true, 201, '3'])
    expect(await posted.json()).toEqual(['/a?b=%C3%BC', '1', 'né'])
    const got = await ask(`${url}/`)
    expect([got.ok, got.status, got.headers.get('x-none'), await got.text()]).toEqual([
      false,
      404,
      null,
      '["/",null,""]',
    ])
    const bytes = await ask(url, { method: 'POST', body: new Uint8Array([104, 105]) })
    expect(await bytes.json()).toEqual(['/', null, 'hi'])
  })

  it('goes where it is led', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/new') response.end('there')
      else response.writeHead(307, { location: '/new' }).end()
    })
    expect(await (await ask(`${url}/old`, { method: 'POST', body: 'a' })).text()).toBe('there')
  })

  it('fails where nobody answers, where the answer breaks off, and when nobody waits any more', async () => {
    const url = await serve((request, response) => {
      if (request.url !== '/half') return
      response.writeHead(200, { 'content-length': '10' })
      response.write('half', () => response.destroy())
    })
    await expect(ask('http://127.0.0.1:1')).rejects.toThrow(/ECONNREFUSED/)
    await expect(ask(`${url}/half`)).rejects.toThrow()
    const waiting = new AbortController()
    const asked = ask(`${url}/never`, { signal: waiting.signal })
    waiting.abort()
    await expect(asked).rejects.toThrow()
  })
})
