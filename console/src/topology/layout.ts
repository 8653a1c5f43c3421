/** Where the parts of the topology stand: laid out from above, each below what it reads. */
import { Graph, layout } from '@dagrejs/dagre'
import type { TopologyBody } from 'millrace/client'

export const nodeWidth = 158
export const nodeHeight = 58

export interface Point {
  readonly x: number
  readonly y: number
}

export interface PlacedEdge {
  readonly from: string
  readonly to: string
  readonly points: readonly Point[]
}

export interface Layout {
  readonly width: number
  readonly height: number
  /** Centres, by node. */
  readonly nodes: ReadonlyMap<string, Point>
  readonly edges: readonly PlacedEdge[]
}

export function layOut({ nodes, edges }: Pick<TopologyBody, 'nodes' | 'edges'>): Layout {
  const graph = new Graph()
  graph.setGraph({ rankdir: 'TB', nodesep: 16, ranksep: 38, marginx: 4, marginy: 4 })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { id } of nodes) graph.setNode(id, { width: nodeWidth, height: nodeHeight })
  for (const { from, to } of edges) graph.setEdge(from, to)
  layout(graph)
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number }
  return {
    width,
    height,
    nodes: new Map(nodes.map(({ id }) => [id, graph.node(id) as Point])),
    edges: edges.map(({ from, to }) => ({ from, to, points: (graph.edge(from, to) as { points: Point[] }).points })),
  }
}

/** A smooth line through points that lie one below the other. */
export function edgePath(points: readonly Point[]): string {
  const [first, ...rest] = points
  let path = `M${first.x} ${first.y}`
  let last = first
  for (const point of rest) {
    const middle = (last.y + point.y) / 2
    path += `C${last.x} ${middle} ${point.x} ${middle} ${point.x} ${point.y}`
    last = point
  }
  return path
}
