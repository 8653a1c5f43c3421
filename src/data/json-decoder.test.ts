import { describe, expect, it } from 'vitest'
import { rawCell } from './batch.ts'
import { blockColumn, openBlock } from './block.ts'
import type { DecoderTopic } from './ingest/row-reader.ts'
import { compileDecoder } from './json-decoder.ts'

const topic: DecoderTopic = {
  name: 'bid',
  columns: [
    { name: 'id', type: { kind: 'bigint' }, nullable: false },
    { name: 'price', type: { kind: 'numeric', precision: 10, scale: 2 }, nullable: true },
    { name: 'channel', type: { kind: 'text' }, nullable: true },
    { name: 'at', type: { kind: 'timestamp' }, nullable: false },
  ],
  primaryKey: [],
  eventTime: 3,
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('decodeBody', () => {
  it('reads an object, an array and NDJSON', () => {
    const decoder = compileDecoder(topic)
    const row = '{"id":7,"price":1.5,"channel":"é\\n","at":"2026-11-21T10:00:00.5Z"}'
    for (const [body, rows] of [
      [row, 1],
      [`[${row}, ${row}]`, 2],
      [`${row}\n${row}\n\n${row}\n`, 3],
    ] as const) {
      const decoded = decoder.decodeBody(bytes(body))
      expect(decoded).toMatchObject({ errors: [], rows })
      const block = openBlock(decoded.blocks[0].bytes)
      const cell = (column: number) => rawCell(block.memory, block.columns.get(column)!, rows - 1)
      expect(cell(0)).toBe(7n)
      expect(cell(1)).toBe(150n)
      expect(new TextDecoder().decode(cell(2) as Uint8Array)).toBe('é\n')
      expect(cell(3)).toBe(BigInt(Date.parse('2026-11-21T10:00:00.500Z')) * 1000n)
    }
  })

  it('keeps unknown fields', () => {
    const decoded = compileDecoder(topic).decodeBody(bytes('{"x":[1, {"y":null}],"id":1,"at":"2026-11-21","z":"é"}'))
    expect(decoded.errors).toEqual([])
    const block = openBlock(decoded.blocks[0].bytes)
    const rest = rawCell(block.memory, block.columns.get(blockColumn.rest)!, 0) as Uint8Array
    expect(new TextDecoder().decode(rest)).toBe('{"x":[1, {"y":null}],"z":"é"}')
  })
})
