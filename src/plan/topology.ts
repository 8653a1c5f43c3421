import { planMeaning } from './fingerprint.ts'
import { inputsOf } from './nodes.ts'
import type { Plan, Scan } from './plan.ts'
import { describeOperator } from './plan-words.ts'
import type { Program, TopicDefinition, ViewDefinition } from './program.ts'

/**
 * A program as a picture: topics, what is computed from them, views. Parts of plans that mean the same are one node,
 * as they are one operator in the engine; a whole scan is no node but an edge.
 */
export interface Topology {
  /** What is read before what reads it. */
  readonly nodes: readonly TopologyNode[]
  readonly edges: readonly TopologyEdge[]
}

export type TopologyNode = TopicNode | OperatorNode | ViewNode

interface TopicNode {
  readonly kind: 'topic'
  readonly id: string
  readonly topic: TopicDefinition
  /** Itself, where it has an event time. */
  readonly topics: ReadonlySet<number>
  readonly views: ReadonlySet<string>
}

export interface OperatorNode {
  readonly kind: 'operator'
  /** Follows from what it computes: the same in every process, whatever views stand beside it. */
  readonly id: string
  /** The plan's meaning, by which the engine shares operators. */
  readonly meaning: string
  readonly plan: Plan
  /** Of the views that it is of. */
  readonly starts: ViewDefinition['starts']
  readonly label: string
  readonly detail: string
  /** Topics with an event time below it. */
  readonly topics: ReadonlySet<number>
  readonly views: ReadonlySet<string>
}

interface ViewNode {
  readonly kind: 'view'
  readonly id: string
  readonly view: ViewDefinition
  readonly topics: ReadonlySet<number>
  /** Itself, and the views that read it. */
  readonly views: ReadonlySet<string>
}

export interface TopologyEdge {
  readonly from: string
  readonly to: string
  /** The scan that the edge stands for: its meaning; null between two operators. */
  readonly scan: string | null
}

/** What the engine calls a part of a plan: parts of one meaning are one operator. */
export function meaningOf(program: Program, plan: Plan, starts: ViewDefinition['starts']): string {
  return JSON.stringify(planMeaning(program, plan, starts))
}

/** @param operatorId an operator's name from its meaning */
export function topologyOf(program: Program, operatorId: (meaning: string) => string): Topology {
  return new Drawing(program, operatorId).draw()
}

export const topicNodeId = (id: number): string => `topic-${id}`
export const viewNodeId = (id: number): string => `view-${id}`

/**
 * Without the operators that the engine doesn't have by themselves: what they do is done by the one that reads them,
 * which reads what they read.
 */
export function withoutOperators({ nodes, edges }: Topology, isThere: (id: string) => boolean): Topology {
  const gone = new Set(nodes.filter(({ kind, id }) => kind === 'operator' && !isThere(id)).map(({ id }) => id))
  const sources = (edge: TopologyEdge): TopologyEdge[] =>
    gone.has(edge.from)
      ? edges.filter(({ to }) => to === edge.from).flatMap((above) => sources({ ...above, to: edge.to }))
      : [edge]
  return {
    nodes: nodes.filter(({ id }) => !gone.has(id)),
    edges: edges.filter(({ to }) => !gone.has(to)).flatMap(sources),
  }
}

/** A node under way: `views` is still filled. */
type Draft = TopologyNode & { readonly views: Set<string> }

class Drawing {
  readonly #program: Program
  readonly #operatorId: (meaning: string) => string
  readonly #nodes = new Map<string, Draft>()
  readonly #edges = new Map<string, TopologyEdge>()

  constructor(program: Program, operatorId: (meaning: string) => string) {
    this.#program = program
    this.#operatorId = operatorId
  }

  draw(): Topology {
    for (const topic of this.#program.topics) {
      const topics = new Set(topic.eventTime === null ? [] : [topic.id])
      const id = topicNodeId(topic.id)
      this.#nodes.set(id, { kind: 'topic', id, topic, topics, views: new Set<string>() })
    }
    for (const view of this.#program.views) {
      const from = this.#place(view.plan, view.starts)
      const id = viewNodeId(view.id)
      const node = { kind: 'view', id, view, topics: from.node.topics, views: new Set([view.name]) } as const
      this.#nodes.set(id, node)
      this.#join(from, id)
      this.#credit(id, view.name)
    }
    const nodes = [...this.#nodes.values()]
    return { nodes, edges: [...this.#edges.values()] }
  }

  /** Says of all that a view is made of that it is. */
  #credit(id: string, view: string): void {
    for (const { from, to } of this.#edges.values()) {
      const node = this.#nodes.get(from)
      if (to !== id || node === undefined || node.views.has(view)) continue
      node.views.add(view)
      this.#credit(from, view)
    }
  }

  #join(from: { readonly node: Draft; readonly scan: string | null }, to: string): void {
    const key = `${from.node.id} ${to} ${from.scan ?? ''}`
    this.#edges.set(key, { from: from.node.id, to, scan: from.scan })
  }

  #place(plan: Plan, starts: ViewDefinition['starts']): { readonly node: Draft; readonly scan: string | null } {
    const meaning = meaningOf(this.#program, plan, starts)
    const source = plan.op === 'scan' ? this.#sourceOf(plan) : null
    if (plan.op === 'scan' && plan.events === 'all' && source !== null) return { node: source, scan: meaning }
    const id = this.#operatorId(meaning)
    const known = this.#nodes.get(id)
    if (known !== undefined) return { node: known, scan: null }
    const inputs =
      source === null ? inputsOf(plan).map((input) => this.#place(input, starts)) : [{ node: source, scan: null }]
    const topics = new Set(inputs.flatMap(({ node }) => [...node.topics]))
    const words = describeOperator(plan, (relation) => this.#nameOf(relation))
    const node = { kind: 'operator', id, meaning, plan, starts, ...words, topics, views: new Set<string>() } as const
    this.#nodes.set(id, node)
    for (const input of inputs) this.#join(input, id)
    return { node, scan: null }
  }

  #sourceOf({ relation }: Scan): Draft | null {
    return this.#nodes.get(topicNodeId(relation)) ?? this.#nodes.get(viewNodeId(relation)) ?? null
  }

  #nameOf(relation: number): string {
    const { topics, views } = this.#program
    return [...topics, ...views].find(({ id }) => id === relation)?.name ?? `#${relation}`
  }
}
