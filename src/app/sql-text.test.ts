import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { MillraceError } from '../data/errors.ts'
import { loadParser, parseSql } from '../sql/parse.ts'
import { t } from './column-type.ts'
import { topic } from './definitions.ts'
import { sql } from './sql-text.ts'

beforeAll(loadParser)

const orders = topic('or"ders', { schema: { id: t.bigint() } })

describe('sql', () => {
  it('puts definitions in by their quoted names', () => {
    const text = sql`SELECT * FROM ${orders} o`
    expect(text.text).toBe('SELECT * FROM "or""ders" o')
    expect(text.reads).toEqual([orders])
  })

  it('puts values in as literals', () => {
    const values = sql`SELECT ${"it's"}, ${1.5}, ${-2}, ${3n}, ${-4n}, ${true}, ${false}, ${null}, ${1e21}, ${Number.NaN},
      ${Number.POSITIVE_INFINITY}, ${new Date(0)}, ${new Uint8Array([1, 255])}`
    expect(values.text).toBe(`SELECT 'it''s', 1.5, (-2), 3, (-4), TRUE, FALSE, NULL, 1e+21, 'NaN'::double precision,
      'Infinity'::double precision, '1970-01-01T00:00:00.000Z'::timestamptz, '\\x01ff'::bytea`)
    expect(parseSql(values.text)).toHaveLength(1)
    expect(sql`SELECT 1 -${-1}`.text).toBe('SELECT 1 -(-1)')
  })

  it('puts pieces of SQL together', () => {
    const where = sql`WHERE id > ${3}`
    const whole = sql`SELECT * FROM ${orders} ${where}`
    expect(whole.text).toBe('SELECT * FROM "or""ders" WHERE id > 3')
    expect(sql`${whole} UNION ALL ${whole}`.reads).toEqual([orders, orders])
  })

  it('takes backslashes in a template for what they are in JavaScript', () => {
    expect(sql`SELECT 'a\nb'`.text).toBe("SELECT 'a\nb'")
  })

  it('never lets a text out of its quotes', () => {
    const tricky = fc.string({ unit: fc.constantFrom("'", '"', '\\', '$', '-', '*', '/', ';', '\n', 'a', 'é', '😀') })
    fc.assert(
      fc.property(tricky, tricky, (a, b) => {
        const [statement, second] = parseSql(sql`SELECT ${a} AS x, ${b}`.text)
        expect(second).toBeUndefined()
        if (statement.kind !== 'select') throw new Error(statement.kind)
        const values = (statement.node.targetList ?? []).map((item) =>
          'ResTarget' in item && item.ResTarget.val !== undefined && 'A_Const' in item.ResTarget.val
            ? (item.ResTarget.val.A_Const.sval?.sval ?? '')
            : null,
        )
        expect(values).toEqual([a, b])
      }),
    )
  })

  it.each([
    ['quotes', () => sql`SELECT * FROM t WHERE a LIKE '%${'x'}%'`],
    ['double quotes', () => sql`SELECT "${'x'}" FROM t`],
    ['a comment', () => sql`SELECT 1 -- ${'x'}`],
    ['a block comment', () => sql`SELECT 1 /* ${'x'} */`],
    ['a dollar quote', () => sql`SELECT $x$ ${'x'} $x$`],
    ['quotes behind a value', () => sql`SELECT ${1}, E'\\'${'x'}'`],
  ])('refuses a value inside %s', (_, run) => {
    const error = refused(run)
    expect(error.code).toBe('sql/value')
    expect(error.message).toContain('inside quotes or a comment')
  })

  it.each([
    ['undefined', undefined],
    ['an object', {}],
    ['an array', [1]],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['an invalid date', new Date('x')],
    ['something of another kind', { kind: 'column', name: 'x' }],
  ])('refuses %s', (_, value) => {
    const error = refused(() => sql`SELECT ${1}, ${value as never}`)
    expect(error.code).toBe('sql/value')
    expect(error.message).toContain('the second ${…}')
  })
})

function refused(run: () => unknown): MillraceError {
  try {
    run()
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error('accepted')
}
