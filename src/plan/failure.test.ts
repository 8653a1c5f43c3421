import { describe, expect, it } from 'vitest'
import type { SqlType } from '../data/sql-type.ts'
import { call, column, literal } from '../expr/resolve.ts'
import { canFail } from './failure.ts'

const of = (kind: 'text' | 'integer' | 'jsonb', index = 0) => column(index, { kind } as SqlType, true)
const text = (value: string) => literal(value, { kind: 'text' })

describe('an expression', () => {
  it('can fail where a pattern or a path comes with the row', () => {
    expect(canFail(call('~', [of('text'), of('text', 1)]), [false, false])).toBe(true)
    expect(canFail(call('#>>', [of('jsonb'), of('text', 1)]), [false, false])).toBe(true)
    expect(canFail(call('~~', [of('text'), of('text', 1)]), [false, false])).toBe(true)
  })

  it('cannot where every value has a result', () => {
    expect(canFail(call('~', [of('integer')]), [false])).toBe(false)
    expect(canFail(call('#>>', [of('jsonb'), text('{a,b}')]), [false])).toBe(false)
    expect(canFail(call('~~', [of('text'), text('a%')]), [false])).toBe(false)
    expect(canFail(call('=', [of('text'), text('a')]), [false])).toBe(false)
  })

  it('can where a column below may hold errors', () => {
    expect(canFail(call('=', [of('text'), text('a')]), [true])).toBe(true)
  })
})
