import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { characterAt, placeOfCharacter, sourceOf } from './source.ts'

const text = fc.string({ unit: fc.constantFrom('a', ' ', '\n', '\r', '\r\n', 'é', '€', '😀', "'"), maxLength: 40 })

describe('sources', () => {
  it('find the character of every byte that begins one', () => {
    const encoder = new TextEncoder()
    fc.assert(
      fc.property(text, (sql) => {
        const source = sourceOf(sql)
        let character = 0
        for (const point of sql) {
          const byte = encoder.encode(sql.slice(0, character)).length
          expect(characterAt(source, byte)).toBe(character)
          character += point.length
        }
        expect(characterAt(source, encoder.encode(sql).length)).toBe(sql.length)
      }),
    )
  })

  it('find the line and column of every character', () => {
    fc.assert(
      fc.property(text, fc.nat(), (sql, n) => {
        const at = n % (sql.length + 1)
        // Between the two characters of a line's end lies no place.
        fc.pre(!(sql[at - 1] === '\r' && sql[at] === '\n'))
        const lines = sql.slice(0, at).split(/\r\n|\r|\n/)
        const whole = sql.split(/\r\n|\r|\n/)[lines.length - 1]
        const column = lines[lines.length - 1].length + 1
        expect(placeOfCharacter(sourceOf(sql, 'f'), at)).toEqual({
          file: 'f',
          line: lines.length,
          column,
          source: whole,
        })
      }),
    )
  })
})
