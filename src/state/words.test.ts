import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HashSet } from './hash-set.ts'
import { Words } from './words.ts'

const word = fc.integer({ min: 0, max: 0xffffffff })

describe('Words', () => {
  it('is a list', () => {
    const step = fc.oneof(word, fc.array(word, { maxLength: 100 }))
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const words = new Words()
        const model: number[] = []
        for (const one of steps) {
          const more = new Words()
          for (const each of [one].flat()) {
            model.push(each)
            more.push(each)
          }
          if (typeof one === 'number') words.push(one)
          else words.append(more)
        }
        expect(Array.from({ length: words.length }, (_, i) => words.at(i))).toEqual(model)
      }),
    )
  })
})

describe('HashSet', () => {
  it('is a set of pairs', () => {
    // Few values, so that they meet; many at the ends of the range.
    const few = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0xffffffd0, max: 0xffffffff }))
    const step = fc.tuple(fc.constantFrom('add', 'add', 'delete', 'clear'), few, few)
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const set = new HashSet()
        const model = new Set<string>()
        for (const [what, low, high] of steps) {
          const pair = `${low} ${high}`
          if (what === 'add') {
            expect(set.add(low, high)).toBe(!model.has(pair))
            model.add(pair)
          } else if (what === 'delete') {
            set.delete(low, high)
            model.delete(pair)
          } else if (low === 0) {
            set.clear()
            model.clear()
          }
          expect(set.has(low, high)).toBe(model.has(pair))
          expect(set.size).toBe(model.size)
        }
        const found: string[] = []
        set.forEach((low, high) => {
          found.push(`${low} ${high}`)
        })
        expect(found.sort()).toEqual([...model].sort())
      }),
    )
  })
})
