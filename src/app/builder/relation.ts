import { MillraceError } from '../../data/errors.ts'
import { nearest } from '../../sql/refuse.ts'
import { fold, tokenize } from '../../sql/tokens.ts'
import type { NamedColumn } from '../column-type.ts'
import type { Columns, Expr, Fragment, Named, Node, OfRow, Source, Use, WindowCut } from '../expression.ts'
import { identifier } from '../identifier.ts'
import { type Kind, kindOfColumn } from '../kinds.ts'
import { node, nodeOf } from '../node.ts'
import type { OutputColumn, Sql } from '../sql-text.ts'

/** What a query can read: a topic, table, view, named query, another query, or windows over one of these. */
export interface Relation<Cols = unknown> {
  readonly kind: 'topic' | 'table' | 'view' | 'query' | 'sql' | 'windows'
  /** For the compiler alone: never there. */
  readonly '~columns'?: Cols
}

/** A relation's columns. */
export type ColumnsIn<R> = R extends { readonly '~columns'?: infer Cols }
  ? Cols extends Columns
    ? Cols
    : never
  : never

/** A relation cut into windows: see `tumble` and `hop`. */
export interface Windows<Cols = unknown> extends Relation<Cols> {
  readonly kind: 'windows'
  readonly of: Relation
  readonly cut: WindowCut
}

/** A relation in the FROM of one query. */
export interface BoundSource extends Source {
  readonly relation: Relation
  /** Null where only the database knows. */
  readonly columns: readonly OutputColumn[] | null
}

/** Definitions as far as they are looked at here. */
interface Defined extends Named {
  readonly columns?: readonly NamedColumn[]
  readonly sql?: Sql
}

export function bindSource(alias: string, relation: Relation): BoundSource {
  if (typeof relation !== 'object' || relation === null || !('kind' in relation)) {
    throw new MillraceError('sql/definition', `${alias} is no relation`, {
      hint: 'give a topic, a table, a view, or a query that ends in select',
    })
  }
  return { alias, relation, columns: columnsOf(relation) }
}

function columnsOf(relation: Relation): readonly OutputColumn[] | null {
  if (relation.kind === 'windows') {
    const { of, cut } = relation as Windows
    const columns = columnsOf(of)
    const time = columns?.find(({ name }) => name === cut.time)
    if (columns === null) return null
    const edge = { form: time?.form ?? 'plain', type: 'timestamp' as const }
    return [...columns, { name: 'window_start', ...edge }, { name: 'window_end', ...edge }]
  }
  if (relation.kind === 'sql') return (relation as Sql).outputs ?? null
  const { columns, sql } = relation as unknown as Defined
  if (columns === undefined) return sql?.outputs ?? null
  return columns.map(({ name, type, reads }) => ({ name, form: reads, type: kindOfColumn(type, reads) }))
}

/** The columns of a relation, by name, as a query's callbacks see them. */
export function rowOf(source: BoundSource): Columns {
  const { columns } = source
  const known = new Map((columns ?? []).map((column) => [column.name, column]))
  return new Proxy({} as Columns, {
    get(_, name) {
      if (typeof name === 'symbol') return undefined
      const column = known.get(name) ?? (columns === null ? { form: 'plain' as const, type: null } : null)
      if (column === null) throw unknownColumn(source, name, [...known.keys()])
      return columnNode(source, name, column)
    },
    has: (_, name) => columns === null || known.has(String(name)),
    ownKeys: () => {
      if (columns !== null) return [...known.keys()]
      throw new MillraceError('sql/definition', `which columns ${source.alias} has is not known here`, {
        hint: 'name those that you want: the relation is SQL text',
      })
    },
    getOwnPropertyDescriptor: (_, name) =>
      known.has(String(name))
        ? { configurable: true, enumerable: true, value: columnNode(source, String(name), known.get(String(name))!) }
        : undefined,
  })
}

function columnNode(source: Source, name: string, { form, type }: Pick<OutputColumn, 'form' | 'type'>): Node {
  const text = `${identifier(source.alias)}.${identifier(name)}`
  const made = node(text, [{ text, reads: [], uses: [{ source }] }], { form, type })
  return Object.freeze({ ...made, column: { source, name } })
}

function unknownColumn({ alias }: Source, name: string, names: readonly string[]): MillraceError {
  const near = nearest(name, names)
  const hint = near === null ? `there are ${names.slice(0, 12).join(', ')}` : `did you mean ${near}?`
  return new MillraceError('sql/unknown-column', `${alias} has no column ${name}`, { hint })
}

/** Columns that every event of a topic has beside its own. */
export interface SystemColumns {
  readonly partition: Expr<number, 'integer', OfRow>
  readonly offset: Expr<number, 'bigint', OfRow>
  readonly tick: Expr<number, 'bigint', OfRow>
  readonly appendedAt: Expr<string, 'timestamp', OfRow>
}

/**
 * Where a topic's event stands in the log: `system(o).offset`.
 * @param row one of the rows that a query's callbacks get, of a topic
 */
export function system(row: Columns): SystemColumns {
  const first = Object.values(row)[0] as Node | undefined
  const source = first?.column?.source
  if (source === undefined) throw new MillraceError('sql/definition', 'system() takes a row of a topic')
  const column = (name: string, type: Kind): Node => columnNode(source, name, { form: 'plain', type })
  return {
    partition: column('_partition', 'integer'),
    offset: column('_offset', 'bigint'),
    tick: column('_tick', 'bigint'),
    appendedAt: column('_appended_at', 'timestamp'),
  } as unknown as SystemColumns
}

/** A relation as FROM names it. */
export interface PrintedRelation extends Fragment {
  /** Set where the relation needs a name by WITH. */
  readonly with?: { readonly name: string; readonly text: string }
}

/** @param cuts windows that the query's expressions ask for */
export function printRelation(source: BoundSource, cuts: readonly WindowCut[]): PrintedRelation {
  const alias = identifier(source.alias)
  const own = source.relation.kind === 'windows' ? (source.relation as Windows) : null
  if (own !== null && own.of.kind === 'windows') {
    throw new MillraceError('sql/definition', `${source.alias} is cut into windows twice`, { hint: 'keep one of them' })
  }
  const asked = [...(own === null ? [] : [own.cut]), ...cuts]
  const cut = asked[0]
  if (asked.some((other) => JSON.stringify(other) !== JSON.stringify(cut))) {
    throw new MillraceError('sql/definition', `${source.alias} is cut into different windows in one query`, {
      hint: 'read the relation twice, or compute the windows in two views',
    })
  }
  const of = own?.of ?? source.relation
  const base = nameOrText(of)
  if (cut === undefined) {
    if (base.name === null) return { ...base, text: `(\n${indented(base.text)}\n) AS ${alias}` }
    return { ...base, text: base.name === alias ? alias : `${base.name} AS ${alias}` }
  }
  const name = base.name ?? withName(source.alias, base.reads)
  const sizes = cut.sizes.map((size) => nodeOf(size).text).map((size) => `, interval ${size}`)
  const text = `${cut.function}(${name}, ${identifier(cut.time)}${sizes.join('')}) AS ${alias}`
  return base.name === null ? { ...base, text, with: { name, text: base.text } } : { ...base, text }
}

/** A name that shadows nothing. */
function withName(alias: string, reads: readonly Named[]): string {
  const taken = new Set(reads.map(({ name }) => fold(name)))
  let name = `${alias}_rows`
  while (taken.has(fold(name))) name += '_'
  return identifier(name)
}

interface NameOrText extends Fragment {
  readonly name: string | null
}

function nameOrText(relation: Relation): NameOrText {
  if (relation.kind === 'sql') {
    const { text, reads, uses } = relation as Sql
    return { name: null, text: text.includes('--') ? `${text}\n` : text, reads, uses }
  }
  const named = relation as unknown as Named
  return { name: identifier(named.name), text: '', reads: [named], uses: [] as readonly Use[] }
}

/** Two spaces before each line, unless a line breaks inside quotes. */
export function indented(text: string): string {
  const broken = tokenize(text).some(
    ({ kind, start, end }) => (kind === 'string' || kind === 'quoted') && text.slice(start, end).includes('\n'),
  )
  if (broken) return text
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')
}
