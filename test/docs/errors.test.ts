import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { errorCodes } from '../../src/data/errors.ts'

it('docs/ERRORS.md says of each code what the catalogue says', () => {
  const page = readFileSync(new URL('../../docs/ERRORS.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| `([a-z/-]+)` \| (\d+) \| (\d) \| (.*) \|$/gm)]
  expect(rows.map(([, code, status, exit]) => [code, Number(status), Number(exit)])).toEqual(
    Object.entries(errorCodes).map(([code, { status, exit }]) => [code, status, exit]),
  )
  for (const [, code, , , meaning] of rows) expect([code, meaning]).toEqual([code, expect.stringMatching(/\S.*[.)]$/)])
})
