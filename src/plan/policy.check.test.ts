import { beforeAll, describe, expect, it } from 'vitest'
import type { MillraceError } from '../data/errors.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { loadParser } from '../sql/parse.ts'
import { checkPolicy } from './policy.ts'

const column = (name: string, kind: 'text' | 'bigint'): ColumnSchema => ({ name, type: { kind }, nullable: true })
const target = {
  name: 'revenue',
  columns: [column('tenant', 'text'), column('n', 'bigint'), column('email', 'text')],
  failing: [false, false, false],
  key: [],
}

/** What is wrong with a policy: code, place and message. */
function mistake(rows: string | null, mask: Readonly<Record<string, string>> = {}): string {
  try {
    checkPolicy(target, { rows, mask }, 'clerk')
    return 'none'
  } catch (error) {
    const { code, message, place } = error as MillraceError
    expect(message).toContain('revenue')
    expect(message).toContain('clerk')
    return `${code} ${place.line ?? '-'}:${place.column ?? '-'} ${message}`
  }
}

describe('a policy that nobody has met yet', () => {
  beforeAll(() => loadParser())

  it.each([
    ["tenant = current_claim('tenant')", {}],
    ["n = current_claim('n')", {}],
    ["n = current_claim('n')::integer", {}],
    ["lower(tenant) = lower(current_claim('t')) -- of all spellings", { email: 'hash' }],
    ["current_claim('all')::boolean OR tenant = current_claim('t')", { email: 'null', n: '0' }],
    [null, { email: "left(email, 1) || current_claim('x')" }],
  ])('is right: %s', (rows, mask) => {
    expect(mistake(rows, mask)).toBe('none')
  })

  it.each([
    ["tenat = current_claim('tenant')", {}, 'sql/unknown-column 1:1', 'rows'],
    ["tenant = current_claim('a')\n  OR nn = current_claim('b')", {}, 'sql/unknown-column 2:6', 'rows'],
    ["n = 'x'", {}, 'sql/type 1:', 'rows'],
    ['n =', {}, 'sql/syntax 1:4', 'rows'],
    ['tenant', {}, 'sql/type 1:', 'rows'],
    ['n > now()', {}, '', 'now'],
    ['n = 1 / n', {}, 'app/load', 'can fail'],
    ['EXISTS (SELECT 1)', {}, 'app/load', "the row's own columns"],
    [null, { email: 'lef(email, 1)' }, 'sql/unknown-function 1:1', 'mask of email'],
    ["tenant = current_claim('t')", { n: '1', email: 'email ||\n emial' }, 'sql/unknown-column 2:2', 'mask of email'],
    [null, { nothing: 'null' }, 'app/load', 'it masks nothing'],
  ])('is told of with its place: %j %j', (rows, mask, where, what) => {
    const told = mistake(rows, mask as Record<string, string>)
    expect(told.startsWith(where)).toBe(true)
    if (what !== 'now') expect(told).toContain(what)
    expect(told).not.toBe('none')
  })
})
