import { Bug, MillraceError } from '../data/errors.ts'
import type { Reads } from './column-type.ts'
import { type Expr, type Fragment, levels, type Named, type Node, type Use } from './expression.ts'
import { type Kind, widerKind } from './kinds.ts'
import { literalOf, quotedText } from './sql-text.ts'

export interface Shape {
  readonly level?: number
  readonly type?: Kind | null
  readonly form?: Reads
}

/** Makes an expression of pieces. */
export function node(text: string, parts: readonly Fragment[], shape: Shape = {}): Node {
  return Object.freeze({
    kind: 'expr',
    text,
    ...needsOf(parts),
    level: levels.atom,
    type: null,
    form: 'plain',
    ...shape,
  })
}

/** What fragments need, each once. */
export function needsOf(parts: readonly Fragment[]): {
  readonly reads: readonly Named[]
  readonly uses: readonly Use[]
} {
  if (parts.length === 1) return { reads: parts[0].reads, uses: parts[0].uses }
  return {
    reads: [...new Set(parts.flatMap((part) => part.reads))],
    uses: [...new Set(parts.flatMap((part) => part.uses))],
  }
}

/**
 * A value or an expression as a node. Text, and dates and times as text, take their type from what is around them.
 * @throws MillraceError sql/value for what has no form in SQL
 */
export function nodeOf(value: unknown): Node {
  if (typeof value === 'object' && value !== null && 'kind' in value) {
    if (value.kind === 'expr') return value as Node
    if (value.kind === 'sql') return templateNode(value as Expr)
  }
  if (value instanceof Date && !Number.isNaN(value.getTime())) return node(quotedText(value.toISOString()), [])
  const literal = literalOf(value)
  if (literal !== null) return node(literal, [], { type: kindOfValue(value) })
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    return node(`${quotedText(jsonText(value))}::jsonb`, [], { level: levels.cast, type: 'jsonb' })
  }
  const what = value === undefined ? 'undefined' : typeof value === 'object' ? 'an invalid date' : `a ${typeof value}`
  throw new MillraceError('sql/value', `${what} has no form in SQL`, {
    hint: 'give a column, an expression, or a string, number, bigint, boolean, Date, Uint8Array or JSON value',
  })
}

function jsonText(value: object): string {
  try {
    return JSON.stringify(value)
  } catch (error) {
    throw new MillraceError('sql/value', 'an object that is no JSON has no form in SQL', { cause: error })
  }
}

function templateNode(template: Expr): Node {
  if ('toSql' in template) {
    throw new MillraceError('sql/definition', 'a query stands where an expression belongs', {
      hint: 'take its one value with scalar(query), or ask exists(query)',
    })
  }
  // A comment at the end would swallow the bracket behind it.
  const text = template.text.includes('--') ? `${template.text}\n` : template.text
  return node(text, [template], { level: levels.open })
}

function kindOfValue(value: unknown): Kind | null {
  switch (typeof value) {
    case 'number':
      return Number.isInteger(value) ? 'integer' : Number.isFinite(value) ? 'numeric' : 'double'
    case 'bigint':
      return 'bigint'
    case 'boolean':
      return 'boolean'
    default:
      return value instanceof Uint8Array ? 'bytea' : null
  }
}

/** The text of an operand, in brackets unless it binds at least this tightly. */
export function bracketed(operand: Node, level: number): string {
  return operand.level >= level ? operand.text : `(${operand.text})`
}

/** `left operator right`, from the left. */
export function infix(operator: string, left: unknown, right: unknown, level: number, shape: Shape = {}): Node {
  const [a, b] = [nodeOf(left), nodeOf(right)]
  // Comparisons don't chain: brackets on both sides.
  const first = bracketed(a, level === levels.comparison || level === levels.within ? level + 1 : level)
  return node(`${first} ${operator} ${bracketed(b, level + 1)}`, [a, b], { ...shape, level })
}

/** `name(operand, …)`. */
export function called(name: string, operands: readonly unknown[], shape: Shape = {}): Node {
  const nodes = operands.map(nodeOf)
  return node(`${name}(${nodes.map(({ text }) => text).join(', ')})`, nodes, shape)
}

/** What the compiler was told that the node is. */
export function as<E>(made: Node): E {
  if (made.kind !== 'expr') throw new Bug('no node')
  return made as unknown as E
}

const numberKinds = new Set<Kind>(['integer', 'bigint', 'int64', 'numeric', 'double', 'number'])

/** The form that operands share: of values alone, and of columns that are read in two ways, the usual one. */
export function sharedForm(operands: readonly Node[]): Pick<Node, 'type' | 'form'> {
  const columns = operands.filter(({ uses }) => uses.length > 0)
  const [first] = columns.length > 0 ? columns : operands
  if (first === undefined) return { type: null, form: 'plain' }
  const sharing = columns.length > 0 ? columns : operands
  const form = sharing.every((one) => one.form === first.form) ? first.form : 'plain'
  const isNumber = sharing.every(({ type }) => type !== null && numberKinds.has(type))
  return { type: isNumber ? widerKind(sharing.map(({ type }) => type)) : first.type, form }
}
