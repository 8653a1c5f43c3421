import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openBlock } from './block.ts'
import { blockCells } from './cell-access.ts'
import { formatDouble, formatReal } from './float.ts'
import type { DecoderTopic } from './ingest/row-reader.ts'
import { compileDecoder, type EventBlock, EventStream } from './json-decoder.ts'
import { printRow } from './json-print.ts'
import { canonicalJsonb } from './jsonb.ts'
import type { ColumnSchema, SqlType } from './sql-type.ts'

/** A value as an event may spell it, and as it must be printed. */
interface Sample {
  readonly json: string
  readonly printed: string
}

const sample = (json: string, printed = json): Sample => ({ json, printed })
const pad = (n: number, width: number): string => String(n).padStart(width, '0')

/** A string's JSON with some characters escaped that need not be, both halves of a pair together. */
function spell(text: string, escapes: readonly boolean[]): string {
  const unit = (c: string, i: number): string => `\\u${c.charCodeAt(i).toString(16).padStart(4, '0')}`
  const spelled = [...text].map((c, i) => {
    if (!escapes[i % escapes.length]) return JSON.stringify(c).slice(1, -1)
    return c.length === 1 ? unit(c, 0) : unit(c, 0) + unit(c, 1).toUpperCase().replace('U', 'u')
  })
  return `"${spelled.join('')}"`
}

const text = fc
  .tuple(
    fc.string({ unit: 'binary', maxLength: 40 }).filter((value) => !value.includes('\0')),
    fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
  )
  .map(([value, escapes]) => sample(spell(value, escapes), JSON.stringify(value)))

const integer = (min: bigint, max: bigint, quoted: boolean): fc.Arbitrary<Sample> =>
  fc
    .tuple(fc.oneof(fc.bigInt({ min, max }), fc.bigInt({ min: -99n, max: 99n }), fc.constantFrom(min, max)), fc.nat(3))
    .map(([n, form]) =>
      sample([`${n}`, `${n}.0`, quoted ? `"${n}"` : `${n}`, n === 0n ? '-0e5' : `${n}00e-2`][form], `${n}`),
    )

const decimal = (digits: number, scale: number | null): fc.Arbitrary<Sample> =>
  fc
    .tuple(fc.bigInt({ min: -(10n ** BigInt(digits)) + 1n, max: 10n ** BigInt(digits) - 1n }), fc.nat(6), fc.boolean())
    .map(([coefficient, own, quoted]) => {
      const places = scale ?? own
      const all = (coefficient < 0n ? -coefficient : coefficient).toString().padStart(places + 1, '0')
      const number =
        (coefficient < 0n ? '-' : '') + (places === 0 ? all : `${all.slice(0, -places)}.${all.slice(-places)}`)
      return sample(quoted ? `"${number}"` : number, number)
    })

const days = fc.integer({ min: -700000, max: 2000000 })
const dateOf = (day: number): string => {
  const iso = new Date(day * 86400000).toISOString()
  return iso.slice(0, iso.indexOf('T')).replace(/^\+0*(\d{5})/, '$1')
}
const clock = fc
  .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fc.oneof(fc.constant(0), fc.nat(999999)))
  .map(([h, m, s, micros]) => {
    const fraction = micros === 0 ? '' : `.${pad(micros, 6)}`
    const time = `${pad(h, 2)}:${pad(m, 2)}:${pad(s, 2)}`
    return sample(time + fraction, time + fraction.replace(/0+$/, ''))
  })
const moment = (zone: string, zones: readonly string[]): fc.Arbitrary<Sample> =>
  fc
    .tuple(days, clock, fc.constantFrom('T', ' '), fc.constantFrom(...zones))
    .map(([day, time, separator, written]) =>
      sample(`"${dateOf(day)}${separator}${time.json}${written}"`, `"${dateOf(day)}T${time.printed}${zone}"`),
    )

const kinds: readonly (readonly [SqlType, fc.Arbitrary<Sample>])[] = [
  [{ kind: 'boolean' }, fc.boolean().map((value) => sample(`${value}`))],
  [{ kind: 'smallint' }, integer(-32768n, 32767n, false)],
  [{ kind: 'integer' }, integer(-2147483648n, 2147483647n, false)],
  [{ kind: 'bigint' }, integer(-(2n ** 63n), 2n ** 63n - 1n, true)],
  [
    { kind: 'double' },
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .map((value) => sample(JSON.stringify(value), formatDouble(value + 0))),
  ],
  [
    { kind: 'real' },
    fc
      .float({ noNaN: true, noDefaultInfinity: true })
      .map((value) => sample(JSON.stringify(value), formatReal(value + 0))),
  ],
  [{ kind: 'numeric' }, decimal(25, null)],
  [{ kind: 'numeric' }, decimal(6, null)],
  [{ kind: 'numeric', precision: 12, scale: 3 }, decimal(12, 3)],
  [{ kind: 'numeric', precision: 18, scale: 0 }, decimal(18, 0)],
  [{ kind: 'numeric', precision: 30, scale: 5 }, decimal(30, 5)],
  [{ kind: 'text' }, text],
  [{ kind: 'varchar' }, text],
  [{ kind: 'date' }, days.map((day) => sample(`"${dateOf(day)}"`))],
  [{ kind: 'time' }, clock.map((time) => sample(`"${time.json}"`, `"${time.printed}"`))],
  [{ kind: 'timestamp' }, moment('', ['', 'Z'])],
  [{ kind: 'timestamptz' }, moment('+00:00', ['', 'Z', '+00', '+00:00'])],
  [{ kind: 'uuid' }, fc.uuid().map((value) => sample(`"${value}"`))],
  [
    { kind: 'bytea' },
    fc.uint8Array({ maxLength: 20 }).map((value) => sample(`"\\\\x${Buffer.from(value).toString('hex')}"`)),
  ],
  [{ kind: 'interval' }, fc.integer({ min: 2, max: 900 }).map((n) => sample(`"${n} days"`))],
  [
    { kind: 'jsonb' },
    fc
      .jsonValue({ maxDepth: 3 })
      .filter((value) => value !== null && !/\\u0000|\\ud/.test(JSON.stringify(value)))
      .map((value) => sample(JSON.stringify(value), canonicalJsonb(JSON.stringify(value))!)),
  ],
]

const space = fc.constantFrom('', '', '', ' ', '\t', ' \r ')

interface Case {
  readonly topic: DecoderTopic
  readonly events: readonly string[]
  readonly printed: readonly string[]
}

/** A schema, events of it in any order of keys with white space between, and how they must be printed. */
const cases: fc.Arbitrary<Case> = fc.array(fc.nat(kinds.length - 1), { minLength: 1, maxLength: 9 }).chain((picks) => {
  const columns: ColumnSchema[] = picks.map((pick, i) => ({
    name: ['id', 'Price', 'a longer name', 'é', 'x"y', 'tilde~/', 'k', 'camelCase', 'n9'][i],
    type: kinds[pick][0],
    nullable: true,
  }))
  const event = fc
    .tuple(
      fc.tuple(...picks.map((pick) => fc.option(kinds[pick][1], { freq: 5 }))),
      fc.array(fc.nat(1000), { minLength: 9, maxLength: 9 }),
      fc.array(space, { minLength: 5, maxLength: 5 }),
      fc.boolean(),
    )
    .map(([values, order, s, dropNulls]) => {
      const fields = values
        .map((value, i) => ({ name: JSON.stringify(columns[i].name), value, place: order[i] }))
        .filter(({ value }) => value !== null || !dropNulls)
        .sort((a, b) => a.place - b.place)
        .map(({ name, value }) => `${s[0]}${name}${s[1]}:${s[2]}${value?.json ?? 'null'}${s[3]}`)
      const printed = values.map((value, i) => `${JSON.stringify(columns[i].name)}:${value?.printed ?? 'null'}`)
      return { text: `{${fields.join(',') || s[4]}}`, printed: `{${printed.join(',')}}` }
    })
  return fc.array(event, { minLength: 1, maxLength: 6 }).map((events) => ({
    topic: { name: 't', columns, primaryKey: [], eventTime: null },
    events: events.map((each) => each.text),
    printed: events.map((each) => each.printed),
  }))
})

function print(topic: DecoderTopic, blocks: readonly EventBlock[]): string[] {
  return blocks.flatMap(({ bytes, rows }) => {
    const block = openBlock(bytes)
    const cells = blockCells(block, topic.columns.length)
    return Array.from({ length: rows }, (_, row) => printRow(topic.columns, block.memory, cells, row))
  })
}

const utf8 = (body: string): Uint8Array => new TextEncoder().encode(body)

describe('JSON to lanes to JSON', () => {
  it('comes back as it must be printed', () => {
    fc.assert(
      fc.property(cases, ({ topic, events, printed }) => {
        const decoder = compileDecoder(topic)
        for (const [body, format] of [
          [`[${events.join(', ')}]`, 'array'],
          [events.join('\n'), 'ndjson'],
        ] as const) {
          const decoded = decoder.decodeBody(utf8(body), format)
          expect(decoded.errors).toEqual([])
          expect(print(topic, decoded.blocks)).toEqual(printed)
        }
      }),
      { numRuns: 400 },
    )
  })

  it('is the same wherever the input is cut in two', () => {
    fc.assert(
      fc.property(cases, fc.constantFrom('array' as const, 'ndjson' as const), ({ topic, events, printed }, format) => {
        const body = utf8(format === 'array' ? ` [${events.join(' ,\n')}]\n ` : `${events.join('\n\n')}\n`)
        for (let cut = 0; cut <= body.length; cut += body.length > 400 ? 7 : 1) {
          const stream = new EventStream(topic, format)
          const blocks = [...stream.feed(body.subarray(0, cut)), ...stream.feed(body.subarray(cut)), ...stream.end()]
          expect(stream.errors).toEqual([])
          expect(print(topic, blocks)).toEqual(printed)
        }
      }),
      { numRuns: 25 },
    )
  })

  it('is the same in pieces of one byte', () => {
    fc.assert(
      fc.property(cases, fc.constantFrom('array' as const, 'ndjson' as const), ({ topic, events, printed }, format) => {
        const body = utf8(format === 'array' ? `[${events.join(',')}]` : events.join('\n'))
        const stream = new EventStream(topic, format)
        const blocks = [...body].flatMap((byte) => [...stream.feed(Uint8Array.of(byte))])
        blocks.push(...stream.end())
        expect(stream.errors).toEqual([])
        expect(print(topic, blocks)).toEqual(printed)
      }),
      { numRuns: 25 },
    )
  })

  it('is refused when it ends anywhere before its end, and never read beyond', () => {
    fc.assert(
      fc.property(cases, ({ topic, events }) => {
        const decoder = compileDecoder(topic)
        for (const body of [utf8(events[0]), utf8(`[${events[0]}]`)]) {
          for (let end = 0; end < body.length; end++) {
            // What lay behind the end in the decoder's buffer must not count.
            decoder.decodeBody(body, 'auto')
            const decoded = decoder.decodeBody(body.subarray(0, end), body[0] === 0x5b ? 'array' : 'object')
            expect(decoded.rows).toBe(0)
            expect(decoded.malformed).toBe(true)
          }
        }
      }),
      { numRuns: 25 },
    )
  })
})
