import { columnsOf, type Scalar } from '../../expr/scalar.ts'
import { columnOf, map } from '../nodes.ts'
import type { Plan } from '../plan.ts'
import { type Block, contains, keyOf, substitute, virtualBase, virtualOf } from './block.ts'
import type { Grouping } from './group.ts'
import { topOf } from './select.ts'

/**
 * Computes the outputs of a SELECT. Those that read row_number() are computed above a node that numbers the rows;
 * rows that its order leaves open are ordered by the other outputs, from left to right.
 */
export function project(block: Block, layer: Grouping, items: readonly Scalar[], names: readonly string[]): Plan {
  if (!items.some((item) => contains(block, item, 'window'))) return map(layer.plan, null, items, names)
  const inputs: Scalar[] = []
  const inputNames: string[] = []
  const slots = new Map<string, number>()
  const slotOf = (scalar: Scalar, name: string): number => {
    const known = slots.get(keyOf(scalar))
    if (known !== undefined) return known
    slots.set(keyOf(scalar), inputs.length)
    inputNames.push(name)
    return inputs.push(scalar) - 1
  }
  items.forEach((item, i) => {
    if (!contains(block, item, 'window')) slotOf(item, names[i])
  })
  for (const item of items) {
    if (!contains(block, item, 'window')) continue
    for (const index of columnsOf(item)) {
      if (index < virtualBase) slotOf(columnOf(layer.plan, index), layer.plan.columns[index].name)
    }
  }
  const windows = [...block.virtuals.entries()].flatMap(([index, virtual]) =>
    virtual.kind === 'window' ? [{ index, window: virtual.window }] : [],
  )
  const bound = windows.map(({ index, window }) => ({
    index,
    partition: window.partition.map((scalar) => slotOf(layer.translate(scalar), '_partition_by')),
    order: window.order.map(({ by, descending, nullsFirst }) => ({
      column: slotOf(layer.translate(by), '_order_by'),
      descending,
      nullsFirst,
    })),
  }))
  let plan: Plan = map(layer.plan, null, inputs, inputNames)
  const rankOf = new Map<number, number>()
  for (const { index, partition, order } of bound) {
    rankOf.set(index, plan.columns.length)
    plan = topOf(plan, partition, order, null, 0, true)
  }
  const outputs = items.map((item) => {
    const slot = slots.get(keyOf(item))
    if (slot !== undefined) return columnOf(plan, slot)
    return substitute(item, (part) => {
      if (part.op !== 'column') return null
      if (virtualOf(block, part) === null)
        return columnOf(plan, slots.get(keyOf(columnOf(layer.plan, part.index))) ?? -1)
      return columnOf(plan, rankOf.get(part.index - virtualBase) ?? -1)
    })
  })
  return map(plan, null, outputs, names)
}
