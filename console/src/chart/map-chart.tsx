import type { JSX } from 'preact'
import { short } from '../text/numbers.ts'
import { land } from './land.ts'
import './chart.css'

export interface MapPoint {
  readonly label: string
  readonly latitude: number
  readonly longitude: number
  readonly value: number
}

interface MapChartProps {
  readonly label: string
  /** What the points' values are. */
  readonly measure: string
  readonly points: readonly MapPoint[]
  /** Height of the names, in 720ths of the width where all the earth is shown. */
  readonly nameSize?: number
}

/** Units of the outline: two a degree. */
const unit = 2
const graticule = 30
const largest = 9
const mostNamed = 16
/** A letter's width, as a share of its height. */
const letterShare = 0.6

/** Points on the earth, each as large as its value: an equirectangular plot, cut to where the points are. */
export function MapChart({ label, measure, points, nameSize = 10 }: MapChartProps): JSX.Element {
  const most = Math.max(...points.map(({ value }) => value), 0)
  const { left, top, width, height } = frameOf(points)
  // Strokes and circles are drawn in the outline's units: so that they look the same however much is shown.
  const scale = Math.max(width / 720, height / 360)
  const lines = linesOf()
  // The area is what the eye compares.
  const radiusOf = (value: number): number =>
    scale * (2 + (most > 0 ? Math.sqrt(Math.max(0, value) / most) * largest : 0))
  const sorted = [...points].sort((a, b) => b.value - a.value)
  return (
    <figure class="map" role="img" aria-label={`${label}: ${saidOf(sorted, measure)}`}>
      <svg viewBox={`${left} ${top} ${width} ${height}`} preserveAspectRatio="xMidYMid meet" aria-hidden="true">
        <path class="map-lines" d={lines} style={{ strokeWidth: scale * 0.6 }} />
        <path class="map-land" d={land} style={{ strokeWidth: scale * 0.6 }} />
        {sorted.map(({ label: name, latitude, longitude, value }) => (
          <circle
            key={name}
            class="map-point"
            cx={longitude * unit}
            cy={-latitude * unit}
            r={radiusOf(value)}
            style={{ strokeWidth: scale }}
          >
            <title>{`${name}: ${measure} ${short(value)}`}</title>
          </circle>
        ))}
        {sorted.slice(0, mostNamed).map(({ label: name, latitude, longitude, value }) => {
          const away = radiusOf(value) + scale * 4
          const room = left + width - longitude * unit - away
          // At the frame's right edge there is room on the other side only.
          const turned = room < name.length * nameSize * letterShare * scale
          return (
            <text
              key={name}
              class="map-name"
              text-anchor={turned ? 'end' : 'start'}
              x={longitude * unit + (turned ? -away : away)}
              y={-latitude * unit + scale * nameSize * 0.35}
              style={{ fontSize: `${scale * nameSize}px`, strokeWidth: (scale * nameSize) / 4 }}
            >
              {name}
            </text>
          )
        })}
      </svg>
    </figure>
  )
}

interface Frame {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** The stretch of the earth that the points lie in, with room around it; never less than a twelfth of it. */
function frameOf(points: readonly MapPoint[]): Frame {
  const world = { left: -360, top: -168, width: 720, height: 300 }
  if (points.length === 0) return world
  const east = Math.max(...points.map(({ longitude }) => longitude)) * unit
  const west = Math.min(...points.map(({ longitude }) => longitude)) * unit
  const north = Math.max(...points.map(({ latitude }) => latitude)) * unit
  const south = Math.min(...points.map(({ latitude }) => latitude)) * unit
  if (east - west > 360) return world
  const height = Math.max(30, (north - south) * 1.3, ((east - west) * 1.3) / 2.2)
  const width = height * 2.2
  return { left: (east + west) / 2 - width / 2, top: -(north + south) / 2 - height / 2, width, height }
}

function linesOf(): string {
  const lines: string[] = []
  for (let at = -180; at <= 180; at += graticule) lines.push(`M${at * unit} ${-90 * unit}V${90 * unit}`)
  for (let at = -90; at <= 90; at += graticule) lines.push(`M${-180 * unit} ${at * unit}H${180 * unit}`)
  return lines.join('')
}

function saidOf(points: readonly MapPoint[], measure: string): string {
  const first = points.slice(0, 5).map(({ label, value }) => `${label} ${short(value)}`)
  return `${points.length} places by ${measure}; the largest are ${first.join(', ')}`
}
