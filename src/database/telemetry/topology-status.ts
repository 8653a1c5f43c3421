import { type Topology, type TopologyNode, viewNodeId, withoutOperators } from '../../plan/topology.ts'
import type { TopologyBody, TopologyEdgeBody, TopologyNodeBody } from '../../protocol/telemetry.ts'
import type { DatabaseStatus } from '../contract.ts'
import type { Programs } from '../programs.ts'
import type { NodeRates } from './figures-ring.ts'
import { rounded } from './status.ts'

/** GET /v1/topology */
export function topologyBody(whole: Topology, { current, vitals }: Programs, status: DatabaseStatus): TopologyBody {
  const rates = vitals.figures.rates()
  // Before the engine has told what it is made of, the plan has to do.
  const { nodes, edges } = rates.size === 0 ? whole : withoutOperators(whole, (id) => rates.has(id))
  const drawing = new Drawing(rates, watermarks(current.program.topics, status))
  for (const { from, to } of edges) drawing.join(from, to)
  for (const { definition, subscribers } of current.views.views) {
    if (subscribers > 0) drawing.join(viewNodeId(definition.id), `subscribers-${definition.id}`)
  }
  const bodies = nodes.map((node) => drawing.body(node))
  for (const { definition, subscribers } of current.views.views) {
    if (subscribers === 0) continue
    const { name } = definition
    const face = { name, label: 'subscribers', detail: String(subscribers), views: [name] }
    bodies.push({
      id: `subscribers-${definition.id}`,
      kind: 'subscribers',
      ...face,
      ...drawing.subscribers(definition.id),
    })
  }
  return { tick: status.tick, nodes: bodies, edges: drawing.edges }
}

type WatermarkOf = (topics: Iterable<number>) => string | null

function watermarks(topics: Programs['current']['program']['topics'], status: DatabaseStatus): WatermarkOf {
  const known = new Map(topics.map(({ id }, i) => [id, status.topics[i].watermarkMicros]))
  return (ids) => {
    let least: bigint | null = null
    for (const id of ids) {
      const watermark = known.get(id) ?? null
      if (watermark === null) return null
      if (least === null || watermark < least) least = watermark
    }
    return least === null ? null : String(least)
  }
}

type Flow = Pick<
  TopologyNodeBody,
  'rows_in' | 'rows_out' | 'rows_per_second' | 'busy_share' | 'state_bytes' | 'state_rows' | 'watermark_micros'
>

class Drawing {
  readonly edges: TopologyEdgeBody[] = []
  readonly #rates: ReadonlyMap<string, NodeRates>
  readonly #watermarkOf: WatermarkOf

  constructor(rates: ReadonlyMap<string, NodeRates>, watermarkOf: WatermarkOf) {
    this.#rates = rates
    this.#watermarkOf = watermarkOf
  }

  join(from: string, to: string): void {
    // A node may read another in two places.
    if (this.edges.some((edge) => edge.from === from && edge.to === to)) return
    const rates = this.#rates.get(from)
    const rows = rates?.figures.rows ?? 0
    this.edges.push({ from, to, rows_per_second: rounded(rates?.rowsPerSecond ?? 0), rows })
  }

  body(node: TopologyNode): TopologyNodeBody {
    return {
      ...faceOf(node),
      views: [...node.views].sort(),
      ...this.#flow(node.id, node.kind === 'topic', node.topics),
    }
  }

  subscribers(view: number): Flow {
    return this.#flow(`subscribers-${view}`, false, [])
  }

  #flow(id: string, isSource: boolean, topics: Iterable<number>): Flow {
    const rates = this.#rates.get(id)
    const rows = rates?.figures.rows ?? 0
    const into = this.edges.filter(({ to }) => to === id)
    return {
      rows_in: isSource ? rows : into.reduce((sum, edge) => sum + edge.rows, 0),
      rows_out: rows,
      rows_per_second: rounded(rates?.rowsPerSecond ?? 0),
      busy_share: Math.round((rates?.busyShare ?? 0) * 10_000) / 10_000,
      state_bytes: rates?.figures.stateBytes ?? null,
      state_rows: rates?.figures.stateKeys ?? null,
      watermark_micros: this.#watermarkOf(topics),
    }
  }
}

function faceOf(node: TopologyNode): Pick<TopologyNodeBody, 'id' | 'kind' | 'name' | 'label' | 'detail' | 'op'> {
  const { id } = node
  switch (node.kind) {
    case 'topic': {
      const { name, primaryKey, columns } = node.topic
      const kind = primaryKey.length > 0 ? 'table' : 'topic'
      const keys = primaryKey.map((column) => columns[column].name)
      return { id, kind, name, label: name, detail: keys.length === 0 ? '' : `by ${keys.join(', ')}` }
    }
    case 'view': {
      const { name, emit } = node.view
      return { id, kind: 'view', name, label: name, detail: emit === 'final' ? 'final' : '' }
    }
    case 'operator':
      return { id, kind: 'operator', name: node.label, label: node.label, detail: node.detail, op: node.plan.op }
  }
}
