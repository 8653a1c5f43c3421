import { inputsOf, scan } from './nodes.ts'
import type { Plan } from './plan.ts'
import type { Program, ViewDefinition } from './program.ts'
import { uniqueKeys } from './properties.ts'
import { meaningOf, type OperatorNode, type Topology, type TopologyNode, topicNodeId } from './topology.ts'

/** Where an event can come by, and a program that tells what it does there. */
export interface Itinerary {
  /** Nodes of the topology behind the topic, what is read before what reads it. */
  readonly nodes: readonly TopologyNode[]
  /** The views among them. */
  readonly views: readonly ViewDefinition[]
  /** By the meaning of a part of a plan, the view in `program` that is that part alone. */
  readonly probes: ReadonlyMap<string, ViewDefinition>
  /** The topic's own rows, with all columns. */
  readonly rows: ViewDefinition
  /** What the views among the nodes need, and a view for each part of their plans: probes. */
  readonly program: Program
}

/** @param topic its id @param partOf what of a program makes some of its views */
export function itineraryOf(
  program: Program,
  topology: Topology,
  topic: number,
  partOf: (program: Program, views: ReadonlySet<number>) => Program,
): Itinerary {
  const reached = new Set([topicNodeId(topic)])
  // Nodes come in order: what an edge leads to stands behind what it comes from.
  for (const { id } of topology.nodes) {
    if (topology.edges.some(({ from, to }) => to === id && reached.has(from))) reached.add(id)
  }
  const nodes = topology.nodes.filter(({ id }) => reached.has(id))
  const views = nodes.flatMap((node) => (node.kind === 'view' ? [node.view] : []))
  const part = partOf(program, new Set(views.map(({ id }) => id)))
  const parts = new Map<string, Plan>()
  for (const node of nodes) {
    if (node.kind !== 'operator') continue
    parts.set(node.meaning, node.plan)
    for (const input of inputsOf(node.plan)) parts.set(meaningOf(program, input, node.starts), input)
  }
  const own = program.topics.find(({ id }) => id === topic)!
  const firstId = 1 + Math.max(0, ...[...program.topics, ...program.views].map(({ id }) => id))
  const probes = new Map([...parts].map(([meaning, plan], i) => [meaning, probe(firstId + i, plan)] as const))
  const ordinals = own.columns.map((_, i) => i)
  const rows = probe(firstId + parts.size, scan(topic, ordinals, own.columns))
  const topics = part.topics.includes(own) ? part.topics : [...part.topics, own]
  return { nodes, views, probes, rows, program: { topics, views: [...part.views, ...probes.values(), rows] } }
}

function probe(id: number, plan: Plan): ViewDefinition {
  return { id, name: `probe ${id}`, columns: plan.columns, plan, order: [], emit: 'continuous', sql: '' }
}

/** The probes of what an operator reads, in its inputs' order. */
export function inputProbes(program: Program, { probes }: Itinerary, { plan, starts }: OperatorNode): ViewDefinition[] {
  return inputsOf(plan).map((input) => probes.get(meaningOf(program, input, starts))!)
}

/** Columns that tell a view's rows apart; all of them where no fewer are known to. */
export function keyColumns(program: Program, view: ViewDefinition): readonly number[] {
  const keys = uniqueKeys(view.plan, (relation) => program.topics.find(({ id }) => id === relation)?.primaryKey ?? [])
  const shortest = keys.reduce<readonly number[] | null>(
    (best, key) => (best === null || key.length < best.length ? key : best),
    null,
  )
  return shortest ?? view.columns.map((_, i) => i)
}
