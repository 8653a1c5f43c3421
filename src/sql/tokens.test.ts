import fc from 'fast-check'
import { loadModule, scanSync } from 'libpg-query'
import { beforeAll, describe, expect, it } from 'vitest'
import { sourceOf } from './source.ts'
import { fold, spelled, tokenize } from './tokens.ts'

beforeAll(loadModule)

const texts = (sql: string): string[] => tokenize(sql).map(({ start, end }) => sql.slice(start, end))

describe('tokens', () => {
  it('end where PostgreSQL ends them', () => {
    expect(texts(`select "A""b", 'it''s', E'\\'', $t$ ' $$ $t$, $1, 1.5e-3, a$b`)).toEqual([
      'select',
      '"A""b"',
      ',',
      "'it''s'",
      ',',
      "E'\\''",
      ',',
      "$t$ ' $$ $t$",
      ',',
      '$1',
      ',',
      '1.5e-3',
      ',',
      'a$b',
    ])
  })

  it('leave comments out, nested ones too', () => {
    expect(texts('a/* /* */ b */c -- d\n@--e\n-/*f*/-1')).toEqual(['a', 'c', '@', '-', '-', '1'])
  })

  it('continue an escaped string on the next line by the same rules', () => {
    expect(texts("E'a'\n  '\\'b' c")).toEqual(["E'a'\n  '\\'b'", 'c'])
  })

  it('reach to the end where nothing closes them', () => {
    expect(texts("a 'b c")).toEqual(['a', "'b c"])
    expect(texts('/* a')).toEqual([])
    expect(texts('$x$ a $y$')).toEqual(['$x$ a $y$'])
  })

  it('spell names back', () => {
    const names = (sql: string): string[] => tokenize(sql).map((token) => spelled(sql, token))
    expect(names('userId "a""B" U&"\\0041\\\\"')).toEqual(['userId', 'a"B', 'A\\'])
    expect(fold('UserÉ')).toBe('userÉ')
  })

  it("agree with PostgreSQL's scanner on texts that it accepts", () => {
    const bytes = new TextEncoder()
    const pieces = fc.constantFrom(
      ...`a B_1 é$ _x "q" "a""b" U&"x" 'it' 'it''s' E'a' e'\\'' U&'y' N'z' b'01' X'1F' $$ $t$ $1 1 1.5 .5 1e5 1..2 0x1F`.split(
        ' ',
      ),
      ...`+ - * / < > = ~ ! @ # ^ & | % : :: := => .. . , ; ( ) [ ] -- /* */ -+ *- <--`.split(' '),
      ' ',
      '\n',
      '\t',
      "'",
      '\\',
      '😀',
    )
    let compared = 0
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 14 }), (parts) => {
        const sql = parts.join('')
        let theirs: [number, number][]
        try {
          theirs = scanSync(sql)
            .tokens.filter(({ tokenName }) => !tokenName.endsWith('COMMENT'))
            .map(({ start, end }) => [start, end])
        } catch {
          return
        }
        compared++
        const inBytes = (at: number): number => bytes.encode(sql.slice(0, at)).length
        const ours = sourceOf(sql).tokens.map(({ start, end }) => [inBytes(start), inBytes(end)])
        expect(ours, sql).toEqual(theirs)
      }),
      { numRuns: 5000 },
    )
    expect(compared).toBeGreaterThan(500)
  })
})
