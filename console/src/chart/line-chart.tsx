import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type uPlot from 'uplot'
import { theme } from '../shell/theme.ts'
import { short } from '../text/numbers.ts'
import { moment } from '../text/times.ts'
import { seriesColours, tokenColour } from './colours.ts'
import './chart.css'

export interface LineSeries {
  readonly name: string
  readonly values: readonly (number | null)[]
}

interface LineChartProps {
  readonly label: string
  /** Seconds since 1970 where `time` is set, else numbers. */
  readonly x: readonly number[]
  readonly time: boolean
  readonly series: readonly LineSeries[]
  readonly height?: number
  /** Columns in place of lines: for counts per stretch. */
  readonly bars?: boolean
  /** Told what stretch of x was dragged over, or where it was clicked. */
  readonly onSeek?: (from: number, to: number) => void
}

/** Lines over time or numbers. What it shows is told in words, too; the figures are in the table beside it. */
export function LineChart(props: LineChartProps): JSX.Element {
  const { label, x, time, series, height = 240, bars = false, onSeek } = props
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const seek = useRef(onSeek)
  seek.current = onSeek
  const data = dataOf(x, series)
  const latest = useRef(data)
  latest.current = data
  const names = series.map(({ name }) => name).join('\n')
  const colours = theme.value
  const sparse = series.map(({ values }) => isSparse(values)).join()

  useEffect(() => {
    const element = box.current!
    let gone = false
    void import('uplot').then(({ default: UPlot }) => {
      if (gone) return
      const options = optionsOf(element, UPlot, {
        names: names.split('\n'),
        time,
        height,
        bars,
        sparse: sparse.split(',').map((one) => one === 'true'),
        seek,
      })
      plot.current = new UPlot(options, latest.current, element)
    })
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }))
    observer.observe(element)
    return () => {
      gone = true
      observer.disconnect()
      plot.current?.destroy()
      plot.current = null
    }
  }, [names, time, height, bars, sparse, colours])

  useEffect(() => {
    plot.current?.setData(data)
  })

  return (
    <figure class="chart" role="img" aria-label={`${label}: ${saidOf(series)}`}>
      <div
        ref={box}
        class={onSeek === undefined ? 'chart-box' : 'chart-box seekable'}
        style={{ minHeight: `${height}px` }}
      />
    </figure>
  )
}

/** A single place gets half a minute on both sides: of itself uPlot would show years. */
function dataOf(x: readonly number[], series: readonly LineSeries[]): uPlot.AlignedData {
  if (x.length !== 1) return [[...x], ...series.map(({ values }) => [...values])]
  return [[x[0] - 30, x[0], x[0] + 30], ...series.map(({ values }) => [null, values[0], null])]
}

function saidOf(series: readonly LineSeries[]): string {
  return series
    .map(({ name, values }) => {
      const known = values.filter((value) => value !== null)
      if (known.length === 0) return `${name} has no values`
      return `${name} from ${short(Math.min(...known))} to ${short(Math.max(...known))}, at last ${short(known.at(-1)!)}`
    })
    .join('; ')
}

interface Look {
  readonly names: readonly string[]
  readonly time: boolean
  readonly height: number
  readonly bars: boolean
  /** By series: most of its values are missing. */
  readonly sparse: readonly boolean[]
  readonly seek: { readonly current: ((from: number, to: number) => void) | undefined }
}

function optionsOf(element: HTMLElement, UPlot: typeof uPlot, look: Look): uPlot.Options {
  const { names, time, height, bars, seek, sparse } = look
  const ink = tokenColour(element, '--ink-3')
  const hairline = tokenColour(element, '--hairline')
  const soft = tokenColour(element, '--accent-soft')
  const colours = seriesColours()
  const axis = { stroke: ink, font: '11px Inter', grid: { stroke: hairline, width: 1 }, ticks: { show: false } }
  return {
    width: element.clientWidth,
    height,
    // Times are UTC, as they are everywhere.
    tzDate: (at) => UPlot.tzDate(new Date(at * 1000), 'Etc/UTC'),
    scales: {
      x: { time },
      y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.06 : 1] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        border: { show: true, stroke: hairline, width: 1 },
        ...(time ? { values: timeMarks, incrs: timeSteps, size: 36 } : { size: 30 }),
      },
      {
        ...axis,
        size: 52,
        values: (_, ticks, __, ___, step) => ticks.map((tick) => axisFigure(tick, step, ticks.at(-1) ?? 0)),
        ...(bars ? { incrs: wholeSteps } : {}),
      },
    ],
    legend: { show: !bars },
    cursor: {
      points: { size: 6 },
      drag: { x: seek.current !== undefined, y: false, setScale: false },
    },
    series: [
      { label: '\u00a0', value: (_, at) => (at === null ? '' : time ? moment(at * 1e6) : String(at)) },
      ...names.map((name, i) => {
        const stroke = colours[i % colours.length]
        const shape =
          bars && UPlot.paths.bars !== undefined ? { paths: UPlot.paths.bars({ size: [0.86, 40] }), fill: stroke } : {}
        return {
          label: name,
          stroke,
          width: bars ? 0 : 1.5,
          // A value that stands alone has no line to be seen by.
          points: { show: !bars && sparse[i], size: 4, fill: stroke },
          value: (_: uPlot, value: number | null) => (value === null ? '' : grouped.format(value)),
          ...(names.length === 1 && !bars ? { fill: soft } : {}),
          ...shape,
        }
      }),
    ],
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width } = plot.select
          if (width > 0) seek.current?.(plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x'))
        },
      ],
      ready: [
        (plot) =>
          plot.over.addEventListener('click', () => {
            const { left = -1 } = plot.cursor
            if (left >= 0 && plot.select.width === 0) seek.current?.(plot.posToVal(left, 'x'), plot.posToVal(left, 'x'))
          }),
      ],
    },
  }
}

function isSparse(values: readonly (number | null)[]): boolean {
  return values.filter((value) => value !== null).length * 2 < values.length
}

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 6 })

/** Marks of one axis in one unit, with as many digits as tell them apart: 2.5 k, 5 k. */
export function axisFigure(value: number, step: number, most: number): string {
  const [scale, unit] = most >= 1e9 ? [1e9, ' G'] : most >= 1e6 ? [1e6, ' M'] : most >= 1e4 ? [1e3, ' k'] : [1, '']
  // A step has at most two digits that count, as 25 has: two more than its size says are always enough.
  const digits = Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(step / scale))))
  const text = (value / scale).toLocaleString('en', { maximumFractionDigits: digits })
  return value === 0 ? '0' : `${text}${unit}`
}

/** Counts have no halves. */
const wholeSteps = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat()

const daySeconds = 86_400
/** Seconds between marks: never less than one. */
const timeSteps = [1, 5, 10, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200].concat(
  [1, 2, 7, 14, 28, 91, 182, 364].map((days) => days * daySeconds),
)
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** 09:15 below the marks of a day, with the day where it changes; 22 Nov where marks are days apart. */
function timeMarks(_: uPlot, ticks: readonly number[], __: number, ___: number, step: number): string[] {
  let shownDay = ''
  return ticks.map((at) => {
    const date = new Date(at * 1000)
    const day = `${date.getUTCDate()} ${months[date.getUTCMonth()]}`
    if (step >= daySeconds * 91) return `${months[date.getUTCMonth()]} ${date.getUTCFullYear()}`
    if (step >= daySeconds) return day
    const clock = date.toISOString().slice(11, step < 60 ? 19 : 16)
    const line = day === shownDay ? clock : `${clock}\n${day}`
    shownDay = day
    return line
  })
}
