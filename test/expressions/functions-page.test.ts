import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { functionNames } from '../../src/expr/functions/signatures.ts'

describe('docs/FUNCTIONS.md', () => {
  it('lists every function there is', () => {
    const page = readFileSync(new URL('../../docs/FUNCTIONS.md', import.meta.url), 'utf8')
    const named = new Set([...page.matchAll(/`([^`]+)`/g)].map(([, name]) => name.replace(/\(.*\)$/, '')))
    const missing = functionNames().filter((name) => !name.startsWith('$') && !named.has(name))
    expect(missing).toEqual([])
  })
})
