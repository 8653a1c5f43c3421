import { describe, expect, it } from 'vitest'
import { Prng } from '../../io/twin/prng.ts'
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
    const prng = new Prng(7)
    const word = (letters: readonly string[], most: number): string[] =>
      Array.from({ length: prng.below(most) }, () => letters[prng.below(letters.length)])
    let found = 0
    for (let i = 0; i < 20_000; i++) {
      const pattern = word(['%', '%', '_', 'a', 'b', '\n', '.', '😀'], 8)
      const text = word(['a', 'a', 'b', '\n', '.', '😀'], 9)
      const wanted = matches(pattern, text)
      if (wanted) found++
      const like = new LikePattern(parseLike(pattern.join(''))!)
      expect(like.test(text.join('')), `seed 7: ${JSON.stringify([text.join(''), pattern.join('')])}`).toBe(wanted)
    }
    expect(found).toBeGreaterThan(1000)
  })

  it('ends over a text that almost matches in many ways', () => {
    const like = new LikePattern(parseLike(`${'%a_'.repeat(30)}%b`)!)
    expect(like.test('a'.repeat(20_000))).toBe(false)
  })
})
