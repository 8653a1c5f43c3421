import { execFile, spawnSync } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { type Running, startRunning } from '../../test/support/running-server.ts'
import { Proxies } from './origin.ts'

let running: Running | null = null

afterEach(async () => {
  await running?.stop()
  running = null
})

describe('where a request comes from', () => {
  const proxies = new Proxies(['10.0.0.0/8', '127.0.0.1', '::1'])

  it.each([
    ['203.0.113.9', null, '203.0.113.9'],
    // Nobody vouches for what a stranger says.
    ['203.0.113.9', '127.0.0.1', '203.0.113.9'],
    ['127.0.0.1', '198.51.100.7', '198.51.100.7'],
    ['::ffff:127.0.0.1', '198.51.100.7', '198.51.100.7'],
    ['::1', '2001:db8::7', '2001:db8::7'],
    ['127.0.0.1', '198.51.100.7:4711', '198.51.100.7'],
    ['127.0.0.1', '[2001:db8::7]:4711', '2001:db8::7'],
    // The last one that no proxy of ours is: what stands before it was sent by him.
    ['10.1.1.1', '127.0.0.1, 198.51.100.7, 10.2.2.2', '198.51.100.7'],
    ['10.1.1.1', '10.3.3.3, 10.2.2.2', '10.3.3.3'],
    ['10.1.1.1', 'evil, 10.2.2.2', '10.2.2.2'],
    ['10.1.1.1', '', '10.1.1.1'],
  ])('of %s with %j is %s', (socket, forwarded, client) => {
    expect(proxies.clientOf(socket, forwarded)).toBe(client)
  })

  it.each(['10.0.0.0/33', 'proxy.example', '10.0.0.0/', '10.0.0.1/8/9', ''])('cannot be told by %j', (entry) => {
    expect(() => new Proxies([entry])).toThrow('--trust-proxy')
  })

  it('decides who is on this machine', async () => {
    running = await startRunning({ trustedProxies: ['127.0.0.1'] })
    const diff = (headers: Record<string, string>) =>
      fetch(`${running!.url}/v1/diff`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers } })
    expect((await diff({ 'x-forwarded-for': '198.51.100.7' })).status).toBe(403)
    expect((await diff({})).status).toBe(400)
  })
})

describe('HTTPS', () => {
  const openssl = spawnSync('openssl', ['version']).status === 0
  it.skipIf(!openssl)('is served, and goes on with a renewed certificate', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'millrace-tls-'))
    const file = (name: string): string => path.join(folder, name)
    const make = async (name: string): Promise<void> => {
      const subject = ['-subj', `/CN=${name}`, '-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)]
      const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-days', '2']
      await promisify(execFile)('openssl', ['req', '-x509', '-nodes', ...kind, ...subject])
    }
    const take = async (name: string): Promise<void> => {
      for (const ending of ['crt', 'key']) await copyFile(file(`${name}.${ending}`), file(`server.${ending}`))
    }
    try {
      await make('first')
      await make('second')
      await take('first')
      running = await startRunning({ tls: { certFile: file('server.crt'), keyFile: file('server.key') } })
      expect(running.url).toMatch(/^https:/)
      const asked = (): Promise<{ name: unknown; hsts: unknown; status: unknown }> =>
        new Promise((resolve, reject) => {
          const options = { rejectUnauthorized: false, agent: false } as const
          get(`${running!.url}/livez`, options, (answer) => {
            const { CN } = (answer.socket as TLSSocket).getPeerCertificate().subject
            const hsts = answer.headers['strict-transport-security']
            answer.resume().on('end', () => resolve({ name: CN, hsts, status: answer.statusCode }))
          }).on('error', reject)
        })
      expect(await asked()).toEqual({ name: 'first', hsts: 'max-age=31536000', status: 200 })
      await take('second')
      await expect.poll(async () => (await asked()).name).toBe('second')
      const bad = startRunning({ tls: { certFile: file('server.key'), keyFile: file('server.key') } })
      await expect(bad).rejects.toThrow('certificate')
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
