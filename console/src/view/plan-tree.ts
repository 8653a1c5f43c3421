/** A view's part of the topology as lines, each with what it reads below it: a plan with counts of what really ran. */
import type { TopologyBody } from 'millrace/client'

export type TopologyNode = TopologyBody['nodes'][number]

export interface PlanLine {
  readonly node: TopologyNode
  readonly depth: number
  /** It stands further up already, with what it reads. */
  readonly again: boolean
}

export function planLines({ nodes, edges }: TopologyBody, view: string): readonly PlanLine[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const inputs = new Map<string, string[]>()
  for (const { from, to } of edges) inputs.set(to, [...(inputs.get(to) ?? []), from])
  const lines: PlanLine[] = []
  const seen = new Set<string>()
  const visit = (id: string, depth: number): void => {
    const node = byId.get(id)
    if (node === undefined) return
    const again = seen.has(id)
    lines.push({ node, depth, again })
    seen.add(id)
    // Another view is a page of its own: what it reads is told there.
    if (again || (node.kind === 'view' && depth > 0)) return
    for (const input of inputs.get(id) ?? []) visit(input, depth + 1)
  }
  const root = nodes.find(({ kind, name }) => kind === 'view' && name === view)
  if (root !== undefined) visit(root.id, 0)
  return lines
}
