import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cellState } from './batch.ts'
import { blockColumn, openBlock } from './block.ts'
import { bytesLength, bytesStart, utf8Text } from './cell-access.ts'
import { compileDecoder } from './json-decoder.ts'
import { olderBlocks } from './older-blocks.ts'
import type { SqlType } from './sql-type.ts'
import { type StoredColumn, storedCells } from './stored-column.ts'
import { cellText } from './text-print.ts'

const int: SqlType = { kind: 'integer' }
const text: SqlType = { kind: 'text' }

function blockOf(columns: readonly StoredColumn[], events: readonly string[], primaryKey: readonly number[] = []) {
  const decoded = compileDecoder({ name: 't', columns, primaryKey, eventTime: null }).decodeBody(
    new TextEncoder().encode(`[${events.join()}]`),
  )
  expect(decoded.errors).toEqual([])
  return decoded.blocks[0].bytes
}

/** Rows as they are read with columns of today: a cell's text, null, or its error's number; then the unknown fields. */
function read(columns: readonly StoredColumn[], bytes: Uint8Array): unknown[][] {
  const block = openBlock((olderBlocks(columns) ?? ((same) => same))(bytes))
  const cells = storedCells(block, columns)
  const rest = block.columns.get(blockColumn.rest) ?? null
  return Array.from({ length: block.rows }, (_, row) => {
    const values = cells.map((cell, i) => {
      if (cell === null) return null
      const state = cellState(block.memory, cell, row)
      return state > 1 ? state : state === 1 ? null : cellText(block.memory, cell, row, columns[i].type)
    })
    if (rest === null || cellState(block.memory, rest, row) === 1) return values
    const { memory } = block
    return [...values, utf8Text(memory.u8, bytesStart(memory, rest, row), bytesLength(memory, rest, row))]
  })
}

const a: StoredColumn = { name: 'a', type: int, nullable: true }

describe('blocks of older schemas', () => {
  it('that need nothing are handed on as they are', () => {
    expect(olderBlocks([a])).toBeNull()
    const columns: StoredColumn[] = [
      { ...a, type: { kind: 'bigint' }, was: [int] },
      { name: 'b', type: text, nullable: true, added: true },
    ]
    const bytes = blockOf(columns, ['{"a":5}', '{"b":"x","a":6,"c":7}'])
    expect(olderBlocks(columns)!(bytes)).toBe(bytes)
  })

  it('give widened columns as their type of today', () => {
    const bytes = blockOf([a], ['{"a":-2147483648}', '{"a":null}', '{"a":7}'])
    for (const [type, ...texts] of [
      [{ kind: 'bigint' }, '-2147483648', '7'],
      [{ kind: 'numeric' }, '-2147483648', '7'],
      [{ kind: 'numeric', precision: 12, scale: 2 }, '-2147483648.00', '7.00'],
      [{ kind: 'numeric', precision: 30, scale: 3 }, '-2147483648.000', '7.000'],
    ] as const) {
      expect(read([{ ...a, type, was: [int] }], bytes)).toEqual([[texts[0]], [null], [texts[1]]])
    }
    const narrow: SqlType = { kind: 'numeric', precision: 5, scale: 2 }
    const decimals = blockOf([{ ...a, type: narrow }], ['{"a":1.5}', '{"a":-0.01}'])
    const was = [int, narrow]
    expect(read([{ ...a, type: { kind: 'numeric' }, was }], decimals)).toEqual([['1.50'], ['-0.01']])
    expect(() => read([{ ...a, type: text, was: [] }], bytes)).toThrow('is of lane i32, not bytes')
    const allNull = blockOf([a, { name: 'b', type: int, nullable: true }], ['{"b":1}'])
    expect(read([{ ...a, type: { kind: 'bigint' }, was: [int] }], allNull)).toEqual([[null]])
  })

  it('give added columns what was among the unknown fields, and keep the other fields', () => {
    const columns: StoredColumn[] = [
      { name: 'Added', type: int, nullable: true, id: 3, added: true },
      { ...a, id: 0 },
      { name: 'more', type: { kind: 'jsonb' }, nullable: true, id: 4, added: true },
    ]
    const events = [
      '{"x":1,"added":7,"a":1}',
      '{"a":2,"ADDED":null}',
      '{"a":3}',
      '{"a":4,"more":[1, 2],"Added":"no","y":2.50}',
      '{"a":5,"ADDED":1,"added":2}',
      '{"a":6,"Added":2147483648}',
    ]
    expect(read(columns, blockOf([a], events))).toEqual([
      ['7', '1', null, '{"x":1}'],
      [null, '2', null],
      [null, '3', null],
      [18, '4', '[1, 2]', '{"Added":"no","y":2.50}'],
      [18, '5', null, '{"ADDED":1,"added":2}'],
      [18, '6', null, '{"Added":2147483648}'],
    ])
  })

  it('have columns that come back where they were and among the unknown fields', () => {
    const b: StoredColumn = { name: 'b', type: text, nullable: true, id: 1, added: true }
    const first = blockOf([a, { ...b }], ['{"a":1,"b":"x"}', '{"a":2,"c":0}'])
    expect(read([b, { ...a, id: 0 }], first)).toEqual([
      ['x', '1'],
      [null, '2', '{"c":0}'],
    ])
    const later = blockOf([a], ['{"a":1,"b":"x"}', '{"a":2,"c":0}'])
    expect(read([b, { ...a, id: 0 }], later)).toEqual([
      ['x', '1'],
      [null, '2', '{"c":0}'],
    ])
  })

  it('are as if the columns had always been there, whatever the events hold', () => {
    const scalars = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constant(null), fc.constantFrom('', 'é"\\', 'x'))
    const events = fc.array(fc.dictionary(fc.constantFrom('b', 'c', 'd', 'é'), scalars), {
      minLength: 1,
      maxLength: 20,
    })
    const names = fc.subarray(['b', 'c', 'd', 'é'])
    fc.assert(
      fc.property(events, names, names, (values, before, now) => {
        const lines = values.map((value) => JSON.stringify(value))
        const column = (name: string, id: number, added: boolean): StoredColumn => ({
          name,
          type: { kind: 'jsonb' },
          nullable: true,
          id,
          ...(added ? { added: true } : {}),
        })
        const old = ['a', ...before].map((name, id) => column(name, id, false))
        const idOf = (name: string): number =>
          before.includes(name) ? 1 + before.indexOf(name) : 10 + now.indexOf(name)
        const bytes = blockOf(old, lines)
        const asNow = read(
          now.map((name) => column(name, idOf(name), !before.includes(name))),
          bytes,
        )
        const always = read(
          now.map((name, i) => column(name, i, false)),
          blockOf(
            now.map((name, i) => column(name, i, false)),
            lines,
          ),
        )
        // Of what was a column and is none any more the unknown fields know nothing.
        expect(asNow.map((row) => row.slice(0, now.length))).toEqual(always.map((row) => row.slice(0, now.length)))
        asNow.forEach((row, i) => {
          const rest = Object.entries(values[i]).filter(([name]) => !before.includes(name) && !now.includes(name))
          expect(JSON.parse((row[now.length] as string | undefined) ?? '{}')).toEqual(Object.fromEntries(rest))
        })
      }),
    )
  })
})
