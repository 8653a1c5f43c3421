import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJsonb, jsonbKey } from './jsonb.ts'
import { formatUuid, parseUuid } from './uuid.ts'

describe('jsonb', () => {
  it.each([
    ['{"b":[1,2],"a":1}', '{"a": 1, "b": [1, 2]}'],
    ['{"bb":1,"a":2,"c":3,"a":4}', '{"a": 4, "c": 3, "bb": 1}'],
    ['{"é":1,"zz":2,"a":3}', '{"a": 3, "zz": 2, "é": 1}'],
    ['[]', '[]'],
    [' { } ', '{}'],
    ['1.50', '1.50'],
    ['1e2', '100'],
    ['-0', '0'],
    ['-0.0', '0.0'],
    ['1.5e-3', '0.0015'],
    ['12345678901234567890.123', '12345678901234567890.123'],
    ['"a\\u00e9\\n\\/\\u001f"', '"aé\\n/\\u001f"'],
    ['"\\ud83d\\ude00"', '"😀"'],
    ['[null,true,false]', '[null, true, false]'],
  ])('%s becomes %s', (text, canonical) => {
    expect(canonicalJsonb(text)).toBe(canonical)
    expect(canonicalJsonb(canonical)).toBe(canonical)
  })

  it.each([
    '',
    '{',
    '[1,]',
    '{"a"}',
    "{'a':1}",
    '01',
    '1.',
    '+1',
    'nul',
    'trueish',
    '1a',
    '"\\u0000"',
    '"\\ud800"',
    '"\\x"',
    '"\n"',
    '[1]2',
    'NaN',
  ])('refuses %j', (text) => {
    expect(canonicalJsonb(text)).toBeNull()
  })

  it('refuses endless nesting instead of overflowing the stack', () => {
    expect(canonicalJsonb('['.repeat(100_000))).toBeNull()
    expect(canonicalJsonb(`${'['.repeat(900)}${']'.repeat(900)}`)).not.toBeNull()
  })

  it('means what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
        const text = JSON.stringify(value)
        const canonical = canonicalJsonb(text)
        if (text.includes('\\u0000')) expect(canonical).toBeNull()
        else expect(JSON.parse(canonical!)).toEqual(JSON.parse(text.replace(/-0(?=[,\]}]|$)/g, '0')))
      }),
    )
  })

  it('has one key for equal documents', () => {
    expect(jsonbKey('{"a": [1.0, 2.50]}')).toBe('{"a": [1, 2.5]}')
    expect(jsonbKey('"1.50"')).toBe('"1.50"')
    expect(jsonbKey('[10, 100]')).toBe('[10, 100]')
  })
})

describe('uuid', () => {
  const canonical = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'

  it.each([
    canonical,
    canonical.toUpperCase(),
    `{${canonical}}`,
    canonical.replaceAll('-', ''),
    'a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11',
  ])('reads %s', (text) => {
    expect(formatUuid(parseUuid(text)!)).toBe(canonical)
  })

  it.each([
    '',
    canonical.slice(1),
    `{${canonical}`,
    `${canonical}-`,
    canonical.replace('a', 'g'),
    'a0-eebc999c0b4ef8bb6d6bb9bd380a11',
  ])('refuses %j', (text) => {
    expect(parseUuid(text)).toBeNull()
  })
})
