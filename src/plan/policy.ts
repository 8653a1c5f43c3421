import { type ErrorPlace, MillraceError } from '../data/errors.ts'
import { type ColumnSchema, typeName } from '../data/sql-type.ts'
import { childrenOf, type Scalar } from '../expr/scalar.ts'
import { parseSql } from '../sql/parse.ts'
import { fold, tokenize } from '../sql/tokens.ts'
import { bindSelect } from './bind.ts'
import { Catalog, viewRelation } from './catalog.ts'
import { conjunctsOf } from './conjuncts.ts'
import { canFail } from './failure.ts'

/** What a reader sees of a relation, as it was written. */
export interface PolicyText {
  /** A condition over the relation's columns; null: all rows. */
  readonly rows: string | null
  /** By column: `null`, `hash`, or an expression over the row. */
  readonly mask: Readonly<Record<string, string>>
}

/** The relation that a policy is about. */
export interface PolicyTarget {
  readonly name: string
  readonly columns: readonly ColumnSchema[]
  /** Per column, whether its cells may be errors. */
  readonly failing: readonly boolean[]
  /** Columns that must stay as they are: a table's key. */
  readonly key: readonly number[]
}

export interface BoundPolicy {
  /** True for the rows that are there; null: all. It cannot fail. */
  readonly filter: Scalar | null
  /** One per column of the relation. */
  readonly outputs: readonly Scalar[]
  /** The relation's columns as they are seen: their names, with the types of the masks. */
  readonly columns: readonly ColumnSchema[]
  readonly masked: readonly boolean[]
  /** Of the filter, columns that must equal a constant: an index may find them. */
  readonly equal: readonly { readonly column: number; readonly text: string }[]
}

/** Stands for a claim in a policy's text. */
const claimFunction = 'current_claim'

/** The claims that a policy asks for. */
export function claimsOf({ rows, mask }: PolicyText): readonly string[] {
  return [...new Set([rows ?? '', ...Object.values(mask)].flatMap((text) => claimCalls(text).map(({ name }) => name)))]
}

/**
 * Binds a policy for one reader. Claims and the key of hashes are values: whatever they hold, they are never code.
 * The parser must have been loaded.
 * @throws MillraceError auth/forbidden for a claim that the reader lacks, or that is no value of the type it is
 * compared with; sql/… and app/load for a policy that is none
 */
export function bindPolicy(
  target: PolicyTarget,
  policy: PolicyText,
  claims: Readonly<Record<string, unknown>>,
  maskKey: string,
): BoundPolicy {
  const made = new PolicyQuery(target, policy, (name) => claimText(claims, name), maskKey)
  try {
    return boundOf(target, made)
  } catch (error) {
    // What stands in a claim is nobody's business but the caller's, and his token's maker's.
    const isClaims = error instanceof MillraceError && error.code !== 'app/load' && made.parameters.length > 0
    if (!isClaims) throw error
    throw new MillraceError('auth/forbidden', `your token's claims do not fit the policy of ${target.name}`, {
      cause: error,
    })
  }
}

/**
 * Binds a policy for nobody in particular, to tell what is wrong with it before anybody asks.
 * @throws MillraceError with the place in the policy's own text
 */
export function checkPolicy(target: PolicyTarget, policy: PolicyText, role: string): void {
  let made: PolicyQuery | null = null
  try {
    made = new PolicyQuery(target, policy, () => null, '')
    boundOf(target, made)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    const at = made?.placeOf(error.place) ?? null
    const part = at === null ? '' : at.part === null ? ' (rows)' : ` (mask of ${at.part})`
    const whose = `the policy of ${target.name} for the role ${role}${part}`
    const what = error.code === 'app/load' ? `${error.message} (role ${role})` : `${whose}: ${error.message}`
    throw new MillraceError(error.code, what, {
      cause: error,
      ...(at === null ? {} : { place: at.place }),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    })
  }
}

/** A stretch of a policy's text within the query that it makes. */
interface Span {
  readonly start: number
  readonly length: number
  /** The column whose mask it is of; null: of the condition. */
  readonly part: string | null
  readonly text: string
  readonly offset: number
}

/** The query that shows a relation as a policy has it. */
class PolicyQuery {
  text = ''
  readonly parameters: (string | null)[] = []
  readonly masked: readonly boolean[]
  readonly #claim: (name: string) => string | null
  readonly #spans: Span[] = []

  /** @param claim a claim's value; null stands for any */
  constructor(target: PolicyTarget, policy: PolicyText, claim: (name: string) => string | null, maskKey: string) {
    this.#claim = claim
    const masks = new Map(Object.entries(policy.mask).map(([column, how]) => [fold(column), how]))
    this.masked = target.columns.map(({ name }) => masks.has(fold(name)))
    checkMasks(target, policy, this.masked)
    target.columns.forEach(({ name, type }, i) => {
      const how = masks.get(fold(name))
      const own = quoted(name)
      this.text += i === 0 ? 'SELECT ' : ', '
      if (how === undefined) this.text += own
      else if (how === 'null') this.text += `NULL::${typeName(type)} AS ${own}`
      else if (how === 'hash') this.text += `md5(${this.#parameter(maskKey)} || ${own}::text) AS ${own}`
      else this.#addText(how, name, `) AS ${own}`)
    })
    this.text += ` FROM ${quoted(target.name)}`
    if (policy.rows === null) return
    this.text += ' WHERE '
    this.#addText(policy.rows, null, ')')
  }

  #parameter(value: string | null): string {
    return `$${this.parameters.push(value)}`
  }

  #addText(text: string, part: string | null, tail: string): void {
    this.text += '('
    let from = 0
    const add = (to: number): void => {
      this.#spans.push({ start: this.text.length, length: to - from, part, text, offset: from })
      this.text += text.slice(from, to)
    }
    for (const { name, start, end } of claimCalls(text)) {
      add(start)
      this.text += this.#parameter(this.#claim(name))
      from = end
    }
    add(text.length)
    // On a line of its own: the text may end with a comment.
    this.text += `\n${tail}`
  }

  /** Where in the policy's own text a place of the query is; null: nowhere. */
  placeOf({ line, column }: ErrorPlace): { readonly part: string | null; readonly place: ErrorPlace } | null {
    if (line === undefined || column === undefined) return null
    const lines = this.text.split('\n')
    const at = lines.slice(0, line - 1).reduce((sum, { length }) => sum + length + 1, 0) + column - 1
    const span = this.#spans.filter(({ start }) => start <= at).at(-1)
    if (span === undefined) return null
    const offset = span.offset + Math.min(at - span.start, span.length)
    const before = span.text.slice(0, offset).split('\n')
    const source = span.text.split('\n')[before.length - 1]
    return { part: span.part, place: { line: before.length, column: before[before.length - 1].length + 1, source } }
  }
}

function boundOf(target: PolicyTarget, { text, parameters, masked }: PolicyQuery): BoundPolicy {
  const { plan, columns } = planOf(target, text, parameters)
  const top = plan.op === 'map' ? plan : null
  const below = top?.input.op === 'map' ? top.input : null
  const scan = below === null ? top?.input : below.input
  const plain = below?.outputs.every((output, i) => output.op === 'column' && output.index === i) ?? true
  if (top === null || scan?.op !== 'scan' || !plain || (below !== null && top.filter !== null))
    throw notOfTheRow(target)
  const filter = below?.filter ?? top.filter
  for (const scalar of [...top.outputs, ...(filter === null ? [] : [filter])]) {
    if (reads(scalar, 'now')) throw notOfTheRow(target)
  }
  if (filter !== null && canFail(filter, target.failing)) {
    throw wrong(
      target,
      'its condition can fail for some rows, which would then show',
      'use casts and operators that fit',
    )
  }
  top.outputs.forEach((output, i) => {
    if (masked[i] && canFail(output, target.failing)) {
      throw wrong(target, `the mask of ${target.columns[i].name} can fail for some rows`, 'use one that cannot')
    }
  })
  const seen = target.columns.map((column, i) => (masked[i] ? columns[i] : column))
  return { filter, outputs: top.outputs, columns: seen, masked, equal: filter === null ? [] : equalities(filter) }
}

function planOf(
  target: PolicyTarget,
  text: string,
  parameters: readonly (string | null)[],
): ReturnType<typeof bindSelect> {
  const { name, columns } = target
  const nothing = { op: 'values', rows: [], columns } as const
  const relation = { id: 1, name, columns, plan: nothing, order: [], emit: 'continuous', sql: '' } as const
  const [statement, ...more] = parseSql(text)
  if (statement?.kind !== 'select' || more.length > 0) throw notOfTheRow(target)
  return bindSelect(Catalog.empty.add(viewRelation(relation)), statement.node, statement, { adHoc: true, parameters })
}

/** `column = constant`, where that is all that there is to it. */
function equalities(filter: Scalar): BoundPolicy['equal'] {
  return conjunctsOf(filter).flatMap((each) => {
    if (each.op !== 'call' || !each.fn.startsWith('=(')) return []
    const column = each.args.find((arg) => arg.op === 'column')
    const literal = each.args.find((arg) => arg.op === 'literal')
    if (column?.op !== 'column' || literal?.op !== 'literal' || literal.text === null) return []
    return column.type.kind === literal.type.kind ? [{ column: column.index, text: literal.text }] : []
  })
}

function checkMasks(target: PolicyTarget, { mask }: PolicyText, masked: readonly boolean[]): void {
  const names = new Set(target.columns.map(({ name }) => fold(name)))
  const unknown = Object.keys(mask).find((column) => !names.has(fold(column)))
  if (unknown !== undefined) throw wrong(target, `it masks ${unknown}, which is no column`, 'name one of its columns')
  const key = target.key.find((column) => masked[column])
  if (key === undefined) return
  throw wrong(
    target,
    `it masks ${target.columns[key].name}, which is of the table's key`,
    'hide rows, or define a view',
  )
}

function claimText(claims: Readonly<Record<string, unknown>>, name: string): string {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined
  if (value === undefined || value === null) {
    throw new MillraceError('auth/forbidden', `your token lacks the claim ${name}, which decides what you see`)
  }
  return typeof value === 'string' ? value : JSON.stringify(value)
}

interface ClaimCall {
  readonly name: string
  readonly start: number
  readonly end: number
}

function claimCalls(text: string): readonly ClaimCall[] {
  const tokens = tokenize(text)
  const at = (i: number): string => (tokens[i] === undefined ? '' : text.slice(tokens[i].start, tokens[i].end))
  return tokens.flatMap(({ kind, start }, i) => {
    if (kind !== 'word' || at(i).toLowerCase() !== claimFunction || at(i + 1) !== '(') return []
    if (tokens[i + 2]?.kind !== 'string' || at(i + 3) !== ')') return []
    return [
      {
        name: at(i + 2)
          .slice(1, -1)
          .replaceAll("''", "'"),
        start,
        end: tokens[i + 3].end,
      },
    ]
  })
}

function reads(scalar: Scalar, op: Scalar['op']): boolean {
  return scalar.op === op || childrenOf(scalar).some((child) => reads(child, op))
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function notOfTheRow(target: PolicyTarget): MillraceError {
  return wrong(target, "it looks at more than the row's own columns", 'write a condition over the columns, and claims')
}

function wrong({ name }: PolicyTarget, what: string, hint: string): MillraceError {
  return new MillraceError('app/load', `the policy of ${name} does not do: ${what}`, { hint })
}
