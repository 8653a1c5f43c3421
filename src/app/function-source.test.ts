import { describe, expect, it } from 'vitest'
import { MillraceError } from '../data/errors.ts'
import { t } from './column-type.ts'
import { problemOf } from './function-source.ts'
import { fn } from './scalar-function.ts'

describe('a function can stand alone', () => {
  it.each([
    '(s) => s.toLowerCase()',
    'function (a, b) { return a + b }',
    'function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }',
    '(a, b = a, { c, d: [e = 1], ...f }, ...g) => a + b + c + e + g.length + Object.keys(f).length',
    '(a) => { const x = Math.max(a, 1); let y; for (const z of [x]) y = z; return y }',
    '(a) => { if (a) { var late = 1 } return late }',
    '(a) => { for (let i = 0; i < 3; i++) a += i; return a }',
    '(a) => { try { return JSON.parse(a) } catch (error) { return error.message } }',
    '(a) => { try { return JSON.parse(a) } catch { return null } }',
    '(a) => { switch (a) { case 1: { const b = 2; return b } default: return helper(a) } function helper(x) { return x } }',
    '(a) => { class Point { x = a; get y() { return 1 } } return new Point().x }',
    '(a) => ({ a, b: a.process, fetch: 1 })',
    '(a) => { outer: for (;;) { break outer } return a }',
    '(a) => { const f = __name((b) => b, "f"); return f(a) }',
    '(s) => s.replace(/[^a-z]+/g, "-")',
    '(s) => `${s}!`',
  ])('%s', (source) => {
    expect(problemOf(source)).toBeNull()
  })

  it.each([
    ['(s) => slugify(s)', 'it uses slugify'],
    ['() => Date.now()', 'it uses Date'],
    ['() => new Date()', 'it uses Date'],
    ['() => Math.random()', 'it uses .random'],
    ['(a) => a.localeCompare("b")', 'it uses .localeCompare'],
    ['(a) => process.env[a]', 'it uses process'],
    ['(a = outside) => a', 'it uses outside'],
    ['({ [outside]: a }) => a', 'it uses outside'],
    ['(a) => { { const inner = 1 } return inner }', 'it uses inner'],
    ['(a) => { counter++; return counter }', 'it uses counter'],
    ['async (a) => a', 'it is async'],
    ['(a) => { const f = async () => 1; return f() }', 'it is async'],
    ['function* (a) { yield a }', 'it is a generator'],
    ['(a) => import(a)', 'it needs a module'],
    ['function () { return this }', 'it uses this'],
    ['(a) => a.constructor("return 1")', 'it uses .constructor'],
    ['slug(s) { return s }', 'its text is no function'],
    ['class { }', 'its text is no function'],
    ['1', 'its text is no function'],
    ['(a) => a); evil(', 'its text is no function'],
    ['(a) => a), ((b) => b', 'its text is no function'],
    ['function () { [native code] }', 'it is not written in JavaScript'],
    ['(a) => eval(a)', 'it uses eval'],
    ['(a) => new Function(a)()', 'it uses Function'],
  ])('but not %s', (source, what) => {
    expect(problemOf(source)?.what).toContain(what)
  })
})

describe('fn', () => {
  const outside = 1
  const cases: Readonly<Record<string, readonly [make: () => unknown, message: string]>> = {
    'a name that SQL has': [
      () => fn('lower', { args: [t.text()], returns: t.text() }, (s) => s),
      'the function lower: SQL has a function of this name',
    ],
    'an aggregate': [
      () => fn('SUM', { args: [t.text()], returns: t.text() }, (s) => s),
      'the function SUM: SQL has a function of this name',
    ],
    'a name that is no word': [
      () => fn('a b', { args: [], returns: t.text() }, () => ''),
      'the function a b: its name is no plain word',
    ],
    'what is not its own': [
      () => fn('leaky', { args: [t.integer()], returns: t.integer() }, (n) => n + outside),
      'the function leaky: it uses outside, which is not its own',
    ],
    'a function of the runtime': [
      () => fn('floor_', { args: [t.double()], returns: t.double() }, Math.floor),
      'the function floor_: it is not written in JavaScript',
    ],
  }
  it.each(Object.entries(cases))('refuses %s', (_, [make, message]) => {
    try {
      make()
    } catch (error) {
      expect((error as MillraceError).message).toBe(message)
      expect((error as MillraceError).hint).toBeTruthy()
      expect(error).toBeInstanceOf(MillraceError)
      return
    }
    throw new Error('accepted')
  })
})
