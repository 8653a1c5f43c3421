import { describe, expect, it } from 'vitest'
import { implementationOf } from './catalogue.ts'
import { allSignatures, signatureKey } from './signatures.ts'

describe('the catalogue', () => {
  it('has an implementation for every signature', () => {
    const unsupported = new Set(['to_char(timestamp,text)', 'to_char(timestamptz,text)'])
    const missing = allSignatures()
      .map(({ name, args, as }) => signatureKey(name, as ?? args))
      .filter((key) => implementationOf(key) === undefined && !unsupported.has(key))
    expect(missing).toEqual([])
  })
})
