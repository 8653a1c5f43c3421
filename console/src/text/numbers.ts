/** How numbers are written for people. */

const grouped = new Intl.NumberFormat('en')
const oneDigit = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })

export function count(value: number): string {
  return grouped.format(value)
}

/** `1 row`, `2 rows`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** At most four characters of digits: 950, 1.2 k, 34 k, 5.6 M. */
export function short(value: number): string {
  const size = Math.abs(value)
  if (size < 1000) return oneDigit.format(size < 10 ? value : Math.round(value))
  for (const [scale, unit] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (size >= scale)
      return `${oneDigit.format(size / scale < 100 ? value / scale : Math.round(value / scale))} ${unit}`
  }
  return grouped.format(value)
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`
  let size = value
  for (const unit of ['KiB', 'MiB', 'GiB']) {
    size /= 1024
    if (size < 1024) return `${oneDigit.format(size < 100 ? size : Math.round(size))} ${unit}`
  }
  return `${oneDigit.format(size / 1024)} TiB`
}

const exact = new Set(['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision'])

/** Every digit of a number's text, with commas between thousands; other text stays as it is. */
export function digits(text: string): string {
  const parts = /^(-?)(\d{4,})(\.\d+)?$/.exec(text)
  if (parts === null) return text
  return `${parts[1]}${parts[2].replace(/\B(?=(\d{3})+$)/g, ',')}${parts[3] ?? ''}`
}

/** `12.5 %`, `100 %`, `< 0.1 %`. */
export function percent(share: number): string {
  if (share > 0 && share < 0.001) return '< 0.1 %'
  return `${oneDigit.format(share * 100)} %`
}

/** Whether a column of this type holds numbers: they stand to the right. */
export function isNumeric(type: string): boolean {
  return exact.has(type.replace(/\(.*/, ''))
}
