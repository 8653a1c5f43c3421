import { type Topology, type TopologyNode, viewNodeId } from '../plan/topology.ts'
import type { TopologyBody, TopologyEdgeBody, TopologyNodeBody } from '../protocol/telemetry.ts'
import type { DatabaseStatus } from './contract.ts'
import type { Programs } from './programs.ts'

/** GET /v1/topology */
export function topologyBody(topology: Topology, { current }: Programs, status: DatabaseStatus): TopologyBody {
  const watermarks = new Map(status.topics.map(({ name, watermarkMicros }) => [name, watermarkMicros]))
  const { topics } = current.program
  const watermarkOf = (ids: Iterable<number>): string | null => {
    let least: bigint | null = null
    for (const id of ids) {
      const topic = topics.find((each) => each.id === id)
      const watermark = topic === undefined ? null : (watermarks.get(topic.name) ?? null)
      if (watermark === null) return null
      if (least === null || watermark < least) least = watermark
    }
    return least === null ? null : String(least)
  }
  const nodes: TopologyNodeBody[] = topology.nodes.map((node) => ({
    ...faceOf(node),
    views: [...node.views].sort(),
    rows_in: 0,
    rows_out: 0,
    rows_per_second: 0,
    busy_share: 0,
    state_bytes: null,
    state_rows: null,
    watermark_micros: watermarkOf(node.topics),
  }))
  const edges: TopologyEdgeBody[] = topology.edges.map(({ from, to }) => ({ from, to, rows_per_second: 0, rows: 0 }))
  for (const { definition, subscribers } of current.views.views) {
    if (subscribers === 0) continue
    const id = `subscribers-${definition.id}`
    nodes.push({
      id,
      kind: 'subscribers',
      name: definition.name,
      label: 'subscribers',
      detail: String(subscribers),
      views: [definition.name],
      rows_in: 0,
      rows_out: 0,
      rows_per_second: 0,
      busy_share: 0,
      state_bytes: null,
      state_rows: null,
      watermark_micros: null,
    })
    edges.push({ from: viewNodeId(definition.id), to: id, rows_per_second: 0, rows: 0 })
  }
  return { tick: status.tick, nodes, edges }
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
