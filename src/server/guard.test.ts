import { describe, expect, it } from 'vitest'
import type { ApiRequest } from './exchange.ts'
import { Guard } from './guard.ts'

function asked(host: string, origin: string | null = null): ApiRequest {
  return {
    method: 'GET',
    target: '/',
    header: (name) => (name === 'host' ? host : name === 'origin' ? origin : null),
    headerNames: () => ['host', 'origin'],
    local: true,
    address: '127.0.0.1',
    readBody: () => Promise.resolve(new Uint8Array()),
    signal: new AbortController().signal,
  }
}

function codeFor(listening: string, host: string): string | null {
  const guard = new Guard({ host: listening, allowedHosts: ['Db.Example'], allowedOrigins: [] })
  try {
    guard.check(asked(host))
    return null
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('Guard', () => {
  it('knows the address it listens on, and no other', () => {
    expect(codeFor('10.0.0.1', '10.0.0.1:4280')).toBeNull()
    expect(codeFor('10.0.0.1', '10.0.0.2:4280')).toBe('request/host')
    expect(codeFor('10.0.0.1', 'db.example')).toBeNull()
    expect(codeFor('10.0.0.1', 'localhost')).toBeNull()
    expect(codeFor('fd00::1', '[fd00::1]:4280')).toBeNull()
  })

  it('takes any address, but no name, where it listens on all of them', () => {
    for (const all of ['0.0.0.0', '::']) {
      expect(codeFor(all, '192.168.1.7:4280')).toBeNull()
      expect(codeFor(all, '[fd00::7]')).toBeNull()
      expect(codeFor(all, 'evil.example')).toBe('request/host')
      expect(codeFor(all, '192.168.1.7.evil.example')).toBe('request/host')
      expect(codeFor(all, '192.168.1.700')).toBe('request/host')
    }
  })
})
