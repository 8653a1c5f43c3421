import { expect, it } from 'vitest'
import { Words } from './words.ts'

function wordsOf(count: number, first: number): Words {
  const words = new Words()
  for (let i = 0; i < count; i++) words.push(first + i)
  return words
}

it('a list of words takes another one, also where it has more room than both need', () => {
  for (const [a, b] of [
    [0, 3],
    [5, 0],
    [17, 3],
    [3, 40],
  ]) {
    const words = wordsOf(a, 0)
    words.append(wordsOf(b, a))
    words.push(a + b)
    expect(Array.from({ length: words.length }, (_, i) => words.at(i))).toEqual([...Array(a + b + 1).keys()])
  }
})
