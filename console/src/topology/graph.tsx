import type { TopologyBody } from 'millrace/client'
import type { JSX } from 'preact'
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { query, setQuery } from '../shell/place.ts'
import { bytes, plural, short } from '../text/numbers.ts'
import { microsToMs, moment } from '../text/times.ts'
import { edgePath, layOut, nodeHeight, nodeWidth } from './layout.ts'

type TopologyNode = TopologyBody['nodes'][number]

/** Below this a rate is an old one that fades. */
const leastRate = 0.05

/** Smaller than this nothing can be read: then it scrolls. */
const leastZoom = 0.8

const unmeasured = Number.MAX_SAFE_INTEGER

/** The part that most others read: a graph that is wider than the window begins there. */
function busiest({ edges }: TopologyBody): string | null {
  const readers = new Map<string, number>()
  for (const { from } of edges) readers.set(from, (readers.get(from) ?? 0) + 1)
  const [first] = [...readers].sort(([, a], [, b]) => b - a)
  return first?.[0] ?? null
}

/** Moves what is inside a box, and nothing around it. */
function bringIntoSight(box: HTMLElement, part: Element): void {
  const [outer, inner] = [box.getBoundingClientRect(), part.getBoundingClientRect()]
  if (inner.left < outer.left || inner.right > outer.right) {
    box.scrollLeft += (inner.left + inner.right - outer.left - outer.right) / 2
  }
  if (inner.top < outer.top || inner.bottom > outer.bottom) {
    box.scrollTop += (inner.top + inner.bottom - outer.top - outer.bottom) / 2
  }
}

interface GraphProps {
  readonly shown: TopologyBody
}

/** Topics, operators, views and who follows them, with what flows between them. */
export function Graph({ shown }: GraphProps): JSX.Element {
  // Figures change all the time, places only with the definitions.
  const signature = `${shown.nodes.map(({ id }) => id).join()}|${shown.edges.map(({ from, to }) => `${from}>${to}`).join()}`
  const placed = useMemo(() => layOut(shown), [signature])
  const chosen = query.value.get('node')
  const box = useRef<HTMLDivElement>(null)
  const [room, setRoom] = useState(unmeasured)
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setRoom(entry.contentRect.width))
    observer.observe(box.current!)
    return () => observer.disconnect()
  }, [])
  const shownFirst = chosen ?? busiest(shown)
  useLayoutEffect(() => {
    const node = shownFirst === null ? null : box.current!.querySelector(`[data-node="${shownFirst}"]`)
    if (node !== null && room !== unmeasured) bringIntoSight(box.current!, node)
  }, [signature, shownFirst, room])
  return (
    <div class="graph" ref={box} role="group" aria-label="Topology" tabIndex={0}>
      <div
        class="graph-plane"
        style={{
          width: `${placed.width}px`,
          height: `${placed.height}px`,
          zoom: String(Math.max(leastZoom, Math.min(1, (room - 2) / placed.width))),
        }}
      >
        <svg class="graph-edges" width={placed.width} height={placed.height} aria-hidden="true">
          {placed.edges.map(({ from, to, points }) => {
            const rate = shown.edges.find((edge) => edge.from === from && edge.to === to)?.rows_per_second ?? 0
            const middle = points[Math.floor(points.length / 2)]
            return (
              <g key={`${from} ${to}`} class={chosen === from || chosen === to ? 'edge chosen' : 'edge'}>
                <path d={edgePath(points)} style={{ strokeWidth: `${1 + Math.min(3, Math.log10(1 + rate))}px` }} />
                {rate >= leastRate && (
                  <text x={middle.x + 6} y={middle.y + 4}>
                    {`${short(rate)}/s`}
                  </text>
                )}
              </g>
            )
          })}
        </svg>
        {shown.nodes.map((node) => {
          const { x, y } = placed.nodes.get(node.id)!
          return (
            <button
              type="button"
              key={node.id}
              class={`node ${node.kind}${chosen === node.id ? ' chosen' : ''}`}
              aria-pressed={chosen === node.id}
              data-node={node.id}
              style={{
                left: `${x - nodeWidth / 2}px`,
                top: `${y - nodeHeight / 2}px`,
                width: `${nodeWidth}px`,
                height: `${nodeHeight}px`,
              }}
              title={node.detail}
              onClick={() => setQuery({ node: chosen === node.id ? null : node.id })}
            >
              <Inside node={node} />
            </button>
          )
        })}
      </div>
    </div>
  )
}

function Inside({ node }: { readonly node: TopologyNode }): JSX.Element {
  const { kind, name, label, detail, rows_per_second: rate, busy_share: busy, state_bytes: state } = node
  const notes = [
    rate >= leastRate ? `${short(rate)}/s` : '',
    state !== null && state > 0 ? bytes(state) : '',
    busy >= 0.005 ? `${Math.round(busy * 100)} % busy` : '',
  ].filter((note) => note !== '')
  return (
    <>
      <span class="node-name cut">{kind === 'topic' || kind === 'table' || kind === 'view' ? name : label}</span>
      <span class="node-detail cut">{kind === 'operator' ? detail : kindOf(node)}</span>
      <span class="node-notes num cut">{notes.join(' · ')}</span>
      {busy > 0 && <span class="node-busy" style={{ width: `${Math.min(100, busy * 100)}%` }} aria-hidden="true" />}
    </>
  )
}

const dayMs = 86_400_000

/** What it is; of a topic that has one, its watermark. */
function kindOf({ kind, detail, watermark_micros: watermark }: TopologyNode): string {
  if (kind === 'subscribers') return plural(Number(detail), 'live stream')
  if (watermark === null || kind === 'view') return kind
  const at = moment(watermark)
  const recent = Math.abs(Date.now() - microsToMs(watermark)) < dayMs
  return `watermark ${recent ? at.slice(11) : at.slice(0, 10)}`
}

function isSubscribers(nodes: readonly TopologyNode[], id: string): boolean {
  return nodes.some((node) => node.id === id && node.kind === 'subscribers')
}

/** What a view is made of, and who follows it. */
export function within({ tick, nodes, edges }: TopologyBody, view: string | null): TopologyBody {
  if (view === null) return { tick, nodes, edges }
  const reading = new Map<string, string[]>()
  for (const { from, to } of edges) reading.set(to, [...(reading.get(to) ?? []), from])
  const root = nodes.find((node) => node.kind === 'view' && node.name === view)
  const kept = new Set<string>()
  const queue = root === undefined ? [] : [root.id]
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (kept.has(id)) continue
    kept.add(id)
    queue.push(...(reading.get(id) ?? []))
  }
  for (const { from, to } of edges) if (from === root?.id && isSubscribers(nodes, to)) kept.add(to)
  return {
    tick,
    nodes: nodes.filter(({ id }) => kept.has(id)),
    edges: edges.filter(({ from, to }) => kept.has(from) && kept.has(to)),
  }
}
