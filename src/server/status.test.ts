import { expect, it } from 'vitest'
import { MillraceError } from '../data/errors.ts'
import type { Database } from '../database.ts'
import type { ApiAnswer } from './exchange.ts'
import { livez, readyz } from './status.ts'

const text = ({ body }: ApiAnswer): string => new TextDecoder().decode(body as Uint8Array)

function databaseWith(failure: MillraceError | null): Database {
  const status = { tick: 1, sealedTick: 1, caughtUp: true, events: 1, eventsPerSecond: 1, failure }
  const telemetry = { stuck: () => 'functions are called by secret_view' }
  return { status: () => status, telemetry } as unknown as Database
}

it('tells of views and files those alone who stand behind no gateway', () => {
  const failed = databaseWith(new MillraceError('log/poisoned', 'cannot sync /srv/secret/journal'))
  const answers = (guarded: boolean): string[] => [
    text(readyz(databaseWith(null), guarded)),
    ...[readyz, livez].map((ask) => text(ask(failed, guarded))),
  ]
  for (const answer of answers(false)) expect(answer).toContain('secret')
  for (const answer of answers(true)) expect(answer).not.toContain('secret')
  expect(answers(true)).toEqual([
    expect.stringContaining('"status":"stuck"'),
    expect.stringContaining('log/poisoned'),
    expect.stringContaining('log/poisoned'),
  ])
  expect([readyz(databaseWith(null), true).status, livez(failed, true).status]).toEqual([503, 503])
})
