import { describe, expect, it } from 'vitest'
import { implementationOf } from './catalogue.ts'
import { allSignatures, signatureKey } from './signatures.ts'

describe('the catalogue', () => {
  it('has an implementation for every signature', () => {
    const missing = allSignatures()
      .map(({ name, args, as }) => signatureKey(name, as ?? args))
      .filter((key) => implementationOf(key) === undefined)
    expect(missing).toEqual([])
  })
})
