import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { connect as dial } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { FarClock } from '../../test/support/far-clock.ts'
import { type Running, startRunning } from '../../test/support/running-server.ts'

const hasOpenssl = (() => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

let folder: string
let running: Running | null = null
const file = (name: string): string => path.join(folder, name)

/** A certificate of its own for localhost, whose name tells it from others. */
function make(name: string): void {
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost']
  const out = ['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  execFileSync('openssl', ['req', '-x509', ...kind, ...out, ...subject], { stdio: 'ignore' })
}

function use(name: string): void {
  for (const kind of ['crt', 'key']) {
    writeFileSync(file(`live.${kind}`), execFileSync('cat', [file(`${name}.${kind}`)]))
  }
}

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-tls-'))
  if (hasOpenssl) for (const name of ['first', 'second']) make(name)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(async () => {
  await running?.stop()
  running = null
})

function ask(target: string): Promise<{ status: number; headers: Record<string, unknown>; name: string }> {
  return new Promise((resolve, reject) => {
    const options = { port: running!.server.port, host: '127.0.0.1', path: target, agent: false } as const
    const asked = request({ ...options, servername: 'localhost', rejectUnauthorized: false }, (response) => {
      const { subject } = (response.socket as ReturnType<typeof connect>).getPeerCertificate()
      response.resume()
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, name: String(subject.CN) }),
      )
    })
    asked.once('error', reject)
    asked.end()
  })
}

describe.skipIf(!hasOpenssl)('HTTPS', () => {
  const tls = () => ({ certFile: file('live.crt'), keyFile: file('live.key') })

  it('takes a renewed certificate over without a restart, and not one that is none', async () => {
    use('first')
    running = await startRunning({ tls: tls() })
    const before = await ask('/livez')
    expect([before.status, before.name, before.headers['strict-transport-security']]).toEqual([
      200,
      'first',
      'max-age=31536000',
    ])
    writeFileSync(file('live.crt'), 'nothing')
    await new Promise((resolve) => setTimeout(resolve, 800))
    expect((await ask('/livez')).name).toBe('first')
    use('second')
    await expect.poll(async () => (await ask('/livez')).name).toBe('second')
  })

  it('speaks no old protocol and no plain HTTP', async () => {
    use('first')
    running = await startRunning({ tls: tls() })
    const old = await new Promise<string>((resolve) => {
      const { port } = running!.server
      const socket = connect({
        port,
        host: '127.0.0.1',
        maxVersion: 'TLSv1.1',
        minVersion: 'TLSv1',
        rejectUnauthorized: false,
      })
      socket.once('secureConnect', () => resolve('connected'))
      socket.once('error', () => resolve('refused'))
    })
    expect(old).toBe('refused')
    const plain = await fetch(`http://127.0.0.1:${running.server.port}/livez`).then(
      ({ status }) => status,
      () => 'refused',
    )
    expect(plain).not.toBe(200)
    expect((await ask('/livez')).status).toBe(200)
  })

  it('ends at once though connections are open that speak no TLS yet, or ask for nothing', async () => {
    use('first')
    // What ends them after a while never comes: a server that waits for that hangs.
    running = await startRunning({ tls: tls(), io: new FarClock().io })
    const { port } = running.server
    const silent = dial(port, '127.0.0.1').on('error', () => {})
    const idle = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }).on('error', () => {})
    const opened = [
      new Promise((resolve) => silent.once('connect', resolve)),
      new Promise((resolve) => idle.once('secureConnect', resolve)),
    ]
    await Promise.all(opened)
    expect((await ask('/livez')).status).toBe(200)
    const ended = [silent, idle].map((socket) => new Promise((resolve) => socket.resume().once('close', resolve)))
    await running.server.close()
    await Promise.all(ended)
  })

  it('is refused at the start with what is no certificate', async () => {
    writeFileSync(file('live.crt'), 'nothing')
    await expect(startRunning({ tls: tls() })).rejects.toMatchObject({ code: 'usage' })
  })
})
