/** What rows can be drawn as: told from their columns' names and types. */
import type { WireRow } from 'millrace/client'
import { cellText, shownText } from '../rows/order.ts'
import { isNumeric } from '../text/numbers.ts'

export type Mark = 'line' | 'bar' | 'map' | 'table'

export interface ChartColumn {
  readonly name: string
  readonly type: string
}

/** `x` against `y`; a line per value of `by`. A map takes its places from latitude and longitude. */
export interface ChartShape {
  readonly mark: Mark
  readonly x: string
  readonly y: string
  readonly by: string | null
}

export function isTime(type: string): boolean {
  return /^(timestamp|date)/.test(type)
}

const latitudes = /^(lat|latitude)$|_(lat|latitude)$/i
const longitudes = /^(lng|lon|long|longitude)$|_(lng|lon|longitude)$/i

export interface Places {
  readonly latitude: string
  readonly longitude: string
}

export function placesOf(columns: readonly ChartColumn[]): Places | null {
  const latitude = columns.find(({ name, type }) => latitudes.test(name) && isNumeric(type))
  const longitude = columns.find(({ name, type }) => longitudes.test(name) && isNumeric(type))
  return latitude === undefined || longitude === undefined
    ? null
    : { latitude: latitude.name, longitude: longitude.name }
}

/** Marks that these columns allow, the most telling first. */
export function marksOf(columns: readonly ChartColumn[]): readonly Mark[] {
  if (!columns.some(({ type }) => isNumeric(type))) return []
  const marks: Mark[] = []
  if (placesOf(columns) !== null) marks.push('map')
  if (columns.some(({ type }) => isTime(type))) marks.push('line')
  if (columns.length > 1) marks.push('bar')
  return marks
}

/** Figures that name or number a row more than they measure it. */
const ordinals = /^(id|place|rank|position|number|year|month|day|hour)$|_?id$/i

/** What to draw where nobody chose. */
export function guess(columns: readonly ChartColumn[], mark: Mark): ChartShape | null {
  const places = placesOf(columns)
  const spare = columns.filter(({ name }) => name !== places?.latitude && name !== places?.longitude)
  const words = spare.filter(({ type }) => !isNumeric(type) && !isTime(type))
  const times = spare.filter(({ type }) => isTime(type))
  const figures = spare.filter(({ type }) => isNumeric(type))
  const x = mark === 'line' ? times[0] : (words[0] ?? times[0] ?? figures[0])
  const free = figures.filter(({ name }) => name !== x?.name)
  const y = free.find(({ name }) => !ordinals.test(name)) ?? free[0]
  if (x === undefined || y === undefined) return null
  return { mark, x: x.name, y: y.name, by: mark === 'line' ? (words[0]?.name ?? null) : null }
}

/** A value as a number to draw; null where it is none. */
export function figureOf(value: unknown): number | null {
  const number = value === null || value === undefined ? Number.NaN : Number(value)
  return Number.isFinite(number) ? number : null
}

function secondsOf(value: unknown): number {
  const text = cellText(value) ?? ''
  const zoned = /(Z|[+-]\d\d(:?\d\d)?)$/.test(text) || !text.includes('T') ? text : `${text}Z`
  return Date.parse(zoned) / 1000
}

const mostLines = 8

export interface Lines {
  readonly x: readonly number[]
  readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[]
  /** Lines that there was no room for. */
  readonly left: number
}

/** Rows as lines over x: the groups with the most rows, at most eight of them. */
export function linesOf(rows: readonly WireRow[], { x, y, by }: ChartShape, time: boolean): Lines {
  const at = (row: WireRow): number => (time ? secondsOf(row[x]) : (figureOf(row[x]) ?? Number.NaN))
  const groups = new Map<string, WireRow[]>()
  for (const row of rows) {
    if (Number.isNaN(at(row))) continue
    const name = by === null ? y : (shownText(row[by]) ?? 'null')
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [row])
    else group.push(row)
  }
  const kept = [...groups].sort(([, a], [, b]) => b.length - a.length).slice(0, mostLines)
  const xs = [...new Set(kept.flatMap(([, group]) => group.map(at)))].sort((a, b) => a - b)
  const places = new Map(xs.map((value, i) => [value, i]))
  const series = kept.map(([name, group]) => {
    const values: (number | null)[] = new Array(xs.length).fill(null)
    for (const row of group) values[places.get(at(row))!] = figureOf(row[y])
    return { name, values }
  })
  return { x: xs, series, left: groups.size - kept.length }
}
