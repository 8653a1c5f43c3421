import { createHash } from 'node:crypto'

/**
 * One text per value, the same for every system: exact numbers by their digits, fractions to 12 digits (some systems
 * average in doubles), timestamps as microseconds since 1970.
 */
export function canonicalNumber(value: number | bigint | string): string {
  const text = String(value)
  if (/^-?\d+$/.test(text)) return text
  if (/^-?\d+\.0*$/.test(text)) return text.slice(0, text.indexOf('.'))
  const rounded = Number(text).toPrecision(12)
  return rounded.includes('.') && !rounded.includes('e') ? rounded.replace(/\.?0+$/, '') : rounded
}

/** `2015-07-15 00:00:00.123456` as microseconds since 1970. */
export function canonicalTimestamp(text: string): string {
  const [whole, fraction = ''] = text.replace(' ', 'T').split('.')
  const seconds = Date.parse(`${whole.includes('T') ? whole : `${whole}T00:00:00`}Z`) / 1000
  return String(BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0')))
}

/** A relation's rows as a sorted list of texts: what must be equal between systems. */
export function canonicalRows(rows: Iterable<readonly string[]>): string[] {
  const texts: string[] = []
  for (const row of rows) texts.push(row.join('\u0001'))
  return texts.sort()
}

export interface Fingerprint {
  readonly rows: number
  readonly digest: string
  /** The first rows, to show what differs. */
  readonly sample: readonly string[]
}

export function fingerprint(rows: readonly string[]): Fingerprint {
  const hash = createHash('sha256')
  for (const row of rows) hash.update(row).update('\n')
  return { rows: rows.length, digest: hash.digest('hex'), sample: rows.slice(0, 3) }
}
