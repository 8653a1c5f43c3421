import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LikePattern, parseLike } from './patterns.ts'

/** What LIKE means, place by place. */
function matches(pattern: readonly string[], text: readonly string[]): boolean {
  if (pattern.length === 0) return text.length === 0
  const [first, ...rest] = pattern
  if (first === '%') return matches(rest, text) || (text.length > 0 && matches(pattern, text.slice(1)))
  return text.length > 0 && (first === '_' || first === text[0]) && matches(rest, text.slice(1))
}

describe('a LIKE pattern', () => {
  it('matches what its meaning says', () => {
    const word = (letters: readonly string[], most: number) =>
      fc.array(fc.constantFrom(...letters), { maxLength: most })
    let found = 0
    fc.assert(
      fc.property(
        word(['%', '%', '_', 'a', 'b', '\n', '.', '😀'], 8),
        word(['a', 'a', 'b', '\n', '.', '😀'], 9),
        (pattern, text) => {
          const wanted = matches(pattern, text)
          if (wanted) found++
          const like = new LikePattern(parseLike(pattern.join(''))!)
          expect(like.test(text.join(''))).toBe(wanted)
        },
      ),
      { numRuns: 10_000 },
    )
    expect(found).toBeGreaterThan(100)
  })

  it('ends over a text that almost matches in many ways', () => {
    const like = new LikePattern(parseLike(`${'%a_'.repeat(30)}%b`)!)
    expect(like.test('a'.repeat(20_000))).toBe(false)
  })
})
