import { describe, expect, it } from 'vitest'
import { defineGateway, type Gateway, type GatewayOptions, policy } from '../app/gateway.ts'
import { between } from './gateway-changes.ts'

const gateway = (options: Omit<GatewayOptions, 'auth'>): Gateway =>
  defineGateway({ auth: { apiKeys: { file: 'keys.json' } }, ...options })

describe('what stands in front while definitions change', () => {
  it('grants what both gateways grant', () => {
    const before = gateway({
      roles: { boss: { admin: true }, a: { read: ['old', 'Both'], sql: true }, gone: { read: '*' } },
      anonymous: 'a',
    })
    const after = gateway({
      roles: {
        boss: { read: ['both'], status: true },
        a: { read: ['both', 'new'], append: '*' },
        fresh: { read: '*' },
      },
    })
    const { roles, anonymous } = between(before, after)!
    const nothing = { admin: false, sql: false, status: false, read: [], append: [] }
    expect(roles).toEqual({
      boss: { ...nothing, read: ['both'], status: true },
      a: { ...nothing, read: ['both'] },
      fresh: nothing,
    })
    expect([anonymous, between(after, before)!.anonymous]).toEqual([null, null])
    expect(between(after, after)!.roles['a']).toMatchObject({ read: ['both', 'new'], append: '*' })
  })

  it('shows of a relation what the policies of both show', () => {
    const roles = { a: { read: '*' as const }, b: { read: '*' as const } }
    const before = gateway({
      roles,
      policies: [
        policy('Sale', { role: 'a', rows: 'tenant = 1', mask: { Email: 'hash', note: 'null' } }),
        policy('sale', { role: 'b', rows: 'true' }),
        policy('old', { role: 'a', rows: 'false' }),
      ],
    })
    const after = gateway({
      roles,
      policies: [
        policy('sale', { role: 'a', rows: 'open -- or not', mask: { email: "'x'", name: 'hash' } }),
        policy('sale', { role: 'b', rows: 'true' }),
      ],
    })
    expect(between(before, after)!.policies).toEqual([
      {
        relation: 'sale',
        role: 'a',
        rows: '(tenant = 1\n) AND (open -- or not\n)',
        mask: { email: 'null', note: 'null', name: 'hash' },
      },
      after.policies[1],
      before.policies[2],
    ])
    expect(between(after, after)!.policies).toEqual(after.policies)
  })
})
