import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { compileDecoder } from './json-decoder.ts'

const suites = process.env['MILLRACE_SUITES']

/** The files of a tar archive, whose entries are 512 bytes of header and the content padded to such blocks. */
function untar(archive: Uint8Array): { readonly name: string; readonly content: Uint8Array }[] {
  const files: { name: string; content: Uint8Array }[] = []
  const field = (at: number, length: number): string =>
    Buffer.from(archive.subarray(at, at + length))
      .toString('latin1')
      .replace(/\0.*$/s, '')
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0; ) {
    const size = Number.parseInt(field(at + 124, 12), 8)
    const type = field(at + 156, 1)
    if (type === '0' || type === '')
      files.push({ name: field(at, 100), content: archive.subarray(at + 512, at + 512 + size) })
    at += 512 + Math.ceil(size / 512) * 512
  }
  return files
}

const files =
  suites === undefined
    ? []
    : untar(gunzipSync(readFileSync(path.join(suites, 'json-test-suite.tar.gz')))).filter(({ name }) =>
        name.includes('/test_parsing/'),
      )

/** Accepted by JSON, but no text can hold U+0000: refused by the contract. */
const withNul = ['y_string_null_escape.json', 'y_object_escaped_null_in_key.json']

/** The value of a jsonb column, and of an unknown field. */
const decoders = [true, false].map((known) =>
  compileDecoder({
    name: 't',
    columns: [{ name: known ? 'value' : 'other', type: { kind: 'jsonb' }, nullable: true }],
    primaryKey: [],
    eventTime: null,
  }),
)

function accepts(content: Uint8Array): boolean[] {
  const body = Buffer.concat([Buffer.from('[{"value":'), content, Buffer.from('}]')])
  return decoders.map((decoder) => decoder.decodeBody(body, 'array').rows === 1)
}

describe.skipIf(suites === undefined)(
  suites === undefined ? "JSONTestSuite (skipped: MILLRACE_SUITES isn't set)" : 'JSONTestSuite',
  () => {
    it('is all there', () => {
      expect(files.length).toBeGreaterThan(300)
    })

    it.each(files.map(({ name, content }) => [path.basename(name), content] as const))('%s', (name, content) => {
      const accepted = accepts(content)
      if (name.startsWith('y_')) expect(accepted).toEqual(withNul.includes(name) ? [false, false] : [true, true])
      else if (name.startsWith('n_')) expect(accepted).toEqual([false, false])
      else expect(accepted).toHaveLength(2)
    })
  },
)
