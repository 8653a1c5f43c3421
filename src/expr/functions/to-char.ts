import { civilFromDays, microsPerHour, microsPerMinute, microsPerSecond, splitMicros } from '../../data/datetime.ts'
import { fault } from '../runtime.ts'
import { define, helperCall, type Implementation } from './definition.ts'
import { dateField } from './extract.ts'

/** to_char of timestamps: PostgreSQL's template patterns. */

type Piece =
  | { readonly text: string }
  /** `suffix` is `th`, `TH` or nothing. */
  | { readonly keyword: string; readonly fill: boolean; readonly suffix: string }

interface Moment {
  readonly days: number
  /** Microseconds within the day. */
  readonly time: number
}

const months = 'January February March April May June July August September October November December'.split(' ')
const weekdays = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')
const roman = 'I II III IV V VI VII VIII IX X XI XII'.split(' ')

function field(name: string): (moment: Moment) => number {
  return ({ days, time }) => dateField(name, days, time)
}

/** Years are printed without their sign: 1 BC is 1. */
function year({ days }: Moment): number {
  const astronomical = civilFromDays(days).year
  return astronomical > 0 ? astronomical : 1 - astronomical
}

function isoYear(moment: Moment): number {
  return Math.abs(dateField('isoyear', moment.days, moment.time))
}

function hourOf({ time }: Moment): number {
  return Math.floor(time / microsPerHour)
}

/** Numbers, with the digits they are filled up to. */
const numbers: Readonly<Record<string, readonly [(moment: Moment) => number, number]>> = {
  HH24: [hourOf, 2],
  HH12: [(m) => hourOf(m) % 12 || 12, 2],
  HH: [(m) => hourOf(m) % 12 || 12, 2],
  MI: [({ time }) => Math.floor(time / microsPerMinute) % 60, 2],
  SSSSS: [({ time }) => Math.floor(time / microsPerSecond), 0],
  SSSS: [({ time }) => Math.floor(time / microsPerSecond), 0],
  SS: [({ time }) => Math.floor(time / microsPerSecond) % 60, 2],
  YYYY: [year, 4],
  YYY: [(m) => year(m) % 1000, 3],
  YY: [(m) => year(m) % 100, 2],
  Y: [(m) => year(m) % 10, 1],
  IYYY: [isoYear, 4],
  IYY: [(m) => isoYear(m) % 1000, 3],
  IY: [(m) => isoYear(m) % 100, 2],
  I: [(m) => isoYear(m) % 10, 1],
  MM: [field('month'), 2],
  DD: [field('day'), 2],
  DDD: [field('doy'), 3],
  IDDD: [(m) => (dateField('week', m.days, 0) - 1) * 7 + dateField('isodow', m.days, 0), 3],
  D: [(m) => dateField('dow', m.days, 0) + 1, 0],
  ID: [field('isodow'), 0],
  WW: [(m) => Math.floor((dateField('doy', m.days, 0) - 1) / 7) + 1, 2],
  IW: [field('week'), 2],
  W: [(m) => Math.floor((dateField('day', m.days, 0) - 1) / 7) + 1, 0],
  Q: [field('quarter'), 0],
  J: [({ days }) => days + 2440588, 0],
}

/** Fractions of a second, with digits that stay. */
const fractions: Readonly<Record<string, number>> = { MS: 3, US: 6, FF1: 1, FF2: 2, FF3: 3, FF4: 4, FF5: 5, FF6: 6 }

/** Names and marks by how they are written. `fill` pads names to the longest one's length. */
const words: Readonly<Record<string, (moment: Moment, fill: boolean) => string>> = {
  'Y,YYY': (m) => `${Math.floor(year(m) / 1000)},${String(year(m) % 1000).padStart(3, '0')}`,
  CC: (m, fill) => {
    const century = dateField('century', m.days, 0)
    const digits = String(Math.abs(century)).padStart(fill ? 2 : 1, '0')
    return century < 0 ? `-${digits}` : digits
  },
  RM: (m, fill) => padded(roman[dateField('month', m.days, 0) - 1], fill, 4),
  rm: (m, fill) => padded(roman[dateField('month', m.days, 0) - 1].toLowerCase(), fill, 4),
}
const marks = {
  ...words,
  ...cased('Month', (m) => months[dateField('month', m.days, 0) - 1]),
  ...cased('Day', (m) => weekdays[dateField('dow', m.days, 0)]),
  ...short('Mon', (m) => months[dateField('month', m.days, 0) - 1]),
  ...short('Dy', (m) => weekdays[dateField('dow', m.days, 0)]),
  ...either('AM', 'PM', (m) => hourOf(m) >= 12),
  ...either('AD', 'BC', (m) => civilFromDays(m.days).year <= 0),
}

type Word = (moment: Moment, fill: boolean) => string

function padded(text: string, fill: boolean, width = 9): string {
  return fill ? text.padEnd(width) : text
}

/** A name in three spellings, filled up to nine letters. */
function cased(keyword: string, name: (moment: Moment) => string): Record<string, Word> {
  return {
    [keyword]: (m, fill) => padded(name(m), fill),
    [keyword.toUpperCase()]: (m, fill) => padded(name(m).toUpperCase(), fill),
    [keyword.toLowerCase()]: (m, fill) => padded(name(m).toLowerCase(), fill),
  }
}

function short(keyword: string, name: (moment: Moment) => string): Record<string, Word> {
  const abbreviated = (m: Moment): string => name(m).slice(0, 3)
  return {
    [keyword]: abbreviated,
    [keyword.toUpperCase()]: (m) => abbreviated(m).toUpperCase(),
    [keyword.toLowerCase()]: (m) => abbreviated(m).toLowerCase(),
  }
}

/** Both marks stand for the same, in capitals or not, with points or not. */
function either(first: string, second: string, isSecond: (moment: Moment) => boolean): Record<string, Word> {
  const made: Record<string, Word> = {}
  for (const spell of [
    (mark: string) => mark,
    (mark: string) => mark.toLowerCase(),
    (mark: string) => `${mark[0]}.${mark[1]}.`,
    (mark: string) => `${mark[0]}.${mark[1]}.`.toLowerCase(),
  ]) {
    for (const mark of [first, second]) made[spell(mark)] = (m) => spell(isSecond(m) ? second : first)
  }
  return made
}

/** PostgreSQL's keywords that aren't supported; they must not be read as something shorter. */
const refused = ['FX', 'OF', 'TZH', 'TZM', 'TZ', 'tz', 'TM', 'SP', 'of', 'tm', 'sp', 'fx', 'tzh', 'tzm']

const spellings = new Map<string, string>()
for (const name of [...Object.keys(numbers), ...Object.keys(fractions)]) {
  spellings.set(name, name)
  spellings.set(name.toLowerCase(), name)
}
for (const name of [...Object.keys(marks), ...refused]) spellings.set(name, name)
for (const name of ['Y,YYY', 'CC']) spellings.set(name.toLowerCase(), name)
const longestFirst = [...spellings.keys()].sort((a, b) => b.length - a.length)

/** @returns the pieces, or the keyword that isn't supported */
export function parseTemplate(template: string): readonly Piece[] | string {
  const pieces: Piece[] = []
  let at = 0
  while (at < template.length) {
    if (template[at] === '"') {
      const quoted = /^"((?:[^"\\]|\\.)*)"?/s.exec(template.slice(at))!
      pieces.push({ text: quoted[1].replace(/\\(.)/gs, '$1') })
      at += quoted[0].length
      continue
    }
    const fill = !/^fm/i.test(template.slice(at))
    const start = fill ? at : at + 2
    const keyword = longestFirst.find((each) => template.startsWith(each, start))
    if (keyword === undefined) {
      // A backslash stands before a quotation mark that is meant.
      const skip = template.startsWith('\\"', start) ? 1 : 0
      const c = String.fromCodePoint(template.codePointAt(start + skip) ?? 0x20)
      pieces.push({ text: start + skip < template.length ? c : '' })
      at = start + skip + c.length
      continue
    }
    const name = spellings.get(keyword)!
    if (refused.includes(name)) return keyword
    at = start + keyword.length
    const suffix = /^(?:th|TH)/.exec(template.slice(at))?.[0] ?? ''
    at += suffix.length
    pieces.push({ keyword: name, fill, suffix })
  }
  return pieces
}

function ordinal(text: string, suffix: string): string {
  if (suffix === '') return text
  const last = text.at(-1)
  const teens = /1\d$/.test(text)
  const ending = teens ? 'th' : last === '1' ? 'st' : last === '2' ? 'nd' : last === '3' ? 'rd' : 'th'
  return text + (suffix === 'TH' ? ending.toUpperCase() : ending)
}

function write(piece: Piece, moment: Moment): string {
  if ('text' in piece) return piece.text
  const { keyword, fill, suffix } = piece
  const number = numbers[keyword]
  if (number !== undefined) {
    const [compute, digits] = number
    return ordinal(String(compute(moment)).padStart(fill ? digits : 0, '0'), suffix)
  }
  const digits = fractions[keyword]
  if (digits !== undefined) {
    const micros = String(moment.time % microsPerSecond).padStart(6, '0')
    return ordinal(micros.slice(0, digits), suffix)
  }
  const word = marks[keyword](moment, fill)
  return /\d$/.test(word) ? ordinal(word, suffix) : word
}

function toChar(micros: bigint, pieces: readonly Piece[]): string {
  const moment = splitMicros(micros)
  if (pieces.length === 0) fault.state = 1
  let text = ''
  for (const piece of pieces) text += write(piece, moment)
  return text
}

const implementation: Implementation = (b, args, site) => {
  const [, template] = site.args
  const pieces = template.op === 'literal' && template.text !== null ? parseTemplate(template.text) : []
  const source = { args: site.args.slice(0, 1), type: site.type }
  return helperCall(b, args.slice(0, 1), source, toChar as never, true, [typeof pieces === 'string' ? [] : pieces])
}

define('to_char', 'timestamp,text', implementation)
define('to_char', 'timestamptz,text', implementation)
