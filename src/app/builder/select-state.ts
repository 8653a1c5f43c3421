import { MillraceError } from '../../data/errors.ts'
import { fold } from '../../sql/tokens.ts'
import type { Fragment, Named, Node, Use, WindowCut } from '../expression.ts'
import { levels } from '../expression.ts'
import { identifier } from '../identifier.ts'
import { bracketed, needsOf } from '../node.ts'
import { type BoundSource, indented, printRelation } from './relation.ts'

/** A relation of FROM, and how it is joined to those before it. */
export interface FromItem {
  readonly source: BoundSource
  readonly join: 'first' | 'CROSS JOIN' | 'JOIN' | 'LEFT JOIN' | 'RIGHT JOIN' | 'FULL JOIN'
  readonly on: Node | null
}

/** One SELECT. */
export interface SelectState {
  readonly from: readonly FromItem[]
  readonly where: readonly Node[]
  /** Null: not grouped. */
  readonly keys: readonly Node[] | null
  readonly having: readonly Node[]
  readonly outputs: readonly Output[]
}

export interface Output {
  readonly name: string
  readonly node: Node
}

/** What stands behind a query, whatever it is. */
export interface Ending {
  readonly order: readonly string[]
  readonly limit: number | bigint | null
  readonly offset: number | bigint | null
}

export const noEnding: Ending = { order: [], limit: null, offset: null }

/** @param distinct DISTINCT, or the names of DISTINCT ON */
export function printSelect(state: SelectState, distinct: boolean | readonly string[]): Fragment {
  const { from, where, keys, having, outputs } = state
  const conditions = from.flatMap(({ on }) => (on === null ? [] : [on]))
  const nodes = [...conditions, ...where, ...(keys ?? []), ...having, ...outputs.map((output) => output.node)]
  const needs = needsOf(nodes)
  const relations = from.map(({ source }) => printRelation(source, cutsOf(source, needs.uses)))
  const withs = relations.flatMap((relation) => (relation.with === undefined ? [] : [relation.with]))
  const lines: string[] = []
  if (withs.length > 0) {
    lines.push(`WITH ${withs.map(({ name, text }) => `${name} AS (\n${indented(text)}\n)`).join(', ')}`)
  }
  lines.push(selectLine(outputs, distinct))
  relations.forEach(({ text }, i) => {
    const { join, on } = from[i]
    if (join === 'first') lines.push(`FROM ${text}`)
    else lines.push(`${join} ${text}${on === null ? '' : ` ON ${on.text}`}`)
  })
  if (where.length > 0) lines.push(`WHERE ${conjunction(where)}`)
  if (keys !== null && keys.length > 0) lines.push(`GROUP BY ${keys.map(({ text }) => text).join(', ')}`)
  if (having.length > 0) lines.push(`HAVING ${conjunction(having)}`)
  const outer = outerUses(
    from.map(({ source }) => source),
    needs.uses,
  )
  const inner = needsOf(relations)
  if (inner.uses.length > 0) throw strayUse(inner.uses[0])
  return { text: lines.join('\n'), reads: merged(inner.reads, needs.reads), uses: outer }
}

function merged(a: readonly Named[], b: readonly Named[]): readonly Named[] {
  return [...new Set([...a, ...b])]
}

function conjunction(conditions: readonly Node[]): string {
  if (conditions.length === 1) return conditions[0].text
  return conditions.map((condition) => bracketed(condition, levels.and)).join('\n  AND ')
}

const lineWidth = 80

function selectLine(outputs: readonly Output[], distinct: boolean | readonly string[]): string {
  const items = outputs.map(({ name, node }) => {
    const plain = node.column !== undefined && node.column.name === name
    return plain ? node.text : `${node.text} AS ${identifier(name)}`
  })
  const on = typeof distinct === 'boolean' ? '' : ` ON (${distinct.map(identifier).join(', ')})`
  const head = distinct === false ? 'SELECT' : `SELECT DISTINCT${on}`
  const line = `${head} ${items.join(', ')}`
  return line.length <= lineWidth ? line : `${head}\n  ${items.join(',\n  ')}`
}

function cutsOf(source: BoundSource, uses: readonly Use[]): readonly WindowCut[] {
  return uses.flatMap((use) => (use.source === source && use.window !== undefined ? [use.window] : []))
}

/** Columns of queries around this one; a name that would mean this query's own relation instead is refused. */
function outerUses(own: readonly BoundSource[], uses: readonly Use[]): readonly Use[] {
  return uses.filter(({ source, window }) => {
    if (own.includes(source as BoundSource)) return false
    if (own.some(({ alias }) => fold(alias) === fold(source.alias))) {
      throw new MillraceError('sql/ambiguous', `${source.alias} is a relation of this query and of one around it`, {
        hint: 'give one of them another name in from({ … })',
      })
    }
    if (window !== undefined) throw strayUse({ source })
    return true
  })
}

export function strayUse({ source }: Use): MillraceError {
  return new MillraceError('sql/definition', `a column of ${source.alias} stands in a query that doesn't read it`, {
    hint: 'put the relation into from({ … }) or a join; only exists, inQuery and scalar see the query around',
  })
}

/** With ORDER BY, LIMIT and OFFSET behind it. */
export function withEnding(text: string, { order, limit, offset }: Ending): string {
  const lines = [text]
  if (order.length > 0) lines.push(`ORDER BY ${order.join(', ')}`)
  if (limit !== null) lines.push(`LIMIT ${limit}`)
  if (offset !== null) lines.push(`OFFSET ${offset}`)
  return lines.join('\n')
}
