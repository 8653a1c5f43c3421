/** A figure with three digits and a unit's letter: 3.14 M. */
export function si(value: number): string {
  const [divisor, letter] =
    value >= 1e9 ? [1e9, ' G'] : value >= 1e6 ? [1e6, ' M'] : value >= 1e3 ? [1e3, ' k'] : [1, '']
  return digits(value / divisor) + letter
}

export function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

export function gigabytes(bytesPerSecond: number): string {
  return `${(bytesPerSecond / 1e9).toFixed(2)} GB/s`
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}

export function milliseconds(ms: number): string {
  return `${ms >= 10 ? ms.toFixed(0) : ms.toFixed(2)} ms`
}

export function times(ratio: number): string {
  return Number.isFinite(ratio) ? `${digits(ratio)}×` : '–'
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}

/** Prints a table that is also Markdown. The first column is flush left, the others right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`
  console.log(line(head))
  console.log(
    `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`,
  )
  for (const row of rows) console.log(line(row))
  console.log()
}
