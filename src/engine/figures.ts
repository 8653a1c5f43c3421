import { topicNodeId, viewNodeId } from '../plan/topology.ts'
import type { Size } from '../state/size.ts'
import type { StatePart } from '../state/state-part.ts'
import type { Dataflow } from './dataflow.ts'
import { operatorId } from './names.ts'
import type { BaseOperator, Output } from './operator.ts'
import { Final } from './operators/final.ts'
import type { EngineFigures, NodeFigures } from './port.ts'

/** A part of a running program that is counted by itself. */
export interface Counted {
  /** The topology's name for it. */
  readonly id: string
  /** Where the meter counts its time. */
  readonly slot: number
  /** Changes that came out since the engine's start. */
  readonly rows: () => number
  readonly state: readonly StatePart[]
  /** Where its changes come out, if it is an operator. */
  readonly output: Output | null
  /** What holds rows back until windows close, if it does. */
  readonly final: Final | null
}

/** Windows of one operator that are listed. */
const mostWindows = 200

/** The parts of a dataflow by their names in the topology. @param made as compile.ts made it */
export function countedParts(
  flow: Dataflow,
  made: ReadonlyMap<
    string,
    { readonly slot: number; readonly operators: readonly BaseOperator[]; readonly last: BaseOperator }
  >,
): readonly Counted[] {
  const parts: Counted[] = []
  for (const source of flow.sources.values()) {
    const state = source.outlets.flatMap(({ operator }) => [...operator.arrangements.values()])
    parts.push({
      id: topicNodeId(source.topic.id),
      slot: source.slot,
      rows: () => source.rowsOut,
      state,
      output: null,
      final: null,
    })
  }
  for (const [meaning, { slot, operators, last }] of made) {
    const state = operators.flatMap(({ arrangements }) => [...arrangements.values()])
    parts.push({
      id: operatorId(meaning),
      slot,
      rows: () => last.output.rows,
      state,
      output: last.output,
      final: last instanceof Final ? last : null,
    })
  }
  for (const sink of flow.sinks) {
    parts.push({
      id: viewNodeId(sink.view),
      slot: sink.slot,
      rows: () => sink.rows,
      state: [],
      output: null,
      final: null,
    })
  }
  return parts
}

/**
 * @param busyMs by slot; empty where nothing is timed
 * @param usedBytes of all state together, which is told exactly; how it is shared out is an estimate. Null: state is
 * not looked at
 */
export function figuresOf(
  parts: readonly Counted[],
  busyMs: readonly number[],
  usedBytes: number | null,
): readonly NodeFigures[] {
  const sizes = usedBytes === null ? null : parts.map(({ state }) => sizeOf(state))
  const estimated = sizes?.reduce((sum, size) => sum + (size?.bytes ?? 0), 0) ?? 0
  const scale = usedBytes === null || estimated === 0 ? 0 : usedBytes / estimated
  return parts.map(({ id, slot, rows }, i) => {
    const size = sizes?.[i] ?? null
    return {
      id,
      rows: rows(),
      busyMs: busyMs[slot] ?? 0,
      stateBytes: size === null ? null : Math.round(size.bytes * scale),
      stateKeys: size?.keys ?? null,
    }
  })
}

export function openWindows(parts: readonly Counted[]): EngineFigures['windows'] {
  return parts.flatMap(({ id, final }) =>
    final === null ? [] : final.openWindows(mostWindows).map((window) => ({ node: id, ...window })),
  )
}

function sizeOf(state: readonly StatePart[]): Size | null {
  if (state.length === 0) return null
  let keys = 0
  let bytes = 0
  for (const part of state) {
    const size = part.size()
    keys += size.keys
    bytes += size.bytes
  }
  return { keys, bytes }
}
