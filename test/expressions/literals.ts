import fc from 'fast-check'
import type { SqlType } from '../../src/data/sql-type.ts'

/** Texts that types are read from: what we read, PostgreSQL must read too, and print alike. */

interface LiteralCase {
  readonly type: SqlType
  readonly text: string
}

const listed: readonly (readonly [SqlType['kind'], string])[] = [
  ['boolean', 't|true|TRUE|yes|y|on|1|f|false|n|no|off|of|0|o| true |tru|2||truee'],
  ['integer', '1| 1 |+1|-1|1_000|0x1F|0o17|0b101|1.0|1e3|2147483648|-2147483648|_1|1_|1__0||a|0x|--1|+ 1'],
  ['bigint', '9223372036854775807|-9223372036854775808|9223372036854775808|0xffffffffffffffff|0x7fffffffffffffff'],
  [
    'numeric',
    '1|1.50|.5|5.|-.5|1e5|1e-5|1.5e3|1_000.5|1._5|1.5_|1e1_0|0xff|NaN|inf|-Infinity|+inf|1e|.|e5|1 2|1e400|-0.00|0x1.5|infinit',
  ],
  [
    'double',
    '1|1.5|.5|5.|1e5|1e400|1e-400|NaN|inf|-Infinity|infinity|0x10|1_0|1e|-0|4.9e-324|1e-320|  1.5 |1,5|nan(1)|1d',
  ],
  ['real', '1e38|1e39|1e-45|1e-46|0.1|16777217|3.4028235e38|3.4028236e38|NaN|1e-50'],
  [
    'date',
    '2020-02-29|2019-02-29|2020-2-9|20200229|2020-02-29 10:00|0044-03-15 BC|0001-01-01|0000-01-01|epoch|2020-13-01|2020-02-30|5874897-12-31|5874898-01-01|4714-11-24 BC|4714-11-23 BC|2020-02-29 AD|99999-01-01|2020-02-29T10:00:00Z|2020-02-29 25:00',
  ],
  [
    'time',
    '10:00|10:00:00|10:00:00.5|24:00:00|24:00:01|23:59:60|23:59:60.5|10:60|1:2:3|10:00:00.1234567|10:00:00.9999999|25:00|10|10:00:61|00:00:00.0000005|23:59:59.9999999',
  ],
  [
    'timestamp',
    '2020-02-29 10:11:12|2020-02-29T10:11:12|2020-02-29 10:11|2020-02-29|2020-02-29 24:00:00|2020-02-29 23:59:60|2020-02-29 10:11:12.1234565|2020-02-29 10:11:12.1234575|2020-02-29 10:11:12Z|2020-02-29 10:11:12+00|2020-02-29 10:11:12 UTC|20200229|20200229 10:11|epoch|0044-03-15 12:00 BC|2020-02-29 10:11:12.|10000-01-01 00:00|2020-02-29 10:11:12 BC|  2020-02-29   10:11  |2020-02-29t10:11z|2020-02-29 T 10:11|294246-12-31 23:59:59|4714-11-24 00:00 BC',
  ],
  [
    'timestamptz',
    '2020-02-29 10:11:12+02|2020-02-29 10:11:12-05:30|2020-02-29 10:11:12 +0530|2020-02-29 10:11:12Z|2020-02-29 10:11:12|2020-02-29T10:11:12.5+00:00|2020-02-29 10:11:12+15:59:59|2020-02-29 10:11:12+16|2020-02-29 10:11:12+2|2020-02-29 10:11:12+02:5|2020-02-29 10:11:12+123|2020-02-29+02|2020-02-29 10:11:12+12:60|2020-02-29 10:11:12 GMT|0001-01-01 00:00:00+00 BC',
  ],
  [
    'interval',
    '1 hour|4 seconds|5|1 day 02:03:04|1 02:03:04|-1 02:03:04|1 day -02:03|P1DT2H|P1Y2M3W4DT5H6M7.5S|PT-1.5H|1 year 2 mons|1-2|-1-2|1.5 hours|1.5 days|1.5 months|1.5 years|0.5 weeks|-0.5 days|@ 3 weeks 2 days ago|1y 2mon 3d 4h 5m 6s|1year2mons|500 ms|1.0000005 s|100:00:00|02:03.5|1 century|-1 mon +1 day|0||hour|1 day 2 days|1 hour 02:03|1:60|P|PT|P1H|3000000000 days|1 2|1 day,|1.5 weeks 1 day|1.25 years|1.1 months|2 decades|1 millennium|3 us|1.7 ms|1 day 5|-1 day 5|1 mon 2:03|01:02:03.0000001|1 day 1:2|0.1 years|1.05 months|-1.5 months|1 hr 2 mins|1 h ago|2 weeks ago|P0.5Y|P0.5M|P0.5D|-P1D|P-1D|P1D T1H|1 day 01:02:03.5 ago|1.999999 days|1e3 days|1 d 1 h 1 h|+5 minutes|1 min 90 seconds|14:00|1 month 14:30:00|P1W|PT36H|1_000 days|0.0000001 seconds|1.12345678 hours',
  ],
  [
    'uuid',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|A0EEBC999C0B4EF8BB6D6BB9BD380A11|{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}|a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1|{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11| a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  ],
  ['bytea', '\\x00ff|\\x|\\x0|abc|a\\\\b|\\001|\\400|\\x 00 ff|é|\\xGG|\\\\|\\'],
  [
    'jsonb',
    '{"b":[1,2],"a":1}|{"bb":1,"a":2,"c":3,"a":4}|{"é":1,"zz":2,"a":3}|1.50|1e2|-0|-0.0|1.5e-3|"a\\u00e9\\n\\/\\u001f"|"\\ud83d\\ude00"|[1,]|01|1.|nul|"\\u0000"|"\\ud800"|[null,true]|1e400|1E+2|"\\u007f"|{}|[]|{"a":{"b":[]}}|"\t"|  1  |1 2|{"a" : 1 , "b":2}',
  ],
]

export const literalCases: readonly LiteralCase[] = listed.flatMap(([kind, texts]) =>
  texts.split('|').map((text) => ({ type: { kind } as SqlType, text })),
)

function joined(...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> {
  return fc.tuple(...parts).map((made) => made.join(''))
}

const digits = fc.stringMatching(/^\d{1,4}$/)
const sign = fc.constantFrom('', '', '-', '+')
const maybe = (part: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.oneof(fc.constant(''), part)
const fraction = joined(fc.constant('.'), fc.stringMatching(/^\d{0,8}$/))
const number = joined(sign, digits, maybe(fraction))
const unit = fc.constantFrom('year', 'mons', 'weeks', 'days', 'd', 'hours', 'h', 'min', 's', 'ms', 'us', 'decades')
const clock = joined(
  fc.stringMatching(/^\d{1,2}$/),
  fc.constant(':'),
  fc.stringMatching(/^\d{1,2}$/),
  maybe(joined(fc.constant(':'), fc.stringMatching(/^\d{1,2}$/), maybe(fraction))),
)
const day = joined(
  fc.constantFrom('2020', '1999', '0004', '12000'),
  fc.constant('-'),
  fc.stringMatching(/^[01]?\d$/),
  fc.constant('-'),
  fc.stringMatching(/^[0-3]?\d$/),
)
const zone = fc.constantFrom('', '', 'Z', '+02', '-0330', '+05:45', ' UTC', ' BC')

const amount = joined(number, fc.constantFrom(' ', ''), unit)
const interval = fc
  .tuple(fc.array(amount, { maxLength: 3 }), maybe(joined(sign, clock)), fc.constantFrom('', '', ' ago'))
  .map(([amounts, time, ago]) => [...amounts, time].filter((part) => part !== '').join(' ') + ago)
const timestamp = joined(day, fc.constantFrom(' ', 'T'), clock, zone)
const decimal = joined(number, maybe(joined(fc.constantFrom('e', 'E'), sign, fc.stringMatching(/^\d{1,2}$/))))

function of(kind: SqlType['kind'], texts: fc.Arbitrary<string>): fc.Arbitrary<LiteralCase> {
  return texts.map((text) => ({ type: { kind } as SqlType, text }))
}

export const randomLiteral: fc.Arbitrary<LiteralCase> = fc.oneof(
  { weight: 4, arbitrary: of('interval', interval) },
  { weight: 2, arbitrary: of('timestamp', timestamp) },
  { weight: 2, arbitrary: of('timestamptz', timestamp) },
  of('date', joined(day, zone)),
  of('time', joined(clock, fc.constantFrom('', '', ' '))),
  of('numeric', decimal),
  of('double', decimal),
  of('real', decimal),
  of('jsonb', fc.json({ stringUnit: 'grapheme' })),
)
