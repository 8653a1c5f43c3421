import type { TypeKind } from '../../data/sql-type.ts'

/** The fields of extract, date_part and date_trunc, under all the names PostgreSQL knows them by. */

const names: Readonly<Record<string, string>> = {
  microseconds: 'microsecond us usec usecs useconds usecond microsecon',
  milliseconds: 'millisecond ms msec msecs mseconds msecond millisecon',
  second: 's sec secs seconds',
  minute: 'm min mins minutes',
  hour: 'h hr hrs hours',
  day: 'd days',
  week: 'w weeks',
  month: 'mon mons months',
  quarter: 'qtr',
  year: 'y yr yrs years',
  decade: 'dec decs decades',
  century: 'c cent centuries',
  millennium: 'mil mils millennia',
  epoch: '',
  dow: '',
  doy: '',
  isodow: '',
  isoyear: '',
  julian: 'j jd',
  timezone: '',
  timezone_hour: 'timezone_h',
  timezone_minute: 'timezone_m',
}

const aliases = new Map<string, string>()
for (const [name, others] of Object.entries(names)) {
  aliases.set(name, name)
  for (const other of others.split(' ')) if (other !== '') aliases.set(other, name)
}

/** The field's own name; null for an unknown one. */
export function fieldName(text: string): string | null {
  return aliases.get(text.trim().toLowerCase()) ?? null
}

const ofTime = ['microseconds', 'milliseconds', 'second', 'minute', 'hour', 'epoch']
const ofYears = ['month', 'quarter', 'year', 'decade', 'century', 'millennium']
const ofDate = ['day', 'week', ...ofYears, 'epoch', 'dow', 'doy', 'isodow', 'isoyear', 'julian']
const ofTimestamp = [...new Set([...ofTime, ...ofDate])]

const extractable: Readonly<Partial<Record<TypeKind, readonly string[]>>> = {
  date: ofDate,
  time: ofTime,
  timestamp: ofTimestamp,
  timestamptz: [...ofTimestamp, 'timezone', 'timezone_hour', 'timezone_minute'],
  interval: [...ofTime, 'day', 'week', ...ofYears],
}

export function isExtractable(field: string, kind: TypeKind): boolean {
  return extractable[kind]?.includes(field) ?? false
}

const truncatable = ['microseconds', 'milliseconds', 'second', 'minute', 'hour', 'day', ...ofYears]

export function isTruncatable(field: string, kind: TypeKind): boolean {
  return truncatable.includes(field) || (field === 'week' && kind !== 'interval')
}
