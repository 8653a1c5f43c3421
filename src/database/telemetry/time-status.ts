import { hopBelow } from '../../plan/plan-words.ts'
import type { OperatorNode, Topology } from '../../plan/topology.ts'
import type { OpenWindowBody, TimeBody, TopicTimeBody } from '../../protocol/telemetry.ts'
import type { DatabaseStatus } from '../contract.ts'
import type { Programs } from '../programs.ts'
import { histogramOf, suggestionOf } from './lateness.ts'

/** GET /v1/time */
export function timeBody(
  { current, vitals }: Programs,
  topology: Topology,
  nowMicros: bigint,
  status: DatabaseStatus,
): TimeBody {
  const { topics } = current.program
  const windows = openWindows(current.program.topics, topology, vitals.figures.whole?.windows ?? [], status)
  const disorder = new Map(vitals.figures.whole?.disorder.map(({ topic, counts }) => [topic, counts]))
  const bodies = topics.map((topic, i): TopicTimeBody => {
    const { id, name, eventTime, columns, latenessMicros } = topic
    const { watermarkMicros, late } = status.topics[i]
    const counts = disorder.get(id)
    const lateness = BigInt(latenessMicros)
    const unknown = { suggested_lateness_micros: null, suggestion: 'the topic has no event time' }
    return {
      name,
      event_time: eventTime === null ? null : columns[eventTime].name,
      lateness_micros: latenessMicros,
      watermark_micros: watermarkMicros === null ? null : String(watermarkMicros),
      newest_micros: watermarkMicros === null ? null : String(watermarkMicros + lateness),
      behind_ms: watermarkMicros === null ? null : Number((nowMicros - watermarkMicros) / 1000n),
      late,
      holds: [...new Set(windows.filter(({ waits_for }) => waits_for === name).map(({ view }) => view))],
      histogram: counts === undefined || watermarkMicros === null ? [] : histogramOf(counts),
      ...(eventTime === null ? unknown : suggestionOf(counts ?? new Float64Array(1), lateness)),
    }
  })
  return { now_micros: String(nowMicros), topics: bodies, windows }
}

type Held = readonly { readonly node: string; readonly endMicros: bigint; readonly rows: number }[]

function openWindows(
  topics: Programs['current']['program']['topics'],
  { nodes }: Topology,
  held: Held,
  status: DatabaseStatus,
): readonly OpenWindowBody[] {
  const operators = new Map(nodes.flatMap((node) => (node.kind === 'operator' ? [[node.id, node] as const] : [])))
  const found: OpenWindowBody[] = []
  for (const { node, endMicros, rows } of held) {
    const operator = operators.get(node)
    if (operator === undefined) continue
    const hop = hopBelow(operator.plan)
    const start = hop === null ? null : String(endMicros - BigInt(hop.sizeMicros))
    const window = { window_start: start, window_end: String(endMicros), waits_for: slowest(operator, topics, status) }
    for (const view of operator.views) found.push({ view, ...window, rows })
  }
  return found
}

/** The topic with the least watermark; one that has none yet is waited for first. */
function slowest(
  operator: OperatorNode,
  topics: Programs['current']['program']['topics'],
  status: DatabaseStatus,
): string | null {
  let found: { readonly name: string; readonly watermarkMicros: bigint | null } | null = null
  topics.forEach(({ id }, i) => {
    const topic = status.topics[i]
    if (!operator.topics.has(id)) return
    const { watermarkMicros } = topic
    if (found === null || watermarkMicros === null) found = topic
    else if (found.watermarkMicros !== null && watermarkMicros < found.watermarkMicros) found = topic
  })
  return (found as { readonly name: string } | null)?.name ?? null
}
